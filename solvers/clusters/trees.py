"""All trees on a few nodes with all orders that matter, as lists of transfers."""

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np

from solvers.common.arrays import IntArray
from solvers.relaying.trees import tree_table

MAX_NODES = 7
"""Largest cluster whose trees are all bounded: 7 ** 6 = 117,649 trees over all roots."""
MAX_HALF_DUPLEX_NODES = 6
"""The same where orders count too: 30,240 trees with orders."""


@dataclass(frozen=True)
class Trees:
    """The T trees on N nodes, by root, as N - 1 transfers each, and the K different transfers.

    Sets of nodes are numbers: the sum of 2 ** node over their nodes.  The arrays are not to be written to;
    they are not read-only, because loops would be compiled once more for arrays that are.

    Parameters
    ----------
    num_nodes : int
        N.
    transfer : (T, N - 1) int
        The transfers of each tree.
    first : (N + 1,) int
        The trees of root r are ``first[r]`` to ``first[r + 1] - 1``.
    root : (T,) int
    parent, order : (T, N) int
        Parents, and ranks among the children of the same parent (0 without half duplex); -1 for the root.
    pair : (K,) int
        N times the child plus the parent.
    payload : (K,) int
        The nodes whose items are sent.
    flow : (K,) int
        The nodes whose computing the end of the transfer waits for: those of the payload, and at a
        half-duplex parent those of the transfers that come first.
    """

    num_nodes: int
    transfer: IntArray
    first: IntArray
    root: IntArray
    parent: IntArray
    order: IntArray
    pair: IntArray
    payload: IntArray
    flow: IntArray


@cache
def all_trees(num_nodes: int, half_duplex: bool, computes: bool = True) -> Trees:
    """Return all trees on ``num_nodes`` nodes for every root, with all orders where these count.

    Where no node computes, leaves are ready at once: at a half-duplex parent they come first, in any order.
    """
    parent = tree_table(num_nodes).parent.T
    order = np.where(parent >= 0, 0, -1)
    if half_duplex:
        parent, order = _with_orders(parent, leaves_first=not computes)
    parents, orders = [], []
    for root in range(num_nodes):
        name = np.arange(num_nodes)
        name[[0, root]] = root, 0
        moved = np.where(parent >= 0, name[parent], -1)[:, name]
        parents.append(moved)
        orders.append(order[:, name])
    count = np.arange(num_nodes + 1) * len(parent)
    return trees_of(np.concatenate(parents), np.concatenate(orders), count, half_duplex)


def trees_of(parent: IntArray, order: IntArray, first: IntArray, half_duplex: bool) -> Trees:
    """Return the transfers of given trees (T, N), which are sorted by root."""
    num_trees, num_nodes = parent.shape
    payload = _below(parent)
    flow = _below(_next_in_time(parent, order)) if half_duplex else payload
    pair = num_nodes * np.arange(num_nodes) + parent
    code = (((pair << num_nodes) + payload) << num_nodes) + flow
    sends = parent >= 0
    kinds, transfer = np.unique(code[sends], return_inverse=True)
    every = (1 << num_nodes) - 1
    return Trees(
        num_nodes=num_nodes,
        transfer=np.ascontiguousarray(transfer.reshape(num_trees, num_nodes - 1)),
        first=first,
        root=np.argmin(parent, axis=1),
        parent=parent,
        order=order,
        pair=kinds >> (2 * num_nodes),
        payload=(kinds >> num_nodes) & every,
        flow=kinds & every,
    )


def _with_orders(parent: IntArray, *, leaves_first: bool) -> tuple[IntArray, IntArray]:
    """Return each tree (T, N) once for each order of the children of its nodes, and the ranks."""
    parents, orders = [], []
    for row in parent.tolist():
        children = [[node for node, above in enumerate(row) if above == at] for at in range(len(row))]
        first = [[node for node in below if leaves_first and not children[node]] for below in children]
        rest = [[node for node in below if not leaves_first or children[node]] for below in children]
        for choice in itertools.product(*(itertools.permutations(below) for below in rest)):
            rank = [-1] * len(row)
            for leaves, below in zip(first, choice, strict=True):
                for place, node in enumerate((*leaves, *below)):
                    rank[node] = place
            parents.append(row)
            orders.append(rank)
    return np.array(parents), np.array(orders)


def _next_in_time(parent: IntArray, order: IntArray) -> IntArray:
    """Return whose sending waits for each node's: the next child of its parent, or else the parent."""
    same = (parent[:, :, None] == parent[:, None, :]) & (order[:, :, None] + 1 == order[:, None, :])
    return np.where(same.any(axis=2), same.argmax(axis=2), parent)


def _below(parent: IntArray) -> IntArray:
    """Return the set of nodes below each node, itself included, (T, N)."""
    num_trees, num_nodes = parent.shape
    sets = np.zeros((num_trees, num_nodes), dtype=np.int64)
    rows = np.arange(num_trees)
    for node in range(num_nodes):
        at = np.full(num_trees, node)
        for _ in range(num_nodes):
            sets[rows[at >= 0], at[at >= 0]] |= 1 << node
            at = np.where(at >= 0, parent[rows, at], -1)
    return sets
