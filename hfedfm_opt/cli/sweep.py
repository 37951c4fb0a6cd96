"""``hfedfm sweep``: the measured front of energy, latency and accuracy, and the choice under a floor."""

import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.engine_options import Engine, EngineChoice, Jobs, engine_of
from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.solve import DuplexChoice, duplex_of
from hfedfm_opt.cli.sweep_lists import bits_of, candidates_of, floor_of, momenta_of, periods_of
from hfedfm_opt.cli.terminal import CommandError, complain, say_drawn, say_facts, say_json

if TYPE_CHECKING:
    from rich.console import Console

    from hfedfm_opt.study.sweeping.field import Observer
    from hfedfm_opt.study.sweeping.result import Sweep

MEASURED = "measured"


class MetricChoice(StrEnum):
    """Which accuracy decides."""

    SYNC = "sync"
    LATE = "late"
    BOTH = "both"


def sweep(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    planner: Annotated[
        str, typer.Option(help="A planner that takes a period, without one; see hfedfm planners.")
    ] = "optimised",
    periods: Annotated[
        str, typer.Option(metavar="E,...", help="Rounds between cloud averages, or never.")
    ] = "1,2,4",
    bits: Annotated[
        str, typer.Option(metavar="B,...", help="Bits a parameter; 2/8: of updates and of models.")
    ] = "32,8,4,2",
    momentum: Annotated[
        str, typer.Option(metavar="M,...", help="Momenta of the cloud's averages.")
    ] = "0,0.6",
    module_periods: Annotated[
        list[str] | None,
        typer.Option(
            metavar="measured|MODULE=E,...",
            help="Candidates with periods of single modules: from what was measured, or these; repeated.",
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of training; default: the instance's.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="K", help="Number of paired seeds: 0 to K - 1.")] = 3,
    metric: Annotated[
        MetricChoice, typer.Option(help="Deciding accuracy: at the last cloud round, late, or the worse.")
    ] = MetricChoice.BOTH,
    accuracy_floor: Annotated[
        str | None,
        typer.Option(
            metavar="X|reference-P", help="Choose the cheapest of at least X percent, verified by running."
        ),
    ] = None,
    max_latency: Annotated[
        float | None, typer.Option(metavar="S", help="Most seconds per round of a candidate.")
    ] = None,
    max_energy: Annotated[
        float | None, typer.Option(metavar="J", help="Most joules per round of a candidate.")
    ] = None,
    no_race: Annotated[
        bool, typer.Option("--no-race", help="Run all candidates with all seeds: drop none.")
    ] = False,
    duplex: Annotated[
        DuplexChoice, typer.Option(help="Radios of the devices: as the instance says, or all of one kind.")
    ] = DuplexChoice.AS_GIVEN,
    jobs: Jobs = None,
    engine: Engine = EngineChoice.PROCESSES,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds after which no further run is begun.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for runs, sweep.csv, .json, .svg and plans."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Use the runs that the folder of -o has, and go on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Measure the front of energy, latency and accuracy over periods, precision and momentum.

    Exit status 0: a candidate was chosen; 1: none; 2: wrong use or an invalid file.
    """
    _refuse_wrong_numbers(max_latency, max_energy, time_limit)
    floor = floor_of(accuracy_floor)
    each_period, each_bits, each_momentum = periods_of(periods), bits_of(bits), momenta_of(momentum)
    _prepare(output, resume=resume)
    from hfedfm_opt.planning.settings import PlannerOptions
    from hfedfm_opt.study.sweeping.files import write_sweep
    from hfedfm_opt.study.sweeping.settings import SweepOptions
    from hfedfm_opt.study.sweeping.sweep import sweep as swept
    from hfedfm_opt.study.sweeping.tables import sweep_document
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    words = module_periods or []
    explicit = [word for word in words if word != MEASURED]
    asked = SweepOptions(
        planner=planner,
        periods=each_period,
        bits=each_bits,
        momenta=each_momentum,
        measure_modules=MEASURED in words,
        rounds=rounds,
        seeds=range(seeds),
        metric=metric.value,
        floor=floor,
        max_latency_s=max_latency,
        max_energy_j=max_energy,
        race=not no_race,
        time_limit_s=time_limit,
        options=PlannerOptions(duplex=duplex_of(duplex), jobs=jobs, engine=engine_of(engine)),
        more=candidates_of(instance, explicit, each_period, each_bits, each_momentum),
    )
    with _progress() as observer:
        found = swept(instance, asked, folder=output, observer=observer)
    command = shlex.join(["hfedfm", *sys.argv[1:]])
    if output is not None:
        write_sweep(found, output, command)
    if as_json:
        say_json(sweep_document(found, command))
    else:
        _say(found, output)
    if found.chosen is None:
        complain(f"nothing chosen for {str(file)!r}: {found.why}")
        return 1
    return 0


def _refuse_wrong_numbers(max_latency: float | None, max_energy: float | None, limit: float | None) -> None:
    named = (("--max-latency", max_latency), ("--max-energy", max_energy), ("--time-limit", limit))
    for option, value in named:
        if value is not None and not 0 < value < math.inf:
            raise CommandError(f"{option} is {value:g}, must be > 0")


def _prepare(output: Path | None, *, resume: bool) -> None:
    """Make the folder; refuse to mix its runs with new ones unless that is asked for."""
    if output is None:
        if resume:
            raise CommandError("--resume needs the folder whose runs it uses: give -o DIR")
        return
    from hfedfm_opt.study.sweeping.runs import RUNS

    make_folder(output)
    if not resume and (output / RUNS).exists():
        raise CommandError(f"{output}: holds runs of a sweep: use them (--resume), or give another folder")


@contextmanager
def _progress() -> "Iterator[Observer]":
    """Show the run on its way as a bar on stderr; it is gone at the end."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    bars = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=bars, transient=True, disable=not bars.is_terminal) as progress:
        task = progress.add_task("plan", total=None)

        def observe(what: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, description=what)

        yield observe


def _say(found: "Sweep", output: Path | None) -> None:
    from hfedfm_opt.study.sweeping.tables import facts_of, tables_of_sweep
    from hfedfm_opt.study.table import terminal_table

    def draw(console: "Console") -> None:
        for table in tables_of_sweep(found):
            console.print(terminal_table(table, console.width))
            console.print()

    say_drawn(draw)
    facts = [("instance", found.instance.name), *facts_of(found), ("time", f"{found.seconds:.2f} s")]
    say_facts(facts)
    if output is not None:
        print(f"written to {output}")
