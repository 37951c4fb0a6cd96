"""Observers that write what a run reaches, round by round: to a CSV file, to TensorBoard."""

import csv
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from fl_runtime.round_report import RoundObserver, RoundReport

FIXED_COLUMNS = ("round", "kind", "reaches_cloud", "end_s", "energy_j", "bits", "accuracy")
"""First columns of a file of rounds; a column ``accuracy of TASK`` follows for each task."""


def several(*observers: RoundObserver) -> RoundObserver:
    """Return an observer that tells several, in their order."""

    def tell(report: RoundReport) -> None:
        for observer in observers:
            observer(report)

    return tell


class RoundCsv:
    """Writes a line for each round as soon as it has ended; a context manager.

    The file begins anew with each run, and a run that is resumed tells of all its rounds: so the file of a
    run that was killed and resumed has the bytes of one that was not.  Numbers keep all digits; ``accuracy``,
    the mean over tasks, is empty if nothing is trained.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    OSError
        Where it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._stream: TextIO | None = None
        self._tasks: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._stream = self._path.open("w", encoding="utf-8", newline="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __call__(self, report: RoundReport) -> None:
        """Write the line of a round, with the head line before the first."""
        if self._stream is None:
            raise ValueError(f"{self._path} is not open: use the writer in a with statement")
        writer = csv.writer(self._stream, lineterminator="\n")
        if report.index == 0:
            self._tasks = tuple(sorted(report.accuracy))
            writer.writerow([*FIXED_COLUMNS, *(f"accuracy of {task}" for task in self._tasks)])
        writer.writerow(
            [
                report.index,
                report.kind,
                report.reaches_cloud,
                report.end_s,
                report.energy_j,
                report.bits,
                report.mean_accuracy,
                *(report.accuracy[task] for task in self._tasks),
            ]
        )
        self._stream.flush()


class RoundTensorBoard:
    """Writes scalars for TensorBoard; a context manager.

    Tags: ``accuracy/mean`` and ``accuracy/TASK``; of each round ``round/latency_s``, ``round/energy_j`` and
    ``round/bits``; and ``total/end_s`` and ``total/energy_j``, the model time and energy spent so far.  Steps
    are rounds, from 1.  A run that is resumed hides what the killed one wrote, and tells of all its rounds.

    Parameters
    ----------
    folder : str or path-like
        Log directory of the run; made if need be.

    Raises
    ------
    ImportError
        If TensorBoard or torch is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        missing = [name for name in ("torch", "tensorboard") if find_spec(name) is None]
        if missing:
            raise ImportError(
                f"writing for TensorBoard needs {' and '.join(missing)}: "
                "pip install 'hfedfm-opt[runtime,tensorboard]'"
            )
        self._folder = Path(folder)
        self._writer: Any = None
        self._end_s = 0.0
        self._energy_j = 0.0

    def __enter__(self) -> Self:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __call__(self, report: RoundReport) -> None:
        """Write the scalars of a round."""
        if self._writer is None:
            raise ValueError(f"{self._folder} is not open: use the writer in a with statement")
        self._energy_j += report.energy_j
        for tag, value in self._scalars(report):
            self._writer.add_scalar(tag, value, report.index + 1)
        self._writer.flush()
        self._end_s = report.end_s

    def _scalars(self, report: RoundReport) -> Iterator[tuple[str, float]]:
        if report.mean_accuracy is not None:
            yield "accuracy/mean", report.mean_accuracy
        for task, value in report.accuracy.items():
            yield f"accuracy/{task}", value
        yield "round/latency_s", report.end_s - self._end_s
        yield "round/energy_j", report.energy_j
        yield "round/bits", report.bits
        yield "total/end_s", report.end_s
        yield "total/energy_j", self._energy_j
