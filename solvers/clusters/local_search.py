"""Larger clusters: local search over the trees of the most promising roots, with a bound of all trees."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvers.clusters.assemble import Ways, plan_of_ways
from solvers.clusters.phases import Phases, bits_of_sets, phases_of
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import Outcome
from solvers.common.arrays import FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options

if TYPE_CHECKING:
    from solvers.clusters.ways import Way

MAX_NODES = 60
"""Largest cluster: sets of nodes are the bits of a number."""
MAX_ITEMS = 62
_ROOTS = 4
"""Roots whose trees are searched: those with the best first trees."""
_KICKS, _KICKED_NODES = 8, 15
"""How often a tree is disturbed and searched again, and to how many nodes."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class _Found:
    """A root (-1: none), by way and node its tree and allocation, and a bound per gather."""

    root: int
    parent: IntArray
    order: IntArray
    bandwidth_hz: FloatArray
    seconds: FloatArray
    compute_s: FloatArray
    bound: float


def moves(problem: ClusterProblem, options: Options) -> Outcome:
    """Return the trees of :func:`local_search` without a bound, which takes most of its time."""
    return local_search(problem, options, bounded=False)


def local_search(problem: ClusterProblem, options: Options, *, bounded: bool = True) -> Outcome:
    """Return trees that no move makes cheaper, to 60 nodes, with a bound by relaxation if it is asked for.

    After the time limit the clusters that are left keep their first trees, and get no bound.

    Raises
    ------
    InvalidProblem
        If there are more nodes, or more items than bits of a number.
    """
    if problem.num_nodes > MAX_NODES:
        raise InvalidProblem("gain", None, f"clusters of {problem.num_nodes} nodes", f"at most {MAX_NODES}")
    if problem.item_bits.shape[1] > MAX_ITEMS:
        raise InvalidProblem("item_bits", None, f"{problem.item_bits.shape[1]} items", f"at most {MAX_ITEMS}")
    phases = phases_of(problem, list_sets=False)
    ends = np.inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    with ThreadPoolExecutor(options.threads) as pool:
        found = list(
            pool.map(
                lambda m: _search(problem, phases, m, ends, options.seed, bounded=bounded),
                range(problem.num_clusters),
            )
        )
    bound = np.array([one.bound for one in found])
    bound = problem.num_gathers * np.where(np.isfinite(bound), bound * (1.0 - _ROUNDING), bound)
    names = ("root", "parent", "order", "bandwidth_hz", "seconds", "compute_s")
    ways = Ways(**{name: np.array([getattr(one, name) for one in found]) for name in names})
    plan = plan_of_ways(problem, phases.leg_power_w, ways)
    return Outcome(plan=plan, bound=frozen(bound), timed_out=time.perf_counter() > ends)


def _search(
    problem: ClusterProblem, phases: Phases, m: int, ends: float, seed: int, *, bounded: bool
) -> _Found:
    """Return what is found of one cluster."""
    from solvers.clusters.relaxed import MAX_SUBSET_NODES, bound_roots
    from solvers.clusters.ways import Way

    num, trips, constant = problem.num_nodes, float(phases.trips[m]), phases.constant[m]
    held = problem.node_items[m].astype(np.int64) @ (1 << np.arange(problem.item_bits.shape[1]))
    up = Way.empty(phases.up[m], problem.half_duplex, held, np.log(2.0) * problem.item_bits[m])
    back = Way.empty(phases.back[m], problem.half_duplex, held, np.zeros(0))
    used = [up, back] if trips > 0 else [up]
    roots = np.flatnonzero(np.isfinite(constant))
    for root in roots.tolist():
        for way in used:
            way.start(root)

    def total(up_cost: FloatArray, back_cost: FloatArray) -> FloatArray:
        cost = up_cost + constant
        return np.asarray(cost + trips * back_cost if trips > 0 else cost)

    first = total(up.cost, back.cost)
    promising = np.argsort(first, kind="stable")[:_ROOTS]
    promising = promising[np.isfinite(first[promising])]
    if promising.size == 0:
        return _nothing(num)
    rng = np.random.default_rng([seed, m])
    is_late = time.perf_counter() > ends
    for root in [] if is_late else promising.tolist():
        for way in used:
            way.improve(root, _KICKS if num <= _KICKED_NODES else 0, rng)
    best = int(promising[np.argmin(total(up.cost, back.cost)[promising])])
    parts = [way.allocate(best) for way in used]
    bound = -np.inf
    if bounded and not is_late:
        sets: list[FloatArray | None] = [None, None]
        if num <= MAX_SUBSET_NODES:
            one = problem.of_clusters(slice(m, m + 1))
            union = np.full(1 << num, np.log(2.0) * problem.union_bits[m])
            sets = [np.log(2.0) * bits_of_sets(one)[0], union]
        bounds = [bound_roots(way, roots, nats, promising) for way, nats in zip(used, sets, strict=False)]
        bound = float(total(bounds[0], bounds[-1])[roots].min())
    return _found(best, used, parts, bound)


def _found(
    root: int, used: "list[Way]", parts: list[tuple[float, FloatArray, FloatArray, FloatArray]], bound: float
) -> _Found:
    num = used[0].num_nodes
    parent, order = np.full((2, 2, num), -1)
    bandwidth_hz, seconds = np.zeros((2, 2, num))
    for place, (way, (_, _, band, airtime)) in enumerate(zip(used, parts, strict=True)):
        parent[place] = way.parent[root]
        ranks = way.order[root] if way.half_duplex else 0
        order[place] = np.where(parent[place] >= 0, ranks, -1)
        bandwidth_hz[place], seconds[place] = band, airtime
    return _Found(root, parent, order, bandwidth_hz, seconds, parts[0][1], bound)


def _nothing(num: int) -> _Found:
    none, zeros = np.full((2, num), -1), np.zeros((2, num))
    return _Found(-1, none, none, zeros, zeros, np.zeros(num), np.inf)
