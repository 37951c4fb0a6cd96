"""The clusters of several aggregators as relaying problems of their own."""

from dataclasses import dataclass, replace

import numpy as np

from solvers.common.arrays import BoolArray, IntArray
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution


@dataclass(frozen=True, eq=False)
class Clusters:
    """The plan of each cluster, and its members.

    Parameters
    ----------
    plans : list of RelayingSolution
    members : list of (N,) bool
    """

    plans: list[RelayingSolution]
    members: list[BoolArray]


def outside_roots(problem: RelayingProblem) -> BoolArray:
    """Return which nodes are candidate roots but no members, (N,)."""
    outside = np.zeros(problem.num_nodes, dtype=np.bool_)
    outside[problem.roots] = True
    return outside & ~problem.members


def cluster_of(problem: RelayingProblem, inside: BoolArray, roots: IntArray) -> RelayingProblem:
    """Return the problem of one cluster: members with their items, relays, and roots to choose from.

    Parameters
    ----------
    problem : RelayingProblem
    inside : (N,) bool
        The cluster's members and relays.
    roots : (R,) int
    """
    members = problem.members & inside
    holds = problem.items_of_node & members[:, None]
    return replace(
        problem,
        members=members,
        relays=problem.relays & inside,
        roots=roots,
        node_item_start=np.concatenate([[0], np.cumsum(holds.sum(axis=1))]),
        node_item=np.nonzero(holds)[1],
    )
