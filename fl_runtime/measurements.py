"""What a run measured: the timeline, the learning curve, and both as files."""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fl_runtime.living.record import Event
from fl_runtime.timeline import COLUMNS, Timeline
from fl_runtime.whole_files import write_whole

if TYPE_CHECKING:
    from fl_runtime.learning_curve import LearningCurve

MODULE_SEPARATOR = "+"
"""Between the names of a step's modules in a CSV file."""


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a run cost and what it learned.

    Parameters
    ----------
    schedule_name : str
        Name of the schedule.
    seed : int
        Seed of the run.
    timeline : Timeline
        Model time and energy of every step.
    learning : LearningCurve or None
        Accuracy of every round; ``None`` if nothing was trained.
    """

    schedule_name: str
    seed: int
    timeline: Timeline
    learning: "LearningCurve | None" = None

    @property
    def latency_s(self) -> float:
        """Model time per round, over whole cycles, s."""
        return self.timeline.cycle_latency_s

    @property
    def energy_j(self) -> float:
        """Energy per round, over whole cycles, J."""
        return self.timeline.cycle_energy_j

    def summary(self) -> dict[str, Any]:
        """Return the figures of the run as plain data.

        Returns
        -------
        dict
            ``schedule``, ``seed``, ``rounds``, ``latency_s`` and ``energy_j`` (per round, over whole
            cycles), ``makespan_s``, ``total_energy_j``, ``total_bits``; with a learning curve also
            ``accuracy`` (mean over tasks after the last round that reached the cloud), ``accuracy_late``
            (mean over tasks and the last third of the rounds), and both for each task in
            ``accuracy_of_task`` and ``accuracy_late_of_task``; accuracies in [0, 1], ``None`` without one.
            Of a living network also ``living``: how often what happened, by the names of ``EVENTS``, and
            ``slowest``, the largest factor on the time of work.
        """
        timeline, learning = self.timeline, self.learning
        at_sync = None if learning is None else learning.at_last_sync
        late = None if learning is None else learning.late_average
        return {
            "schedule": self.schedule_name,
            "seed": self.seed,
            "rounds": timeline.num_rounds,
            "latency_s": self.latency_s,
            "energy_j": self.energy_j,
            "makespan_s": timeline.makespan_s,
            "total_energy_j": float(timeline.energy_j.sum()),
            "total_bits": float(timeline.bits.sum()),
            "accuracy": _mean(at_sync),
            "accuracy_late": _mean(late),
            "accuracy_of_task": at_sync,
            "accuracy_late_of_task": late,
            **({} if timeline.record is None else {"living": timeline.record.summary()}),
        }


def rows_of(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield the rows of a timeline as plain data, with the keys of ``COLUMNS``."""
    columns = [_plain(getattr(timeline, name)) for name in COLUMNS]
    for values in zip(*columns, strict=True):
        yield dict(zip(COLUMNS, values, strict=True))


def write_rows_csv(timeline: Timeline, path: str | os.PathLike[str]) -> None:
    """Write one line per step and round, with a head line; numbers keep all digits.

    Parameters
    ----------
    timeline : Timeline
        The rows.
    path : str or path-like
        The file; it is written whole or not at all.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows_of(timeline):
        writer.writerow(row | {"modules": MODULE_SEPARATOR.join(row["modules"])})
    write_whole(path, stream.getvalue().encode())


def write_events_csv(timeline: Timeline, path: str | os.PathLike[str]) -> None:
    """Write one line for each thing that happened in a living network besides the plan, with a head line.

    Parameters
    ----------
    timeline : Timeline
        Whose record is written; only the head line for a network that is still.
    path : str or path-like
        The file; it is written whole or not at all.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Event._fields)
    writer.writerows(() if timeline.record is None else timeline.record.events)
    write_whole(path, stream.getvalue().encode())


def write_rows_json(timeline: Timeline, path: str | os.PathLike[str]) -> None:
    """Write a JSON list with one object per step and round.

    Parameters
    ----------
    timeline : Timeline
        The rows.
    path : str or path-like
        The file; it is written whole or not at all.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows_of(timeline))
    write_whole(path, f"[\n{lines}\n]\n".encode())


class Summarised(Protocol):
    """What has figures as plain data."""

    def summary(self) -> dict[str, Any]:
        """Return them."""
        ...


def write_summary_json(measurements: Summarised, path: str | os.PathLike[str]) -> None:
    """Write :meth:`Measurements.summary` to a JSON file, whole or not at all."""
    text = json.dumps(measurements.summary(), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _mean(accuracy_of_task: dict[str, float] | None) -> float | None:
    return sum(accuracy_of_task.values()) / len(accuracy_of_task) if accuracy_of_task else None


def _plain(column: Any) -> Any:
    return column.tolist() if hasattr(column, "tolist") else column
