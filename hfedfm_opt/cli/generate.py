"""``hfedfm generate``: writes a scenario as an instance file."""

from collections.abc import Mapping
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
    train: Annotated[
        str | None,
        typer.Option(
            help="campus: kinds of modules that are trained besides the adapter and the heads, of backbone, "
            "encoder, expert, lora and prompt.",
        ),
    ] = None,
) -> int:
    """Write a scenario as an instance file."""
    require_writable(output)
    given = {"--devices": devices, "--edges": edges, "--seed": seed, "--train-on": train_on, "--train": train}
    _refuse_meaningless(scenario, given)
    if scenario is Scenario.CAMPUS:
        instance = _campus(seed, train_on, train)
    else:
        instance = _generated(scenario, devices, edges, seed)
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.system.read import write_instance

    write_instance(instance, output)
    print(f"{output}: {described(instance)}")
    return 0


def _named(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in a list with commas, in the order of those that are known."""
    names = () if text is None else tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in known:
            raise CommandError(f"{option} names {name!r}, must be one or more of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _refuse_meaningless(scenario: Scenario, given: Mapping[str, object]) -> None:
    of_campus, of_city = ("--seed", "--train-on", "--train"), ("--devices", "--edges", "--seed")
    taken = {Scenario.PAPER: (), Scenario.CAMPUS: of_campus, Scenario.CITY: of_city}[scenario]
    for option, value in given.items():
        if value is not None and option not in taken:
            other = "city" if option in of_city else "campus"
            raise CommandError(f"{option} has no meaning for {scenario}: leave it out, or generate a {other}")


def _campus(seed: int | None, train_on: str | None, train: str | None) -> "Instance":
    from hfedfm_opt.system.generate import campus_instance
    from hfedfm_opt.system.generate.trained_kinds import TRAINABLE_KINDS

    tiers = _named("--train-on", train_on, ("device", "edge", "cloud"))
    kinds = _named("--train", train, TRAINABLE_KINDS)
    if seed is None:
        return campus_instance(trained_on=tiers, trained=kinds)
    return campus_instance(seed, tiers, kinds)


def _generated(scenario: Scenario, devices: int | None, edges: int | None, seed: int | None) -> "Instance":
    from hfedfm_opt.system.generate import city_instance, paper_instance

    if scenario is Scenario.PAPER:
        return paper_instance()
    if devices is None:
        raise CommandError("a city needs its number of devices: --devices N")
    return city_instance(devices, edges, seed or 0)
