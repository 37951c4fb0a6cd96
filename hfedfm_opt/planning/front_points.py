"""The points of a front for one placement, and for several: seconds, joules, a bound, and the choices behind.

A point is a cycle: its deadline at the cloud, and its joules without the cloud legs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.cluster_options import Option, Rhythm
from hfedfm_opt.planning.merge_fronts import falling, merge_fronts
from hfedfm_opt.planning.optimise import Shared
from hfedfm_opt.planning.option_curves import Choice, Curves, Point, Prices
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

LONGEST = 1.25
"""A curve of allocated uplinks ends at this many times its least latency, unless trees change later."""

FEASIBLE = 1e-12
"""Relative slack of the first deadline of a curve over the least one: rounding must not exclude it."""


@dataclass(frozen=True)
class FrontTask:
    """The options of all clusters for a placement, and what they share."""

    network: Network
    rhythm: Rhythm
    shared: Shared
    placed: Placed
    options: tuple[Option, ...]

    @property
    def latest_s(self) -> float:
        """Latest deadline of a cycle at the cloud that the instance's limit on latency allows."""
        limit = self.network.instance.limits.max_latency_s or math.inf
        return limit * self.rhythm.num_rounds - self.shared.down_s


@dataclass(frozen=True)
class FrontPoints:
    """Points of a cycle: deadline at the cloud, joules, bound on them, and the choices behind each."""

    deadline_s: FloatArray
    energy_j: FloatArray
    bound_j: FloatArray
    choices_of: Callable[[int], tuple[Placed, tuple[Choice, ...]]]


def steps(task: FrontTask) -> FrontPoints | None:
    """Return all non-dominated points where every option is at fixed resources."""
    delay_s = np.array(task.shared.delay_s)
    cluster = np.array([option.cluster for option in task.options], dtype=np.int64)
    seconds = np.array([option.seconds for option in task.options]) + delay_s[cluster]
    joules = np.array([option.joules for option in task.options])
    front = merge_fronts(cluster, seconds, joules, len(delay_s), task.latest_s)
    if not len(front):
        return None

    def choices_of(point: int) -> tuple[Placed, tuple[Choice, ...]]:
        return task.placed, tuple(Choice(task.options[index]) for index in front.chosen(point).tolist())

    return FrontPoints(front.deadline_s, front.energy_j, front.energy_j, choices_of)


def curve(task: FrontTask, num_points: int, at_latency_s: float | None) -> FrontPoints | None:
    """Return points at evenly spread deadlines where uplinks are allocated, each with a bound."""
    curves = Curves(task.options, np.array(task.shared.delay_s), Prices(1.0, 0.0))
    earliest = curves.earliest_s()
    if not (np.isfinite(earliest) and earliest <= task.latest_s):
        return None
    first = earliest * (1 + FEASIBLE)
    end = max(min(max(curves.last_change_s(), LONGEST * earliest), task.latest_s), first)
    deadlines = np.linspace(first, end, num_points)
    if at_latency_s is not None:
        also = at_latency_s * task.rhythm.num_rounds - task.shared.down_s
        if first <= also <= task.latest_s:
            deadlines = np.union1d(deadlines, also)
    priced = [point for point in curves.price(deadlines) if point.value < np.inf]
    kept = [priced[place] for place in falling(np.array([point.value for point in priced])).tolist()]
    if not kept:
        return None
    return FrontPoints(
        np.array([_end_s(curves, point) for point in kept]),
        np.array([point.value for point in kept]),
        np.array([point.ideal for point in kept]),
        lambda index: (task.placed, curves.choices(kept[index])),
    )


def _end_s(curves: Curves, point: Point) -> float:
    """Return when the last cluster is done: at the deadline if one is allocated, maybe sooner if none is."""
    if any(curves.options[index].cell is not None for index in point.chosen):
        return point.deadline_s
    return float(curves.fixed_s[list(point.chosen)].max())


def union(fronts: Sequence[FrontPoints]) -> FrontPoints:
    """Return the points that no other dominates of several fronts, without bounds.

    Parameters
    ----------
    fronts : sequence of FrontPoints
        At least two, such as those of several placements.
    """
    deadline_s = np.concatenate([front.deadline_s for front in fronts])
    energy_j = np.concatenate([front.energy_j for front in fronts])
    origin = [(owner, index) for owner, front in enumerate(fronts) for index in range(len(front.energy_j))]
    order = np.lexsort((energy_j, deadline_s))
    kept = order[falling(energy_j[order])]

    def choices_of(point: int) -> tuple[Placed, tuple[Choice, ...]]:
        owner, index = origin[int(kept[point])]
        return fronts[owner].choices_of(index)

    return FrontPoints(deadline_s[kept], energy_j[kept], np.full(kept.size, -np.inf), choices_of)
