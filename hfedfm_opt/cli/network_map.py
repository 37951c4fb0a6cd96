"""``hfedfm map``: a picture of a network, and of the ways of a plan's updates."""

from pathlib import Path
from typing import Annotated

import typer

from hfedfm_opt.cli.outputs import require_writable
from hfedfm_opt.cli.terminal import CommandError


def network_map(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    plan: Annotated[Path | None, typer.Argument(help="A plan for it.", show_default=False)] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture to write, SVG.")] = Path(
        "map.svg"
    ),
) -> int:
    """Draw a network as an SVG map: sites, devices coloured by cell, and the ways of a plan's updates."""
    require_writable(output)
    if output.suffix != ".svg":
        raise CommandError(f"{output}: the picture is SVG, its name must end in .svg")
    from hfedfm_opt.cli.describe import described
    from hfedfm_opt.planning.plan_file import read_plan
    from hfedfm_opt.study.map_picture import NothingToDraw, write_map
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    found = None if plan is None else read_plan(plan, instance)
    try:
        write_map(instance, output, found)
    except NothingToDraw as error:
        raise CommandError(str(error)) from error
    print(f"{output}: {described(instance)}")
    return 0
