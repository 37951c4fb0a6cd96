"""``hfedfm ablation``: what each decision of the optimised planner is worth on an instance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.solve import DuplexChoice, TransportBits, duplex_of
from hfedfm_opt.cli.terminal import CommandError, complain, say_drawn, say_json

if TYPE_CHECKING:
    from hfedfm_opt.study.ablation import Ablation
    from hfedfm_opt.system.instance import Instance


def ablation(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    period: Annotated[
        str | None,
        typer.Option(metavar="E|never", help="Rounds between cloud averages; default: the instance's."),
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds of each plan; default: 10.")
    ] = None,
    gap: Annotated[float, typer.Option(metavar="G", help="Relative gap that is called optimal.")] = 1e-6,
    duplex: Annotated[
        DuplexChoice, typer.Option(help="Radios of the devices: as the instance says, or all of one kind.")
    ] = DuplexChoice.AS_GIVEN,
    transport_bits: Annotated[
        TransportBits, typer.Option(help="Bits a parameter with which updates and models travel.")
    ] = TransportBits.AS_THEY_ARE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random choices.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for ablation.json, ablation.csv, ablation.md."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show what each decision is worth: taken away from the optimised plan, and made alone.

    Exit status 0: everything and nothing decided both have a plan; 1: one has none; 2: wrong use or an
    invalid file.
    """
    if time_limit is not None and not time_limit > 0:
        raise CommandError(f"--time-limit is {time_limit:g}, must be > 0 seconds")
    if not 0 <= gap < 1:
        raise CommandError(f"--gap is {gap:g}, must be at least 0 and below 1")
    if output is not None:
        make_folder(output)
    from rich.console import Console

    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.study.ablation import ablate
    from hfedfm_opt.study.ablation_table import ablation_table
    from hfedfm_opt.study.table import terminal_table
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    options = PlannerOptions(
        time_limit_s=time_limit,
        gap=gap,
        seed=seed,
        duplex=duplex_of(duplex),
        transport_bits=int(transport_bits.value),
    )
    found = ablate(instance, period=_period(instance, period), options=options)
    if output is not None:
        _write(found, output)
    if as_json:
        say_json(found.to_dict())
    else:

        def draw(console: Console) -> None:
            console.print(terminal_table(ablation_table(found), console.width))

        say_drawn(draw)
        if output is not None:
            print(f"written to {output}")
    missing = [row for row in found.rows if row.objective is None and row.group in ("full", "plain")]
    for row in missing:
        complain(f"no plan of {row.planner}: {row.explanation}")
    return 1 if missing else 0


def _period(instance: "Instance", asked: str | None) -> int | None:
    from hfedfm_opt.planning.recipes import recipe_of

    if asked is None:
        return instance.training.period
    return recipe_of(f"optimised:{asked}", None).period


def _write(found: "Ablation", folder: Path) -> None:
    from hfedfm_opt.study.ablation_table import ablation_markdown
    from hfedfm_opt.system.files import write_text

    for name, text in (
        ("ablation.json", found.to_json()),
        ("ablation.csv", found.to_csv()),
        ("ablation.md", ablation_markdown(found)),
    ):
        write_text(folder / name, text)
