"""The least Lagrangian of all trees at given prices, by dynamic programming over sets of nodes.

``inner[S, v]`` is the least cost of the transfers of a tree on the set S that leads to v; ``outer[S, v]``,
where receptions are in parallel, that of a tree on S hung under v, its own transfer to v included.
"""

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.link import least_cost
from solvers.clusters.loops.search import cost_besides
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled


@compiled
def bound_by_subsets(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    set_nats: FloatArray,
    half_duplex: bool,
    alpha: FloatArray,
    mu: float,
    root: int,
    bound: FloatArray,
    parent: IntArray,
    order: IntArray,
) -> None:
    """Write a bound of all trees of each root (N,), and parents and ranks of the tree behind ``root``'s."""
    n, sets = num_nodes, 1 << num_nodes
    inner, outer = np.full(sets * n, np.inf), np.full(sets * n, np.inf)
    sender, split = np.full(sets * n, -1), np.zeros(sets * n, np.int64)
    outer_sender = np.full(sets * n, -1)
    is_common = set_nats[1:].min() == set_nats[1:].max()
    for nodes in range(1, sets):
        for v in range(n):
            if nodes == 1 << v:
                inner[nodes * n + v] = 0.0
            elif nodes >> v & 1 and half_duplex:
                join_in_series(
                    n, data, free_pieces, capped_pieces, set_nats, is_common, alpha, mu, nodes, v,
                    inner, sender, split,
                )  # fmt: skip
            elif nodes >> v & 1:
                join_in_parallel(n, nodes, v, inner, outer, outer_sender, sender, split)
        if not half_duplex:
            hang_everywhere(
                n, data, free_pieces, capped_pieces, set_nats, alpha, mu, nodes, inner, outer, outer_sender
            )  # fmt: skip
    besides = cost_besides(n, data, alpha, mu)
    for r in range(n):
        bound[r] = besides + inner[(sets - 1) * n + r]
    trace(n, root, sender, split, parent, order)


@compiled
def price_of(num_nodes: int, alpha: FloatArray, nodes: int) -> float:
    """Return the sum of the time prices of a set of nodes."""
    price = 0.0
    for u in range(num_nodes):
        if nodes >> u & 1:
            price += alpha[u]
    return price


@compiled
def transfer_cost(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    nats: float,
    at: int,
    mu: float,
    price: float,
) -> float:
    """Return the least cost of a transfer over the link ``at``; inf where there is none."""
    o_noise, o_spend, o_cap, o_idle, _, _, _, _, _ = offsets(num_nodes)
    if data[o_noise + at] == np.inf:
        return np.inf
    return least_cost(
        free_pieces, capped_pieces, nats, data[o_noise + at], data[o_spend + at], data[o_cap + at], mu,
        price + data[o_idle + at],
    )  # fmt: skip


@compiled
def join_in_parallel(
    n: int,
    nodes: int,
    v: int,
    inner: FloatArray,
    outer: FloatArray,
    outer_sender: IntArray,
    sender: IntArray,
    split: IntArray,
) -> None:
    """Write the best tree on a set that leads to v: the subtree with its first other node, and the rest."""
    at, rest = nodes * n + v, nodes & ~(1 << v)
    first, part = rest & -rest, rest
    while part:
        if part & first:
            cost = outer[part * n + v] + inner[(nodes & ~part) * n + v]
            if cost < inner[at]:
                inner[at], split[at], sender[at] = cost, part, outer_sender[part * n + v]
        part = (part - 1) & rest


@compiled
def hang_everywhere(
    n: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    set_nats: FloatArray,
    alpha: FloatArray,
    mu: float,
    nodes: int,
    inner: FloatArray,
    outer: FloatArray,
    outer_sender: IntArray,
) -> None:
    """Write the best tree on a set that is hung under each node outside it."""
    price = price_of(n, alpha, nodes)
    for v in range(n):
        if nodes >> v & 1:
            continue
        for u in range(n):
            if not nodes >> u & 1:
                continue
            cost = inner[nodes * n + u] + transfer_cost(
                n, data, free_pieces, capped_pieces, set_nats[nodes], u * n + v, mu, price
            )
            if cost < outer[nodes * n + v]:
                outer[nodes * n + v], outer_sender[nodes * n + v] = cost, u


@compiled
def join_in_series(
    n: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    set_nats: FloatArray,
    is_common: bool,
    alpha: FloatArray,
    mu: float,
    nodes: int,
    v: int,
    inner: FloatArray,
    sender: IntArray,
    split: IntArray,
) -> None:
    """Write the best tree on a set that leads to v: its last reception waits for all the others of v."""
    at, rest = nodes * n + v, nodes & ~(1 << v)
    price = price_of(n, alpha, rest)
    last = np.empty(n)
    for u in range(n):
        if rest >> u & 1:
            last[u] = transfer_cost(n, data, free_pieces, capped_pieces, set_nats[rest], u * n + v, mu, price)
    part = rest
    while part:
        before = inner[(nodes & ~part) * n + v]
        for u in range(n):
            if part >> u & 1:
                cost = last[u]
                if not is_common:
                    cost = transfer_cost(
                        n, data, free_pieces, capped_pieces, set_nats[part], u * n + v, mu, price
                    )
                cost += before + inner[part * n + u]
                if cost < inner[at]:
                    inner[at], split[at], sender[at] = cost, part, u
        part = (part - 1) & rest


@compiled
def trace(n: int, root: int, sender: IntArray, split: IntArray, parent: IntArray, order: IntArray) -> None:
    """Write the tree behind the least cost of a root; all parents are -1 where there is none."""
    parent[:], order[:] = -1, 0
    every = (1 << n) - 1
    if sender[every * n + root] < 0:
        return
    stack_set, stack_top, children = (
        np.empty(2 * n, np.int64),
        np.empty(2 * n, np.int64),
        np.zeros(n, np.int64),
    )
    stack_set[0], stack_top[0], depth = every, root, 1
    while depth > 0:
        depth -= 1
        nodes, top = stack_set[depth], stack_top[depth]
        if nodes == 1 << top:
            continue
        part, u = split[nodes * n + top], sender[nodes * n + top]
        children[top] += 1
        parent[u], order[u] = top, -children[top]
        stack_set[depth], stack_top[depth] = part, u
        stack_set[depth + 1], stack_top[depth + 1] = nodes & ~part, top
        depth += 2
    for u in range(n):
        if parent[u] >= 0:
            order[u] += children[parent[u]]
