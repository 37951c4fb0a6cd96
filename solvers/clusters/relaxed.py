"""Bounds of all trees of a way, by root: the least Lagrangian at prices that are made better step by step."""

import numpy as np

from solvers.clusters.loops.descent import describe
from solvers.clusters.loops.prices import priced
from solvers.clusters.loops.search import cost_besides
from solvers.clusters.loops.shape import capped_table, free_table
from solvers.clusters.loops.subsets import bound_by_subsets
from solvers.clusters.ways import Way, link_costs
from solvers.common.arrays import FloatArray, IntArray
from solvers.relaying.arborescence import minimum_arborescence_to

MAX_SUBSET_NODES = 11
"""Nodes to which the least Lagrangian is found exactly, by dynamic programming over sets of nodes."""
_STEPS = 30
"""Steps of the prices towards a better bound, for each root that matters."""


def bound_roots(way: Way, roots: IntArray, set_nats: FloatArray | None, focus: IntArray) -> FloatArray:
    """Return a bound of the cost of every tree of each root, (N,).

    Parameters
    ----------
    way : Way
        With trees and prices of some roots.
    roots : (R,) int
        Candidate roots; others get ``inf``.
    set_nats : (2 ** N,) float or None
        Payload of each set of nodes; ``None`` for relaxed transfers, which carry and hurry as if nothing was
        below them.
    focus : (K,) int
        Roots whose prices are used, and made better.
    """
    best = np.full(way.num_nodes, -np.inf)
    for root in focus.tolist():
        if set_nats is None:
            alpha, mu = way.alpha[root], float(way.mu[root])
            for share in (0.0, 0.5, 1.0):
                mixed = (1.0 - share) * alpha + share * way.weight / way.num_nodes
                best = np.maximum(best, _by_arborescence(way, roots, mixed, mu))
        else:
            best = np.maximum(best, _by_subsets(way, root, set_nats))
    allowed = np.isin(np.arange(way.num_nodes), roots)
    return np.where(allowed, best, np.inf)


def _by_arborescence(way: Way, roots: IntArray, alpha: FloatArray, mu: float) -> FloatArray:
    """Return bounds of the roots: a transfer costs at least that of its node's items at its price."""
    num = way.num_nodes
    cost = link_costs(way, alpha, mu)
    bound = np.full(num, -np.inf)
    besides = cost_besides(num, way.data, alpha, mu)
    for root in roots.tolist():
        tree = minimum_arborescence_to(cost, root)
        others = np.arange(num) != root
        bound[root] = np.inf if tree is None else besides + cost[others, tree[others]].sum()
    return bound


def _by_subsets(way: Way, root: int, set_nats: FloatArray) -> FloatArray:
    """Return bounds of all roots at prices that rise the one of ``root`` by Polyak's step.

    B. T. Polyak, "Minimization of unsmooth functionals", USSR Comput. Math. Math. Phys. 9 (1969), 14-29, here
    towards the cost of the best tree known of the root.
    """
    num, tables = way.num_nodes, (free_table(), capped_table())
    alpha, mu = way.alpha[root].copy(), float(way.mu[root])
    best, bound = np.full(num, -np.inf), np.empty(num)
    parent, order = np.empty(num, dtype=np.int64), np.empty(num, dtype=np.int64)
    pace, since = 1.0, 0
    for _ in range(_STEPS):
        bound_by_subsets(
            num, way.data, *tables, set_nats, way.half_duplex, alpha, mu, root, bound, parent, order
        )
        since = 0 if bound[root] > best[root] * (1.0 + 1e-9) else since + 1
        best = np.maximum(best, bound)
        if not np.isfinite(bound[root]) or way.cost[root] - best[root] <= 1e-9 * abs(way.cost[root]):
            break
        if since == 3:
            pace, since = 0.5 * pace, 0
        path, over = _slopes(way, root, parent, order, alpha, mu)
        rise_alpha, rise_mu = way.weight * (path - path.mean()), mu * over
        length = float((rise_alpha**2).sum() + rise_mu**2)
        if length == 0.0:
            break
        step = pace * (way.cost[root] - bound[root]) / length
        alpha = np.maximum(alpha + way.weight * step * rise_alpha, 0.0)
        alpha *= way.weight / alpha.sum()
        mu *= float(np.exp(np.clip(step * rise_mu, -1.0, 1.0)))
    return best


def _slopes(
    way: Way, root: int, parent: IntArray, order: IntArray, alpha: FloatArray, mu: float
) -> tuple[FloatArray, float]:
    """Return the derivatives of a tree's Lagrangian: lengths of paths (N,), and the use beyond the band."""
    num = way.num_nodes
    pair, flow, work = np.empty(num, np.int64), np.empty(num, np.int64), np.zeros(num * num + 11 * num)
    describe(num, root, parent, order, way.half_duplex, way.items, way.item_nats, way.data, pair, flow)
    tree = np.flatnonzero(np.arange(num) != root)
    work[:num] = np.maximum(alpha, 1e-9 * way.weight)
    _, wished, _ = priced(
        num, way.data, free_table(), capped_table(), pair, np.arange(num), flow, tree, work, mu
    )
    return work[2 * num : 3 * num].copy(), wished - float(way.data[4 * num * num + 3 * num])
