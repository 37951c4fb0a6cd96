"""A bound that costs one shortest-path search and one arborescence for each candidate root."""

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.relaying.arborescence import minimum_arborescence_to
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.reach import shortest_paths_to, usable_links

_ARBORESCENCE_WORK = 3_000_000
"""Candidate roots times squared nodes up to which each root gets an arborescence of its own."""


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
    """
    bounds = np.empty(problem.roots.size)
    for k, root in enumerate(problem.roots.tolist()):
        up_s, up_j = _phase_bound(problem, root, back=False)
        back_s, back_j = _phase_bound(problem, root, back=True) if problem.has_return else (0.0, 0.0)
        legs, trips = problem.num_root_legs, problem.num_round_trips
        seconds = (trips + legs) * up_s + trips * back_s + legs * float(problem.root_seconds[root])
        joules = (trips + legs) * up_j + trips * back_j + legs * float(problem.root_joules[root])
        both_exist = np.isfinite(seconds) and np.isfinite(joules)
        value = problem.energy_weight * joules + problem.time_weight * seconds if both_exist else np.inf
        bounds[k] = value * (1.0 - ROUNDING)
    return bounds


def least_link_costs(problem: RelayingProblem, root: int, *, back: bool) -> tuple[FloatArray, FloatArray]:
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


def energy_matrix(problem: RelayingProblem, root: int, *, back: bool) -> FloatArray:
    """Return the least joules of each (child, parent) in a tree of ``root``, (N, N); inf without a link."""
    _, joules = least_link_costs(problem, root, back=back)
    links, child, parent = usable_links(problem, root, back=back)
    cost = np.full((problem.num_nodes, problem.num_nodes), np.inf)
    cost[child, parent] = joules[links]
    return cost


def _phase_bound(problem: RelayingProblem, root: int, *, back: bool) -> tuple[float, float]:
    seconds, joules = least_link_costs(problem, root, back=back)
    path_s, _ = shortest_paths_to(problem, root, seconds, back=back)
    begin_s = np.zeros(problem.num_nodes) if back else problem.ready_s
    connected = problem.members.copy()
    connected[root] = True
    makespan = float((begin_s + path_s)[connected].max())
    if not np.isfinite(makespan):
        return np.inf, np.inf
    optional = problem.relays.copy()
    optional[root] = False
    if optional.any() or problem.roots.size * int(connected.sum()) ** 2 > _ARBORESCENCE_WORK:
        return makespan, _cheapest_sendings(problem, root, joules, back=back)
    nodes = np.flatnonzero(connected)
    cost = energy_matrix(problem, root, back=back)[np.ix_(nodes, nodes)]
    parent = minimum_arborescence_to(cost, int(np.searchsorted(nodes, root)))
    if parent is None:
        return np.inf, np.inf
    others = np.flatnonzero(parent >= 0)
    return makespan, float(cost[others, parent[others]].sum())


def _cheapest_sendings(problem: RelayingProblem, root: int, joules: FloatArray, *, back: bool) -> float:
    """Return the joules of each member's cheapest way out; relays may stay unused."""
    links, child, _ = usable_links(problem, root, back=back)
    least = np.full(problem.num_nodes, np.inf)
    np.minimum.at(least, child, joules[links])
    sends = problem.members.copy()
    sends[root] = False
    return float(least[sends].sum())
