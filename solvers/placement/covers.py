"""Cuts against placements that a solver's tolerance, or its rounding of the data, lets overfill a node."""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.evaluate import RELATIVE_TOLERANCE, exceeds, node_loads
from solvers.placement.matrices import Cover
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import PlacementSolution


def violated_covers(problem: PlacementProblem, solution: PlacementSolution) -> tuple[Cover, ...]:
    """Return cuts that every placement meets and that this one breaks: one per overfilled node and limit.

    Capacity gets cuts only where demands are served whole.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    solution : PlacementSolution
        A placement that may break limits.
    """
    memory, work = node_loads(problem, solution)
    cuts = []
    host_memory = problem.item_memory[problem.host_item]
    for node in np.flatnonzero(exceeds(memory, problem.node_memory)):
        limit = float(problem.node_memory[node])
        cuts.append(_cover(problem.host_node == node, solution.hosted, host_memory, limit, of_hosts=True))
    if not problem.split:
        chosen = np.zeros(problem.num_pairs, dtype=bool)
        chosen[solution.demand_pair] = True
        for node in np.flatnonzero(exceeds(work, problem.node_capacity)):
            limit = float(problem.node_capacity[node])
            cuts.append(_cover(problem.pair_node == node, chosen, problem.pair_work, limit, of_hosts=False))
    return tuple(cuts)


def _cover(here: BoolArray, chosen: BoolArray, load: FloatArray, limit: float, *, of_hosts: bool) -> Cover:
    """Return the extended cover of the heaviest chosen members.

    Any as many members that weigh at least as much as the heaviest one of a set that does not fit do not
    fit either (extended cover inequality; Balas 1975, doi:10.1007/BF01580440).
    """
    inside: IntArray = np.flatnonzero(here & chosen).astype(np.int64)
    inside = inside[np.argsort(-load[inside], kind="stable")]
    needed = int(np.argmax(np.cumsum(load[inside]) > limit * (1 + RELATIVE_TOLERANCE))) + 1
    heaviest = load[inside[0]]
    members = np.union1d(inside[:needed], np.flatnonzero(here & (load >= heaviest)))
    return Cover(members.astype(np.int64), needed - 1, of_hosts)
