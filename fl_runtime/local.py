"""Where devices train: all stacked in this process, or each by itself, somewhere else.

:func:`fl_runtime.learn.learn` does the averages of a schedule and leaves the training of a round to a
:class:`LocalTraining`; :mod:`fl_runtime.device` is what one device does by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fl_runtime.schedule import Replica, Schedule

State = Mapping[str, npt.NDArray[np.float32]]
"""Of each module, the parameters of its replicas: (replicas, size)."""

WEIGHT_OF_MISSING = 2.0**-60
"""What is left of the weight of an update that did not come: beside one that came, float32 cannot show it.

An average in which none came is thus that of the models with which the devices began.
"""


class Trained(NamedTuple):
    """All replicas after a round's local training, and the devices whose updates did not come.

    The replicas of a missing device are as they were before the round.
    """

    state: Mapping[str, npt.NDArray[np.float32]]
    missing: frozenset[str] = frozenset()


class LocalTraining(Protocol):
    """Trains the devices of a schedule for a round."""

    def __call__(self, round_index: int, state: State, away: frozenset[str]) -> Trained:
        """Return what becomes of all replicas in a round.

        Parameters
        ----------
        round_index : int
            The round, 0-based.
        state : mapping of str to array
            Of each module its replicas, (replicas, size).
        away : frozenset of str
            Devices that do not train in this round, by the clock's record.
        """
        ...


def without(schedule: Schedule, missing: frozenset[str]) -> Schedule:
    """Return the schedule in which the replicas of missing devices have (almost) no weight."""

    def of(replica: Replica) -> Replica:
        if replica.host not in missing:
            return replica
        return replace(replica, weight=replica.weight * WEIGHT_OF_MISSING)

    return replace(schedule, replicas=tuple(map(of, schedule.replicas)))
