"""The timeline of a plan, from the problem's arrays alone: what every answer is checked against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.result import Violation
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class _Tree:
    """A checked tree: links and children of each node, and all its nodes so that parents come first."""

    parent: list[int]
    link: IntArray
    children: list[list[int]]
    downwards: list[int]


@dataclass(frozen=True)
class _Phase:
    """One way through a tree: each node's transfer, and the seconds and joules of all."""

    parent: IntArray
    bits: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    order: IntArray
    seconds: float
    joules: float


class _Timeline:
    """Start, end and rank of each node's transfer while they are found."""

    def __init__(self, num_nodes: int) -> None:
        self._start_s, self._end_s = np.full(num_nodes, np.nan), np.full(num_nodes, np.nan)
        self._order = np.full(num_nodes, -1)

    def add(self, node: int, start_s: float, end_s: float, rank: int) -> None:
        self._start_s[node], self._end_s[node], self._order[node] = start_s, end_s, rank

    def phase(self, tree: _Tree, bits: FloatArray, seconds: float, joules: float) -> _Phase:
        arrays = (frozen(self._start_s), frozen(self._end_s), frozen(self._order))
        return _Phase(frozen(np.array(tree.parent)), bits, *arrays, seconds, joules)


def evaluate(
    problem: RelayingProblem,
    root: int,
    parent: npt.ArrayLike,
    return_parent: npt.ArrayLike | None = None,
    leg_parent: npt.ArrayLike | None = None,
    *,
    up_order: npt.ArrayLike | None = None,
    return_order: npt.ArrayLike | None = None,
    leg_order: npt.ArrayLike | None = None,
) -> RelayingSolution:
    """Return the plan of a root's trees with all its transfers on a clock.

    Parameters
    ----------
    problem : RelayingProblem
    root : int
        One of the candidate roots.
    parent, return_parent, leg_parent : (N,) int
        The trees, as in :class:`RelayingSolution`; ``return_parent`` is not read without a way back, and
        ``leg_parent`` only where root legs have a tree of their own (``None``: the same tree).
    up_order, return_order, leg_order : (N,) int or None
        Ranks among the children of each parent. ``None``: the best order, which is earliest ready first on
        the way up and longest remaining way first on the way back (proofs in docs/mathematics/relaying.md).

    Raises
    ------
    InvalidProblem
        If the arrays are no trees along links of the problem that connect exactly the members and the root.
    """
    if root not in problem.roots:
        raise InvalidProblem("root", None, root, f"one of the candidate roots {problem.roots.tolist()}")
    up = leg = _gather(problem, "parent", root, parent, _ranks(problem, "up_order", up_order))
    if problem.has_leg_tree and leg_parent is not None:
        leg = _gather(problem, "leg_parent", root, leg_parent, _ranks(problem, "leg_order", leg_order))
    back = _no_return(problem.num_nodes)
    if problem.has_return:
        if return_parent is None:
            raise InvalidProblem("return_parent", None, None, "given, as num_round_trips > 0")
        ranks = _ranks(problem, "return_order", return_order)
        back = _return(problem, root, return_parent, up.seconds, ranks)
    trips, legs = problem.num_round_trips, problem.num_root_legs
    latency_s = trips * (up.seconds + back.seconds) + legs * (leg.seconds + float(problem.root_seconds[root]))
    energy_j = trips * (up.joules + back.joules) + legs * (leg.joules + float(problem.root_joules[root]))
    return RelayingSolution(
        root=int(root),
        parent=up.parent,
        return_parent=back.parent,
        leg_parent=leg.parent,
        up_order=up.order,
        return_order=back.order,
        leg_order=leg.order,
        up_bits=up.bits,
        leg_bits=leg.bits,
        up_start_s=up.start_s,
        up_end_s=up.end_s,
        return_start_s=back.start_s,
        return_end_s=back.end_s,
        leg_start_s=leg.start_s,
        leg_end_s=leg.end_s,
        gather_s=up.seconds,
        leg_gather_s=leg.seconds,
        return_s=back.seconds,
        gather_j=up.joules,
        leg_gather_j=leg.joules,
        return_j=back.joules,
        latency_s=latency_s,
        energy_j=energy_j,
        objective=problem.energy_weight * energy_j + problem.time_weight * latency_s,
    )


def violations(problem: RelayingProblem, solution: RelayingSolution) -> tuple[Violation, ...]:
    """Return the limits on hops and on children of the root that a plan breaks."""
    found = []
    ways = {"the way up": solution.parent, "the way back": solution.return_parent}
    if problem.has_leg_tree:
        ways["the way up in root legs"] = solution.leg_parent
    for way, parent in ways.items():
        num_children = int(np.sum(parent == solution.root))
        if problem.max_root_children is not None and num_children > problem.max_root_children:
            excess = num_children - problem.max_root_children
            found.append(Violation(f"max_root_children on {way}", float(excess), "children"))
        num_hops = _depth(parent)
        if problem.max_hops is not None and num_hops > problem.max_hops:
            found.append(Violation(f"max_hops on {way}", float(num_hops - problem.max_hops), "hops"))
    return tuple(found)


def _depth(parent: IntArray) -> int:
    """Return the largest number of hops from a node to the top of its tree."""
    hops, above = 0, parent
    while np.any(above >= 0):
        hops, above = hops + 1, np.where(above >= 0, parent[above], -1)
    return hops


def _tree(problem: RelayingProblem, field: str, root: int, parent: npt.ArrayLike) -> _Tree:
    array = np.asarray(parent)
    if array.shape != (problem.num_nodes,):
        raise InvalidProblem(
            field, None, f"an array of shape {array.shape}", f"of shape {(problem.num_nodes,)}"
        )
    node = np.arange(problem.num_nodes)
    absent = (node == root) | ~(problem.members | (problem.relays & (array != -1)))
    wrong = np.flatnonzero(absent & (array != -1))
    if wrong.size:
        where = int(wrong[0])
        raise InvalidProblem(
            field, where, int(array[where]), "-1 for the root and for nodes outside the plan"
        )
    link = problem.links_between(node, array, back=field == "return_parent")
    link[absent] = -1
    wrong = np.flatnonzero((link < 0) & ~absent)
    if wrong.size:
        where = int(wrong[0])
        raise InvalidProblem(field, where, int(array[where]), "the other end of a link of this node")
    parents: list[int] = array.tolist()
    children: list[list[int]] = [[] for _ in parents]
    for below in np.flatnonzero(~absent).tolist():
        children[parents[below]].append(below)
    downwards = [root]
    for above in downwards:
        downwards.extend(children[above])
    lost = np.setdiff1d(np.flatnonzero(~absent), downwards)
    if lost.size:
        raise InvalidProblem(field, int(lost[0]), parents[lost[0]], f"on a path to the root {root}")
    for relay in np.flatnonzero(problem.relays & ~absent).tolist():
        if not children[relay]:
            raise InvalidProblem(field, relay, parents[relay], "-1 for a relay that no node uses")
    return _Tree(parents, link, children, downwards)


def _payloads(problem: RelayingProblem, tree: _Tree) -> FloatArray:
    bits = np.zeros(problem.num_nodes)
    below = problem.items_of_node.copy()
    for node in tree.downwards[:0:-1]:
        bits[node] = problem.item_bits[below[node]].sum()
        below[tree.parent[node]] |= below[node]
    return frozen(bits)


def _gather(
    problem: RelayingProblem, field: str, root: int, parent: npt.ArrayLike, ranks: "Sequence[int] | None"
) -> _Phase:
    tree = _tree(problem, field, root, parent)
    bits = _payloads(problem, tree)
    nodes = np.array(tree.downwards[1:], dtype=np.int64)
    links = tree.link[nodes]
    busy_s = np.zeros(problem.num_nodes)
    busy_s[nodes] = problem.link_delay_s[links] + bits[nodes] / problem.link_rate_bps[links]
    ready_s: list[float] = problem.ready_s.tolist()
    timeline = _Timeline(problem.num_nodes)
    for node in reversed(tree.downwards):
        in_series, free_s = bool(problem.half_duplex[node]), 0.0
        key = ready_s if ranks is None else ranks
        last_s = ready_s[node]
        for rank, child in enumerate(sorted(tree.children[node], key=key.__getitem__)):
            start_s = max(ready_s[child], free_s)
            end_s = start_s + float(busy_s[child])
            timeline.add(child, start_s, end_s, rank)
            free_s = end_s if in_series else 0.0
            last_s = max(last_s, end_s)
        ready_s[node] = last_s  # from here on: it has its own items and everything below it
    joules = float((problem.link_power_w[links] * busy_s[nodes]).sum())
    return timeline.phase(tree, bits, ready_s[root], joules)


def _return(
    problem: RelayingProblem,
    root: int,
    parent: npt.ArrayLike,
    begin_s: float,
    ranks: "Sequence[int] | None",
) -> _Phase:
    tree = _tree(problem, "return_parent", root, parent)
    nodes = np.array(tree.downwards[1:], dtype=np.int64)
    links = tree.link[nodes]
    seconds = np.zeros(problem.num_nodes)
    rate_bps = problem.return_link_rate_bps[links]
    seconds[nodes] = problem.return_link_delay_s[links] + problem.union_bits / rate_bps
    joules = float((problem.return_link_power_w[links] * seconds[nodes]).sum())
    busy_s: list[float] = seconds.tolist()
    if problem.broadcast_power_w is not None:
        joules = _broadcast(problem, tree, busy_s)
    key = [-tail for tail in _tails(problem, tree, busy_s)] if ranks is None else ranks
    timeline = _Timeline(problem.num_nodes)
    has_s = [0.0] * problem.num_nodes
    for node in tree.downwards:
        free_s = has_s[node]
        for rank, child in enumerate(sorted(tree.children[node], key=key.__getitem__)):
            has_s[child] = free_s + busy_s[child]
            timeline.add(child, begin_s + free_s, begin_s + has_s[child], rank)
            if _serves_in_series(problem, node):
                free_s = has_s[child]
    return timeline.phase(tree, frozen(np.zeros(problem.num_nodes)), max(has_s), joules)


def _broadcast(problem: RelayingProblem, tree: _Tree, busy_s: list[float]) -> float:
    """Give all children of a node the seconds of the slowest, and return the joules of all broadcasts."""
    assert problem.broadcast_power_w is not None, "asked for by the caller"
    joules = 0.0
    for node in tree.downwards:
        slowest_s = max((busy_s[child] for child in tree.children[node]), default=0.0)
        drawn_w = float(problem.broadcast_power_w[node]) if tree.children[node] else 0.0
        for child in tree.children[node]:
            busy_s[child] = slowest_s
            drawn_w += float(problem.receive_power_w[child])
        joules += drawn_w * slowest_s
    return joules


def _serves_in_series(problem: RelayingProblem, node: int) -> bool:
    return bool(problem.half_duplex[node]) and not problem.has_broadcast


def _tails(problem: RelayingProblem, tree: _Tree, busy_s: list[float]) -> list[float]:
    """Return the seconds from each node's reception until everything below it has received."""
    tails = [0.0] * len(busy_s)
    for node in reversed(tree.downwards):
        free_s = 0.0
        for child in sorted(tree.children[node], key=lambda child: -tails[child]):
            end_s = free_s + busy_s[child]
            tails[node] = max(tails[node], end_s + tails[child])
            free_s = end_s if _serves_in_series(problem, node) else 0.0
    return tails


def _no_return(num_nodes: int) -> _Phase:
    tree = _Tree([-1] * num_nodes, np.zeros(0, dtype=np.int64), [], [])
    return _Timeline(num_nodes).phase(tree, frozen(np.zeros(num_nodes)), 0.0, 0.0)


def _ranks(problem: RelayingProblem, field: str, order: npt.ArrayLike | None) -> "Sequence[int] | None":
    if order is None:
        return None
    array = np.asarray(order)
    if array.shape != (problem.num_nodes,):
        raise InvalidProblem(
            field, None, f"an array of shape {array.shape}", f"of shape {(problem.num_nodes,)}"
        )
    ranks: list[int] = array.tolist()
    return ranks
