"""What watches a run: a bar on the terminal, a CSV file, TensorBoard."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from fl_runtime.round_report import RoundObserver, RoundReport


@contextmanager
def watched(learn: bool, rounds_csv: Path | None, tensorboard: Path | None) -> "Iterator[RoundObserver]":
    """Give an observer of a run that feeds all that is asked for.

    Parameters
    ----------
    learn : bool
        Whether the run trains; only then there is a bar.
    rounds_csv : Path or None
        File that gets a line for each round.
    tensorboard : Path or None
        Log directory.
    """
    from fl_runtime.observers import RoundCsv, RoundTensorBoard, several

    with ExitStack() as stack:
        observers: list[RoundObserver] = []
        if learn:
            observers.append(stack.enter_context(_bar()))
        if rounds_csv is not None:
            observers.append(stack.enter_context(RoundCsv(rounds_csv)))
        if tensorboard is not None:
            try:
                observers.append(stack.enter_context(RoundTensorBoard(tensorboard)))
            except ImportError as error:
                raise CommandError(str(error)) from error
            except OSError as error:
                raise CommandError(f"--tensorboard {tensorboard}: {error.strerror or error}") from error
        yield several(*observers)


@contextmanager
def _bar() -> "Iterator[RoundObserver]":
    """Show rounds, accuracy so far and time left on stderr while rounds are trained; gone when they are."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=None, left="")

        def observe(report: "RoundReport") -> None:
            mean = report.mean_accuracy
            progress.update(
                task,
                total=report.num_rounds,
                completed=report.index + 1,
                description="training" if mean is None else f"training, accuracy {mean:.3f}",
                left="" if report.wall_left_s is None else f"{_duration(report.wall_left_s)} left",
            )

        yield observe


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
