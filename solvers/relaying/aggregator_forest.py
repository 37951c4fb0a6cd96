"""Aggregators of many members: roots are exchanged while the forest under them gets cheaper."""

import math
import time
from dataclasses import replace

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.options import Options
from solvers.relaying.aggregator_partitions import LARGEST_TREE
from solvers.relaying.clusters_of import Clusters, cluster_of, outside_roots
from solvers.relaying.phase import ANY_ROOT, NO_LIMIT, Phase, phases_of
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solve import solve
from solvers.relaying.tree_search import TreeSearch

_SWAPS = 40
"""Exchanges of a root that are tried where time does not limit them, for each aggregator."""
_MOVES_PER_NODE = 200
"""Moves of the search for the forest of one choice of roots."""
_SEARCH_PART = 0.6
"""Part of the time limit for the choice of roots; the rest is for the trees of the clusters."""


def open_phases(problem: RelayingProblem) -> list[Phase]:
    """Return the phases of no root in particular, over all links among members, relays and candidates."""
    return phases_of(replace(problem, relays=problem.relays | outside_roots(problem)), ANY_ROOT)


def search_forest(problem: RelayingProblem, num_aggregators: int, options: Options) -> Clusters | None:
    """Exchange roots while the forest under them gets cheaper, then plan each cluster."""
    begun = time.perf_counter()
    limit_s = math.inf if options.time_limit_s is None else options.time_limit_s
    rng = np.random.default_rng(options.seed)
    phase = open_phases(problem)[0]
    roots = rng.permutation(problem.roots)[:num_aggregators]
    best, root_of = _forest(problem, phase, roots, rng)
    for _ in range(_SWAPS * num_aggregators):
        if time.perf_counter() - begun > _SEARCH_PART * limit_s or num_aggregators == problem.roots.size:
            break
        others = np.setdiff1d(problem.roots, roots)
        swapped = roots.copy()
        swapped[rng.integers(num_aggregators)] = others[rng.integers(others.size)]
        value, served = _forest(problem, phase, swapped, rng)
        if value < best or math.isinf(best):
            best, roots, root_of = value, swapped, served
    if math.isinf(best):
        return None
    return _planned(problem, roots, root_of, options, begun + limit_s)


def _planned(
    problem: RelayingProblem, roots: IntArray, root_of: IntArray, options: Options, until: float
) -> Clusters | None:
    """Return the best trees found of each cluster, by ``root_of`` (N,) for members and relays."""
    plans, masks = [], []
    for k, root in enumerate(roots.tolist()):
        inside = root_of == root
        masks.append(inside & problem.members)
        left_s = (until - time.perf_counter()) / (roots.size - k)
        left = replace(options, time_limit_s=None if math.isinf(left_s) else max(left_s, 1e-3))
        cluster = cluster_of(problem, inside, np.array([root]))
        few = int((inside & (problem.members | problem.relays)).sum()) < LARGEST_TREE
        plan = solve(cluster, method="enumeration" if few else "local_search", options=left).solution
        if plan is None:
            return None
        plans.append(plan)
    return Clusters(plans, masks)


def _forest(
    problem: RelayingProblem, phase: Phase, roots: IntArray, rng: np.random.Generator
) -> tuple[float, IntArray]:
    """Return the price of the gathers of a choice of roots, annealed as one tree, and each node's root.

    The price is ``inf`` if a root serves no member.
    """
    search = TreeSearch(_under_one_top(problem, phase, roots), rng)
    search.begin()
    search.improve(_MOVES_PER_NODE * problem.num_nodes, math.inf)
    is_root = np.zeros(problem.num_nodes + 1, dtype=np.bool_)
    is_root[roots] = True
    above = np.where(is_root, np.arange(is_root.size), search.parent)
    while (above[above] != above)[problem.members.nonzero()[0]].any() and math.isfinite(search.value):
        above = np.where(above >= 0, above[above], -1)
    root_of = np.where(problem.members | problem.relays, above[:-1], -1)
    if not np.isin(roots, root_of[problem.members]).all():
        return math.inf, root_of
    legs = problem.num_root_legs * problem.energy_weight * float(problem.root_joules[roots].sum())
    return search.value + legs, root_of


def _under_one_top(problem: RelayingProblem, phase: Phase, roots: IntArray) -> Phase:
    """Return the phase of a forest as one tree: the roots reach a further node above them by their legs."""
    top, is_root = problem.num_nodes, np.zeros(problem.num_nodes + 1, dtype=np.bool_)
    is_root[roots] = True
    inside = np.append(problem.members | problem.relays, True) | is_root
    kept = np.flatnonzero(~is_root[phase.child] & inside[phase.child] & inside[phase.parent])
    child = np.append(phase.child[kept], roots)
    parent = np.append(phase.parent[kept], np.full(roots.size, top))
    order = np.lexsort((parent, child))
    part = problem.num_root_legs / (problem.num_round_trips + problem.num_root_legs)

    def extended(values: FloatArray, last: FloatArray) -> FloatArray:
        return np.append(values[kept], last)[order]

    nothing = np.zeros(roots.size)
    return replace(
        phase,
        num_nodes=top + 1,
        root=top,
        start=np.searchsorted(child[order], np.arange(top + 2)),
        child=child[order],
        parent=parent[order],
        delay_s=extended(phase.delay_s, part * problem.root_seconds[roots]),
        s_per_bit=extended(phase.s_per_bit, nothing),
        second_price=extended(phase.second_price, nothing),
        holds=np.append(phase.holds, np.zeros((1, phase.holds.shape[1]), dtype=np.bool_), axis=0),
        ready_s=np.append(np.where(problem.members, phase.ready_s, 0.0), 0.0),
        half_duplex=np.append(phase.half_duplex, False),
        member=np.append(problem.members, False) | is_root,
        relay=np.append(problem.relays, False) & ~is_root,
        max_root_children=NO_LIMIT,
        max_hops=NO_LIMIT if phase.max_hops == NO_LIMIT else phase.max_hops + 1,
    )
