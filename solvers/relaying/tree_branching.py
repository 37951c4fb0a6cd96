"""Branch and bound over the links of one phase, with prices of paths as the bound.

A node of the search is a set of links that trees may use. Its prices start from those of the node above;
links whose extra cost leads above the target are dropped, and the others are divided: a node either sends
over one link, or never over it. Where every node has a single link left, there is one tree, whose price is
exact.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, IntArray
from solvers.relaying.path_prices import PathPrices, Prices, lowered
from solvers.relaying.phase import Phase

_STEPS = 80
"""Steps of prices at each node of the search."""
_PATIENCE = 8.0
"""Steps without a better bound after which they are shortened there."""
_DROPPED = 0.1
"""Part of the links that must have been dropped for the same node to be looked at again."""


@dataclass(frozen=True, eq=False)
class Branching:
    """What a search found.

    Parameters
    ----------
    bound : float
        Below every tree over the links that were given, and at most the target.
    links : (N,) int or None
        The link of each node in a tree that costs less than the target, -1 for none.
    num_nodes : int
        Sets of links that were looked at.
    """

    bound: float
    links: IntArray | None
    num_nodes: int


def branch(
    prices: PathPrices,
    kept: IntArray,
    target: float,
    until: float,
    price_of: Callable[[IntArray], float],
    enough: float = 0.0,
) -> Branching:
    """Search the trees over some links for one that costs less than ``target``, until a time.

    Parameters
    ----------
    prices : PathPrices
        Of a phase without relays.
    kept : (L,) int
        Numbers of the links.
    target, until : float
        A price, and a value of :func:`time.perf_counter`.
    price_of : callable
        Price of the tree with a link for each node; ``inf`` if it breaks a limit.
    enough : float
        By how much a tree must at least be better to be looked for.
    """
    phase, best, better, num_nodes, closed = prices.phase, target, None, 0, np.inf
    prices = prices.focused(kept, target)
    start = prices.whole
    queue: list[tuple[float, int, Prices]] = [(start.bound, 0, start)]
    while queue and time.perf_counter() < until:
        bound, _, at = heapq.heappop(queue)
        if lowered(bound) >= best - enough:
            heapq.heappush(queue, (bound, 0, at))
            break
        num_nodes += 1
        tight = _tightened(prices, at, best - enough)
        if tight is None:
            closed = best - enough
            continue
        links = _only_tree(phase, tight)
        if links is not None:
            value = price_of(links)
            if value < best:
                best, better = value, links
            continue
        for part, mask in enumerate(_divided(phase, tight)):
            below = tight.among(mask)
            heapq.heappush(queue, (below.bound, 2 * num_nodes + part, below))
    open_bound = lowered(queue[0][0]) if queue else np.inf
    return Branching(min(best, closed, open_bound), better, num_nodes)


def _tightened(prices: PathPrices, at: Prices, target: float) -> Prices | None:
    """Return the node with a better bound and fewer links, or ``None`` if no tree costs less."""
    while True:
        at = prices.raised(at, _STEPS, target, patience=_PATIENCE)
        if lowered(at.bound) >= target:
            return None
        useful = at.bound + prices.extra(at) <= target + 1e-9 * abs(target)
        if useful.all():
            return at
        dropped = 1.0 - useful.mean()
        at = at.among(useful)
        if _lost(prices.phase, at):
            return None
        if dropped < _DROPPED:
            return at


def _lost(phase: Phase, at: Prices) -> bool:
    """Return whether a member has no link left."""
    sends = np.zeros(phase.num_nodes, dtype=np.bool_)
    sends[phase.child[at.links]] = True
    return bool((phase.member & ~sends).any())


def _only_tree(phase: Phase, at: Prices) -> IntArray | None:
    """Return the link of each node where none has a choice."""
    if at.links.size != int(phase.member.sum()):
        return None
    links = np.full(phase.num_nodes, -1)
    links[phase.child[at.links]] = at.links
    return links


def _divided(phase: Phase, at: Prices) -> tuple[BoolArray, BoolArray]:
    """Return the links of the two parts: the most doubtful link as its child's only one, and without it."""
    child = phase.child[at.links]
    choices = np.bincount(child, minlength=phase.num_nodes)[child] > 1
    usage = np.zeros(child.size) if at.usage is None else at.usage
    doubt = np.where(choices, np.abs(usage - 0.5), np.inf)
    chosen = int(np.argmin(doubt))
    without = np.arange(child.size) != chosen
    back = (child == phase.parent[at.links[chosen]]) & (phase.parent[at.links] == child[chosen])
    alone = ((child != child[chosen]) | ~without) & ~back
    return alone, without
