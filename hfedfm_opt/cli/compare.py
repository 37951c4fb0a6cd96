"""``hfedfm compare``: many planners side by side, planned, measured and trained."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.own_data import DataOption, ModelOption, loaded, named_data
from hfedfm_opt.cli.report import write_report_into
from hfedfm_opt.cli.solve import DuplexChoice, TransportBits, duplex_of, refuse_wrong_momentum
from hfedfm_opt.cli.terminal import CommandError, complain, say_drawn, say_json

if TYPE_CHECKING:
    from hfedfm_opt.study.compare import Observer
    from hfedfm_opt.study.comparison import Comparison
    from hfedfm_opt.system.network import Duplex

NUM_SEEDS = 3
"""Default number of training runs of each method."""


class DuplexesChoice(StrEnum):
    """How the devices' radios are taken, or full and half duplex one after the other."""

    AS_GIVEN = "as-given"
    FULL = "full"
    HALF = "half"
    BOTH = "both"


def compare(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    planners: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Names of planners; default: the published ones and ours."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of training; default: the instance's.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of seeds of training and fading: 0 to K - 1.", metavar="K")
    ] = NUM_SEEDS,
    no_learning: Annotated[
        bool, typer.Option("--no-learning", help="Measure time and energy only; needs no torch.")
    ] = False,
    duplex: Annotated[
        list[DuplexesChoice] | None,
        typer.Option(help="Radios of the devices; may be repeated; both: full and half."),
    ] = None,
    transport_bits: Annotated[
        TransportBits, typer.Option(help="Bits a parameter with which updates and models travel.")
    ] = TransportBits.AS_THEY_ARE,
    cloud_momentum: Annotated[
        float, typer.Option(metavar="M", help="Momentum of the cloud's averages, at least 0 and below 1.")
    ] = 0.0,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Show besides what each decision is worth.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for report.html, comparison.json, comparison.csv, plans."
        ),
    ] = None,
    data: DataOption = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare planners on an instance: latency, energy and accuracy, predicted and measured.

    Exit status 0: each planner has a plan; 1: one has none; 2: wrong use or an invalid file.
    """
    names = _names(planners)
    refuse_wrong_momentum(cloud_momentum)
    if output is not None:
        make_folder(output)
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.study.compare import compare as compared
    from hfedfm_opt.study.comparison_files import write_comparison
    from hfedfm_opt.study.table import print_comparison
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    learned = loaded(named_data(data, model, not no_learning))
    with _progress() as observer:
        comparison = compared(
            instance,
            names,
            rounds=rounds,
            seeds=range(seeds),
            learn=not no_learning and learned,
            duplexes=_duplexes(duplex or []),
            options=PlannerOptions(transport_bits=int(transport_bits.value), cloud_momentum=cloud_momentum),
            observer=observer,
            command=shlex.join(["hfedfm", *sys.argv[1:]]),
            with_ablation=ablation,
        )
    if output is not None:
        write_comparison(comparison, output)
        _try_report(output, comparison)
    if as_json:
        say_json(comparison.to_dict())
    else:
        say_drawn(lambda console: print_comparison(comparison, console))
        if output is not None:
            print(f"written to {output}")
    missing = [row for row in comparison.rows if row.latency_s is None]
    for row in missing:
        complain(f"no plan of {row.label} ({row.duplex}): {row.explanation}")
    return 1 if missing else 0


def _try_report(folder: Path, comparison: "Comparison") -> None:
    """Write the report; where plotly is missing, say so and go on: the figures are written already."""
    try:
        write_report_into(folder, comparison)
    except CommandError as error:
        complain(f"{error}, then: hfedfm report {shlex.quote(str(folder))}")


def _names(planners: str | None) -> list[str] | None:
    """Return the names in a list with commas, each a planner's and given once."""
    if planners is None:
        return None
    from hfedfm_opt.planning.recipes import recipe_of

    names = [name.strip() for name in planners.split(",")]
    for name in names:
        recipe_of(name, 1)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CommandError(f"--planners names {', '.join(twice)} more than once: name each planner once")
    return names


def _duplexes(asked: Sequence[DuplexesChoice]) -> "tuple[Duplex, ...]":
    choices = [DuplexesChoice.AS_GIVEN] if not asked else list(asked)
    words: list[Duplex] = []
    for choice in choices:
        each = ("full", "half") if choice is DuplexesChoice.BOTH else (choice.value,)
        words += [duplex_of(DuplexChoice(word)) for word in each]
    return tuple(dict.fromkeys(words))


@contextmanager
def _progress() -> "Iterator[Observer]":
    """Show a bar for planning and one for training on stderr; both are gone at the end."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    bars = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=bars, transient=True, disable=not bars.is_terminal) as progress:
        tasks = {stage: progress.add_task(stage, total=None, visible=False) for stage in ("plan", "train")}

        def observe(stage: str, what: str, done: int, total: int) -> None:
            progress.update(
                tasks[stage], completed=done, total=total, description=f"{stage}: {what}", visible=True
            )

        yield observe
