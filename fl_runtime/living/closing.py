"""Plays rounds that do not wait for all: one after another, each from where the one before has ended.

At a moment, first all steps that end then end; then averages and merges whose time has come, or of which
enough updates are there, are made, the latest in the list first.  What such a step still waits for, and no
other step that goes on needs, is called off.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from fl_runtime.compiled import EVERYBODY, CompiledKind, StepCost
from fl_runtime.living.costs import Pricing
from fl_runtime.living.draws import Draws, FloatArray, KindDraws
from fl_runtime.living.flow import Flow, ideal_flows
from fl_runtime.living.flow_plan import FlowPlan
from fl_runtime.living.loads import Nominal, PackedLoads, tracker
from fl_runtime.living.quorum import Quorum
from fl_runtime.living.record import Record, RoundPlay
from fl_runtime.player import ONE_MOMENT, Player
from fl_runtime.rebasing import packed_modules
from fl_runtime.schedule import Aggregate, Merge, RoundKind, Schedule, Transfer
from fl_runtime.timeline import Timeline, timeline_of_play

AVERAGES_CLOSE, MERGES_CLOSE = -1, -2
"""Places, among those of the steps, of the moments when averages and merges wait no longer."""


def play_closing(
    schedule: Schedule,
    kinds: Sequence[CompiledKind],
    num_resources: int,
    draws: Draws,
    pricing: Mapping[int, Pricing],
) -> Timeline:
    """Return the timeline of rounds of which some do not wait for all; arguments as in ``play_living``."""
    trackers = [tracker(schedule, name) for name in packed_modules(schedule)]
    rounds = np.arange(len(kinds))
    draws_of = {kind.name: draws.of_kind(kind, rounds) for kind in schedule.kinds}
    plans = {kind.name: FlowPlan(schedule, kind) for kind in schedule.kinds}
    nominal = Nominal(schedule)
    players: list[_Closing] = []
    ideal = ideal_flows(schedule, draws)
    now_s = 0.0
    for index, kind in enumerate(kinds):
        round_kind = schedule.kind_of_round(index)
        away = draws.away[index : index + 1]
        best, row = ideal[index]
        player = _Closing(
            kind,
            num_resources,
            flow=Flow(plans[round_kind.name], away),
            quorum=Quorum(kind, round_kind.policy, best, row),
            draws=draws_of[round_kind.name].of_round(index),
            pricing=pricing[id(kind)],
            index=index,
        )
        player.loads = PackedLoads(schedule, trackers, ideal[index], player.flow, nominal)
        now_s = player.play_from(now_s, round_kind, len(schedule.nodes))
        players.append(player)
    return timeline_of_play(
        schedule,
        kinds,
        [player.costs for player in players],
        [player.start_s[0] for player in players],
        [player.end_s[0] for player in players],
        bits=np.concatenate([player.bits for player in players]),
        record=Record([player.as_played() for player in players], ideal),
    )


class _Closing(Player):
    """Plays one round; a step is priced when it is ready."""

    loads: PackedLoads

    def __init__(
        self,
        kind: CompiledKind,
        num_resources: int,
        *,
        flow: Flow,
        quorum: Quorum,
        draws: KindDraws,
        pricing: Pricing,
        index: int,
    ) -> None:
        size = len(kind.steps)
        self.costs = [StepCost(0.0, 0.0, 0.0)] * size
        self._times = [0.0] * size
        super().__init__([kind], [self._times], num_resources)
        self._index, self._kind, self._pricing, self._draws = index, kind, pricing, draws
        self.flow = flow
        self._quorum = quorum
        self.bits: FloatArray = np.zeros(size)
        self._order: list[int] = []
        self._called_off: set[int] = set()
        self._ended: set[int] = set()
        self._closed: set[int] = set()
        self._full: set[int] = set()

    def as_played(self) -> RoundPlay:
        """Return what the round made of its steps."""
        draws = self._draws
        return RoundPlay(
            self.flow, 0, self._order, frozenset(self._called_off), draws.attempts, draws.slowness
        )

    def play_from(self, begin_s: float, kind: RoundKind, num_nodes: int) -> float:
        """Play the round from a moment on; return when it has ended."""
        closing = {
            AVERAGES_CLOSE: kind.policy.deadline_s,
            MERGES_CLOSE: kind.policy.merge_deadline_s,
        }
        for place, deadline_s in closing.items():
            if deadline_s is not None:
                heappush(self._events, (begin_s + deadline_s, 0, place))
        self._open(EVERYBODY, 0, begin_s)
        for node in range(num_nodes):
            self._open_next_round(node, begin_s)
        self._end_instant(begin_s)
        self._start_waiting(begin_s)
        while self._events and self._num_left[0]:
            self._play_moment()
        self.loads.end()
        return max(begin_s, *self.end_s[0])

    def _play_moment(self) -> None:
        """End all that ends at the next moment, then make what waits no longer, and start what may start."""
        self._moment += 1
        limit_s = self._events[0][0] * (1.0 + ONE_MOMENT)
        due: set[int] = set()
        now_s = 0.0
        while self._events and self._events[0][0] <= limit_s:
            now_s, _, position = heappop(self._events)
            if position < 0:
                due.add(position)
            elif position not in self._ended:
                self._free_resources(position)
                self._end(now_s, 0, position)
                self._end_instant(now_s)
        for place, what in ((AVERAGES_CLOSE, Aggregate), (MERGES_CLOSE, Merge)):
            if place in due:
                self._close(now_s, [p for p, step in enumerate(self._kind.steps) if isinstance(step, what)])
        while self._full:
            full, self._full = self._full, set()
            self._close(now_s, full)
        if self._new or self._freed:
            self._start_waiting(now_s)

    def _wait_less(self, now_s: float, index: int, position: int) -> None:
        if position in self._closed or position in self._ended:
            return
        if self._num_waits[0][position] == 1:
            self._price(position)
        super()._wait_less(now_s, index, position)

    def _price(self, position: int) -> None:
        """Say what a step that is ready carries and costs."""
        self.flow.begin(position)
        if not self.flow.takes_place[position]:
            return
        extra = self.loads.begin(position)
        times = float(self._draws.attempts[position] * self._draws.slowness[position])
        once = self._pricing.attempt(self._index, position, extra)
        self.costs[position] = StepCost(*(times * value for value in once))
        self._times[position] = self.costs[position].seconds
        step = self._kind.steps[position]
        if isinstance(step, Transfer):
            self.bits[position] = times * (step.bits + extra)

    def _end(self, now_s: float, index: int, position: int) -> None:
        self._ended.add(position)
        self._order.append(position)
        self.flow.end(position, int(self._draws.arrives[position]))
        if self.flow.arrived[position]:
            self.loads.arrive(position)
            self._full.update(place for place in self._quorum.arrived(position) if place not in self._ended)
        super()._end(now_s, index, position)

    def _close(self, now_s: float, gatherers: Sequence[int] | set[int]) -> None:
        """Make merges and averages with what is there, the latest in the list first."""
        for gatherer in sorted(gatherers, reverse=True):
            if gatherer in self._ended:
                continue
            self._closed.add(gatherer)
            called = self._needed_by_none(gatherer)
            self._call_off(now_s, called)
            self._price(gatherer)
            self.start_s[0][gatherer] = now_s
            self._instant.append((0, gatherer))
            self._end_instant(now_s)

    def _needed_by_none(self, gatherer: int) -> list[int]:
        """Return the steps that have not ended, lead to a gatherer, and to nothing else that goes on."""
        lead = {gatherer}
        for position in reversed(range(gatherer)):
            later = self._kind.successors[position]
            if position not in self._ended and position not in self._closed and not lead.isdisjoint(later):
                over = (each in lead or each in self._closed or each in self._ended for each in later)
                if all(over):
                    lead.add(position)
        return sorted(lead - {gatherer})

    def _call_off(self, now_s: float, called: Sequence[int]) -> None:
        """End steps that come to nothing: those under way cost what they have cost, the others nothing."""
        chosen = set(called)
        self._ended |= chosen
        self._called_off |= chosen
        under_way = {position for _, _, position in self._events if position in chosen}
        self._drop_waiting(chosen)
        for position in called:
            begun = position in under_way
            part = 0.0
            if begun:
                self._free_resources(position)
                part = (now_s - self.start_s[0][position]) / self.costs[position].seconds
                self._order.append(position)
            else:
                self.start_s[0][position] = now_s
            self.costs[position] = StepCost(*(part * value for value in self.costs[position]))
            self.bits[position] *= part
            self.flow.call_off(position, begun=begun)
            super()._end(now_s, 0, position)

    def _drop_waiting(self, called: set[int]) -> None:
        self._new = [waiting for waiting in self._new if waiting[2] not in called]
        for resource, heap in enumerate(self._parked):
            if any(waiting[2] in called for waiting in heap):
                self._parked[resource] = [waiting for waiting in heap if waiting[2] not in called]
                heapify(self._parked[resource])
        self._freed = {resource for resource in self._freed if self._parked[resource]}

    def _free_resources(self, position: int) -> None:
        for resource, part in self._kind.demands[position]:
            self._free[resource] += part
            if self._parked[resource]:
                self._freed.add(resource)
