"""The best option of each cluster under a common deadline, with a certificate.

Clusters meet only at the cloud, which waits for all of them.  So the least energy of a cycle within a
deadline T is ``E(T) = sum_c min_o E_o(T)`` over the options o of each cluster c, and the whole problem has
one dimension: minimise ``w_E E(T) + w_T T``.  Each ``E_o`` is convex and falls, so that on an interval [a, b]
it lies above its tangent at b.  A minimum of lines is concave, hence so is the sum over the clusters, and its
least value is at an end of the interval: that is the bound.  Bisecting the interval with the least bound
closes the gap.  ``docs/mathematics/planning.md`` has the proof.
"""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.cluster_options import Option
from hfedfm_opt.planning.option_curves import Choice, Curves, Point, Prices
from hfedfm_opt.planning.workers import ALONE, Workers

GRID = 33
"""Deadlines priced at once at the start."""
COARSE_GRID = 9
"""The same where clusters are solved anew for each deadline."""
MOST_VALUES = 2**20
"""Prices of all options at all their kinks beyond which the search finds the kinks that matter."""
WAIT = 1e-3
"""How much later than the least deadline the next is tried where limits forbid it; then twice as much."""
LONGEST = 1e3
"""Deadline, in least ones, beyond which nothing is looked for where time costs nothing."""
SPLITS_AT_ONCE = 8
"""Intervals split in one call of the allocation solver."""
MAX_INTERVALS = 20_000
"""Intervals made at most; a guard against rounding, never met in practice."""


@dataclass(frozen=True)
class SearchResult:
    """The best choice found and a lower bound on the best over all options and deadlines.

    Parameters
    ----------
    deadline_s : float
        Common deadline of a cycle; ``inf`` without a choice.
    choices : tuple of Choice
        One for each cluster; empty if some cluster has no option.
    value, bound : float
        ``w_E * joules + w_T * deadline`` of the choice, and a lower bound on it over all choices.
    timed_out : bool
        Whether the search ended at its time limit.
    ideal : float
        Lower bound on the best over all options at this deadline.
    open_j : tuple of float
        Joules by which each cluster's choice exceeds the bound on its options at this deadline.
    """

    deadline_s: float
    choices: tuple[Choice, ...]
    value: float
    bound: float
    timed_out: bool = False
    ideal: float = -np.inf
    open_j: tuple[float, ...] = ()


def search_deadline(
    options: Sequence[Option],
    delay_s: Sequence[float],
    *,
    energy_weight: float,
    time_weight: float,
    gap: float = 1e-6,
    max_deadline_s: float = np.inf,
    max_energy_j: float = np.inf,
    time_limit_s: float = np.inf,
    workers: Workers = ALONE,
) -> SearchResult:
    """Return the options and deadline of least weighted cost.

    Parameters
    ----------
    options : sequence of Option
        Options of all clusters.
    delay_s : sequence of float, one for each cluster
        Time from a cluster's update at its server to the cloud.
    energy_weight, time_weight : float
        Prices of a joule and a second of a cycle, not both 0.
    gap : float
        Relative gap at which to stop.
    max_deadline_s : float
        Latest deadline allowed.
    max_energy_j : float
        Most joules allowed in a cycle.
    time_limit_s : float
        Wall seconds after which the best choice so far is returned.
    workers : Workers
        Who solves clusters in which everything is decided at once.
    """
    stop_at = time.monotonic() + time_limit_s
    prices = Prices(energy_weight, time_weight)
    delays = np.asarray(delay_s, dtype=np.float64)
    curves = Curves(tuple(options), delays, prices, gap, stop_at, max_energy_j, workers)
    earliest = curves.earliest_s()
    if not np.isfinite(earliest) or earliest > max_deadline_s:
        return SearchResult(np.inf, (), np.inf, _bound_without_plan(curves, max_deadline_s))
    best, least_ideal, tail, heap = _start(curves, earliest, max_deadline_s)
    counter = len(heap)
    timed_out = False
    while heap and counter < MAX_INTERVALS and least_ideal - heap[0][0] > gap * abs(least_ideal):
        if time.monotonic() >= stop_at:
            timed_out = True
            break
        split = [heapq.heappop(heap) for _ in range(min(SPLITS_AT_ONCE, len(heap)))]
        middles = curves.price(np.array([0.5 * (low + high.deadline_s) for _, _, low, high in split]))
        for (_, _, low, high), middle in zip(split, middles, strict=True):
            best = min(best, middle, key=lambda point: point.value)
            least_ideal = min(least_ideal, middle.ideal)
            heapq.heappush(heap, (curves.bound(low, middle), counter, low, middle))
            right = curves.bound(middle.deadline_s, high)
            heapq.heappush(heap, (right, counter + 1, middle.deadline_s, high))
            counter += 2
    bound = min(heap[0][0], least_ideal, tail) if heap else min(least_ideal, tail)
    if not np.isfinite(best.value):
        return SearchResult(np.inf, (), np.inf, bound, timed_out)
    return SearchResult(
        best.deadline_s,
        curves.choices(best),
        best.value,
        bound,
        timed_out,
        best.ideal,
        curves.open_j(best),
    )


_Interval = tuple[float, int, float, Point]


def _bound_without_plan(curves: Curves, latest: float) -> float:
    """Return a lower bound where no plan is known in time: inf only if none can be."""
    earliest = curves.bound_on_earliest_s()
    if earliest > latest or np.isinf(earliest):
        return np.inf
    if np.isinf(latest):
        return curves.bound_beyond(earliest)
    return curves.bound(earliest, curves.price(np.array([latest]))[0])


def _start(curves: Curves, earliest: float, latest: float) -> tuple[Point, float, float, list[_Interval]]:
    """Price deadlines from the earliest to the last that can pay, those of the options among them.

    Also return a bound on all later deadlines: where time costs nothing, they may pay for ever.
    """
    end = min(_last_that_pays(curves, earliest, latest), latest)
    tail = curves.bound_beyond(end) if end < latest else np.inf
    kinks = curves.kinks_s()
    kinks = kinks[(kinks > earliest) & (kinks < end)]
    count = COARSE_GRID if curves.joint.clusters else GRID
    few = kinks.size * len(curves.options) <= MOST_VALUES
    even = np.linspace(earliest, max(end, earliest), count)
    grid = np.unique(np.concatenate([even, kinks])) if few else np.unique(even)
    points = curves.price(grid)
    best = min(points, key=lambda point: point.value)
    least_ideal = min(point.ideal for point in points)
    if few and not curves.has_curves:
        return best, least_ideal, tail, []
    starts = [min(curves.bound_on_earliest_s(), earliest), *grid.tolist()]
    heap = [
        (curves.bound(low, high), index, low, high)
        for index, (low, high) in enumerate(zip(starts, points, strict=False))
    ]
    heapq.heapify(heap)
    return best, least_ideal, tail, heap


def _last_that_pays(curves: Curves, earliest: float, latest: float) -> float:
    """Return a deadline beyond which no choice is as good as one that is known."""
    point = curves.price(np.array([earliest]))[0]
    step = WAIT * earliest
    while not np.isfinite(point.value) and earliest + step < min(latest, LONGEST * earliest):
        point = curves.price(np.array([earliest + step]))[0]
        step *= 2.0
    if np.isfinite(point.value) and curves.prices.time > 0:
        return point.value / curves.prices.time
    return max(curves.last_change_s(), LONGEST * earliest if curves.joint.clusters or curves.cells else 0.0)
