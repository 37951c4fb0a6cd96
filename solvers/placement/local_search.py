"""Improve a placement by simulated annealing that first prices capacities, then keeps them.

At the true costs a demand that gains little holds its place on a full node against one that would gain
much, and a replica that would pay cannot open.  So nodes may be overfull for most of a round: work has a
price, that of the relaxation where the node is exactly full, which rises with the load.  It rises the more
steeply the longer the round lasts, until loads are close to their limits.  What is still too much is sent
away, and the rest of the round keeps all limits.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.arrangement import Arrangement
from solvers.placement.choices import Choices
from solvers.placement.loops.annealing import move_seats, push_in, resample
from solvers.placement.loops.moves import State, empty_state
from solvers.placement.loops.rounding import choose_all, empty_overfull, serve_all

HOTTEST, COLDEST = 0.4, 0.02
"""First and last temperature while capacities are soft, in mean differences between a demand's options."""
LONG_ROUND, COOLING = 10_000, 0.3
"""Draws of each demand from which a round begins at the first temperature; shorter ones begin cooler, by this
power of their length."""
SOFTEST, STIFFEST = 1e-4, 4.0
"""First and last rise of the price of work, for one mean demand above the capacity, in mean prices."""
SOFT_SHARE = 0.85
"""Share of a round in which capacities are soft."""
HARD_HOTTEST, HARD_COLDEST = 0.03, 0.006
"""First and last temperature of the rest."""
DRAWS_IN_BLOCK = 20_000
"""Demands drawn between two looks at the clock."""
SEAT_EVERY = 20
"""Demands drawn for each move of a seat."""
_USUAL_OPTIONS = 30
"""Seats with more options than this are moved less often in proportion: a move takes that much longer."""
_FEWEST_SLOTS = 6
"""Nodes with fewer options keep their capacity at all times: the relaxation does not price it."""
_NUM_GUMBEL = 262_147


@dataclass(frozen=True, eq=False)
class Search:
    """A search over one arrangement.

    Parameters
    ----------
    at : Arrangement
        The problem, with limits that placements keep safely.
    of : Choices
        The choices of the arrangement; searches may share them.
    price : (N,) float
        Price of a unit of work on each node, >= 0.
    rng : numpy.random.Generator
        Source of all choices.
    """

    at: Arrangement
    of: Choices
    price: FloatArray
    rng: np.random.Generator

    def first(self, served: FloatArray) -> IntArray | None:
        """Return a placement near a relaxation's solution, (D,) slots, or ``None`` if nodes stay overfull.

        Parameters
        ----------
        served : (S,) float
            The part of its demand that each slot serves in the relaxation.
        """
        of = self.of
        state = self._soft_state(of, self._soft_nodes(of), served)
        return None if state is None or self._overfull(of, state) else of.slot[state.chosen].astype(np.int64)

    def cost(self, chosen: IntArray) -> float:
        """Return the cost of a placement of slots, to rounding."""
        open_seats = np.unique(self.at.seat[chosen])
        return float(self.at.cost[chosen].sum() + self.at.seat_cost[open_seats].sum())

    def anneal(
        self,
        served: FloatArray,
        known: IntArray | None,
        draws: int,
        until: float,
        enough: float = -math.inf,
        *,
        watch: Callable[[float], None] | None = None,
    ) -> IntArray | None:
        """Return the best placement met in one round, (D,) slots, or ``None`` if nodes stay overfull.

        Parameters
        ----------
        served : (S,) float
            The part of its demand that each slot serves in the relaxation: where the round begins.
        known : (D,) int or None
            Slots of a placement at which it begins instead, if replicas of the relaxation do not fit.
        draws : int
            Length of the round in demands drawn; one that would last longer than the time left is shortened.
        until : float
            Value of :func:`time.perf_counter` at which to stop.
        enough : float
            Cost at which to stop before.
        watch : callable, optional
            Is told the cost of each better placement.
        """
        of = self.of
        soft = self._soft_nodes(of)
        state = self._soft_state(of, soft, served)
        if state is None and known is not None:
            state = self._empty_soft_state(of, soft)
            choose_all(of, state, _options_of(of, known))
        if state is None:
            return None
        run = _Round(of, self.rng, self._scale(of), draws, until)
        unit = self._stiffness_unit(of, soft)
        hottest = max(HOTTEST * min(draws / (LONG_ROUND * of.num_demands), 1.0) ** COOLING, COLDEST)
        while run.share < SOFT_SHARE:
            part = run.share / SOFT_SHARE
            state.stiffness[0] = unit * SOFTEST * (STIFFEST / SOFTEST) ** part
            run.block(state, run.scale * hottest * (COLDEST / hottest) ** part)
        if self._overfull(of, state):
            return None
        best, least = state.chosen.copy(), self.cost(of.slot[state.chosen])
        look_every = max(of.num_demands // DRAWS_IN_BLOCK, 1)  # a look takes time in proportion to demands
        while run.share < 1 and least > enough:
            part = (run.share - SOFT_SHARE) / (1 - SOFT_SHARE)
            run.block(state, run.scale * HARD_HOTTEST * (HARD_COLDEST / HARD_HOTTEST) ** part, hard=True)
            if run.share < 1 and run.done % look_every:
                continue
            cost = self.cost(of.slot[state.chosen])
            if cost < least:
                best, least = state.chosen.copy(), cost
                if watch is not None:
                    watch(cost)
        return of.slot[best].astype(np.int64)

    def _soft_nodes(self, of: Choices) -> BoolArray:
        large = np.diff(of.seat_start[of.node_start]) >= _FEWEST_SLOTS
        soft: BoolArray = large & np.isfinite(of.capacity)
        return soft

    def _soft_state(self, of: Choices, soft: BoolArray, served: FloatArray) -> State | None:
        """Return a state with soft capacities in which all is served, seats of the relaxation for free."""
        paid = np.zeros(of.seat_cost.size, dtype=bool)
        paid[self.at.seat[served > 0.5]] = True
        free = of._replace(seat_cost=np.where(paid, 0.0, of.seat_cost))
        state = self._empty_soft_state(of, soft)
        return None if serve_all(free, state) else state

    def _empty_soft_state(self, of: Choices, soft: BoolArray) -> State:
        state = empty_state(of)
        state.price[soft] = self.price[soft]
        state.stiffness[0] = self._stiffness_unit(of, soft)
        return state

    def _stiffness_unit(self, of: Choices, soft: BoolArray) -> float:
        """Return the mean price of work divided by the mean work."""
        price = self.price[soft]
        mean = float(price.mean()) if price.any() else self._scale(of)
        return max(mean, 1e-9 * self._scale(of), 1e-300) / max(float(of.work.mean()), 1e-300)

    def _overfull(self, of: Choices, state: State) -> bool:
        """Make capacities hard and send away what is too much; return whether a node stays overfull."""
        state.price[:] = -1.0
        return bool(empty_overfull(of, state))

    def _scale(self, of: Choices) -> float:
        """Return the mean difference between a demand's options and its cheapest one, capacities priced."""
        cost = of.cost + self.price[of.node] * of.work
        least = np.minimum.reduceat(cost, of.demand_start[:-1])
        return float((cost - least[of.demand]).mean())


def _options_of(of: Choices, slots: IntArray) -> IntArray:
    """Return the option of each slot."""
    option = np.empty(of.slot.size, dtype=np.int64)
    option[of.slot] = np.arange(of.slot.size)
    chosen: IntArray = option[slots]
    return chosen


class _Round:
    """Blocks of one round of annealing, and how far it is."""

    def __init__(self, of: Choices, rng: np.random.Generator, scale: float, draws: int, until: float) -> None:
        self.of, self.rng, self.scale = of, rng, scale
        self.demands = np.flatnonzero(np.diff(of.demand_start) > 1)
        num_options = np.diff(of.seat_start)
        self.seats = np.flatnonzero(num_options > 0)
        self.rarely = np.minimum(1.0, _USUAL_OPTIONS / np.maximum(num_options, 1))
        self.gumbel = rng.gumbel(size=_NUM_GUMBEL)
        self.size = min(DRAWS_IN_BLOCK, max(draws // 50, 1))
        self.num_blocks = max(draws // self.size, 1)
        self.begun, self.until = time.perf_counter(), until
        self.done, self.place, self.share = 0, 0, 0.0 if self.demands.size else 1.0

    def block(self, state: State, heat: float, *, hard: bool = False) -> None:
        """Draw a block of demands anew, then move seats, and in the end demands that push others out."""
        of, rng = self.of, self.rng
        order = (self.place + np.arange(self.size)) % self.demands.size
        self.place = int(order[-1]) + 1
        resample(of, state, self.demands[order], self.gumbel, int(rng.integers(_NUM_GUMBEL)), heat)
        seats = rng.choice(self.seats, max(self.size // SEAT_EVERY, 1))
        seats = seats[rng.random(seats.size) < self.rarely[seats]]
        move_seats(of, state, seats, rng.random((3, seats.size)), heat * rng.standard_exponential(seats.size))
        if hard:
            options = rng.integers(0, of.slot.size, self.size)
            push_in(of, state, options, rng.random(self.size), heat * rng.standard_exponential(self.size))
        self.done += 1
        now = time.perf_counter()
        passed = (now - self.begun) / (self.until - self.begun) if now < self.until else 1.0
        self.share = max(self.done / self.num_blocks, passed)
