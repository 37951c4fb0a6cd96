"""Improve a placement by simulated annealing, most of the time at the prices of a relaxation.

At the true costs a demand that gains little holds its place on a full node against one that would gain much.
With a price on each node's work it leaves by itself, and opening a replica pays where it will pay in the
end.  So capacities are priced until the last part of a round, which fills the room that is left.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.annealing import Mix, anneal
from solvers.placement.loops.moves import State, empty_state
from solvers.placement.loops.rounding import choose_all, empty_overfull, serve_all

HOTTEST = 0.2
"""First temperature of a round, in mean differences between a demand's slots."""
COLDEST = 0.027
"""Last temperature, in the same unit."""
PRICED_SHARE = 7 / 8
"""Share of a round that prices capacities."""
MOST_MOVES_IN_BLOCK = 50_000
"""Moves between two looks at the clock, and at the cost."""
SEAT_EVERY = 30
NODE_EVERY = 200
"""Moves from one move of a replica, or of a whole node, to the next."""
SEARCH_NODES = 300
"""Size at which the search for a node's choice is given up."""
_FEWEST_SLOTS = 6
"""Nodes with fewer slots are not chosen anew as a whole."""


@dataclass(frozen=True, eq=False)
class Search:
    """A search over one arrangement.

    Parameters
    ----------
    at : Arrangement
        The problem, with limits that placements keep safely.
    price : (N,) float
        Price of a unit of work on each node.
    rng : numpy.random.Generator
        Source of all choices.
    """

    at: Arrangement
    price: FloatArray
    rng: np.random.Generator

    def first(self, value_slots: FloatArray) -> IntArray | None:
        """Return a placement near a relaxation's solution, (D,) slots, or ``None`` if nodes stay overfull.

        Parameters
        ----------
        value_slots : (S,) float
            The part of its demand that each slot serves in the relaxation.
        """
        at = self.at
        paid = np.zeros(at.seat_cost.size, dtype=np.int64)
        paid[at.seat[value_slots > 0.5]] = 1
        large = np.diff(at.seat_start[at.node_start]) >= _FEWEST_SLOTS
        unlimited = self._priced()._replace(capacity=np.where(large, np.inf, at.capacity))
        state = empty_state(unlimited)
        if serve_all(unlimited, state, paid):
            return None
        load = np.bincount(at.node, weights=at.work * self._chosen(state.chosen), minlength=at.num_nodes)
        state = state._replace(capacity=at.capacity - load)
        return None if empty_overfull(at, state) else state.chosen.astype(np.int64)

    def improve(
        self,
        start: IntArray,
        moves: int,
        until: float,
        *,
        enough: float = -math.inf,
        watch: Callable[[float], None] | None = None,
    ) -> IntArray:
        """Return a placement that costs no more, after one round of annealing.

        Parameters
        ----------
        start : (D,) int
            Slots of a placement within the limits.
        moves : int
            Length of the round; a round that would last longer than the time left is shortened.
        until : float
            Value of :func:`time.perf_counter` at which to stop.
        enough : float
            Cost at which to stop before.
        watch : callable, optional
            Is told the cost of each better placement.
        """
        at, mix = self.at, self._mix()
        best, best_cost = start, self.cost(start)
        if not mix.demands.size:
            return best
        priced, scale = self._priced(), self._scale()
        noise = self.rng.standard_normal(65_536 + int(np.diff(at.seat_start[at.node_start]).max()))
        num_blocks = max(math.ceil(moves / MOST_MOVES_IN_BLOCK), 16)
        size = max(moves // num_blocks, 1)
        begun, price = time.perf_counter(), self.price.copy()
        state = self._state_of(start)
        done, share, true_costs = 0, 0.0, False
        while share < 1 and best_cost > enough:
            if share >= PRICED_SHARE and not true_costs:
                state, true_costs = self._state_of(state.chosen), True
            heat = scale * HOTTEST * (COLDEST / HOTTEST) ** share
            draw, wait = self.rng.random((3, size)), self.rng.standard_exponential(size)
            anneal(at if true_costs else priced, state, mix, draw, heat * wait, noise, heat, price)
            done += 1
            cost = self.cost(state.chosen)
            if cost < best_cost:
                best, best_cost = state.chosen.astype(np.int64), cost
                if watch is not None:
                    watch(cost)
            now = time.perf_counter()
            passed = (now - begun) / (until - begun) if now < until else 1.0
            share = max(done / num_blocks, passed)
        return best

    def cost(self, chosen: IntArray) -> float:
        """Return the cost of a placement of slots, to rounding."""
        open_seats = np.unique(self.at.seat[chosen])
        return float(self.at.cost[chosen].sum() + self.at.seat_cost[open_seats].sum())

    def _chosen(self, chosen: IntArray) -> FloatArray:
        inside = np.zeros(self.at.num_slots)
        inside[chosen] = 1.0
        return inside

    def _priced(self) -> Arrangement:
        return self.at._replace(cost=self.at.cost + self.price[self.at.node] * self.at.work)

    def _state_of(self, chosen: IntArray) -> State:

        state = empty_state(self.at)
        choose_all(self.at, state, np.asarray(chosen, dtype=np.int64))
        return state

    def _mix(self) -> Mix:

        at = self.at
        limited = np.isfinite(at.capacity) | np.isfinite(at.memory)
        large = np.diff(at.seat_start[at.node_start]) >= _FEWEST_SLOTS
        return Mix(
            demands=np.flatnonzero(np.diff(at.demand_start) > 1),
            seats=np.arange(at.seat_cost.size),
            nodes=np.flatnonzero(limited & large),
            seat_every=SEAT_EVERY,
            node_every=NODE_EVERY,
            most_nodes=SEARCH_NODES,
        )

    def _scale(self) -> float:
        """Return the mean difference between a demand's slots and its cheapest one, capacities priced."""
        cost = self._priced().cost
        least = np.full(self.at.num_demands, np.inf)
        np.minimum.at(least, self.at.demand, cost)
        return float((cost - least[self.at.demand]).mean())
