"""Plays a schedule on a timeline: who does what from when to when, and at which energy.

The rule
--------
A step becomes *ready* when all steps that it names in ``after`` have ended and each of its nodes has ended
every step of earlier rounds in which it took part; so clusters run freely side by side until a common step
makes them meet.  An Evaluate has no node: it waits for ``after`` and for all earlier rounds.

A ready step starts when its resources are free, and holds them until it ends:

- the radio of a half-duplex node, for its wireless sends and receptions;
- its share of the band, for a wireless transfer;
- the processor of a :class:`Cpu` node, or the reserved share of a :class:`FixedSpeed` one.

At each moment, in this order: the steps that end now end and free their resources; steps that thereby become
ready and need no resource start, and those among them that take no time end at once, with what follows
from that; then the waiting steps are looked at in the order of (moment when ready, round, place in the
list), and each whose resources are all free starts.  A step that goes on waiting holds and reserves nothing.
Steps that take no time need no resource.  Ends that differ by less than 1e-12 of the time are one moment,
so that rounding decides no contest; a share that exceeds what is free by less than 1e-9 of the capacity fits.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain

from fl_runtime.check import check_schedule
from fl_runtime.compiled import (
    EVERYBODY,
    CompiledKind,
    Resources,
    StepCost,
    compile_kind,
    cost_of_step,
)
from fl_runtime.errors import ScheduleError
from fl_runtime.fading import Fading, link_power_gains
from fl_runtime.rebasing import Extra, extra_bits
from fl_runtime.schedule import Node, Schedule, Transfer, Wireless
from fl_runtime.timeline import Timeline, timeline_of_play

ONE_MOMENT = 1e-12
"""Relative distance of times below which they count as one moment: some thousand roundings of float64."""

SHARE_TOLERANCE = 1e-9
"""Part of a resource by which shares may overrun it: far above rounding, far below what is measured."""


def play(
    schedule: Schedule, rounds: int | None = None, fading: Fading | None = None, seed: int = 0
) -> Timeline:
    """Return the timeline of ``schedule``.

    Parameters
    ----------
    schedule : Schedule
        What to play; it is checked first.
    rounds : int or None
        Number of rounds, >= 1; ``None`` takes the schedule's own.
    fading : Fading or None
        Law of block fading; ``None`` keeps the gains of the schedule.
    seed : int
        Keys the fading, >= 0.

    Returns
    -------
    Timeline
        One row per round and step; the same arguments give the same bytes.

    Raises
    ------
    ScheduleError
        With all defects of the schedule.
    ValueError
        For fewer than one round or a negative seed.
    """
    defects = check_schedule(schedule)
    if defects:
        raise ScheduleError(defects, f"schedule {schedule.name!r}")
    num_rounds = schedule.rounds if rounds is None else rounds
    if num_rounds < 1:
        raise ValueError(f"rounds is {num_rounds}, must be >= 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}, must be >= 0")
    resources = Resources(schedule)
    node_of_id = {node.id: node for node in schedule.nodes}
    index_of_node = {node.id: index for index, node in enumerate(schedule.nodes)}
    kind_of_name = {
        kind.name: compile_kind(kind, node_of_id, index_of_node, resources)
        for kind in schedule.kinds
        if kind.name in schedule.cycle
    }
    kinds = [kind_of_name[schedule.cycle[index % len(schedule.cycle)]] for index in range(num_rounds)]
    extra = extra_bits(schedule, num_rounds)
    costs = _costs(schedule, kinds, extra, fading, seed)
    player = _Player(kinds, costs, len(resources))
    player.play(len(schedule.nodes))
    return timeline_of_play(schedule, kinds, costs, player.start_s, player.end_s, extra)


def _costs(
    schedule: Schedule,
    kinds: Sequence[CompiledKind],
    extra: Sequence[Extra],
    fading: Fading | None,
    seed: int,
) -> list[list[StepCost]]:
    """Return the costs of each round's steps, with the fading of each round's links and its extra bits."""
    node_of_id = {node.id: node for node in schedule.nodes}
    if fading is None:
        return [_still_costs(kind, more, node_of_id) for kind, more in zip(kinds, extra, strict=True)]
    distinct = {id(kind): kind for kind in kinds}
    faded_of_kind = {key: _wireless_links(kind) for key, kind in distinct.items()}
    links = {link for faded in faded_of_kind.values() for _, _, link in faded}
    gains = {link: link_power_gains(fading, seed, *link, len(kinds)).tolist() for link in links}
    costs = []
    for index, kind in enumerate(kinds):
        of_round = list(_still_costs(kind, extra[index], node_of_id))
        for position, step, link in faded_of_kind[id(kind)]:
            more = extra[index].get(step.id, 0.0)
            of_round[position] = cost_of_step(step, node_of_id, gains[link][index], more)
        costs.append(of_round)
    return costs


def _still_costs(kind: CompiledKind, extra: Extra, node_of_id: Mapping[str, Node]) -> list[StepCost]:
    """Return the costs of a round on a still channel; rounds without extra bits share one list."""
    if not extra:
        return kind.costs
    return [
        cost_of_step(step, node_of_id, extra_bits=extra[step.id]) if step.id in extra else cost
        for step, cost in zip(kind.steps, kind.costs, strict=True)
    ]


def _wireless_links(kind: CompiledKind) -> list[tuple[int, Transfer, tuple[str, str, str]]]:
    """Return place, step and link (source, target, band) of each wireless transfer."""
    return [
        (position, step, (step.source, step.target, step.medium.band))
        for position, step in enumerate(kind.steps)
        if isinstance(step, Transfer) and isinstance(step.medium, Wireless)
    ]


Waiting = tuple[int, int, int]
"""When a step became ready (number of the moment), its round, its place: its rank in a contest."""


class _Player:
    """The state of the play: what has ended, who waits for what, and what is free."""

    def __init__(
        self, kinds: Sequence[CompiledKind], costs: Sequence[Sequence[StepCost]], num_resources: int
    ) -> None:
        self._kinds = kinds
        self._costs = costs
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
        seconds = self._costs[index][position].seconds
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
                seconds = self._costs[index][position].seconds
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
