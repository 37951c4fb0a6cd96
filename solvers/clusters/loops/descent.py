"""Local search over the trees of one root: what a tree sends, and moves that make it cheaper."""

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.tree import solve_tree
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

COARSE = 1e-7
"""Relative gap of the allocations of trees that are compared; also by how much a move has to be better."""


@compiled
def describe(
    num_nodes: int,
    root: int,
    parent: IntArray,
    order: IntArray,
    half_duplex: bool,
    items: IntArray,
    item_nats: FloatArray,
    data: FloatArray,
    pair: IntArray,
    flow: IntArray,
) -> bool:
    """Write the transfers of a tree, a node's at its number (the root's place is free); return if all exist.

    ``items`` (N,) are sets of items, and ``item_nats`` their payloads; without any item_nats all send the
    union. Payloads go to the end of ``data``.
    """
    o_noise, _, _, _, o_nats, _, _, _, _ = offsets(num_nodes)
    held = items.copy()
    flow[:] = 0
    for u in range(num_nodes):
        at = u
        while at != root:
            at = parent[at]
            held[at] |= items[u]
        at = u
        while at != root:
            flow[at] |= 1 << u
            step = parent[at]
            if half_duplex:
                for v in range(num_nodes):
                    if v != root and parent[v] == parent[at] and order[v] == order[at] + 1:
                        step = v
            at = step
    exists = True
    for u in range(num_nodes):
        if u == root:
            continue
        pair[u] = u * num_nodes + parent[u]
        exists = exists and data[o_noise + pair[u]] < np.inf
        if item_nats.size > 0:
            nats = 0.0
            for item in range(item_nats.size):
                if held[u] >> item & 1:
                    nats += item_nats[item]
            data[o_nats + u] = nats
    return exists


@compiled
def cost_of(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    root: int,
    parent: IntArray,
    order: IntArray,
    half_duplex: bool,
    items: IntArray,
    item_nats: FloatArray,
    alpha: FloatArray,
    mu: float,
    cutoff: float,
    tolerance: float,
    out: FloatArray,
) -> tuple[float, float, float]:
    """Return cost, bound and price mu of a tree, as ``solve_tree``; inf where a link does not exist."""
    n = num_nodes
    pair, flow, work = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n * n + 11 * n)
    if not describe(n, root, parent, order, half_duplex, items, item_nats, data, pair, flow):
        return np.inf, np.inf, mu
    tree, payload = np.empty(n - 1, np.int64), np.arange(n)
    place = 0
    for u in range(n):
        if u != root:
            tree[place] = u
            place += 1
    return solve_tree(
        n,
        data,
        free_pieces,
        capped_pieces,
        pair,
        payload,
        flow,
        tree,
        alpha,
        mu,
        cutoff,
        tolerance,
        work,
        out,
    )


@compiled
def is_below(root: int, parent: IntArray, node: int, top: int) -> bool:
    """Return whether ``node`` is in the subtree of ``top``."""
    while node not in (top, root):
        node = parent[node]
    return node == top


@compiled
def hang(parent: IntArray, order: IntArray, node: int, above: int, rank: int) -> None:
    """Make ``node`` the child of ``above`` with a rank; the others close up and make room."""
    for v in range(parent.size):
        if v != node and parent[v] == parent[node] and order[v] > order[node]:
            order[v] -= 1
    parent[node] = -2
    for v in range(parent.size):
        if parent[v] == above and order[v] >= rank:
            order[v] += 1
    parent[node], order[node] = above, rank


@compiled
def exchange(parent: IntArray, order: IntArray, one: int, other: int) -> None:
    """Let two nodes change places in the tree."""
    for v in range(parent.size):
        if parent[v] == one:
            parent[v] = other
        elif parent[v] == other:
            parent[v] = one
    parent[one], parent[other] = parent[other], parent[one]
    order[one], order[other] = order[other], order[one]


@compiled
def descend(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    root: int,
    parent: IntArray,
    order: IntArray,
    half_duplex: bool,
    items: IntArray,
    item_nats: FloatArray,
    alpha: FloatArray,
    mu: float,
    value: float,
    max_tries: int,
) -> tuple[float, float, int]:
    """Move to cheaper trees until no move helps; return cost, price mu, and how many trees were tried.

    A move hangs a node, with all below it, under another one (at any rank where receptions are in series), or
    lets two nodes change places.  ``parent``, ``order`` and ``alpha`` change along.
    """
    n = num_nodes
    trial_parent, trial_order, trial, out = (
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n),
        np.empty(3 * n),
    )
    tries, since, move = 0, 0, 0
    num_moves = 2 * n * n
    while since < num_moves and tries < max_tries:
        move = (move + 1) % num_moves
        since += 1
        node, other, swaps = move // 2 // n, move // 2 % n, move % 2 == 1
        if root in (node, other if swaps else node) or node == other or (swaps and node > other):
            continue
        if not swaps and is_below(root, parent, other, node):
            continue
        ranks = 1
        if half_duplex and not swaps:
            ranks = 1 + int(((parent == other) & (np.arange(n) != node)).sum())
        elif not swaps and parent[node] == other:
            continue
        for rank in range(ranks):
            trial_parent[:], trial_order[:], trial[:] = parent, order, alpha
            if swaps:
                exchange(trial_parent, trial_order, node, other)
            else:
                hang(trial_parent, trial_order, node, other, rank)
            tries += 1
            cost, _, price = cost_of(
                n, data, free_pieces, capped_pieces, root, trial_parent, trial_order, half_duplex, items,
                item_nats, trial, mu, value - COARSE * abs(value), COARSE, out,
            )  # fmt: skip
            if cost < value - COARSE * abs(value):
                value, mu, since = cost, price, 0
                parent[:], order[:], alpha[:] = trial_parent, trial_order, trial
    return value, mu, tries
