"""The state of a play: what has ended, what waits for what, and what is free (the rule is in the clock)."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import chain

from fl_runtime.compiled import EVERYBODY, CompiledKind

ONE_MOMENT = 1e-12
"""Relative distance of times below which they count as one moment: some thousand roundings of float64."""

SHARE_TOLERANCE = 1e-9
"""Part of a resource by which shares may overrun it: far above rounding, far below what is measured."""

Waiting = tuple[int, int, int]
"""When a step became ready (number of the moment), its round, its place: its rank in a contest."""


class Player:
    """Plays rounds whose steps take known times; :meth:`play` fills ``start_s`` and ``end_s``."""

    def __init__(
        self, kinds: Sequence[CompiledKind], seconds: Sequence[Sequence[float]], num_resources: int
    ) -> None:
        self._kinds = kinds
        self._seconds = seconds
        self.start_s = [[0.0] * len(kind.steps) for kind in kinds]
        self.end_s = [[0.0] * len(kind.steps) for kind in kinds]
        self._num_waits = [list(kind.num_waits) for kind in kinds]
        self._round_of_node: dict[int, int] = {}
        self._num_open: dict[int, int] = {}  # steps that the node has still to end in its round
        self._num_left = [len(kind.steps) for kind in kinds]  # steps of the round that have not ended
        self._first_left = 0  # the first round that has not ended
        self._events: list[tuple[float, int, int]] = []  # heap of (end, round, place)
        self._moment = 0
        self._new: list[Waiting] = []
        self._instant: list[tuple[int, int]] = []
        self._free = [1.0] * num_resources
        self._freed: set[int] = set()  # freed at this moment, with steps that wait for them
        self._parked: list[list[Waiting]] = [[] for _ in range(num_resources)]  # heaps, by what they lack
        self._smallest = [1.0] * num_resources
        for resource, part in chain.from_iterable(
            chain.from_iterable({id(kind): kind.demands for kind in kinds}.values())
        ):
            self._smallest[resource] = min(self._smallest[resource], part)

    def play(self, num_nodes: int) -> None:
        """Play all rounds to their end."""
        self._open(EVERYBODY, 0, 0.0)
        for node in range(num_nodes):
            self._open_next_round(node, 0.0)
        self._end_instant(0.0)
        self._start_waiting(0.0)
        events, kinds, free, parked = self._events, self._kinds, self._free, self._parked
        while events:
            self._moment += 1
            limit_s = events[0][0] * (1.0 + ONE_MOMENT)
            now_s = 0.0
            while events and events[0][0] <= limit_s:
                now_s, index, position = heappop(events)
                for resource, part in kinds[index].demands[position]:
                    free[resource] += part
                    if parked[resource]:
                        self._freed.add(resource)
                self._end(now_s, index, position)
                if self._instant:
                    self._end_instant(now_s)
            if self._new or self._freed:
                self._start_waiting(now_s)

    def _end(self, now_s: float, index: int, position: int) -> None:
        kind = self._kinds[index]
        self.end_s[index][position] = now_s
        for later in kind.successors[position]:
            self._wait_less(now_s, index, later)
        num_open = self._num_open
        for node in kind.members[position]:
            num_open[node] -= 1
            if not num_open[node]:
                self._open_next_round(node, now_s)
        self._num_left[index] -= 1
        if index == self._first_left and not self._num_left[index]:
            self._end_rounds(now_s)

    def _end_instant(self, now_s: float) -> None:
        while self._instant:
            self._end(now_s, *self._instant.pop())

    def _wait_less(self, now_s: float, index: int, position: int) -> None:
        """Take one from what the step waits for; a ready step starts, or joins those that wait."""
        waits = self._num_waits[index]
        waits[position] -= 1
        if waits[position]:
            return
        self.start_s[index][position] = now_s
        seconds = self._seconds[index][position]
        if not seconds:
            self._instant.append((index, position))
        elif self._kinds[index].demands[position]:
            self._new.append((self._moment, index, position))
        else:
            heappush(self._events, (now_s + seconds, index, position))

    def _open_next_round(self, node: int, now_s: float) -> None:
        """Let the node's steps of its next round go, as far as they wait for the node."""
        index = self._round_of_node.get(node, -1) + 1
        while index < len(self._kinds):
            kind = self._kinds[index]
            num_steps = kind.num_steps_of_node.get(node, 0)
            self._round_of_node[node] = index
            self._num_open[node] = num_steps
            self._open(node, index, now_s)
            if num_steps:
                return
            index += 1

    def _end_rounds(self, now_s: float) -> None:
        """Let go the steps that wait for all rounds before theirs."""
        while self._first_left < len(self._kinds) and not self._num_left[self._first_left]:
            self._first_left += 1
            if self._first_left < len(self._kinds):
                self._open(EVERYBODY, self._first_left, now_s)

    def _open(self, node: int, index: int, now_s: float) -> None:
        for position in self._kinds[index].gated.get(node, ()):
            self._wait_less(now_s, index, position)

    def _start_waiting(self, now_s: float) -> None:
        """Start, in the order of their rank, the waiting steps whose resources are free.

        A step that waits is parked at one resource that it lacks, and looked at again only when that
        resource has been freed; what is not looked at could not have started.
        """
        parked = self._parked
        heap = [(waiting, -1) for waiting in self._new]
        heap += [(parked[resource][0], resource) for resource in self._freed]
        heapify(heap)
        refused = []
        while heap:
            waiting, origin = heappop(heap)
            _, index, position = waiting
            if origin >= 0:
                heappop(parked[origin])
            lacking = self._take(index, position)
            if lacking is None:
                self.start_s[index][position] = now_s
                seconds = self._seconds[index][position]
                heappush(self._events, (now_s + seconds, index, position))
            else:
                refused.append((lacking, waiting))
            if (
                origin >= 0
                and parked[origin]
                and self._smallest[origin] <= self._free[origin] + SHARE_TOLERANCE
            ):
                heappush(heap, (parked[origin][0], origin))
        for lacking, waiting in refused:
            heappush(parked[lacking], waiting)
        self._new.clear()
        self._freed.clear()

    def _take(self, index: int, position: int) -> int | None:
        """Take all resources of the step, or take none and return one that it lacks."""
        demands = self._kinds[index].demands[position]
        free = self._free
        for resource, part in demands:
            if part > free[resource] + SHARE_TOLERANCE:
                return resource
        for resource, part in demands:
            free[resource] -= part
        return None
