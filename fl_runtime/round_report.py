"""What an observer of a run is told after each round."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fl_runtime.schedule import Schedule
from fl_runtime.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """A round of a run.

    Parameters
    ----------
    index : int
        The round, 0-based.
    num_rounds : int
        Rounds of the run.
    kind : str
        Name of the kind of round.
    reaches_cloud : bool
        Whether the cloud averages in it.
    end_s : float
        When all steps of this and earlier rounds have ended, s of model time.
    energy_j, bits : float
        Energy of the round, J, and bits that travelled in it.
    accuracy : mapping of str to float
        Accuracy of each task after the round, in [0, 1]; empty if nothing is trained.
    is_replayed : bool
        Whether an earlier run trained the round, and this one goes on from its state.
    wall_s : float
        Real time since this run began to train, s.
    wall_left_s : float or None
        Estimate of the real time until it ends, s; ``None`` while there is none.
    """

    index: int
    num_rounds: int
    kind: str
    reaches_cloud: bool
    end_s: float
    energy_j: float
    bits: float
    accuracy: Mapping[str, float] = field(default_factory=dict)
    is_replayed: bool = False
    wall_s: float = 0.0
    wall_left_s: float | None = None

    @property
    def mean_accuracy(self) -> float | None:
        """Mean over tasks, or ``None`` if nothing is trained."""
        return sum(self.accuracy.values()) / len(self.accuracy) if self.accuracy else None


RoundObserver = Callable[[RoundReport], None]
"""Told of each round, in their order."""


class Reporter:
    """Tells an observer of rounds as they are learned, with what the clock measured of them.

    Parameters
    ----------
    schedule, timeline
        What is run, and what it costs.
    observer : callable
        Who is told.
    """

    def __init__(self, schedule: Schedule, timeline: Timeline, observer: RoundObserver) -> None:
        self._schedule, self._timeline, self._observer = schedule, timeline, observer
        self._num_replayed = 0
        self._started_s = time.monotonic()

    def tell_all(self) -> None:
        """Tell of every round that was played; nothing is trained."""
        for index in range(self._timeline.num_rounds):
            self._tell(index, {}, is_replayed=False)

    def tell_replayed(self, accuracies: Sequence[Mapping[str, float]]) -> None:
        """Tell of the rounds that an earlier run trained, by their accuracies."""
        self._num_replayed = len(accuracies)
        for index, accuracy in enumerate(accuracies):
            self._tell(index, accuracy, is_replayed=True)
        self._started_s = time.monotonic()

    def tell(self, index: int, accuracy: Mapping[str, float]) -> None:
        """Tell of a round that was just trained."""
        self._tell(index, accuracy, is_replayed=False)

    def _tell(self, index: int, accuracy: Mapping[str, float], *, is_replayed: bool) -> None:
        kind, timeline = self._schedule.kind_of_round(index), self._timeline
        wall_s = time.monotonic() - self._started_s
        num_trained = index + 1 - self._num_replayed
        left = timeline.num_rounds - index - 1
        self._observer(
            RoundReport(
                index=index,
                num_rounds=timeline.num_rounds,
                kind=kind.name,
                reaches_cloud=kind.reaches_cloud,
                end_s=float(timeline.round_end_s[index]),
                energy_j=float(timeline.energy_j[index]),
                bits=float(timeline.bits_of_round[index]),
                accuracy=dict(accuracy),
                is_replayed=is_replayed,
                wall_s=0.0 if is_replayed else wall_s,
                wall_left_s=None if is_replayed or not accuracy else wall_s / num_trained * left,
            )
        )
