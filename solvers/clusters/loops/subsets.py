"""The least Lagrangian of all trees at given prices, by dynamic programming over sets of nodes."""

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
    alpha: FloatArray,
    mu: float,
    root: int,
    bound: FloatArray,
    parent: IntArray,
) -> None:
    """Write a bound of all trees of each root (N,), and the parents of the tree that attains ``root``'s.

    ``inner[S, v]`` is the least cost of the transfers of a tree on the set S that leads to v, and ``outer[S,
    v]`` that of a tree on S that is hung under v, its own transfer to v included.  A tree on S is a subtree
    with the first node of S besides v, hung under v, and a tree on the rest.
    """
    o_noise, o_spend, o_cap, o_idle, _, _, _, _, _ = offsets(num_nodes)
    n, sets = num_nodes, 1 << num_nodes
    inner, outer = np.full(sets * n, np.inf), np.full(sets * n, np.inf)
    sender, split = np.full(sets * n, -1), np.zeros(sets * n, np.int64)
    for nodes in range(1, sets):
        price = 0.0
        for u in range(n):
            if nodes >> u & 1:
                price += alpha[u]
        for v in range(n):
            if not nodes >> v & 1:
                continue
            rest = nodes & ~(1 << v)
            if rest == 0:
                inner[nodes * n + v] = 0.0
                continue
            first = rest & -rest
            part = rest
            while part:
                if part & first:
                    cost = outer[part * n + v] + inner[(nodes & ~part) * n + v]
                    if cost < inner[nodes * n + v]:
                        inner[nodes * n + v] = cost
                        split[nodes * n + v] = part
                part = (part - 1) & rest
        for v in range(n):
            if nodes >> v & 1:
                continue
            for u in range(n):
                at = u * n + v
                if not nodes >> u & 1 or data[o_noise + at] == np.inf:
                    continue
                cost = inner[nodes * n + u] + least_cost(
                    free_pieces, capped_pieces, set_nats[nodes], data[o_noise + at], data[o_spend + at],
                    data[o_cap + at], mu, price + data[o_idle + at],
                )  # fmt: skip
                if cost < outer[nodes * n + v]:
                    outer[nodes * n + v] = cost
                    sender[nodes * n + v] = u
    besides = cost_besides(n, data, alpha, mu)
    for r in range(n):
        bound[r] = besides + inner[(sets - 1) * n + r]
    parent[:] = -1
    if bound[root] == np.inf:
        return
    stack_set, stack_top = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    stack_set[0], stack_top[0], depth = sets - 1, root, 1
    while depth > 0:
        depth -= 1
        nodes, top = stack_set[depth], stack_top[depth]
        if nodes == 1 << top:
            continue
        part = split[nodes * n + top]
        u = sender[part * n + top]
        parent[u] = top
        stack_set[depth], stack_top[depth] = part, u
        stack_set[depth + 1], stack_top[depth + 1] = nodes & ~part, top
        depth += 2
