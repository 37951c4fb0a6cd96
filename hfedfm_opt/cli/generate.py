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
) -> int:
    """Write a scenario as an instance file."""
    require_writable(output)
    instance = _generated(scenario, devices, edges, seed)
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.system.read import write_instance

    write_instance(instance, output)
    print(f"{output}: {described(instance)}")
    return 0


def _generated(scenario: Scenario, devices: int | None, edges: int | None, seed: int | None) -> "Instance":
    given = {"--devices": devices, "--edges": edges, "--seed": seed}
    taken = {Scenario.PAPER: (), Scenario.CAMPUS: ("--seed",), Scenario.CITY: tuple(given)}[scenario]
    for option, value in given.items():
        if value is not None and option not in taken:
            raise CommandError(f"{option} has no meaning for {scenario}: leave it out, or generate a city")
    from hfedfm_opt.system.generate import campus_instance, city_instance, paper_instance

    if scenario is Scenario.PAPER:
        return paper_instance()
    if scenario is Scenario.CAMPUS:
        return campus_instance() if seed is None else campus_instance(seed)
    if devices is None:
        raise CommandError("a city needs its number of devices: --devices N")
    return city_instance(devices, edges, seed or 0)
