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


@dataclass(frozen=True)
class Ways:
    """The ways up ([:, 0]) and back ([:, 1]) of M clusters, by node.

    ``root`` (M,), -1 for none; ``parent`` and ``order`` (M, 2, N), both of a way up: a way back is one read
    backwards in time; ``bandwidth_hz`` and ``seconds`` (M, 2, N) of each transfer; ``compute_s`` (M, N).
    """

    root: IntArray
    parent: IntArray
    order: IntArray
    bandwidth_hz: FloatArray
    seconds: FloatArray
    compute_s: FloatArray


def plan_of(
    problem: ClusterProblem, leg_power_w: FloatArray, up_trees: Trees, back_trees: Trees, chosen: Chosen
) -> ClusterPlan:
    """Return the decisions of the trees chosen, with powers that deliver just the payloads."""
    up, back = chosen.tree[:, 0], chosen.tree[:, 1]
    both = ((up_trees, up), (back_trees, back))
    shares = [_by_node(trees, which, chosen.allocation[:, way]) for way, (trees, which) in enumerate(both)]
    ways = Ways(
        root=np.where(up >= 0, up_trees.root[up], -1),
        parent=np.stack([_rows_of(trees.parent, which) for trees, which in both], axis=1),
        order=np.stack([_rows_of(trees.order, which) for trees, which in both], axis=1),
        bandwidth_hz=np.stack([band for band, _ in shares], axis=1),
        seconds=np.stack([seconds for _, seconds in shares], axis=1),
        compute_s=chosen.allocation[:, 0, : problem.num_nodes],
    )
    return plan_of_ways(problem, leg_power_w, ways)


def plan_of_ways(problem: ClusterProblem, leg_power_w: FloatArray, ways: Ways) -> ClusterPlan:
    """Return the decisions of ways with given airtimes: powers deliver just the payloads."""
    root, rows = ways.root, np.arange(problem.num_clusters)
    parent, back = ways.parent[:, 0], ways.parent[:, 1]
    band, seconds = ways.bandwidth_hz, ways.seconds
    node = np.broadcast_to(np.arange(problem.num_nodes), parent.shape)
    bits = payload_bits(problem, parent)
    union = np.where(back >= 0, problem.union_bits[:, None], 0.0)
    return ClusterPlan(
        root=frozen(root),
        parent=frozen(parent),
        order=frozen(ways.order[:, 0]),
        bandwidth_hz=frozen(band[:, 0]),
        power_w=frozen(powers(problem, node, parent, bits, band[:, 0], seconds[:, 0])),
        frequency_hz=frozen(frequencies(problem, ways.compute_s)),
        return_parent=frozen(back),
        return_order=frozen(reversed_ranks(back, ways.order[:, 1])),
        return_bandwidth_hz=frozen(band[:, 1]),
        return_power_w=frozen(powers(problem, back, node, union, band[:, 1], seconds[:, 1])),
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


def reversed_ranks(parent: IntArray, order: IntArray) -> IntArray:
    """Return the ranks of a way back that is a way up read backwards in time: last become first."""
    siblings = ((parent[:, :, None] == parent[:, None, :]) & (order[:, None, :] > order[:, :, None])).sum(
        axis=2
    )
    return np.where(parent >= 0, siblings, -1)
