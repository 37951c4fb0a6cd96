"""``hfedfm generate``: writes a scenario as an instance file."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.outputs import require_writable
from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from hfedfm_opt.system.instance import Instance


class Scenario(StrEnum):
    """What can be generated."""

    PAPER = "paper"
    CAMPUS = "campus"
    CITY = "city"


def generate(
    scenario: Annotated[
        Scenario,
        typer.Argument(
            help="paper: the published network of 40 devices; campus: 24 devices; city: any size.",
            show_choices=True,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The instance file to write.")],
    devices: Annotated[int | None, typer.Option(min=1, help="city: number of devices.")] = None,
    edges: Annotated[
        int | None, typer.Option(min=1, help="city: number of edge servers; default: one for six devices.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="campus, city: seed; default: the shipped campus; 0 for a city.")
    ] = None,
    train_on: Annotated[
        str | None,
        typer.Option(
            "--train-on",
            help="campus: tiers that may train the adapter and the heads, such as device,edge; default: the "
            "devices themselves.",
        ),
    ] = None,
) -> int:
    """Write a scenario as an instance file."""
    require_writable(output)
    tiers = None if train_on is None else _tiers(train_on)
    instance = _generated(scenario, devices, edges, seed, tiers)
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.system.read import write_instance

    write_instance(instance, output)
    print(f"{output}: {described(instance)}")
    return 0


def _tiers(text: str) -> tuple[str, ...]:
    tiers = tuple(name.strip() for name in text.split(","))
    known = ("device", "edge", "cloud")
    for name in tiers:
        if name not in known:
            raise CommandError(f"--train-on names {name!r}, must be one or more of {', '.join(known)}")
    return tuple(name for name in known if name in tiers)


def _generated(
    scenario: Scenario,
    devices: int | None,
    edges: int | None,
    seed: int | None,
    train_on: tuple[str, ...] | None,
) -> "Instance":
    given = {"--devices": devices, "--edges": edges, "--seed": seed, "--train-on": train_on}
    of_city = ("--devices", "--edges", "--seed")
    taken = {Scenario.PAPER: (), Scenario.CAMPUS: ("--seed", "--train-on"), Scenario.CITY: of_city}[scenario]
    for option, value in given.items():
        if value is not None and option not in taken:
            other = "campus" if option == "--train-on" else "city"
            raise CommandError(f"{option} has no meaning for {scenario}: leave it out, or generate a {other}")
    from hfedfm_opt.system.generate import campus_instance, city_instance, paper_instance

    if scenario is Scenario.PAPER:
        return paper_instance()
    if scenario is Scenario.CAMPUS:
        tiers = train_on or ()
        return campus_instance(trained_on=tiers) if seed is None else campus_instance(seed, tiers)
    if devices is None:
        raise CommandError("a city needs its number of devices: --devices N")
    return city_instance(devices, edges, seed or 0)
