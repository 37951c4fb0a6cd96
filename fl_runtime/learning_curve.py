"""What a run of a schedule learned, round by round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fl_runtime.cohorts import Cohort
from fl_runtime.local import State
from fl_runtime.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """What training reached, round by round.

    Parameters
    ----------
    tasks : tuple of str
        The tasks that devices run, sorted.
    accuracy : array of float, shape (rounds, tasks)
        Share of the common test set that the models in use after the round get right, in [0, 1]; mean over
        the devices that run the task.
    reached_cloud : array of bool, shape (rounds,)
        In which rounds the cloud averaged.
    state : mapping of str to array
        After the last round: of each trained kind of module its replicas' parameters, (replicas, size).
    """

    tasks: tuple[str, ...]
    accuracy: npt.NDArray[np.float64]
    reached_cloud: npt.NDArray[np.bool_]
    state: Mapping[str, npt.NDArray[np.float32]]

    @property
    def mean_accuracy(self) -> npt.NDArray[np.float64]:
        """Mean over tasks of each round's accuracy, (rounds,)."""
        return np.asarray(self.accuracy.mean(axis=1))

    @property
    def at_last_sync(self) -> dict[str, float]:
        """Accuracy of each task after the last round that reached the cloud; if none did, the last."""
        synced = np.flatnonzero(self.reached_cloud)
        index = int(synced[-1]) if len(synced) else -1
        return dict(zip(self.tasks, self.accuracy[index].tolist(), strict=True))

    @property
    def late_average(self) -> dict[str, float]:
        """Accuracy of each task, mean over the last third of the rounds (at least one round)."""
        late = self.accuracy[-max(1, len(self.accuracy) // 3) :]
        return dict(zip(self.tasks, late.mean(axis=0).tolist(), strict=True))


def curve_of(
    schedule: Schedule, cohorts: Sequence[Cohort], accuracies: Sequence[Mapping[str, float]], state: State
) -> LearningCurve:
    """Return the curve of a run that has ended.

    Parameters
    ----------
    schedule : Schedule
        What was run.
    cohorts : sequence of Cohort
        Who trained what.
    accuracies : sequence of mapping of str to float
        Accuracy of each task after each round.
    state : mapping of str to array
        After the last round; its arrays are made read-only.
    """
    tasks = tuple(sorted({cohort.task.name for cohort in cohorts}))
    kinds = [schedule.kind_of_round(index) for index in range(schedule.rounds)]
    for rows in state.values():
        rows.setflags(write=False)
    return LearningCurve(
        tasks=tasks,
        accuracy=np.array([[of_round[task] for task in tasks] for of_round in accuracies]),
        reached_cloud=np.array([kind.reaches_cloud for kind in kinds]),
        state=MappingProxyType(dict(state)),
    )
