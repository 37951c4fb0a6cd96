"""A bound on one phase that trades sendings against the makespan: prices of single nodes' paths.

The makespan is at least the seconds of each node's path. With parts ``p_v >= 0`` of the price of time, of sum
1, and a toll ``w_vl >= 0`` that the path of ``v`` pays for each link (and which the link gets), every tree costs
at least

    min over trees of sum of (price_l - sum_v w_vl)
    + sum over v of (time_price p_v ready_v + min over paths of v of sum of (time_price p_v s_l + w_vl)),

a Lagrangian relaxation of the multicommodity-flow form (R. T. Wong, Math. Programming 28 (1984), 271-287,
doi:10.1007/BF02612335), in which only trees (arborescences, exactly) and paths are searched. A node in series
holds its path back by all that it receives, which is linear in the links as well. Steps follow a subgradient
(M. Held, P. Wolfe, H. P. Crowder, Math. Programming 6 (1974), 62-88, doi:10.1007/BF01580223).
"""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.relaying.bounds import least_price, phase_bound
from solvers.relaying.loops import prices
from solvers.relaying.phase import Phase
from solvers.relaying.sparse_arborescence import minimum_arborescence, reduced_costs

_MOST_TOLLS = 2_000_000
"""Numbers w_vl that are kept at most."""
_FEWEST_ENDS, MOST_ENDS = 4, 48
"""Nodes whose paths are priced, within what the tolls allow."""
_MANY_STEPS = 600
"""Steps from which on they may begin long."""
ROUNDING = 1e-11
"""Part by which the bound is lowered: for the roundings of its sums."""


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
        self._child, self._parent = self._number[phase.child], self._number[phase.parent]
        self._start = np.searchsorted(self._child, np.arange(self._nodes.size + 1))
        self._root = int(self._number[phase.root])
        self._choose_ends(parent)
        self._part = np.full(self._end.size, 1.0 / max(self._end.size, 1))
        self._toll = np.zeros((self._end.size, phase.num_links))
        self._best_part, self._best_toll = self._part.copy(), self._toll.copy()
        self._state = np.array([phase_bound(phase), 1.0, 0.0, 20.0])
        self._is_priced = False
        self._link = np.full(self._nodes.size, -1)

    @property
    def value(self) -> float:
        """The best bound so far; ``inf`` if there is no tree."""
        bound = float(self._state[prices.BEST])
        return bound - ROUNDING * abs(bound) if np.isfinite(bound) else bound

    @property
    def tree_links(self) -> IntArray:
        """The links of the tree under the best prices, (N,): a start for a search."""
        links = np.full(self.phase.num_nodes, -1)
        links[self._nodes] = self._link
        return links

    def climb(self, num_steps: int, target: float) -> float:
        """Take steps towards ``target``, which no bound exceeds, and return the bound."""
        phase = self.phase
        self._state[prices.STEP] = 1.0 + (num_steps >= _MANY_STEPS)
        self._state[prices.PATIENCE] = max(10.0, num_steps / 20.0)
        if self._end.size == 0 or not np.isfinite(self.value) or self.value >= target:
            return self.value
        before = float(self._state[prices.BEST])
        self._part[:], self._toll[:] = self._best_part, self._best_toll
        prices.raise_bound(
            self._root,
            self._start,
            self._child,
            self._parent,
            phase.least_price,
            phase.least_s,
            phase.member[self._nodes],
            bool(phase.relay.any()),
            self._end,
            self._end_s,
            self._in_series,
            phase.time_price,
            target,
            num_steps,
            self._part,
            self._toll,
            self._best_part,
            self._best_toll,
            self._state,
            self._link,
        )
        self._is_priced |= float(self._state[prices.BEST]) > before
        return self.value

    def useful_links(self, target: float) -> IntArray:
        """Return the links that a tree of price ``target`` or less may use."""
        phase, slack = self.phase, target + 1e-9 * abs(target)
        cheap, extra = self._least_with(phase.least_price)
        path_s = phase.ready_s[phase.child] + phase.least_s + phase.distances_s[phase.parent]
        path_s = np.maximum(np.where(phase.member[phase.child], path_s, 0.0), self._first_s)
        useful: BoolArray = cheap + extra + phase.time_price * path_s <= slack
        for constant, extra in self.cuts()[1:]:
            useful &= constant + extra <= slack
        return np.flatnonzero(useful)

    def cuts(self) -> list[tuple[float, FloatArray]]:
        """Return bounds ``constant + sum of extra_l`` over the links l of a tree: without and with tolls."""
        phase = self.phase
        cheap, extra = self._least_with(phase.least_price)
        found = [(cheap + phase.time_price * self._first_s, extra)]
        if self._is_priced:
            per_s = np.zeros(self._nodes.size)
            np.add.at(per_s, self._end[self._in_series], self._best_part[self._in_series])
            reduced = phase.least_price - self._best_toll.sum(axis=0)
            reduced = reduced + phase.time_price * per_s[self._parent] * phase.least_s
            found.append((float(self._state[prices.BEST]), self._least_with(reduced)[1]))
        return found

    @property
    def _first_s(self) -> float:
        """Return the least makespan, s."""
        phase = self.phase
        return float(np.where(phase.member, phase.ready_s + phase.distances_s, 0.0).max())

    def _least_with(self, price: FloatArray) -> tuple[float, FloatArray]:
        """Return the price of the cheapest tree, and what one with each link costs more at least, (L,)."""
        phase = self.phase
        if phase.relay.any():
            least = np.full(self._nodes.size, np.inf)
            np.minimum.at(least, self._child, price)
            least = np.where(phase.member[self._nodes], least, np.minimum(least, 0.0))
            return least_price(phase, price), price - least[self._child]
        tree = minimum_arborescence(self._nodes.size, self._child, self._parent, price, self._root)
        assert tree is not None, "the bound was finite"
        return tree.value, reduced_costs(tree, self._child, self._parent, price, self._root)

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
    """Return when each node's items reach the root of a tree at least, (N,); -1 for nodes that are no members."""
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
