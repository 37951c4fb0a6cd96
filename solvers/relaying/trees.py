"""All labelled trees on a few nodes, as arrays that the enumeration prices in one go."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from solvers.common.arrays import BoolArray, IntArray, frozen

MAX_NODES = 8
"""Largest number of nodes of a tree that is enumerated: 8 ** 6 = 262,144 trees for one root."""


@dataclass(frozen=True)
class TreeTable:
    """The T = n ** (n - 2) trees on nodes 0..n-1, each directed to node 0 (Cayley's formula).

    Positions list the nodes of a tree from the deepest to the root, so that children come before parents.

    Parameters
    ----------
    num_nodes : int
        n.
    parent : (n, T) int
        Parent of each node; -1 for node 0.
    cost_index : (n - 1, T) int
        For the node at each position but the last, the flat index of (node, parent, subtree) in an array of
        shape (n, n, 2 ** n), where a subtree is the sum of 2 ** node over its nodes.
    node : (n, T) int
        The node at each position.
    is_child : (n, n, T) bool
        Whether the node at the first position is a child of the node at the second.
    is_leaf : (n, T) bool
        Whether no node is a child of the node.
    num_hops, num_root_children : (T,) int
        Depth of the tree, and degree of its root.
    """

    num_nodes: int
    parent: IntArray
    cost_index: IntArray
    node: IntArray
    is_child: BoolArray
    is_leaf: BoolArray
    num_hops: IntArray
    num_root_children: IntArray


@cache
def tree_table(num_nodes: int) -> TreeTable:
    """Return all trees on ``num_nodes`` nodes (1 to ``MAX_NODES``) with root 0."""
    parent = _parent_vectors(num_nodes)
    num_trees = parent.shape[1]
    trees = np.arange(num_trees)
    depth = np.zeros((num_nodes, num_trees), dtype=np.int64)
    above = parent.copy()
    while np.any(above >= 0):
        depth += above >= 0
        above = np.where(above >= 0, parent[above, trees], -1)
    node = np.argsort(-depth, axis=0, kind="stable")
    subtree = np.broadcast_to(1 << np.arange(num_nodes)[:, None], (num_nodes, num_trees)).copy()
    for position in range(num_nodes - 1):
        below = node[position]
        subtree[parent[below, trees], trees] += subtree[below, trees]
    parent_at = parent[node, trees]
    subtree_at = subtree[node, trees]
    return TreeTable(
        num_nodes=num_nodes,
        parent=frozen(parent),
        cost_index=frozen((((node * num_nodes + parent_at) << num_nodes) + subtree_at)[:-1]),
        node=frozen(node),
        is_child=frozen(parent_at[:, None, :] == node[None, :, :]),
        is_leaf=frozen(np.stack([~(parent == which).any(axis=0) for which in range(num_nodes)])),
        num_hops=frozen(depth.max(axis=0)),
        num_root_children=frozen((parent == 0).sum(axis=0)),
    )


def _parent_vectors(num_nodes: int) -> IntArray:
    """Return the (n, T) parent vectors without a cycle, out of all n ** (n - 1)."""
    if num_nodes == 1:
        return np.array([[-1]])
    choices = np.indices((num_nodes,) * (num_nodes - 1), dtype=np.int8).reshape(num_nodes - 1, -1)
    parent = np.concatenate([np.zeros((1, choices.shape[1]), dtype=np.int8), choices])
    for node in range(1, num_nodes):
        parent = parent[:, parent[node] != node]
    columns = np.arange(parent.shape[1])
    above = parent
    for _ in range(num_nodes - 1):
        above = parent[above, columns]
    vectors = parent[:, (above == 0).all(axis=0)].astype(np.int64)
    vectors[0] = -1
    return vectors
