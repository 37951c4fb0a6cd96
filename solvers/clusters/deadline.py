"""The least energy within a latency: the front of the two, one point of each cluster at a time.

An optimum at a price w of time proves that no plan has energy + w latency below its bound: a line under the
front.  Between a plan that is too slow and one that is fast enough the line through both gives the next
price; where no plan is found below it, the line is an edge of the convex hull of the front.  If both ends
have the same trees, a mixture of them is on the line or below it.  Otherwise what the front leaves above the
edge is searched on the trees of each end, whose own fronts are convex.
"""

import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from solvers.clusters.evaluate import TOLERANCE, evaluate, without_axis
from solvers.clusters.memory import FrontMemory
from solvers.clusters.mixture import mixture, picked
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan, ClusterResult, ClusterSolution, relative_gaps
from solvers.clusters.solve import solve
from solvers.common.arrays import BoolArray, FloatArray, IntArray, float_array, frozen
from solvers.common.options import Options
from solvers.common.result import Status, StopReason

DEFAULT_GAP = 1e-6
"""Relative gap of the joules within which a cluster is optimal unless the options ask otherwise."""
_STEPS = 80
"""Prices tried at most."""
_FLAT = 1e-10
"""Relative depth below an edge at which a plan is on it."""
_PRICE_FALL = 30.0
"""Factor by which the price falls until a plan is too slow."""


def solve_within(
    problem: ClusterProblem,
    latency_s: FloatArray | float,
    options: Options | None = None,
    memory: FrontMemory | None = None,
    names: Sequence[int] | None = None,
) -> ClusterResult:
    """Return each cluster's plan of least energy whose latency is within a limit, with a bound on the joules.

    Parameters
    ----------
    problem : ClusterProblem
        Its two weights are not used.
    latency_s : float or (M,) float
        > 0, limit of ``latency`` as the problem defines it, s.
    options : Options or None
        The default gap is 1e-6; the time limit is looked at between prices.
    memory : FrontMemory or None
        What earlier calls found of the same clusters, to start from; what this one finds is added.
    names : sequence of int, length M, or None
        What the clusters are called in the memory; ``None``: 0, 1, ...

    Returns
    -------
    ClusterResult
        ``objective`` and ``bound`` are joules.  A cluster whose fastest plan is too slow is infeasible.
        Where the front of latency and energy is not convex a gap may remain: the cluster is then feasible.
        ``time_price`` has the price p of the line that proves the bound: no plan at all takes fewer joules
        than ``bound + p * (latency_s - its latency)``.
    """
    started = time.perf_counter()
    options = options or Options()
    many = replace(problem.as_many(), energy_weight=np.array(1.0))
    shape = () if problem.is_single else (many.num_clusters,)
    limit_s = float_array("latency_s", latency_s, shape, positive=True)
    limit_s = np.broadcast_to(np.atleast_1d(limit_s), (many.num_clusters,))
    ends = np.inf if options.time_limit_s is None else started + options.time_limit_s
    front = _Front(many, limit_s, DEFAULT_GAP if options.gap is None else options.gap, options, ends)
    if memory is not None:
        front.remember(memory, list(range(many.num_clusters)) if names is None else list(names))
    front.search()
    for end in (front.fast, front.slow):
        rest = np.flatnonzero(front.is_open & (end.root >= 0))
        if rest.size:
            front.search_trees_of(end, rest)
    return _result(problem, front, time.perf_counter() - started)


class _Front:
    """The search for one point of the front of each of M clusters.

    ``fast`` and ``slow`` are the plans at the two ends of the edge under the limit, with their latencies and
    joules; ``bound_j`` is the highest of the lines at the limit, ``line_price`` the price of its line;
    ``too_slow`` where even the fastest plan is.
    """

    def __init__(
        self, problem: ClusterProblem, limit_s: FloatArray, gap: float, options: Options, ends: float
    ) -> None:
        count, num = problem.num_clusters, problem.num_nodes
        self.problem, self.limit_s, self.gap, self.ends = problem, limit_s, gap, ends
        self.options = replace(options, gap=min(1e-7, 0.1 * gap), time_limit_s=None)
        self.fast, self.slow = _no_plans(count, num), _no_plans(count, num)
        self.fast_s, self.fast_j = np.full(count, np.inf), np.full(count, np.inf)
        self.slow_s, self.slow_j = np.full(count, np.inf), np.zeros(count)
        self.bound_j, self.line_price = np.zeros(count), np.zeros(count)
        self.too_slow = np.zeros(count, dtype=np.bool_)
        self.memory: FrontMemory | None = None
        self.names: list[int] = []

    def remember(self, memory: FrontMemory, names: list[int]) -> None:
        """Start from what is known of the clusters by their names."""
        self.memory, self.names = memory, names
        for row, name in enumerate(names):
            limit_s = float(self.limit_s[row])
            self.bound_j[row], self.line_price[row] = memory.line(name, limit_s)
            for end, found in (("fast", memory.fast(name, limit_s)), ("slow", memory.slow(name, limit_s))):
                if found is not None:
                    getattr(self, f"{end}_s")[row] = found.latency_s
                    getattr(self, f"{end}_j")[row] = found.energy_j
                    for field in fields(ClusterPlan):
                        getattr(getattr(self, end), field.name)[row] = getattr(found.plan, field.name)

    def _note(self, chosen: IntArray, solution: ClusterSolution) -> None:
        if self.memory is not None:
            for place, row in enumerate(chosen.tolist()):
                self.memory.note_plan(self.names[row], solution, place, at_price=False)

    @property
    def is_open(self) -> BoolArray:
        """Which clusters are not decided to the gap asked, (M,)."""
        decided = relative_gaps(self.fast_j, self.bound_j) <= self.gap
        is_open: BoolArray = ~(decided | self.too_slow) & np.isfinite(self.fast_j)
        return is_open

    def search(self) -> None:
        """Close in on the edge of the hull under the limit."""
        self._hurry(np.flatnonzero(np.isinf(self.fast_j)))
        price = np.where(np.isfinite(self.fast_j), self.fast_j, 1.0) / self.limit_s
        edge = np.zeros(self.problem.num_clusters, dtype=np.bool_)
        for _ in range(_STEPS):
            chosen = np.flatnonzero(self.is_open & ~edge)
            if not chosen.size or time.perf_counter() > self.ends:
                break
            self.slow_s[self.slow_j >= self.fast_j] = np.inf  # plans that time ran out for may be no better
            has_slow = np.isfinite(self.slow_s)
            with np.errstate(invalid="ignore", divide="ignore"):
                chord = (self.fast_j - self.slow_j) / (self.slow_s - self.fast_s)
            price = np.where(has_slow, chord, price)
            some = replace(self.problem.of_clusters(chosen), time_weight=price[chosen])
            value = (self.fast_j + price * self.fast_s)[chosen]
            result = solve(some, options=self.options)
            self._take(chosen, result, price[chosen])
            edge[chosen] = has_slow[chosen] & (np.asarray(result.objective) >= value * (1 - _FLAT))
            price = price / _PRICE_FALL
        self._mix(np.flatnonzero(self.is_open & np.isfinite(self.slow_s)))

    def _hurry(self, chosen: IntArray) -> None:
        """Find the fastest plans of clusters of which no plan is known that is fast enough."""
        if not chosen.size:
            return
        some = self.problem.of_clusters(chosen)
        fastest = replace(some, energy_weight=np.array(0.0), time_weight=np.array(1.0))
        result = solve(fastest, options=self.options)
        self.too_slow[chosen] = np.asarray(result.bound) > self.limit_s[chosen]
        if result.solution is not None:
            self._take(chosen, result, np.zeros(chosen.size))

    def _mix(self, chosen: IntArray) -> None:
        """Keep the mixture of the two ends of an edge that meets the limit, if they have the same trees."""
        same = np.ones(chosen.size, dtype=np.bool_)
        for name in ("parent", "order", "return_parent", "return_order"):
            same &= (getattr(self.fast, name) == getattr(self.slow, name))[chosen].all(axis=1)
        rows = chosen[same]
        if not rows.size:
            return
        aim_s = self.limit_s[rows] * (1 - TOLERANCE)
        part = (aim_s - self.fast_s[rows]) / (self.slow_s[rows] - self.fast_s[rows])
        some = self.problem.of_clusters(rows)
        plan = mixture(some, picked(self.fast, rows), picked(self.slow, rows), part)
        solution = evaluate(some, plan)
        self._note(rows, solution)
        self._keep(rows, solution)

    def _take(self, chosen: IntArray, result: ClusterResult, price: FloatArray) -> None:
        """Note the plans found for some clusters at prices, and the lines that their bounds are."""
        assert result.solution is not None
        if np.any(price > 0):
            line = np.asarray(result.bound) - price * self.limit_s[chosen]
            higher = line > self.bound_j[chosen]
            self.bound_j[chosen] = np.where(higher, line, self.bound_j[chosen])
            self.line_price[chosen] = np.where(higher, price, self.line_price[chosen])
        if self.memory is not None:
            self.memory.note([self.names[row] for row in chosen.tolist()], result, price)
        self._keep(chosen, result.solution, has_price=price > 0)

    def _keep(self, chosen: IntArray, solution: ClusterSolution, has_price: BoolArray | bool = False) -> None:
        """Keep plans that are fast enough and cheaper; of those at a price also the fastest too slow."""
        seconds, joules = solution.latency_s, solution.energy_j
        keeps = (seconds <= self.limit_s[chosen]) & (joules < self.fast_j[chosen])
        misses = (seconds > self.limit_s[chosen]) & has_price & (seconds < self.slow_s[chosen])
        for name, better in (("fast", keeps), ("slow", misses)):
            rows = chosen[better]
            getattr(self, f"{name}_s")[rows] = seconds[better]
            getattr(self, f"{name}_j")[rows] = joules[better]
            for field in fields(ClusterPlan):
                getattr(getattr(self, name), field.name)[rows] = getattr(solution.plan, field.name)[better]

    def search_trees_of(self, plan: ClusterPlan, chosen: IntArray) -> None:
        """Search the trees of a plan, and what else its links allow, for plans within the limit."""
        some = self.problem.of_clusters(chosen)
        rows, num = np.arange(chosen.size)[:, None], some.num_nodes
        used = np.zeros_like(some.gain, dtype=np.bool_)
        node = np.broadcast_to(np.arange(num), (chosen.size, num))
        up, back = plan.parent[chosen], plan.return_parent[chosen]
        used[rows, node, np.maximum(up, 0)] |= up >= 0
        used[rows, np.maximum(back, 0), node] |= back >= 0
        roots = node == plan.root[chosen][:, None]
        part = replace(some, gain=np.where(used, some.gain, 0.0), roots=roots)
        inner = _Front(part, self.limit_s[chosen], self.gap, self.options, self.ends)
        inner.search()
        found = evaluate(part, picked(inner.fast, np.arange(chosen.size)))
        self._note(chosen, found)
        self._keep(chosen, found)


def _no_plans(count: int, num: int) -> ClusterPlan:
    """Return plans of no cluster, to be written to."""
    numbers = {"root", "leg_power_w"}
    names = {"root", "parent", "order", "return_parent", "return_order"}
    plan: dict[str, Any] = {
        name: np.full(count if name in numbers else (count, num), -1 if name in names else 0.0)
        for name in (field.name for field in fields(ClusterPlan))
    }
    return ClusterPlan(**plan)


def _result(problem: ClusterProblem, front: _Front, seconds: float) -> ClusterResult:
    plan = picked(front.fast, np.arange(front.problem.num_clusters))
    solution = evaluate(front.problem, plan)
    objective = np.where(np.isnan(solution.energy_j), np.inf, solution.energy_j)
    bound = np.where(front.too_slow, np.inf, np.minimum(front.bound_j, objective))
    gap = relative_gaps(objective, bound)
    status = tuple(
        Status.INFEASIBLE if late else Status.UNKNOWN if lost else Status.OPTIMAL if done else Status.FEASIBLE
        for late, lost, done in zip(front.too_slow, np.isinf(objective), gap <= front.gap, strict=True)
    )
    single = problem.is_single
    found = any(one in (Status.OPTIMAL, Status.FEASIBLE) for one in status)
    shown = evaluate(problem, without_axis(plan)) if single else evaluate(problem, plan)
    ended = StopReason.TIME_LIMIT if time.perf_counter() > front.ends else StopReason.NO_PROGRESS
    if all(one in (Status.OPTIMAL, Status.INFEASIBLE) for one in status):
        ended = StopReason.GAP_REACHED if found else StopReason.PROVEN_INFEASIBLE
    return ClusterResult(
        status=status[0] if len(set(status)) == 1 else Status.FEASIBLE,
        stop_reason=ended,
        solution=shown if found else None,
        objective=float(objective[0]) if single else frozen(objective),
        bound=float(bound[0]) if single else frozen(bound),
        cluster_status=status,
        time_price=float(front.line_price[0]) if single else frozen(front.line_price),
        method="prices of time",
        seconds=seconds,
    )
