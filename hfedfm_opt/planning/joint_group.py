"""Clusters of one shape that are small enough to bound all their trees, solved in one call for many limits.

A group carries all that its answers depend on, so that parts of it can be worked on apart: no cluster's
answer depends on those beside it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.joint_search import (
    LEAST_SECONDS,
    PRICES,
    JointPoint,
    relaxes_any,
    timed_options,
)
from solvers.clusters import ClusterPlan, ClusterProblem, ClusterResult, FrontMemory, solve, solve_within
from solvers.common import Options


@dataclass(frozen=True)
class Memories:
    """What was found of clusters by name: of their problems, and of what their bounds are of."""

    of_problem: FrontMemory
    of_relaxed: FrontMemory

    @staticmethod
    def empty() -> "Memories":
        """Return memories of nothing."""
        return Memories(FrontMemory(), FrontMemory())

    def of(self, names: Sequence[int]) -> "Memories":
        """Return the memories of some clusters alone."""
        return Memories(self.of_problem.of(names), self.of_relaxed.of(names))

    def take(self, other: "Memories", names: Sequence[int]) -> None:
        """Remember of some clusters what another does."""
        self.of_problem.take(other.of_problem, names)
        self.of_relaxed.take(other.of_relaxed, names)


@dataclass(frozen=True)
class Group:
    """Clusters of one shape by name, and how to solve them.

    Parameters
    ----------
    clusters : mapping of int to JointCluster
        By name.
    memories : Memories
        What is known of them; it grows.
    second_j : float
        What a second is worth, J: the highest price of time at which the clusters are solved to begin with.
    gap : float
        Relative gap of the joules at which to stop.
    end_time : float
        When to end, on the clock of the wall: what is then left is the first that was found.
    threads : int
        What the solver may use; it changes no answer.
    """

    clusters: Mapping[int, JointCluster]
    memories: Memories
    second_j: float
    gap: float
    end_time: float
    threads: int

    def part(self, names: Sequence[int]) -> "Group":
        """Return the group of some of the clusters, for one thread."""
        clusters = {name: self.clusters[name] for name in names}
        return replace(self, clusters=clusters, memories=self.memories.of(names), threads=1)

    def options(self) -> Options:
        """Return how to solve from now on."""
        options = timed_options(self.end_time, self.gap, self.threads)
        return options or Options(gap=self.gap, time_limit_s=LEAST_SECONDS, threads=self.threads)


def begin(group: Group) -> tuple[dict[int, tuple[float, float]], Memories]:
    """Return by name the seconds of the fastest plan and a bound on those of any, with what was found.

    Also found are the plans that are the best at some prices of time.
    """
    names, own = list(group.clusters), list(group.clusters.values())
    found = _seed(group, group.memories.of_problem, stacked([one.problem for one in own]))
    proven = found
    if relaxes_any(own):
        proven = _seed(group, group.memories.of_relaxed, stacked([one.relaxed for one in own]))
    figures = zip(names, np.asarray(found.objective), np.asarray(proven.bound), strict=True)
    least_s = {
        name: (float(seconds) * (1.0 + group.gap), max(float(bound), 0.0)) for name, seconds, bound in figures
    }
    return least_s, group.memories


def _seed(group: Group, memory: FrontMemory, problem: ClusterProblem) -> ClusterResult:
    """Note the best plans at some prices, and the fastest; return these."""
    names = list(group.clusters)
    price = np.repeat(np.maximum(group.second_j, 1e-300) * np.array(PRICES), len(names))
    many = replace(problem.of_clusters(np.tile(np.arange(len(names)), len(PRICES))), time_weight=price)
    memory.note([*names] * len(PRICES), solve(many, options=group.options()), price)
    hurried = replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))
    fastest = solve(hurried, options=group.options())
    memory.note(names, fastest, np.zeros(len(names)))
    return fastest


@dataclass(frozen=True)
class Asked:
    """A group, and the (name, seconds) of which the least joules are asked."""

    group: Group
    limits: tuple[tuple[int, float], ...]


def solve_limits(asked: Asked) -> tuple[list[JointPoint], Memories]:
    """Return what is known of each (name, seconds), with what was found."""
    group, names = asked.group, [name for name, _ in asked.limits]
    seconds = np.array([limit for _, limit in asked.limits])
    own = [group.clusters[name] for name in names]
    problem = stacked([one.problem for one in own])
    found = solve_within(problem, seconds, group.options(), group.memories.of_problem, names)
    proven = found
    if relaxes_any(own):
        relaxed = stacked([one.relaxed for one in own])
        proven = solve_within(relaxed, seconds, group.options(), group.memories.of_relaxed, names)
    return [_point(found, proven, row) for row in range(len(names))], group.memories


def stacked(problems: Sequence[ClusterProblem]) -> ClusterProblem:
    """Return one problem of several single clusters of the same shape."""
    names = [field.name for field in fields(ClusterProblem) if field.name != "half_duplex"]
    arrays = {name: np.stack([getattr(problem, name) for problem in problems]) for name in names}
    return ClusterProblem(**arrays, half_duplex=problems[0].half_duplex)


def _point(found: ClusterResult, proven: ClusterResult, row: int) -> JointPoint:
    value_j = float(np.asarray(found.objective)[row])
    bound_j = min(float(np.asarray(proven.bound)[row]), value_j)
    plan = None
    if found.solution is not None and math.isfinite(value_j):
        whole = found.solution.plan
        plan = ClusterPlan(**{field.name: getattr(whole, field.name)[row] for field in fields(ClusterPlan)})
    return JointPoint(value_j, bound_j, -float(np.asarray(proven.time_price)[row]), plan)
