"""Of how many updates the merges and averages of a round are made."""

import math

from fl_runtime.compiled import CompiledKind
from fl_runtime.living.flow import Flow
from fl_runtime.living.round_sets import has
from fl_runtime.schedule import Aggregate, Merge, Policy, Transfer

ROUNDING = 1e-9
"""By how much a share of updates may be missed through rounding."""


class Quorum:
    """Counts the updates that arrive.

    The updates of a merge or an average are the transfers of updates to its node that it waits for.

    Parameters
    ----------
    kind : CompiledKind
        The steps of the round.
    policy : Policy
        Its shares and its count.
    ideal : Flow
        Rounds in which all goes well: their transfers are those that are expected.
    row : int
        Which of them.
    """

    def __init__(self, kind: CompiledKind, policy: Policy, ideal: Flow, row: int) -> None:
        self._kind = kind
        self._feeds: dict[int, list[int]] = {}
        self._lacking: dict[int, int] = {}
        for position, step in enumerate(kind.steps):
            if isinstance(step, Aggregate):
                share, count = policy.share, policy.count
            elif isinstance(step, Merge):
                share, count = policy.merge_share, None
            else:
                continue
            if share is None and count is None:
                continue
            updates = [place for place in self._before(position) if self._is_update_to(place, step.node)]
            expected = sum(has(ideal.takes_place[place], row) for place in updates)
            needed = [] if share is None else [math.ceil(share * expected - ROUNDING)]
            self._lacking[position] = min(needed + ([] if count is None else [count]))
            for place in updates:
                self._feeds.setdefault(place, []).append(position)

    def arrived(self, position: int) -> list[int]:
        """Count a transfer that has arrived; return the merges and averages that now have enough."""
        full = []
        for gatherer in self._feeds.get(position, ()):
            self._lacking[gatherer] -= 1
            if self._lacking[gatherer] <= 0:
                full.append(gatherer)
        return full

    def _is_update_to(self, position: int, node: str) -> bool:
        step = self._kind.steps[position]
        return isinstance(step, Transfer) and step.content == "update" and step.target == node

    def _before(self, position: int) -> set[int]:
        """Return the steps that must have ended before one."""
        before = {position}
        for earlier in reversed(range(position)):
            if not before.isdisjoint(self._kind.successors[earlier]):
                before.add(earlier)
        return before - {position}
