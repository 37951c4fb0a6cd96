"""The best tree of a way: bounds of all trees at the prices of one, again and again until none is left."""

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.link import least_cost
from solvers.clusters.loops.prices import computing, first_price
from solvers.clusters.loops.tree import solve_tree
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

FEW = 8
"""Trees left up to which each is solved by itself instead of bounding all by a table."""

POLISHED = 1e-11
"""Relative gap to which the allocation of the tree that is handed out is solved."""


@compiled
def cost_besides(num_nodes: int, data: FloatArray, alpha: FloatArray, mu: float) -> float:
    """Return what every tree's bound has besides its transfers: computing, less mu times the band."""
    _, _, _, _, _, o_least, o_most, o_cube, o_band = offsets(num_nodes)
    rest = -mu * data[o_band]
    for u in range(num_nodes):
        cost, _, _ = computing(data[o_least + u], data[o_most + u], data[o_cube + u], alpha[u])
        rest += cost
    return rest


@compiled
def raise_bounds(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    transfer: IntArray,
    root: IntArray,
    offset: FloatArray,
    alpha: FloatArray,
    mu: float,
    turn: int,
    cutoff: float,
    alive: IntArray,
    num_alive: int,
    lower: FloatArray,
    table: FloatArray,
    made: IntArray,
) -> int:
    """Raise the bounds of the trees alive by those at given prices; drop the trees that reach the cutoff.

    ``table`` (K,) holds the least cost of each transfer, found when a tree needs it: ``made`` (K,) is the
    turn in which it was.
    """
    o_noise, o_spend, o_cap, o_idle, o_nats, _, _, _, _ = offsets(num_nodes)
    rest = cost_besides(num_nodes, data, alpha, mu)
    kept = 0
    for place in range(num_alive):
        which = alive[place]
        bound = rest + offset[root[which]]
        for j in range(num_nodes - 1):
            k = transfer[which, j]
            if made[k] != turn:
                made[k] = turn
                at, mask = pair[k], flow[k]
                price = data[o_idle + at]
                for u in range(num_nodes):
                    if mask >> u & 1:
                        price += alpha[u]
                table[k] = np.inf
                if data[o_noise + at] < np.inf:
                    table[k] = least_cost(
                        free_pieces, capped_pieces, data[o_nats + payload[k]], data[o_noise + at],
                        data[o_spend + at], data[o_cap + at], mu, price,
                    )  # fmt: skip
            bound += table[k]
        lower[which] = max(lower[which], bound)
        if lower[which] < cutoff:
            alive[kept] = which
            kept += 1
    return kept


@compiled
def lowest_of(alive: IntArray, num_alive: int, cutoff: float, lower: FloatArray) -> tuple[int, int]:
    """Drop the trees whose bound reaches the cutoff; return the lowest's place, and how many are left."""
    kept, lowest = 0, -1
    for place in range(num_alive):
        which = alive[place]
        if lower[which] < cutoff:
            alive[kept] = which
            if lowest < 0 or lower[which] < lower[alive[lowest]]:
                lowest = kept
            kept += 1
    return lowest, kept


@compiled
def search(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    transfer: IntArray,
    root: IntArray,
    begin: int,
    end: int,
    offset_value: FloatArray,
    offset_bound: FloatArray,
    gap: float,
    max_turns: int,
    alpha: FloatArray,
    mu: float,
    lower: FloatArray,
    alive: IntArray,
    table: FloatArray,
    made: IntArray,
    work: FloatArray,
    out: FloatArray,
) -> tuple[float, int, float, float]:
    """Return cost and number of the best of the trees ``begin`` to ``end``, a bound of all, and its price mu.

    A tree costs what its allocation costs plus the offset of its root.  ``alpha`` (N,) holds first prices
    where ``mu`` is above 0, and then those of the tree; ``out`` becomes its allocation, ``lower`` (T,) a
    bound of each tree.
    """
    n = num_nodes
    trial, found = np.empty(n), np.empty(3 * n)
    best_value, best, best_mu = np.inf, -1, mu
    if mu <= 0.0:
        mu = first_price(n, data)
        alpha[:] = data[offsets(n)[8] + 1] / n
    trial[:] = alpha
    made[:] = -1
    num_alive = end - begin
    for place in range(num_alive):
        alive[place] = begin + place
        lower[begin + place] = -np.inf
    turn, tolerance, is_last = 0, 0.1 * gap, False
    while True:
        cutoff = best_value - gap * abs(best_value) if best >= 0 else np.inf
        if turn < 2 or num_alive > FEW:
            num_alive = raise_bounds(
                n, data, free_pieces, capped_pieces, pair, payload, flow, transfer, root, offset_bound,
                trial, mu, turn, cutoff, alive, num_alive, lower, table, made,
            )  # fmt: skip
        lowest, num_alive = lowest_of(alive, num_alive, cutoff, lower)
        if num_alive == 0 or turn == max_turns:
            if best < 0 or is_last:
                break
            which, is_last, num_alive = best, True, 0  # once more, to rounding
            cutoff, tolerance, mu = np.inf, POLISHED, best_mu
            trial[:] = alpha
        else:
            which = alive[lowest]
            num_alive -= 1
            alive[lowest] = alive[num_alive]
        turn += 1
        at = root[which]
        value, bound, mu = solve_tree(
            n, data, free_pieces, capped_pieces, pair, payload, flow, transfer[which], trial, mu,
            cutoff - offset_bound[at], tolerance, work, found,
        )  # fmt: skip
        lower[which] = max(lower[which], bound + offset_bound[at])
        if value + offset_value[at] < best_value:
            best_value, best, best_mu = value + offset_value[at], which, mu
            alpha[:] = trial
            out[:] = found
    return best_value, best, lower[begin:end].min(), best_mu
