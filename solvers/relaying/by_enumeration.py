"""Exact answers for small clusters: price every tree of every root, keep what is not dominated.

A gather and the way back are independent given the root, but for the sums of their seconds and joules; so the
front of a root is the sum of two small fronts (Minkowski), and the front of the problem their union.
The way back is a gather played backwards, with the union as payload on every link and nobody to wait for, so
one routine prices both, but for a broadcast. A relay that need not be used is in some of the lists of
nodes and not in others. Proofs are in docs/mathematics/relaying.md.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options
from solvers.relaying.evaluate import evaluate
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import Front
from solvers.relaying.trees import MAX_NODES, TreeTable, tree_table

_CHUNK = 1 << 16
"""Trees times roots priced at once: some tens of MB."""

_MAX_TREES: int = MAX_NODES ** (MAX_NODES - 2)
"""Trees of the largest table (Cayley's formula)."""


@dataclass(frozen=True)
class _Plans:
    """K choices of one root: seconds (K,), joules (K,), and numbers of trees (K, 3).

    The numbers are those of the trees of ``parent``, ``return_parent`` and ``leg_parent``, or -1: a tree's
    column in the table plus ``_MAX_TREES`` times the number of its list of nodes.
    """

    seconds: FloatArray
    joules: FloatArray
    trees: IntArray

    def plus(self, other: "_Plans") -> "_Plans":
        """Return the non-dominated sums of a choice here and one there."""
        seconds = np.add.outer(self.seconds, other.seconds).ravel()
        joules = np.add.outer(self.joules, other.joules).ravel()
        keep = _nondominated(seconds, joules)
        trees = np.maximum(self.trees[:, None], other.trees[None, :]).reshape(-1, 3)
        return _Plans(seconds[keep], joules[keep], trees[keep])


def enumerate_trees(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan by pricing all trees; exact, for trees of at most ``MAX_NODES`` nodes."""
    del options  # it takes milliseconds
    front = pareto_front(problem)
    if len(front) == 0:
        return Outcome(infeasible=True)
    value = problem.energy_weight * front.energy_j + problem.time_weight * front.latency_s
    best = int(np.argmin(value))
    trees = (front.parent[best], front.return_parent[best], front.leg_parent[best])
    plan = evaluate(problem, int(front.root[best]), *trees)
    return Outcome(plan=plan, bound=plan.objective)


def pareto_front(problem: RelayingProblem) -> Front:
    """Return all non-dominated (latency, energy) plans of a small cluster, each with its trees.

    Parameters
    ----------
    problem : RelayingProblem
        With at most ``MAX_NODES`` nodes in a tree; its two weights are not used.

    Raises
    ------
    InvalidProblem
        If there are too many nodes to price all trees.
    """
    node_lists, plans_of = _all_plans(problem)
    root = np.repeat(np.array(list(plans_of)), [plans.seconds.size for plans in plans_of.values()])
    seconds = np.concatenate([plans.seconds for plans in plans_of.values()])
    joules = np.concatenate([plans.joules for plans in plans_of.values()])
    trees = np.concatenate([plans.trees for plans in plans_of.values()])
    keep = _nondominated(seconds, joules)
    return _checked_front(problem, node_lists, root[keep], trees[keep])


def pareto_fronts(problem: RelayingProblem) -> tuple[Front, ...]:
    """Return the front of each candidate root by itself, in their order; see :func:`pareto_front`."""
    node_lists, plans_of = _all_plans(problem)
    return tuple(
        _checked_front(problem, node_lists, np.full(plans.seconds.size, root), plans.trees)
        for root, plans in ((root, plans_of[root]) for root in problem.roots.tolist())
    )


def _all_plans(problem: RelayingProblem) -> tuple[list[IntArray], dict[int, _Plans]]:
    """Return the lists of nodes that trees are numbered by, and the non-dominated plans of each root."""
    node_lists: list[IntArray] = []
    choices: dict[int, dict[int, list[_Plans]]] = {}  # by root and phase
    for num_relays, nodes in _groups(problem):
        priced = _priced_phases(problem, nodes, num_relays)
        for row, root in enumerate(nodes[:, 0].tolist()):
            first = _MAX_TREES * len(node_lists)
            node_lists.append(nodes[row])
            for phase, (seconds, joules, times) in priced.items():
                plans = _choices(seconds[row], joules[row], times, phase, first)
                choices.setdefault(root, {}).setdefault(phase, []).append(plans)
    return node_lists, {root: _plans_of_root(problem, root, phases) for root, phases in choices.items()}


def _groups(problem: RelayingProblem) -> list[tuple[int, IntArray]]:
    """Return lists of nodes of the same length, (R, n), root first and used relays last, and how many."""
    members, relays = np.flatnonzero(problem.members), np.flatnonzero(problem.relays)
    groups: dict[tuple[int, int], list[list[int]]] = {}
    for root in problem.roots.tolist():
        inner, free = members[members != root].tolist(), relays[relays != root].tolist()
        if 1 + len(inner) + len(free) > MAX_NODES:
            size = f"a tree of {1 + len(inner) + len(free)} nodes"
            raise InvalidProblem("members", None, size, f"at most {MAX_NODES} to price all trees")
        for num_relays in range(len(free) + 1):
            key = (1 + len(inner) + num_relays, num_relays)
            for used in itertools.combinations(free, num_relays):
                groups.setdefault(key, []).append([root, *inner, *used])
    return [(num_relays, np.array(nodes)) for (_, num_relays), nodes in groups.items()]


def _priced_phases(
    problem: RelayingProblem, nodes: IntArray, num_relays: int
) -> dict[int, tuple[FloatArray, FloatArray, float]]:
    """Return makespan and joules of each tree, (R, T) each, and how often it is used, by phase."""
    table = tree_table(nodes.shape[1])
    refused = np.logical_or.reduce(table.is_leaf[nodes.shape[1] - num_relays :], axis=0)
    if problem.max_hops is not None:
        refused = refused | (table.num_hops > problem.max_hops)
    if problem.max_root_children is not None:
        refused = refused | (table.num_root_children > problem.max_root_children)
    half = problem.half_duplex[nodes]
    up = _price(table, *_link_costs(problem, nodes, back=False), problem.ready_s[nodes], half, refused)
    priced = {0: (*up, problem.num_gathers)}
    if problem.has_return:
        seconds, joules = _link_costs(problem, nodes, back=True)
        if problem.broadcast_power_w is not None:
            watts = (problem.broadcast_power_w[nodes], problem.receive_power_w[nodes])
            back = _price_broadcast(table, seconds, *watts, refused)
        else:
            back = _price(table, seconds, joules, np.zeros(nodes.shape), half, refused)
        priced[1] = (*back, problem.num_round_trips)
    if problem.has_leg_tree:
        priced[2] = (*up, problem.num_root_legs)
    return priced


def _plans_of_root(problem: RelayingProblem, root: int, choices: dict[int, list[_Plans]]) -> _Plans:
    """Return the non-dominated plans of a root from the choices of each phase."""
    legs = problem.num_root_legs
    extra = (np.array([legs * problem.root_seconds[root]]), np.array([legs * problem.root_joules[root]]))
    plans = _merged(choices[0])
    for phase in sorted(choices)[1:]:
        plans = plans.plus(_merged(choices[phase]))
    return plans.plus(_Plans(*extra, np.full((1, 3), -1)))


def _merged(choices: list[_Plans]) -> _Plans:
    """Return the non-dominated of several choices of one phase."""
    if len(choices) == 1:
        return choices[0]
    seconds = np.concatenate([plans.seconds for plans in choices])
    joules = np.concatenate([plans.joules for plans in choices])
    keep = _nondominated(seconds, joules)
    return _Plans(seconds[keep], joules[keep], np.concatenate([plans.trees for plans in choices])[keep])


def _choices(seconds: FloatArray, joules: FloatArray, times: float, phase: int, first: int) -> _Plans:
    """Return the non-dominated trees of one phase that is used ``times`` times."""
    keep = _nondominated(seconds, joules)
    trees = np.full((keep.size, 3), -1)
    trees[:, phase] = first + keep
    return _Plans(times * seconds[keep], times * joules[keep], trees)


def _link_costs(problem: RelayingProblem, nodes: IntArray, *, back: bool) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of (node, parent, subtree), (R, n, n, 2 ** n) each; inf without a link."""
    prefix = "return_link" if back else "link"
    source, target = getattr(problem, f"{prefix}_source"), getattr(problem, f"{prefix}_target")
    child, parent = (target, source) if back else (source, target)
    dense = np.full((3, problem.num_nodes, problem.num_nodes), np.inf)  # delay, seconds per bit, power
    dense[0, child, parent] = getattr(problem, f"{prefix}_delay_s")
    dense[1, child, parent] = 1.0 / getattr(problem, f"{prefix}_rate_bps")
    dense[2, child, parent] = getattr(problem, f"{prefix}_power_w")
    delay_s, seconds_per_bit, power_w = dense[:, nodes[:, :, None], nodes[:, None, :]]  # (R, n, n) each
    exists = np.isfinite(power_w)[..., None]
    bits = _bits_of_subsets(problem, nodes)  # (R, 2 ** n)
    if back:
        bits = np.broadcast_to(bits[:, -1:], bits.shape)
    with np.errstate(invalid="ignore"):  # absent links multiply inf by 0
        seconds = delay_s[..., None] + seconds_per_bit[..., None] * bits[:, None, None, :]
        joules = power_w[..., None] * seconds
    return np.where(exists, seconds, np.inf), np.where(exists, joules, np.inf)


def _bits_of_subsets(problem: RelayingProblem, nodes: IntArray) -> FloatArray:
    """Return the bits of the union of the items of each subset of each root's nodes, (R, 2 ** n)."""
    rows = []
    for row in nodes:
        covered = np.zeros((1, problem.item_bits.size), dtype=np.bool_)
        for node in row:
            covered = np.concatenate([covered, covered | problem.items_of_node[node]])
        rows.append(covered @ problem.item_bits)
    return np.array(rows)


def _price(
    table: TreeTable,
    seconds: FloatArray,
    joules: FloatArray,
    ready_s: FloatArray,
    half: BoolArray,
    refused: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Return makespan and joules of each tree for each root, (R, T); inf where refused or without a link."""
    num_roots = seconds.shape[0]
    makespan, total_j = np.full((2, num_roots, refused.size), np.inf)
    flat_s, flat_j = seconds.reshape(num_roots, -1), joules.reshape(num_roots, -1)
    for part in _parts(table, seconds, refused):
        index = table.cost_index[:, part]
        total_j[:, part] = flat_j[:, index].sum(axis=1)
        makespan[:, part] = _makespan(table, part, flat_s[:, index], ready_s, half)
    return makespan, total_j


def _parts(table: TreeTable, seconds: FloatArray, refused: BoolArray) -> Iterator[IntArray]:
    """Yield the trees, some at a time, that are not refused and whose links some root has."""
    has_link: BoolArray = np.isfinite(seconds[..., -1])  # (R, n, n): to send everything, so anything
    linked = np.ones((seconds.shape[0], refused.size), dtype=np.bool_)  # (R, T)
    for node in range(1, table.num_nodes):
        linked &= has_link[:, node, table.parent[node]]
    trees = np.flatnonzero(linked.any(axis=0) & ~refused)
    step = max(_CHUNK // seconds.shape[0], 1)
    for begin in range(0, trees.size, step):
        yield trees[begin : begin + step]


def _price_broadcast(
    table: TreeTable, seconds: FloatArray, broadcast_w: FloatArray, receive_w: FloatArray, refused: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of each tree for each root, (R, T), where a node serves its children at once.

    A broadcast lasts as long as its slowest child needs; sender and receivers draw power all the while.
    """
    num_roots = seconds.shape[0]
    makespan, joules = np.full((2, num_roots, refused.size), np.inf)
    flat_s = seconds.reshape(num_roots, -1)
    for part in _parts(table, seconds, refused):
        busy_s = flat_s[:, table.cost_index[:, part]]
        makespan[:, part], joules[:, part] = _broadcasts(table, part, busy_s, broadcast_w, receive_w)
    return makespan, joules


def _broadcasts(
    table: TreeTable, part: IntArray, busy_s: FloatArray, broadcast_w: FloatArray, receive_w: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of some trees, (R, T), from the seconds of each child, (R, n - 1, T)."""
    node, is_child = table.node[:, part], table.is_child[:, :, part]
    rows = np.arange(busy_s.shape[0])[:, None]
    tail_s = np.zeros((busy_s.shape[0], *node.shape))
    joules = np.zeros((busy_s.shape[0], node.shape[1]))
    for at in range(1, table.num_nodes):
        children = is_child[:at, at]  # (at, T)
        slowest_s = np.where(children, busy_s[:, :at], 0.0).max(axis=1)  # (R, T)
        tail_s[:, at] = slowest_s + np.where(children, tail_s[:, :at], 0.0).max(axis=1)
        heard_w = np.where(children, receive_w[rows[:, None], node[:at]], 0.0).sum(axis=1)
        sent_w = np.where(children.any(axis=0), broadcast_w[rows, node[at]], 0.0)
        with np.errstate(invalid="ignore"):  # without a link: inf seconds, at 0 W
            joules += np.where(np.isinf(slowest_s), np.inf, (sent_w + heard_w) * slowest_s)
    return tail_s[:, -1], joules


def _makespan(
    table: TreeTable, part: IntArray, busy_s: FloatArray, ready_s: FloatArray, half: BoolArray
) -> FloatArray:
    """Return when the root has everything, (R, T), from the seconds of each position's sending (R, n - 1, T).

    A node that receives in parallel has everything at max(a + d) over its children, where a is when the child
    is ready to send and d its seconds. One that receives in series, earliest ready first, at the max over its
    children c of a_c + the sum of d over the children that are ready no earlier than c.
    """
    node, is_child = table.node[:, part], table.is_child[:, :, part]
    has_s = ready_s[:, node]  # (R, n, T), by position; final once all children's positions are done
    any_half = bool(half.any())
    for at in range(1, table.num_nodes):
        children = is_child[:at, at]  # (at, T)
        waits_s, sends_s = has_s[:, :at], busy_s[:, :at]
        last_s = np.where(children, waits_s + sends_s, 0.0).max(axis=1)
        if any_half:
            in_series_s = np.zeros_like(last_s)
            lasts_s = np.where(children, sends_s, 0.0)
            for child in range(at):
                no_earlier = waits_s >= waits_s[:, child, None]
                end_s = waits_s[:, child] + np.where(no_earlier, lasts_s, 0.0).sum(axis=1)
                in_series_s = np.maximum(in_series_s, np.where(children[child], end_s, 0.0))
            last_s = np.where(half[np.arange(half.shape[0])[:, None], node[at]], in_series_s, last_s)
        np.maximum(has_s[:, at], last_s, out=has_s[:, at])
    makespan: FloatArray = has_s[:, -1]
    return makespan


def _nondominated(seconds: FloatArray, joules: FloatArray) -> IntArray:
    """Return the indices of the finite, non-dominated points, by rising seconds; the first of equal ones."""
    candidates = np.flatnonzero(np.isfinite(seconds) & np.isfinite(joules))
    if candidates.size == 0:
        return candidates
    least_s, least_j = seconds[candidates].min(), joules[candidates].min()
    most_j = joules[candidates][seconds[candidates] == least_s].min()
    most_s = seconds[candidates][joules[candidates] == least_j].min()
    candidates = candidates[(seconds[candidates] <= most_s) & (joules[candidates] <= most_j)]
    order = candidates[np.lexsort((joules[candidates], seconds[candidates]))]
    falling = joules[order]
    keep = np.ones(order.size, dtype=np.bool_)
    keep[1:] = falling[1:] < np.minimum.accumulate(falling)[:-1]
    kept: IntArray = order[keep]
    return kept


def _checked_front(
    problem: RelayingProblem, node_lists: list[IntArray], root: IntArray, trees: IntArray
) -> Front:
    """Return the front with every point re-evaluated on the problem's own clock."""
    parents = np.full((3, root.size, problem.num_nodes), -1)
    latency_s, energy_j = np.empty(root.size), np.empty(root.size)
    for k, which in enumerate(root.tolist()):
        for phase, number in enumerate(trees[k].tolist()):
            if number >= 0:
                nodes, column = node_lists[number // _MAX_TREES], number % _MAX_TREES
                parents[phase, k, nodes[1:]] = nodes[tree_table(nodes.size).parent[1:, column]]
        if not problem.has_leg_tree:
            parents[2, k] = parents[0, k]
        plan = evaluate(problem, which, *parents[:, k])
        latency_s[k], energy_j[k] = plan.latency_s, plan.energy_j
    keep = _nondominated(latency_s, energy_j)
    return Front(
        latency_s=frozen(latency_s[keep]),
        energy_j=frozen(energy_j[keep]),
        root=frozen(root[keep]),
        parent=frozen(parents[0, keep]),
        return_parent=frozen(parents[1, keep]),
        leg_parent=frozen(parents[2, keep]),
    )
