"""A cluster too large to bound all its trees: these are searched at some prices of time, once.

What was found are points of seconds and joules, and what is proven are lines below all plans.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.joint_problem import JointCluster
from solvers.clusters import ClusterPlan, ClusterProblem, solve
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES
from solvers.common import Options

PRICES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Prices of time, as parts of the price of a second, at which larger clusters are searched."""
LEAST_SECONDS = 1e-3
"""What a search gets where there is no time left: it then ends with its first trees, and no bound."""


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
class Searched:
    """Plans by (seconds, joules), and lines ``level - price * seconds``."""

    plans: tuple[tuple[float, float, ClusterPlan], ...]
    lines: tuple[tuple[float, float], ...]

    @property
    def least_s(self) -> float:
        """Seconds of the fastest plan; inf without one."""
        return min((entry[0] for entry in self.plans), default=math.inf)

    def at(self, seconds: float) -> JointPoint:
        """Return what is known within a time."""
        fast = [entry for entry in self.plans if entry[0] <= seconds]
        joules, plan = min(
            ((entry[1], entry[2]) for entry in fast), key=lambda entry: entry[0], default=(math.inf, None)
        )
        level, price = max(self.lines, key=lambda line: line[0] - line[1] * seconds)
        return JointPoint(joules, min(level - price * seconds, joules), -price, plan)


@dataclass(frozen=True)
class SearchTask:
    """A cluster, what a second is worth at most, J, and when to end, on the clock of the wall.

    ``threads`` is what the solver may use; it changes no answer.  Without ``bounded`` only plans are sought.
    """

    cluster: JointCluster
    second_j: float
    end_time: float
    threads: int
    bounded: bool = True


def search_trees(task: SearchTask) -> Searched:
    """Return what is found of a cluster at some prices, from the highest on, while there is time."""
    cluster = task.cluster
    plans: list[tuple[float, float, ClusterPlan]] = []
    lines = [(0.0, 0.0)]
    for part in PRICES:
        options = timed_options(task.end_time, None, task.threads)
        if options is None and plans:
            break
        options = options or Options(time_limit_s=LEAST_SECONDS, threads=task.threads)
        price = np.array(max(task.second_j, 1e-300) * part)
        method = "auto" if task.bounded else "moves"
        result = solve(replace(cluster.problem, time_weight=price), method, options)
        if result.solution is not None:
            solution = result.solution
            plans.append((float(solution.latency_s), float(solution.energy_j), solution.plan))
        if task.bounded and cluster.relaxed is not cluster.problem:
            result = solve(replace(cluster.relaxed, time_weight=price), options=options)
        if np.isfinite(result.bound):
            lines.append((float(result.bound), float(price)))
    return Searched(tuple(plans), tuple(lines))


def timed_options(end_time: float, gap: float | None, threads: int) -> Options | None:
    """Return options of a solver that ends at a time on the clock of the wall; ``None`` if it is over."""
    if math.isinf(end_time):
        return Options(gap=gap, threads=threads)
    left_s = end_time - time.time()
    return Options(gap=gap, time_limit_s=left_s, threads=threads) if left_s > 0 else None


def is_searched(problem: ClusterProblem) -> bool:
    """Return whether a cluster is too large to bound all its trees, so that they are searched."""
    return problem.num_nodes > (MAX_HALF_DUPLEX_NODES if problem.half_duplex else MAX_NODES)


def shape_of(problem: ClusterProblem) -> tuple[int, int, bool]:
    """Return what clusters have in common that are solved in one call: nodes, items, and duplex."""
    return problem.num_nodes, problem.item_bits.shape[-1], problem.half_duplex


def relaxes_any(clusters: Sequence[JointCluster]) -> bool:
    """Return whether some cluster's bound is that of another problem."""
    return any(cluster.relaxed is not cluster.problem for cluster in clusters)
