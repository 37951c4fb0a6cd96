"""Energy of clusters in which everything is decided at once, as a function of the time that they have.

Small clusters are solved within each deadline that is asked for.  The trees of larger ones are searched at
some prices of time, once: what was found are points, and what is proven are lines below all plans.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from hfedfm_opt.planning.joint_problem import JointCluster
from solvers.clusters import ClusterPlan, ClusterProblem, ClusterResult, FrontMemory, solve, solve_within
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES
from solvers.common import Options

Key = TypeVar("Key")

PRICES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Prices of time, as parts of the price of a second, at which larger clusters are searched."""


@dataclass(frozen=True)
class JointPoint:
    """What is known of a cluster within a time: joules of a plan, and a line below all plans.

    ``bound_j`` and ``slope_w`` are the line's value and slope there; ``value_j`` is inf without a plan.
    """

    value_j: float
    bound_j: float
    slope_w: float
    plan: ClusterPlan | None


@dataclass(frozen=True)
class _Searched:
    """Plans by (seconds, joules), and lines ``level - price * seconds``."""

    plans: tuple[tuple[float, float, ClusterPlan], ...]
    lines: tuple[tuple[float, float], ...]

    def at(self, seconds: float) -> JointPoint:
        fast = [entry for entry in self.plans if entry[0] <= seconds]
        joules, plan = min(
            ((entry[1], entry[2]) for entry in fast), key=lambda entry: entry[0], default=(math.inf, None)
        )
        level, price = max(self.lines, key=lambda line: line[0] - line[1] * seconds)
        return JointPoint(joules, min(level - price * seconds, joules), -price, plan)


class JointCurves:
    """The curves of several clusters; those of the same size are solved in one call.

    Parameters
    ----------
    clusters : mapping of int to JointCluster
        By any number that names them.
    second_j : float
        What a second is worth, J: the highest price of time at which larger clusters are searched.
    gap : float
        Relative gap of the joules at which to stop.
    stop_at : float
        Time of ``time.monotonic()`` after which nothing more is searched.
    bounded : bool
        Whether larger clusters need lines as well as plans; without, only zero is below all plans.
    """

    def __init__(
        self,
        clusters: Mapping[int, JointCluster],
        second_j: float,
        gap: float,
        stop_at: float = math.inf,
        *,
        bounded: bool = True,
    ) -> None:
        self.clusters, self._bounded = clusters, bounded
        self._stop_at = stop_at
        self._gap, self._options = gap, Options(gap=gap)
        self._memory, self._memory_of_relaxed = FrontMemory(), FrontMemory()
        self._known: dict[tuple[int, float], JointPoint] = {}
        self._least_s: dict[int, tuple[float, float]] = {}
        self._searched: dict[int, _Searched] = {}
        large = [name for name, cluster in clusters.items() if is_searched(cluster.problem)]
        for name in large:
            self._searched[name] = self._search(clusters[name], second_j)
            plans = self._searched[name].plans
            self._least_s[name] = min((entry[0] for entry in plans), default=math.inf), 0.0
        self._begin([name for name in clusters if name not in self._searched], second_j)

    def least_s(self, name: int) -> tuple[float, float]:
        """Return the seconds of the fastest plan found, and a bound on those of any plan."""
        return self._least_s[name]

    def is_proven(self, name: int) -> bool:
        """Return whether all trees of a cluster are bounded, not only searched."""
        return name not in self._searched

    def price(self, asked: Iterable[tuple[int, float]]) -> list[JointPoint]:
        """Return what is known of each (cluster, seconds); what is asked for again is remembered."""
        keys = list(asked)
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        for name, seconds in new:
            if name in self._searched:
                self._known[name, seconds] = self._searched[name].at(seconds)
            elif seconds < self._least_s[name][1]:
                self._known[name, seconds] = JointPoint(math.inf, math.inf, 0.0, None)
        self._solve([key for key in new if key not in self._known])
        return [self._known[key] for key in keys]

    def _solve(self, keys: Sequence[tuple[int, float]]) -> None:
        for group in self._of_one_shape(keys, [name for name, _ in keys]):
            seconds = np.array([limit for _, limit in group])
            own = [self.clusters[name] for name, _ in group]
            names = [name for name, _ in group]
            problem = stacked([one.problem for one in own])
            found = solve_within(problem, seconds, self._options, self._memory, names)
            proven = found
            if any(one.relaxed is not one.problem for one in own):
                relaxed = stacked([one.relaxed for one in own])
                proven = solve_within(relaxed, seconds, self._options, self._memory_of_relaxed, names)
            for row, key in enumerate(group):
                self._known[key] = _point(found, proven, row)

    def _begin(self, names: Sequence[int], second_j: float) -> None:
        """Find the fastest plans of clusters, and those that are the best at some prices of time."""
        for group in self._of_one_shape(names, names):
            own = [self.clusters[name] for name in group]
            found = self._seed(self._memory, stacked([one.problem for one in own]), group, second_j)
            proven = found
            if any(one.relaxed is not one.problem for one in own):
                relaxed = stacked([one.relaxed for one in own])
                proven = self._seed(self._memory_of_relaxed, relaxed, group, second_j)
            for name, seconds, bound in zip(
                group, np.asarray(found.objective), np.asarray(proven.bound), strict=True
            ):
                self._least_s[name] = float(seconds) * (1.0 + self._gap), float(bound)

    def _seed(
        self, memory: FrontMemory, problem: ClusterProblem, names: Sequence[int], second_j: float
    ) -> ClusterResult:
        """Note the best plans at some prices, and the fastest; return these."""
        price = np.repeat(np.maximum(second_j, 1e-300) * np.array(PRICES), len(names))
        many = replace(problem.of_clusters(np.tile(np.arange(len(names)), len(PRICES))), time_weight=price)
        memory.note([*names] * len(PRICES), solve(many, options=self._options), price)
        fastest = solve(_hurried(problem), options=self._options)
        memory.note(names, fastest, np.zeros(len(names)))
        return fastest

    def _of_one_shape(self, keys: Sequence[Key], names: Sequence[int]) -> list[list[Key]]:
        """Return the keys in groups whose clusters have as many nodes and items, and the same duplex."""
        groups: dict[tuple[int, int, bool], list[Key]] = {}
        for key, name in zip(keys, names, strict=True):
            groups.setdefault(_shape(self.clusters[name].problem), []).append(key)
        return list(groups.values())

    def _search(self, cluster: JointCluster, second_j: float) -> _Searched:
        """Search one larger cluster at some prices, from the highest on, while there is time."""
        plans: list[tuple[float, float, ClusterPlan]] = []
        lines = [(0.0, 0.0)]
        for part in PRICES:
            left = self._stop_at - time.monotonic()
            if left <= 0 and plans:
                break
            limit = None if math.isinf(left) else max(left, 1e-3)
            price = np.array(max(second_j, 1e-300) * part)
            options = Options(time_limit_s=limit)
            method = "auto" if self._bounded else "moves"
            result = solve(replace(cluster.problem, time_weight=price), method, options)
            if result.solution is not None:
                solution = result.solution
                plans.append((float(solution.latency_s), float(solution.energy_j), solution.plan))
            if self._bounded and cluster.relaxed is not cluster.problem:
                result = solve(replace(cluster.relaxed, time_weight=price), options=options)
            if np.isfinite(result.bound):
                lines.append((float(result.bound), float(price)))
        return _Searched(tuple(plans), tuple(lines))


def is_searched(problem: ClusterProblem) -> bool:
    """Return whether a cluster is too large to bound all its trees, so that they are searched."""
    return problem.num_nodes > (MAX_HALF_DUPLEX_NODES if problem.half_duplex else MAX_NODES)


def stacked(problems: Sequence[ClusterProblem]) -> ClusterProblem:
    """Return one problem of several single clusters of the same shape."""
    names = [field.name for field in fields(ClusterProblem) if field.name != "half_duplex"]
    arrays = {name: np.stack([getattr(problem, name) for problem in problems]) for name in names}
    return ClusterProblem(**arrays, half_duplex=problems[0].half_duplex)


def _hurried(problem: ClusterProblem) -> ClusterProblem:
    return replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))


def _shape(problem: ClusterProblem) -> tuple[int, int, bool]:
    return problem.num_nodes, problem.item_bits.shape[-1], problem.half_duplex


def _point(found: ClusterResult, proven: ClusterResult, row: int) -> JointPoint:
    value_j = float(np.asarray(found.objective)[row])
    bound_j = min(float(np.asarray(proven.bound)[row]), value_j)
    plan = None
    if found.solution is not None and math.isfinite(value_j):
        whole = found.solution.plan
        plan = ClusterPlan(**{field.name: getattr(whole, field.name)[row] for field in fields(ClusterPlan)})
    return JointPoint(value_j, bound_j, -float(np.asarray(proven.time_price)[row]), plan)
