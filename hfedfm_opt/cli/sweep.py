"""``hfedfm sweep``: the measured front of energy, latency and accuracy, and the choice under a floor."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.option_groups import with_groups
from hfedfm_opt.cli.outputs import make_folder
from hfedfm_opt.cli.sweep_choices import SweepChoices, read_lists, sweep_options
from hfedfm_opt.cli.terminal import CommandError, complain, say_drawn, say_facts, say_json

if TYPE_CHECKING:
    from rich.console import Console

    from hfedfm_opt.study.sweeping.field import Observer
    from hfedfm_opt.study.sweeping.result import Sweep


@with_groups
def sweep(
    file: Annotated[Path, typer.Argument(help="The instance file.", show_default=False)],
    *,
    choices: SweepChoices,
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
    lists = read_lists(choices)
    _prepare(output, resume=resume)
    from hfedfm_opt.study.sweeping.files import write_sweep
    from hfedfm_opt.study.sweeping.sweep import sweep as swept
    from hfedfm_opt.study.sweeping.tables import sweep_document
    from hfedfm_opt.system.read import read_instance

    instance = read_instance(file)
    asked = sweep_options(instance, choices, lists)
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
