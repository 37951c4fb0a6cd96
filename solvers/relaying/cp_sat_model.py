"""The whole-number model of relaying for OR-Tools CP-SAT.

Every number is rounded *down* to ticks of the objective, so that the model's value of a plan is at most the
plan's true value, and a bound on the model, times the tick, is a bound on the problem. Each phase (gather,
way back, gather of a root leg) has a clock whose tick is the time that adds one tick to the objective; so the
objective is a plain sum. The way back runs on a clock that runs backwards: it is a gather with the union
as payload of every link. Numbers in brackets are those of the constraints in solve.py.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.relaying.evaluate import evaluate
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.prune import pruned
from solvers.relaying.solution import RelayingSolution

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

_TICKS = 10**9
"""Ticks in the value of the plan to start from: each rounded term costs at most 1e-9 of it."""

_COARSE_TICKS = 10**10
"""Ticks in the value of all links together, where there is no plan to start from."""

_ROUNDING = 1 - 1e-12
"""Keeps a quotient that the division rounded up from reaching the next whole number."""


@dataclass(frozen=True)
class _Phase:
    """One tree as data: its links from child to parent, and what a second and a joule add, in ticks."""

    name: str
    child: IntArray
    parent: IntArray
    delay_s: FloatArray
    rate_bps: FloatArray
    power_w: FloatArray
    ready_s: FloatArray
    has: BoolArray
    item_bits: FloatArray
    ticks_per_s: float
    ticks_per_j: float
    broadcast: bool = False


class RelayingModel:
    """The model of a problem, and the way back from its answer to a plan.

    Parameters
    ----------
    problem : RelayingProblem
    start : RelayingSolution or None
        A plan to beat: sets the tick, limits the objective and, if its root is a candidate, is a hint.

    Attributes
    ----------
    model : cp_model.CpModel
    tick : float
        Objective value of one tick.
    """

    def __init__(self, problem: RelayingProblem, start: RelayingSolution | None) -> None:
        from ortools.sat.python import cp_model

        self._problem = problem
        self.model = cp_model.CpModel()
        self.tick, self._horizon = _tick_and_horizon(problem, start)
        self._is_root = {int(root): self.model.new_bool_var(f"root {root}") for root in problem.roots}
        self.model.add_exactly_one(self._is_root.values())  # (4)
        self._phases = _phases(problem, self.tick)
        self._uses: list[dict[int, cp_model.IntVar]] = []
        objective = [
            _floor((problem.num_root_legs * extra) / self.tick) * self._is_root[root]
            for root, extra in _root_extras(problem).items()
        ]
        for phase in self._phases:
            objective += self._add_phase(phase)
        self.model.minimize(sum(objective))
        if start is not None:
            self.model.add(sum(objective) <= self._horizon)
        if start is not None and start.root in self._is_root:
            self._hint(start)

    def plan(self, solver: "cp_model.CpSolver") -> RelayingSolution:
        """Return the plan of the solver's answer, on the problem's own clock."""
        root = next(root for root, chosen in self._is_root.items() if solver.boolean_value(chosen))
        trees = {}
        for phase, uses in zip(self._phases, self._uses, strict=True):
            tree = np.full(self._problem.num_nodes, -1)
            for link, used in uses.items():
                if solver.boolean_value(used):
                    tree[phase.child[link]] = phase.parent[link]
            trees[phase.name] = pruned(self._problem, tree)
        return evaluate(self._problem, root, trees["up"], trees.get("back"), trees.get("leg"))

    def _hint(self, start: RelayingSolution) -> None:
        trees = {"up": start.parent, "back": start.return_parent, "leg": start.leg_parent}
        for root, chosen in self._is_root.items():
            self.model.add_hint(chosen, root == start.root)
        for phase, uses in zip(self._phases, self._uses, strict=True):
            tree = trees[phase.name]
            for link, used in uses.items():
                self.model.add_hint(used, bool(tree[phase.child[link]] == phase.parent[link]))

    def _add_phase(self, phase: _Phase) -> "list[cp_model.LinearExprT]":
        """Add one tree with its payloads and times, and return the terms of its cost."""
        members, relays, roots = self._problem.members, self._problem.relays, self._is_root
        connects = members | relays
        uses = {
            link: self.model.new_bool_var(f"{phase.name} {child}>{parent}")
            for link, (child, parent) in enumerate(
                zip(phase.child.tolist(), phase.parent.tolist(), strict=True)
            )
            if connects[child] and (connects[parent] or parent in roots)
        }
        self._uses.append(uses)
        out_links, in_links = _by_node(phase.child, uses), _by_node(phase.parent, uses)
        for node in np.flatnonzero(members).tolist():  # (5)
            self.model.add_exactly_one(_ways_out(node, uses, out_links, roots))
        for node in np.flatnonzero(relays).tolist():
            self.model.add_at_most_one(_ways_out(node, uses, out_links, roots))
        link_of = {(int(phase.child[link]), int(phase.parent[link])): link for link in uses}
        for (child, parent), link in link_of.items():  # the shortest cycles, known from the start
            if child < parent and (parent, child) in link_of:
                self.model.add_bool_or(~uses[link], ~uses[link_of[parent, child]])
        for link, used in uses.items():
            if not members[phase.parent[link]]:
                self.model.add_bool_or(~used, *_ways_out(int(phase.parent[link]), uses, out_links, roots))
        self._limit_tree(phase, uses, in_links)
        carries = self._payloads(phase, uses)
        if phase.broadcast:
            cost = self._broadcast_joules(phase, uses, in_links)
        else:
            cost = self._joules(phase, uses, carries)
        if phase.ticks_per_s > 0:
            cost.append(self._makespan(phase, uses, carries, out_links, in_links))
        return cost

    def _limit_tree(
        self, phase: _Phase, uses: "dict[int, cp_model.IntVar]", in_links: dict[int, list[int]]
    ) -> None:
        problem = self._problem
        deepest = int((problem.members | problem.relays).sum())
        if problem.max_hops is not None:
            deepest = min(deepest, int(problem.max_hops))
        hops = [
            self.model.new_int_var(0, deepest, f"{phase.name} hops {n}") for n in range(problem.num_nodes)
        ]
        for link, used in uses.items():  # (5) no cycle, (10)
            self.model.add(hops[phase.child[link]] >= hops[phase.parent[link]] + 1).only_enforce_if(used)
        if problem.max_root_children is not None:  # (10)
            for root, chosen in self._is_root.items():
                children = sum(uses[link] for link in in_links.get(root, []))
                self.model.add(children <= int(problem.max_root_children)).only_enforce_if(chosen)

    def _payloads(
        self, phase: _Phase, uses: "dict[int, cp_model.IntVar]"
    ) -> "dict[tuple[int, int], cp_model.IntVar]":
        """Return whether a member's sending carries an item that is not its own, by (member, item)."""
        carries = {
            (int(node), int(item)): self.model.new_bool_var(f"{phase.name} {node} carries {item}")
            for node, item in np.argwhere(~phase.has)
            if self._problem.members[node] or self._problem.relays[node]
        }
        for link, used in uses.items():  # (6)
            child, parent = int(phase.child[link]), int(phase.parent[link])
            for item in range(phase.item_bits.size):
                if (parent, item) not in carries:
                    continue
                if (child, item) in carries:
                    self.model.add_bool_or(~used, ~carries[child, item], carries[parent, item])
                else:
                    self.model.add_implication(used, carries[parent, item])
        return carries

    def _joules(
        self,
        phase: _Phase,
        uses: "dict[int, cp_model.IntVar]",
        carries: "dict[tuple[int, int], cp_model.IntVar]",
    ) -> "list[cp_model.LinearExprT]":
        terms: list[cp_model.LinearExprT] = []
        if phase.ticks_per_j == 0:
            return terms
        for link, used in uses.items():
            weight = phase.ticks_per_j * float(phase.power_w[link])
            own, extra = _seconds(phase, link, carries)
            terms.append(_floor(weight * own) * used)
            for item, seconds in extra.items():
                both = self.model.new_bool_var("")
                self.model.add_bool_or(~used, ~carries[int(phase.child[link]), item], both)
                terms.append(_floor(weight * seconds) * both)
        return terms

    def _broadcast_joules(
        self, phase: _Phase, uses: "dict[int, cp_model.IntVar]", in_links: dict[int, list[int]]
    ) -> "list[cp_model.LinearExprT]":
        """Return the joules of broadcasts, (9): each takes the steps of time that its slowest child needs."""
        problem, terms = self._problem, list["cp_model.LinearExprT"]()
        assert problem.broadcast_power_w is not None, "a phase with broadcasts has their powers"
        own_s = {link: _seconds(phase, link, {})[0] for link in uses}
        for node, links in in_links.items():
            before_s = 0.0
            rising = sorted(links, key=own_s.__getitem__)
            for rank, link in enumerate(rising):
                step = phase.ticks_per_j * (own_s[link] - before_s)
                before_s = own_s[link]
                lasts = self.model.new_bool_var("")
                for slower in rising[rank:]:
                    self.model.add_implication(uses[slower], lasts)
                terms.append(_floor(step * float(problem.broadcast_power_w[node])) * lasts)
                for heard in links:
                    heard_ticks = _floor(step * float(problem.receive_power_w[phase.child[heard]]))
                    if heard_ticks > 0:
                        both = self.model.new_bool_var("")
                        self.model.add_bool_or(~uses[heard], ~lasts, both)
                        terms.append(heard_ticks * both)
        return terms

    def _makespan(
        self,
        phase: _Phase,
        uses: "dict[int, cp_model.IntVar]",
        carries: "dict[tuple[int, int], cp_model.IntVar]",
        out_links: dict[int, list[int]],
        in_links: dict[int, list[int]],
    ) -> "cp_model.IntVar":
        """Add the clock of the phase, (7) to (9), and return when it ends."""
        problem, horizon = self._problem, self._horizon
        ready = [_floor(phase.ticks_per_s * seconds) for seconds in phase.ready_s.tolist()]
        end_all = self.model.new_int_var(0, max(horizon, *ready), f"{phase.name} ends")
        tails = self._tails(phase, uses)
        start, busy, end = {}, {}, {}
        for node in np.flatnonzero(problem.members | problem.relays).tolist():
            start[node] = self.model.new_int_var(ready[node], max(horizon, ready[node]), "")
            busy[node] = self.model.new_int_var(0, horizon, "")
            end[node] = self.model.new_int_var(0, max(horizon, ready[node]), "")
            self.model.add(end[node] == start[node] + busy[node])
            if problem.members[node]:
                self.model.add(end_all >= end[node])
        for root, chosen in self._is_root.items():
            self.model.add(end_all >= ready[root]).only_enforce_if(chosen)
        for link, used in uses.items():
            child, parent = int(phase.child[link]), int(phase.parent[link])
            own, extra = _seconds(phase, link, carries)
            ticks = _floor(phase.ticks_per_s * own) + sum(
                _floor(phase.ticks_per_s * seconds) * carries[child, item] for item, seconds in extra.items()
            )
            self.model.add(busy[child] >= ticks).only_enforce_if(used)
            self.model.add(end_all >= end[child] + tails[parent]).only_enforce_if(used)
            if parent in start:
                self.model.add(start[parent] >= end[child]).only_enforce_if(used)
        own_ticks = self._own_ticks(phase, uses)
        if phase.broadcast:
            self._serve_at_once(uses, own_ticks, busy, phase, in_links)
        for node, start_ticks in start.items():  # implied by the above, but linear: they lift the relaxation
            out = [(uses[link], link) for link in out_links.get(node, [])]
            self.model.add(busy[node] >= sum(own_ticks[link] * used for used, link in out))
            to_end = sum((own_ticks[link] + tails[phase.parent[link]]) * used for used, link in out)
            if problem.members[node]:
                self.model.add(end_all >= start_ticks + to_end)
        for node in np.flatnonzero(problem.half_duplex & (not phase.broadcast)).tolist():  # (8)
            received = [(uses[link], link, int(phase.child[link])) for link in in_links.get(node, [])]
            self.model.add_no_overlap(
                [
                    self.model.new_optional_interval_var(start[child], busy[child], end[child], used, "")
                    for used, _, child in received
                ]
            )
            if received:
                in_series = sum(own_ticks[link] * used for used, link, _ in received)
                self.model.add(end_all >= in_series + (tails[node] if problem.members[node] else 0))
        return end_all

    def _serve_at_once(
        self,
        uses: "dict[int, cp_model.IntVar]",
        own_ticks: dict[int, int],
        busy: "dict[int, cp_model.IntVar]",
        phase: _Phase,
        in_links: dict[int, list[int]],
    ) -> None:
        """Make every child of a broadcast as busy as the slowest of them, (9)."""
        for links in in_links.values():
            lasts = self.model.new_int_var(0, self._horizon, "")
            for link in links:
                self.model.add(lasts >= own_ticks[link]).only_enforce_if(uses[link])
                self.model.add(busy[int(phase.child[link])] >= lasts).only_enforce_if(uses[link])

    def _own_ticks(self, phase: _Phase, uses: "dict[int, cp_model.IntVar]") -> dict[int, int]:
        """Return the ticks of each link with the child's own items as payload."""
        return {link: _floor(phase.ticks_per_s * _seconds(phase, link, {})[0]) for link in uses}

    def _tails(self, phase: _Phase, uses: "dict[int, cp_model.IntVar]") -> list[int]:
        """Return ticks that at least pass from a node having everything below it to the end of the phase.

        These are the shortest paths to the nearest candidate root, with own items as payload.
        """
        ticks = self._own_ticks(phase, uses)
        tails = [0 if node in self._is_root else self._horizon for node in range(self._problem.num_nodes)]
        for _ in tails:  # Bellman and Ford, in whole numbers
            before = list(tails)
            for link, cost in ticks.items():
                child, parent = int(phase.child[link]), int(phase.parent[link])
                tails[child] = min(tails[child], cost + tails[parent])
            if tails == before:
                break
        return tails


def _phases(problem: RelayingProblem, tick: float) -> list[_Phase]:
    """Return the phases that the problem has, each with what a second and a joule of it cost in ticks."""
    has, bits = _merged_items(problem)
    forward = (problem.link_delay_s, problem.link_rate_bps, problem.link_power_w)
    backward = (problem.return_link_delay_s, problem.return_link_rate_bps, problem.return_link_power_w)
    ends = (problem.link_source, problem.link_target)
    time_ticks, energy_ticks = problem.time_weight / tick, problem.energy_weight / tick
    uses, trips, legs = problem.num_gathers, problem.num_round_trips, problem.num_root_legs
    phases = [
        _Phase("up", *ends, *forward, problem.ready_s, has, bits, uses * time_ticks, uses * energy_ticks)
    ]
    if problem.has_return:
        back_ends = (problem.return_link_target, problem.return_link_source)
        whole = np.ones((problem.num_nodes, 1), dtype=np.bool_)
        no_wait = np.zeros(problem.num_nodes)
        weights = (trips * time_ticks, trips * energy_ticks)
        phases.append(
            _Phase(
                "back",
                *back_ends,
                *backward,
                no_wait,
                whole,
                np.array([problem.union_bits]),
                *weights,
                broadcast=problem.has_broadcast,
            )
        )
    if problem.has_leg_tree:
        weights = (legs * time_ticks, legs * energy_ticks)
        phases.append(_Phase("leg", *ends, *forward, problem.ready_s, has, bits, *weights))
    return phases


def _merged_items(problem: RelayingProblem) -> tuple[BoolArray, FloatArray]:
    """Return items with the same holders as one: who has them (N, K) and their bits (K,)."""
    has = problem.items_of_node
    if has.shape[1] == 0:
        return has, problem.item_bits
    patterns, which = np.unique(has, axis=1, return_inverse=True)
    bits = np.bincount(which.reshape(-1), weights=problem.item_bits, minlength=patterns.shape[1])
    return patterns, bits.astype(np.float64)


def _seconds(
    phase: _Phase, link: int, carries: "dict[tuple[int, int], cp_model.IntVar]"
) -> tuple[float, dict[int, float]]:
    """Return the link's seconds with the child's own items, and what each item of others would add."""
    child, rate_bps = int(phase.child[link]), float(phase.rate_bps[link])
    own_bits = float(phase.item_bits[phase.has[child]].sum())
    own = float(phase.delay_s[link]) + own_bits / rate_bps
    others = np.flatnonzero(~phase.has[child]).tolist()
    return own, {item: float(phase.item_bits[item]) / rate_bps for item in others if (child, item) in carries}


def _root_extras(problem: RelayingProblem) -> dict[int, float]:
    extra = problem.time_weight * problem.root_seconds + problem.energy_weight * problem.root_joules
    return {int(root): float(extra[root]) for root in problem.roots}


def _ways_out(
    node: int,
    uses: "dict[int, cp_model.IntVar]",
    out_links: dict[int, list[int]],
    roots: "dict[int, cp_model.IntVar]",
) -> "list[cp_model.IntVar]":
    """Return the links that the node may send over, and that it is the root."""
    return [uses[link] for link in out_links.get(node, [])] + ([roots[node]] if node in roots else [])


def _by_node(node_of_link: IntArray, uses: "dict[int, cp_model.IntVar]") -> dict[int, list[int]]:
    links: dict[int, list[int]] = {}
    for link in uses:
        links.setdefault(int(node_of_link[link]), []).append(link)
    return links


def _tick_and_horizon(problem: RelayingProblem, start: RelayingSolution | None) -> tuple[float, int]:
    """Return the tick, and how many of them no plan worth looking for exceeds."""
    if start is not None:
        return start.objective / _TICKS, math.ceil(_TICKS * (2 - _ROUNDING))
    bits = float(problem.item_bits.sum())
    value = problem.num_gathers * problem.time_weight * float(problem.ready_s.max())
    value += problem.num_root_legs * max(_root_extras(problem).values())
    for prefix, times in (("link", problem.num_gathers), ("return_link", problem.num_round_trips)):
        rate_bps, power_w = getattr(problem, f"{prefix}_rate_bps"), getattr(problem, f"{prefix}_power_w")
        seconds = getattr(problem, f"{prefix}_delay_s") + bits / rate_bps
        value += times * float(((problem.time_weight + problem.energy_weight * power_w) * seconds).sum())
    return (value / _COARSE_TICKS if value > 0 else 1.0), _COARSE_TICKS


def _floor(ticks: float) -> int:
    return math.floor(ticks * _ROUNDING)
