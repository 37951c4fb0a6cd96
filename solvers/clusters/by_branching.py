"""All trees of small clusters, bounded at the prices of the best ones until none is left."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from solvers.clusters.assemble import Chosen, plan_of
from solvers.clusters.phases import Phases, phases_of
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import Outcome
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES, Trees, all_trees
from solvers.common.arrays import FloatArray, frozen
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
        raise InvalidProblem(
            "gain", None, f"clusters of {problem.num_nodes} nodes", f"at most {most} to bound all trees"
        )
    computes = bool((problem.cycles > 0).any())
    up = all_trees(problem.num_nodes, problem.half_duplex, computes)
    back = all_trees(problem.num_nodes, problem.half_duplex, False)
    phases = phases_of(problem)
    gap = max(0.5 * (DEFAULT_GAP if options.gap is None else options.gap), _LEAST_GAP)
    chosen, bound, late = _searched(phases, up, back, gap, options)
    bound = problem.num_gathers * np.where(np.isfinite(bound), bound * (1.0 - _ROUNDING), bound)
    plan = plan_of(problem, phases.leg_power_w, up, back, chosen)
    return Outcome(plan=plan, bound=frozen(bound), timed_out=late)


def _searched(
    phases: Phases, up: Trees, back: Trees, gap: float, options: Options
) -> tuple[Chosen, FloatArray, bool]:
    """Return trees and allocations of all clusters, each one's bound per gather, and whether time ran out."""
    from solvers.clusters.loops.run import solve_clusters
    from solvers.clusters.loops.shape import capped_table, free_table

    num_clusters, num_nodes = phases.constant.shape
    chosen, bound = Chosen.none(num_clusters, num_nodes), np.full(num_clusters, -np.inf)
    late = np.zeros(num_clusters, dtype=np.bool_)
    ends = np.inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    tables = free_table(), capped_table()

    def work(begin: int) -> None:
        some = slice(begin, begin + _BATCH)
        late[some] = is_late = time.perf_counter() > ends
        solve_clusters(
            num_nodes, phases.up[some], phases.back[some], phases.trips[some], phases.constant[some], *tables,
            up.pair, up.payload, up.flow, up.transfer, up.root,
            back.pair, back.payload, back.flow, back.transfer, back.root, back.first,
            gap, 1 if is_late else up.root.size + back.root.size + 2,
            chosen.tree[some], bound[some], chosen.allocation[some],
        )  # fmt: skip

    begins = range(0, num_clusters, _BATCH)
    if options.threads == 1 or len(begins) == 1:
        for begin in begins:
            work(begin)
    else:
        with ThreadPoolExecutor(options.threads) as pool:
            list(pool.map(work, begins))
    return chosen, bound, bool(late.any())
