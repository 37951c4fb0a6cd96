"""A bound on one phase that trades sendings against the makespan: prices of single nodes' paths.

The makespan is at least the seconds of each node's path. With parts ``p_v >= 0`` of the price of time, of sum
1, and a toll ``w_vl >= 0`` that the path of ``v`` pays for each link (and which the link gets), every tree
costs at least

    min over trees of sum of (price_l - sum_v w_vl)
    + sum over v of (time_price p_v ready_v + min over paths of v of sum of (time_price p_v s_l + w_vl)),

a Lagrangian relaxation of the multicommodity-flow form (R. T. Wong, Math. Programming 28 (1984), 271-287,
doi:10.1007/BF02612335), in which only trees (arborescences, exactly) and paths are searched. A node in series
holds its path back by all that it receives, which is linear in the links as well. Steps follow a subgradient
(M. Held, P. Wolfe, H. P. Crowder, Math. Programming 6 (1974), 62-88, doi:10.1007/BF01580223).
"""

import copy
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.relaying.bounds import WORK_PER_LINK, cheapest_links, phase_bound
from solvers.relaying.loops import prices
from solvers.relaying.loops.cuts import price_of_cuts
from solvers.relaying.phase import Phase
from solvers.relaying.reach import path_seconds
from solvers.relaying.sparse_arborescence import minimum_arborescence, reduced_costs

_MOST_TOLLS = 2_000_000
"""Numbers w_vl that are kept at most."""
_FEWEST_ENDS, MOST_ENDS = 4, 48
"""Nodes whose paths are priced, within what the tolls allow."""
_LEAST_PART, _STEPS_TO_FOCUS, _MORE_GAP = 1e-3, 200, 1.1
"""Part of the price of time below which a path is left out where many bounds follow, the steps in which the
others must make up for it, and by how much the gap may be larger after them."""
_WORK_IN_BLOCK = 20_000_000
"""Steps times tolls between two looks at the clock."""
_MANY_STEPS = 600
"""Steps from which on they may begin long."""
ROUNDING = 1e-11
"""Part by which the bound is lowered: for the roundings of its sums."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prices:
    """Prices over some links of a phase, and the bound that they prove for trees of these links.

    Parameters
    ----------
    bound : float
    links : (L,) int
        Numbers of the links, ascending.
    part : (K,) float
    toll : (K, L) float
        ``p_v`` and ``w_vl``, see above.
    is_priced : bool
        Whether the bound is that of the prices, not one known before.
    usage : (L,) float or None
        How often the trees of the last steps used each link; ``None`` before the first step.
    """

    bound: float
    links: IntArray
    part: FloatArray
    toll: FloatArray
    is_priced: bool = False
    usage: FloatArray | None = None

    def among(self, kept: BoolArray) -> "Prices":
        """Return the same prices over some of the links."""
        usage = None if self.usage is None else self.usage[kept]
        return replace(self, links=self.links[kept], toll=self.toll[:, kept], usage=usage)


def lowered(bound: float) -> float:
    """Return a bound less the roundings of its sums."""
    return bound - ROUNDING * abs(bound) if np.isfinite(bound) else bound


class PathPrices:
    """The bound on one phase, to be raised step by step.

    Parameters
    ----------
    phase : Phase
    parent : (N,) int or None
        A good tree: the paths that end last in it are priced first.
    """

    def __init__(self, phase: Phase, parent: IntArray | None = None) -> None:
        self.phase = phase
        inside = phase.member | phase.relay
        inside[phase.root] = True
        self._number = np.where(inside, np.cumsum(inside) - 1, -1)
        self._nodes = np.flatnonzero(inside)
        self._root = int(self._number[phase.root])
        self._choose_ends(parent)
        num_ends = self._end.size
        self._first_s = float(np.where(phase.member, phase.ready_s + phase.distances_s, 0.0).max())
        bound, self._cuts = phase_bound(phase), -math.inf
        if phase.relay.any() and math.isfinite(bound):  # steps know each node's cheapest link alone
            self._cuts = bound
            bound = float(cheapest_links(phase, phase.least_price)[phase.member].sum())
        self.whole = Prices(
            bound=bound,
            links=np.arange(phase.num_links),
            part=np.full(num_ends, 1.0 / max(num_ends, 1)),
            toll=np.zeros((num_ends, phase.num_links)),
        )

    @property
    def value(self) -> float:
        """The best bound so far; ``inf`` if there is no tree."""
        return lowered(max(self.whole.bound, self._cuts))

    def climb(self, num_steps: int, target: float, until: float = math.inf) -> float:
        """Take steps towards ``target``, which no bound exceeds, until a time, and return the bound."""
        if self._end.size and self.value < target:
            self.whole = self.raised(self.whole, num_steps, target, until)
            if self.phase.relay.any() and self.whole.is_priced:
                self._cuts = max(self._cuts, self._by_cuts(self.whole)[0])
        return self.value

    def _by_cuts(self, at: "Prices") -> tuple[float, FloatArray]:
        """Return what prices prove with cuts for each node's cheapest link, and what links add, (L,)."""
        phase, links = self.phase, at.links
        value, residual = self._least_with(self._reduced(at), links)
        graph = (self._nodes.size, self._number[phase.parent[links]], self._number[phase.child[links]])
        for k, end in enumerate(self._end.tolist()):
            rate = phase.time_price * at.part[k]
            price = rate * phase.least_s[links] + at.toll[k]
            value += rate * self._end_s[k] + float(path_seconds(*graph, price, self._root)[end])
        return value, residual

    def raised(
        self, at: "Prices", num_steps: int, target: float, until: float = math.inf, patience: float = 0.0
    ) -> "Prices":
        """Return better prices over the same links after some steps; the bound is ``inf`` without a tree."""
        phase, links = self.phase, at.links
        child, parent = self._number[phase.child[links]], self._number[phase.parent[links]]
        first_step = 1.0 + (num_steps >= _MANY_STEPS)
        state = np.array([at.bound, first_step, 0.0, patience or max(10.0, num_steps / 20.0)])
        best_part, best_toll = at.part.copy(), at.toll.copy()
        tree, usage = np.full(self._nodes.size, -1), np.zeros(links.size)
        arrays = (child, parent, phase.least_price[links], phase.least_s[links], phase.member[self._nodes])
        start, part, toll = (
            np.searchsorted(child, np.arange(self._nodes.size + 1)),
            at.part.copy(),
            at.toll.copy(),
        )
        ends = (self._end, self._end_s, self._in_series, phase.time_price, target)
        block, left = max(_WORK_IN_BLOCK // max(at.toll.size, 1), 1), num_steps
        while left > 0 and time.perf_counter() < until and lowered(float(state[prices.BEST])) < target:
            best = (best_part, best_toll, state, tree, usage)
            steps, steiner = min(block, left), bool(phase.relay.any())
            prices.raise_bound(self._root, start, *arrays, steiner, *ends, steps, part, toll, *best)
            left -= steps
        bound = float(state[prices.BEST])
        is_priced = at.is_priced or bound > at.bound
        return Prices(
            bound=bound, links=links, part=best_part, toll=best_toll, is_priced=is_priced, usage=usage
        )

    def focused(self, kept: IntArray, target: float) -> "PathPrices":
        """Return the same bound over some links from fewer paths, or from all where few prove less."""
        few = copy.copy(self)
        few.whole = at = self.whole.among(np.isin(self.whole.links, kept))
        chosen = at.part > _LEAST_PART
        if chosen.all() or not chosen.any():
            return few
        few._end, few._end_s, few._in_series = self._end[chosen], self._end_s[chosen], self._in_series[chosen]
        start = replace(
            at, bound=0.0, part=at.part[chosen] / at.part[chosen].sum(), toll=at.toll[chosen], is_priced=False
        )
        few.whole = few.raised(start, _STEPS_TO_FOCUS, target)
        if target - few.whole.bound <= _MORE_GAP * (target - at.bound):
            return few
        few = copy.copy(self)
        few.whole = at
        return few

    def useful_links(self, target: float) -> IntArray:
        """Return the links that a tree of price ``target`` or less may use."""
        phase, slack = self.phase, target + 1e-9 * abs(target)
        cheap, extra = self._least_with(phase.least_price, self.whole.links)
        path_s = phase.ready_s[phase.child] + phase.least_s + phase.distances_s[phase.parent]
        path_s = np.maximum(np.where(phase.member[phase.child], path_s, 0.0), self._first_s)
        useful: BoolArray = cheap + extra + phase.time_price * path_s <= slack
        if phase.relay.any() and self.whole.is_priced:
            bound, extra = self._by_cuts(self.whole)
            useful &= bound + extra <= slack
        else:
            useful &= self.extra(self.whole) <= slack - self.whole.bound
        return np.flatnonzero(useful)

    def extra(self, at: "Prices") -> FloatArray:
        """Return by how much trees with each of the links cost more than the bound at least, (L,)."""
        if not at.is_priced:
            return np.zeros(at.links.size)
        return self._least_with(self._reduced(at), at.links)[1]

    def _reduced(self, at: "Prices") -> FloatArray:
        """Return the price of each link in a tree less the tolls that paths pay for it, (L,)."""
        phase, links = self.phase, at.links
        per_s = np.zeros(self._nodes.size)
        np.add.at(per_s, self._end[self._in_series], at.part[self._in_series])
        reduced: FloatArray = phase.least_price[links] - at.toll.sum(axis=0)
        reduced += phase.time_price * per_s[self._number[phase.parent[links]]] * phase.least_s[links]
        return reduced

    def _least_with(self, price: FloatArray, links: IntArray) -> tuple[float, FloatArray]:
        """Return the price of the cheapest tree, and what one with each link costs more at least."""
        phase = self.phase
        child, parent = self._number[phase.child[links]], self._number[phase.parent[links]]
        if phase.relay.any():
            start = np.searchsorted(child, np.arange(self._nodes.size + 1))
            residual, most_work = price.copy(), WORK_PER_LINK * links.size
            members = phase.member[self._nodes]
            return price_of_cuts(self._root, start, parent, members, residual, most_work), residual
        tree = minimum_arborescence(self._nodes.size, child, parent, price, self._root)
        assert tree is not None, "the bound was finite"
        return tree.value, reduced_costs(tree, child, parent, price, self._root)

    def _choose_ends(self, parent: IntArray | None) -> None:
        """Choose the nodes whose paths are priced: those that end last at best, and in a good tree."""
        phase = self.phase
        most = min(max(_MOST_TOLLS // max(phase.num_links, 1), _FEWEST_ENDS), MOST_ENDS)
        least_s = np.where(phase.member, phase.ready_s + phase.distances_s, -1.0)
        late_s = least_s if parent is None else _arrivals(phase, parent)
        rank = np.minimum(np.argsort(np.argsort(-least_s)), np.argsort(np.argsort(-late_s)))
        rank[~phase.member] = phase.num_nodes
        chosen = np.argsort(rank, kind="stable")[: min(most, int(phase.member.sum()))]
        others_s = float(phase.ready_s[phase.member].min()) if phase.member.any() else 0.0
        series = chosen[phase.half_duplex[chosen]]
        if phase.half_duplex[phase.root] and chosen.size:
            series = np.append(series, phase.root)
        plain = chosen[~phase.half_duplex[chosen] | (phase.ready_s[chosen] > others_s)]
        self._end = self._number[np.concatenate([plain, series])]
        self._end_s = np.concatenate([phase.ready_s[plain], np.zeros(series.size)])
        self._in_series = np.arange(self._end.size) >= plain.size


def _arrivals(phase: Phase, parent: IntArray) -> FloatArray:
    """Return when each node's items reach the root of a tree at least, (N,); -1 for those that have none."""
    busy_s = np.zeros(phase.num_nodes)
    used = parent[phase.child] == phase.parent
    busy_s[phase.child[used]] = phase.least_s[used]
    arrival_s, above = phase.ready_s.copy(), np.arange(phase.num_nodes)
    while True:
        moving = parent[above] >= 0
        if not moving.any():
            return np.where(phase.member, arrival_s, -1.0)
        arrival_s = arrival_s + np.where(moving, busy_s[above], 0.0)
        above = np.where(moving, parent[above], above)
