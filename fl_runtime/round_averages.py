"""The averages of a schedule's rounds: by mixing matrices, or carried transfer by transfer."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fl_runtime.aggregation import mixings
from fl_runtime.living.record import Happened
from fl_runtime.local import State, without
from fl_runtime.schedule import RoundKind, Schedule
from fl_runtime.transport import Transport, packed_modules
from fl_runtime.transport_state import Kept


def first_kept(schedule: Schedule, state: State) -> dict[str, Kept]:
    """Return what nodes keep before the first round, of each module that travels packed."""
    packed = [name for name in packed_modules(schedule) if name in state]
    return {name: Kept({0: state[name][0].copy()}) for name in packed}


class RoundAverages:
    """Does to the replicas what the steps of a round do.

    Parameters
    ----------
    schedule : Schedule
        Checked, with its quantities drawn.
    kept : mapping of str to Kept
        What nodes have of each module that travels packed; it is changed by rounds.
    """

    def __init__(self, schedule: Schedule, kept: Mapping[str, Kept]) -> None:
        self.kept = kept
        self._schedule = schedule
        self._mixing_of_kind = {kind.name: mixings(schedule, kind) for kind in schedule.kinds}
        self._transports = self._carrying(schedule)

    def after(
        self, index: int, state: State, happened: Happened | None, missing: frozenset[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return the state after a round's averages; modules without a way to travel stay as they are.

        Parameters
        ----------
        index : int
            The round, 0-based.
        state : mapping of str to array
            After local training: of each module its replicas, (replicas, size).
        happened : Happened or None
            What came of the steps in a living network; ``None``: all went well.
        missing : frozenset of str
            Devices whose updates did not come.
        """
        kind = self._schedule.kind_of_round(index)
        mixing = self._mixing_of_kind[kind.name]
        if happened or missing:
            mixing = mixings(*_as_it_was(self._schedule, kind, happened, missing))
        transports = self._carrying(without(self._schedule, missing)) if missing else self._transports
        result = {}
        for name, rows in state.items():
            if name in transports:
                result[name] = transports[name].round(kind.name, rows, happened)[0]
            else:
                result[name] = mixing[name].apply(rows) if name in mixing else rows
        return result

    def _carrying(self, schedule: Schedule) -> dict[str, Transport]:
        return {name: Transport(schedule, name, of_module) for name, of_module in self.kept.items()}


def _as_it_was(
    schedule: Schedule, kind: RoundKind, happened: Happened | None, missing: frozenset[str]
) -> tuple[Schedule, RoundKind]:
    """Return the replicas with the weights that count in a round, and the steps that took place."""
    if happened is None:
        return without(schedule, missing), kind
    return without(happened.without_untrained(schedule), missing), happened.kind
