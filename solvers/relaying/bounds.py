"""A bound that costs one shortest-path search and one arborescence for each candidate root."""

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.relaying.loops.cuts import price_of_cuts
from solvers.relaying.phase import ANY_ROOT, Phase, phases_of, root_price
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.reach import path_seconds
from solvers.relaying.sparse_arborescence import minimum_arborescence

_WORK = 3_000_000
"""Candidate roots times links up to which each root gets arborescences of its own."""
WORK_PER_LINK = 100
"""How often each link is looked at on average when cuts are priced, at most."""
_LANDMARKS = 8
"""Nodes whose distances to all roots bound the makespans of large problems."""
ROUNDING = 1e-12
"""Part by which bounds are lowered: some thousand roundings of float64, so that none exceeds a value."""


def cheap_bound(problem: RelayingProblem) -> float:
    """Return a lower bound on the objective: the least of :func:`root_bounds`."""
    return float(root_bounds(problem).min())


def root_bounds(problem: RelayingProblem) -> FloatArray:
    """Return a lower bound on the objective for each candidate root, (R,); ``inf`` where it reaches not all.

    Whatever the tree, a member's sending carries at least its own items, so its items need at least the
    shortest path with that payload, and the joules are at least those of the minimum arborescence with it. On
    the way back both hold with the union as payload. Seconds and joules are bounded apart and added.

    Where roots times links are more than 3 million, the joules are those of the cheapest arborescence of any
    root, and the seconds those of the farthest of a few nodes.
    """
    if problem.roots.size * problem.link_source.size > _WORK and problem.roots.size > 1:
        return _bounds_of_many(problem) * (1.0 - ROUNDING)
    bounds = np.empty(problem.roots.size)
    for k, root in enumerate(problem.roots.tolist()):
        value = root_price(problem, root) + sum(phase_bound(phase) for phase in phases_of(problem, root))
        bounds[k] = value * (1.0 - ROUNDING)
    return bounds


def phase_bound(phase: Phase) -> float:
    """Return the least price of sendings, plus the least makespan, of any tree; ``inf`` if there is none."""
    distance = phase.distances_s
    begin_s = np.where(phase.member, phase.ready_s + distance, 0.0)
    if not np.isfinite(begin_s).all():
        return np.inf
    makespan_s = max(float(begin_s.max()), float(phase.ready_s[phase.root]))
    return least_price(phase, phase.least_price) + phase.time_price * makespan_s


def least_price(phase: Phase, price: FloatArray) -> float:
    """Return the price of the cheapest tree, or where there are relays, a bound on it by cuts."""
    if phase.relay.any():
        most_work = WORK_PER_LINK * phase.num_links
        value = price_of_cuts(phase.root, phase.start, phase.parent, phase.member, price.copy(), most_work)
        return value - ROUNDING * abs(value) if np.isfinite(value) else np.inf
    inside = np.flatnonzero(phase.member)
    number = np.full(phase.num_nodes, -1)
    number[phase.root], number[inside] = 0, np.arange(1, inside.size + 1)
    child, parent = number[phase.child], number[phase.parent]
    tree = minimum_arborescence(inside.size + 1, child, parent, price, 0)
    return np.inf if tree is None else tree.value


def cheapest_links(phase: Phase, price: FloatArray) -> FloatArray:
    """Return the price of each node's cheapest link, (N,); ``inf`` without one."""
    least = np.full(phase.num_nodes, np.inf)
    np.minimum.at(least, phase.child, price)
    return least


def least_link_costs(problem: RelayingProblem, *, back: bool) -> tuple[FloatArray, FloatArray]:
    """Return the least seconds and joules of each link, (L,).

    The payload is the sender's own items on the way up, those of some member for a relay (below which there
    is one), and the union on the way back. The joules of a broadcast count nothing for one receiver alone.
    """
    if back:
        seconds = problem.return_link_delay_s + problem.union_bits / problem.return_link_rate_bps
        if problem.has_broadcast:
            return seconds, problem.receive_power_w[problem.return_link_target] * seconds
        return seconds, problem.return_link_power_w * seconds
    own_bits = problem.items_of_node @ problem.item_bits
    own_bits[problem.relays] = own_bits[problem.members].min()
    seconds = problem.link_delay_s + own_bits[problem.link_source] / problem.link_rate_bps
    return seconds, problem.link_power_w * seconds


def _bounds_of_many(problem: RelayingProblem) -> FloatArray:
    """Return bounds from what all roots have in common: the cheapest tree of any, and far nodes."""
    bounds = np.array([root_price(problem, root) for root in problem.roots.tolist()])
    for phase in phases_of(problem, ANY_ROOT):
        bounds += np.maximum(_prices_without(phase, problem.roots), _least_price_of_any(phase, problem.roots))
        bounds += phase.time_price * _reach_far_nodes(phase, problem.roots)
    return bounds


def _prices_without(phase: Phase, roots: IntArray) -> FloatArray:
    """Return the price of the cheapest links of all members but each root, (R,)."""
    cheapest = np.where(phase.member, cheapest_links(phase, phase.least_price), 0.0)
    lost = np.isinf(cheapest)
    total = float(cheapest[~lost].sum())
    own = np.where(lost[roots], 0.0, cheapest[roots])
    return np.where(int(lost.sum()) > lost[roots], np.inf, total - own)


def _least_price_of_any(phase: Phase, roots: IntArray) -> float:
    """Return the least price of a tree of any root: that of a tree to a top above exactly one root.

    Where a root may lie outside the members, or relays may stay unused, nothing is said.
    """
    if phase.relay.any() or not phase.member[roots].all():
        return 0.0
    top, once = phase.num_nodes, 1.0 + float(phase.least_price.sum())
    others = np.flatnonzero(~phase.member)
    child = np.concatenate([phase.child, roots, others])
    parent = np.concatenate([phase.parent, np.full(roots.size + others.size, top)])
    price = np.concatenate([phase.least_price, np.full(roots.size, once), np.zeros(others.size)])
    tree = minimum_arborescence(top + 1, child, parent, price, top)
    return 0.0 if tree is None or tree.value >= 2.0 * once else max(tree.value * (1.0 - ROUNDING) - once, 0.0)


def _reach_far_nodes(phase: Phase, roots: IntArray) -> FloatArray:
    """Return the least seconds in which a few far nodes reach each root, (R,)."""
    least_s: FloatArray = phase.ready_s[roots].copy()
    members = np.flatnonzero(phase.member)
    node = int(members[np.argmax(phase.ready_s[members])])
    for _ in range(_LANDMARKS):
        away_s = path_seconds(phase.num_nodes, phase.child, phase.parent, phase.least_s, node)
        least_s = np.maximum(least_s, phase.ready_s[node] + away_s[roots])
        best = int(roots[np.argmin(least_s)])
        if not np.isfinite(least_s[roots == best]).all():
            return least_s
        to_best_s = path_seconds(phase.num_nodes, phase.parent, phase.child, phase.least_s, best)
        node = int(members[np.argmax((phase.ready_s + to_best_s)[members])])
    return least_s
