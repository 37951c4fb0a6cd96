"""The console script: gives the commands their arguments, and errors their line and exit status.

Exit status: 0 fine; 1 no plan found, infeasible, or violations; 2 wrong use or an invalid file; 130 after
Ctrl-C.  Only light modules are imported here: each command imports what it needs when it runs.
"""

import io
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated

import typer
from typer.main import get_command

from hfedfm_opt.cli.ablation import ablation
from hfedfm_opt.cli.catalogue import backends, planners
from hfedfm_opt.cli.check import check
from hfedfm_opt.cli.compare import compare
from hfedfm_opt.cli.export import export
from hfedfm_opt.cli.front import front
from hfedfm_opt.cli.generate import generate
from hfedfm_opt.cli.imports import app as imports
from hfedfm_opt.cli.network_map import network_map
from hfedfm_opt.cli.report import report
from hfedfm_opt.cli.run import run
from hfedfm_opt.cli.solve import solve
from hfedfm_opt.cli.sweep import sweep
from hfedfm_opt.cli.terminal import CommandError, complain

TRACEBACK_VARIABLE = "HFEDFM_TRACEBACK"
"""Environment variable that, if set, shows where in the code an internal error came from."""

INTERRUPTED = 130

ClickException: type[Exception] = typer.BadParameter.__mro__[2]  # typer brings its own click since 0.26

app = typer.Typer(name="hfedfm", add_completion=False)
for command in (generate, check, solve, front, run, export, compare, sweep, report, planners, backends):
    app.command()(command)
app.command()(ablation)
app.command("map")(network_map)
app.add_typer(imports, name="import")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"hfedfm {version('hfedfm-opt')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Plan, run and compare hierarchical federated foundation models over wireless networks."""


def main() -> None:
    """Run the command that the process was given, and exit with its status."""
    sys.excepthook = _internal_error
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack the letters of a name
    try:
        status = call(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush is quiet
        status = 1
    sys.exit(status)


def call(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; errors go to stderr, a line each.

    Parameters
    ----------
    arguments : sequence of str
        Such as ``["check", "campus.json"]``.
    """
    try:
        status = get_command(app).main(list(arguments), prog_name="hfedfm", standalone_mode=False)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except ClickException as error:
        return _wrong_use(error)
    except (CommandError, ValueError, OSError, ImportError, RuntimeError) as error:
        known = _status_of(error)
        if known is None:
            raise
        complain(str(error))
        return known
    if status == INTERRUPTED:
        complain("interrupted")
    return int(status or 0)


def _wrong_use(error: Exception) -> int:
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    hint = f"; try '{context.command_path} --help'" if context is not None else ""
    complain(message.rstrip(".") + hint)
    return 2


def _status_of(error: Exception) -> int | None:
    """Return the exit status for an error that was raised on purpose, or ``None`` for a fault of ours."""
    if isinstance(error, CommandError):
        return error.status
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, OSError):
        return 2
    from hfedfm_opt.planning.plan_file import PlanFileError
    from hfedfm_opt.planning.recipes import UnknownPlanner
    from hfedfm_opt.study.comparison_files import ComparisonFileError
    from hfedfm_opt.study.measure import ClockDisagreement
    from hfedfm_opt.study.sweeping.runs import KeptRunsError
    from hfedfm_opt.study.sweeping.sweep import NoReference
    from hfedfm_opt.system.defects import InstanceError
    from solvers.common import BackendFailure, SolverError

    if isinstance(error, BackendFailure | ClockDisagreement | NoReference):
        return 1
    wrong_use = (
        ComparisonFileError,
        InstanceError,
        KeptRunsError,
        PlanFileError,
        UnknownPlanner,
        SolverError,
    )
    return 2 if isinstance(error, wrong_use) else None


def _internal_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Say on one line what no command foresaw, and how to see more."""
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.__excepthook__(kind, error, traceback)
        return
    complain(
        f"internal error: {kind.__name__}: {' '.join(str(error).split())}; please report it with what "
        f"{TRACEBACK_VARIABLE}=1 shows"
    )
