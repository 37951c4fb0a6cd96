"""All cells of a problem one after the other: balance, feasible point and bound of each."""

import numpy as np

from solvers.allocation.loops.balance import NUM_TIGHT, Cell, Found, balance, slowest
from solvers.allocation.loops.bound import dual_value
from solvers.allocation.loops.device import NO_GUESS, Tables
from solvers.allocation.loops.finish import finish
from solvers.allocation.loops.scratch import CHUNK, Data, Order, new_scratch
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

_BALANCED, _NEARLY_BALANCED = 1e-10, 2e-5
"""Imbalances at which the answers of small and of large cells are taken."""
Numbers = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""Energy weight, time weight, band and deadline given (0 for none) of each cell (M,)."""


@compiled
def cell_of(numbers: Numbers, place: int, base: float) -> Cell:
    """Return what is given of one cell."""
    energy_weight, time_weight, band, deadline = numbers
    return energy_weight[place], time_weight[place], band[place], deadline[place], base


@compiled
def balance_some(
    data: Data,
    order: Order,
    starts: IntArray,
    numbers: Numbers,
    found: Found,
    frequency: FloatArray,
    mu: FloatArray,
    deadline: FloatArray,
    tables: Tables,
    thorough: bool,
    first: int,
    last: int,
) -> None:
    """Write the answers of cells ``first`` to ``last`` - 1; the deadline of a cell without one is nan.

    These are cells whose energy costs nothing, that nobody sends in or where another is the slowest, and
    those where Newton's method does not get to the balance.
    """
    tight, at = np.empty(NUM_TIGHT, dtype=np.int32), new_scratch()
    for place in range(first, last):
        mine = order[starts[place] : starts[place + 1]]
        deadline[place] = np.nan
        base, other, senders, num_tight = slowest(data, mine, tight)
        cell = cell_of(numbers, place, base)
        late = 0.0 < cell[3] <= base
        if late or not (senders > 0 and cell[0] > 0.0 and other < base < np.inf):
            continue
        found[3][mine] = NO_GUESS
        some = tight[:num_tight]
        tolerance = _BALANCED if thorough or len(mine) <= CHUNK else _NEARLY_BALANCED
        ln_mu, z, balanced = balance(data, mine, cell, some, senders, found, at, tables, tolerance)
        if balanced:
            mu[place] = np.exp(ln_mu)
            deadline[place] = finish(data, mine, cell, np.exp(z), found, frequency, at)


@compiled
def bound_some(
    data: Data,
    order: Order,
    starts: IntArray,
    numbers: Numbers,
    mu: FloatArray,
    prices: FloatArray,
    value: FloatArray,
    size: FloatArray,
    tables: Tables,
    first: int,
    last: int,
) -> None:
    """Write the dual values of cells ``first`` to ``last`` - 1 and their terms' sizes."""
    tight, at = np.empty(1, dtype=np.int32), new_scratch()
    for place in range(first, last):
        mine = order[starts[place] : starts[place + 1]]
        base, other, _, _ = slowest(data, mine, tight)
        cell = cell_of(numbers, place, max(base, other))
        value[place], size[place] = dual_value(data, mine, cell, mu[place], prices, at, tables)
