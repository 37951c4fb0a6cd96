"""All trees of small clusters bounded at the prices of the best ones, and the few that are left priced themselves."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from solvers.clusters.evaluate import payload_bits
from solvers.clusters.phases import Phases, frequencies, phases_of, powers
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan, Outcome
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES, Trees, all_trees
from solvers.common.arrays import FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options

DEFAULT_GAP = 1e-6
"""Relative gap within which a cluster counts as optimal unless the options ask otherwise."""
_LEAST_GAP = 1e-10
"""Relative gap below which rounding would let the search go on for ever."""
_BATCH = 64
"""Clusters that a thread solves before it looks at the clock."""
_ROUNDING = 1e-12
"""Part of the bound that is taken off it: more than its sums may have been rounded up."""


def by_branching(problem: ClusterProblem, options: Options) -> Outcome:
    """Return the proven optimum of clusters with at most 7 nodes (6 half duplex) and the axis M.

    Raises
    ------
    InvalidProblem
        If the clusters are larger.
    """
    most = MAX_HALF_DUPLEX_NODES if problem.half_duplex else MAX_NODES
    if problem.num_nodes > most:
        raise InvalidProblem("gain", None, f"clusters of {problem.num_nodes} nodes", f"at most {most} to bound all trees")
    trees = all_trees(problem.num_nodes, problem.half_duplex)
    phases = phases_of(problem)
    gap = max(0.5 * (DEFAULT_GAP if options.gap is None else options.gap), _LEAST_GAP)
    found = _searched(phases, trees, gap, options)
    bound = problem.num_gathers * np.where(np.isfinite(found.bound), found.bound * (1.0 - _ROUNDING), found.bound)
    return Outcome(plan=_plan(problem, phases, trees, found), bound=frozen(bound), timed_out=found.timed_out)


class _Found:
    """What the loops write: trees (M, 2), bounds (M,), allocations (M, 2, 3 N)."""

    def __init__(self, num_clusters: int, num_nodes: int) -> None:
        self.chosen = np.full((num_clusters, 2), -1)
        self.bound = np.full(num_clusters, -np.inf)
        self.allocation = np.zeros((num_clusters, 2, 3 * num_nodes))
        self.timed_out = False


def _searched(phases: Phases, trees: Trees, gap: float, options: Options) -> _Found:
    from solvers.clusters.loops.run import solve_clusters
    from solvers.clusters.loops.shape import capped_table, free_table

    num_clusters, num_nodes = phases.constant.shape
    found = _Found(num_clusters, num_nodes)
    ends = np.inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    tables = free_table(), capped_table()

    def work(begin: int) -> None:
        some = slice(begin, begin + _BATCH)
        late = time.perf_counter() > ends
        found.timed_out |= late
        solve_clusters(
            num_nodes, phases.up[some], phases.back[some], phases.trips[some], phases.constant[some], *tables,
            trees.pair, trees.payload, trees.flow, trees.transfer, trees.root, trees.first,
            gap, 1 if late else trees.root.size + 2,
            found.chosen[some], found.bound[some], found.allocation[some],
        )  # fmt: skip

    begins = range(0, num_clusters, _BATCH)
    if options.threads == 1 or len(begins) == 1:
        for begin in begins:
            work(begin)
    else:
        with ThreadPoolExecutor(options.threads) as pool:
            list(pool.map(work, begins))
    return found


def _plan(problem: ClusterProblem, phases: Phases, trees: Trees, found: _Found) -> ClusterPlan:
    """Return the decisions of the trees chosen, with powers that deliver just the payloads."""
    num, rows = problem.num_nodes, np.arange(problem.num_clusters)
    up, back = found.chosen[:, 0], found.chosen[:, 1]
    root = np.where(up >= 0, trees.root[up], -1)
    parent, order = _rows_of(trees.parent, up), _rows_of(trees.order, up)
    back_parent, back_order = _rows_of(trees.parent, back), _rows_of(trees.order, back)
    node = np.broadcast_to(np.arange(num), parent.shape)
    band, seconds = _by_node(trees, up, found.allocation[:, 0])
    back_band, back_s = _by_node(trees, back, found.allocation[:, 1])
    union = np.where(back_parent >= 0, problem.union_bits[:, None], 0.0)
    return ClusterPlan(
        root=frozen(root),
        parent=frozen(parent),
        order=frozen(order),
        bandwidth_hz=frozen(band),
        power_w=frozen(powers(problem, node, parent, payload_bits(problem, parent), band, seconds)),
        frequency_hz=frozen(frequencies(problem, found.allocation[:, 0, :num])),
        return_parent=frozen(back_parent),
        return_order=frozen(_reversed_ranks(back_parent, back_order)),
        return_bandwidth_hz=frozen(back_band),
        return_power_w=frozen(powers(problem, back_parent, node, union, back_band, back_s)),
        leg_power_w=frozen(np.where(root >= 0, phases.leg_power_w[rows, root], 0.0)),
    )


def _rows_of(table: IntArray, which: IntArray) -> IntArray:
    return np.where((which >= 0)[:, None], table[which], -1)


def _by_node(trees: Trees, which: IntArray, allocation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return bandwidth and seconds of each node's transfer, (M, N), from those of a tree's transfers."""
    num = trees.num_nodes
    child = trees.pair[trees.transfer[which]] // num
    band, seconds = np.zeros((2, len(which), num))
    rows = np.arange(len(which))[:, None]
    has = (which >= 0)[:, None]
    band[rows, child] = np.where(has, allocation[:, num : 2 * num - 1], 0.0)
    seconds[rows, child] = np.where(has, allocation[:, 2 * num : 3 * num - 1], 0.0)
    return band, seconds


def _reversed_ranks(parent: IntArray, order: IntArray) -> IntArray:
    """Return the ranks of a way back that is a way up read backwards in time: last become first."""
    siblings = ((parent[:, :, None] == parent[:, None, :]) & (order[:, None, :] > order[:, :, None])).sum(axis=2)
    return np.where(parent >= 0, siblings, -1)
