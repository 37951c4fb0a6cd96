"""Trees without relays that no member uses."""

import numpy as np

from solvers.common.arrays import IntArray
from solvers.relaying.problem import RelayingProblem


def pruned(problem: RelayingProblem, parent: IntArray) -> IntArray:
    """Return the tree (N,) with -1 at each relay below which there is no member."""
    tree = parent.copy()
    while True:
        has_child = np.zeros(problem.num_nodes, dtype=np.bool_)
        has_child[tree[tree >= 0]] = True
        idle = problem.relays & ~has_child & (tree >= 0)
        if not idle.any():
            return tree
        tree[idle] = -1
