"""From trees and allocations of their transfers to the decisions of a plan."""

from dataclasses import dataclass

import numpy as np

from solvers.clusters.evaluate import payload_bits
from solvers.clusters.phases import frequencies, powers
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan
from solvers.clusters.trees import Trees
from solvers.common.arrays import FloatArray, IntArray, frozen


@dataclass(frozen=True)
class Chosen:
    """What a method found, to be written to: the ways up and back of M clusters.

    ``tree`` (M, 2) names trees, -1 for none; ``allocation`` (M, 2, 3 N) has the seconds of computing by node,
    then N - 1 bandwidths and a place that is not read, then as many airtimes, in the order of the transfers.
    """

    tree: IntArray
    allocation: FloatArray

    @classmethod
    def none(cls, num_clusters: int, num_nodes: int) -> "Chosen":
        """Return what is found at first: nothing."""
        return cls(np.full((num_clusters, 2), -1), np.zeros((num_clusters, 2, 3 * num_nodes)))


def plan_of(
    problem: ClusterProblem, leg_power_w: FloatArray, up_trees: Trees, back_trees: Trees, chosen: Chosen
) -> ClusterPlan:
    """Return the decisions of the trees chosen, with powers that deliver just the payloads."""
    num, rows = problem.num_nodes, np.arange(problem.num_clusters)
    up, back = chosen.tree[:, 0], chosen.tree[:, 1]
    root = np.where(up >= 0, up_trees.root[up], -1)
    parent, order = _rows_of(up_trees.parent, up), _rows_of(up_trees.order, up)
    back_parent, back_order = _rows_of(back_trees.parent, back), _rows_of(back_trees.order, back)
    node = np.broadcast_to(np.arange(num), parent.shape)
    band, seconds = _by_node(up_trees, up, chosen.allocation[:, 0])
    back_band, back_s = _by_node(back_trees, back, chosen.allocation[:, 1])
    union = np.where(back_parent >= 0, problem.union_bits[:, None], 0.0)
    return ClusterPlan(
        root=frozen(root),
        parent=frozen(parent),
        order=frozen(order),
        bandwidth_hz=frozen(band),
        power_w=frozen(powers(problem, node, parent, payload_bits(problem, parent), band, seconds)),
        frequency_hz=frozen(frequencies(problem, chosen.allocation[:, 0, :num])),
        return_parent=frozen(back_parent),
        return_order=frozen(_reversed_ranks(back_parent, back_order)),
        return_bandwidth_hz=frozen(back_band),
        return_power_w=frozen(powers(problem, back_parent, node, union, back_band, back_s)),
        leg_power_w=frozen(np.where(root >= 0, leg_power_w[rows, root], 0.0)),
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
    siblings = ((parent[:, :, None] == parent[:, None, :]) & (order[:, None, :] > order[:, :, None])).sum(
        axis=2
    )
    return np.where(parent >= 0, siblings, -1)
