"""Prices of one node's capacity and memory at which its priced problem bounds it best; compiled."""

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

_MOST_STEPS = 60
_CLOSE_ENOUGH = 1e-3
"""Relative width of the interval of capacity prices at which the bisection ends."""


@compiled
def node_prices(
    start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    guess: float,
) -> tuple[float, float]:
    """Return prices (p, q), both >= 0, of a unit of work and of a byte on one node.

    The node's problem is to choose seats and slots that are worth most, sum of worth minus cost of seats,
    within both limits.  Priced, it is worth at most
    ``p capacity + q memory + sum over seats of max(0, sum of max(0, worth - p work) - cost - q bytes)``,
    which is convex in (p, q).  For each p the best q is that of the fractional knapsack (Dantzig 1957); p is
    found by bisection on whether the capacity is then overfull.

    Parameters
    ----------
    start : (r + 1,) int
        Slots of seat j are ``start[j] - start[0]`` to ``start[j + 1] - start[0]`` in the next two.
    worth, work : (s,) float
        What each slot is worth, and its work.
    seat_cost, seat_bytes : (r,) float
        Cost and bytes of each seat.
    memory, capacity : float
        Limits, ``inf`` for none.
    guess : float
        A capacity price to begin with.
    """
    if capacity == np.inf:
        return 0.0, _filled(start, worth, work, seat_cost, seat_bytes, memory, 0.0)[1]
    low, high, p = 0.0, -1.0, guess
    q = 0.0
    for step in range(_MOST_STEPS):
        load, q = _filled(start, worth, work, seat_cost, seat_bytes, memory, p)
        if load > capacity:
            low = p
        else:
            high = p
        if high == 0.0 or (high > 0 and high - low < _CLOSE_ENOUGH * high):
            break
        if high < 0:
            factor = 1.03 if step == 0 else 1.5
            p = factor * p if p > 0 else max(guess, 1e-9 * np.max(np.abs(worth)))
        elif low == 0.0:
            p = 0.0 if step > 8 else high * (0.97 if step == 0 else 0.7)
        else:
            p = 0.5 * (low + high)
    return p, q


@compiled
def _filled(
    start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    p: float,
) -> tuple[float, float]:
    """Return the load of the best priced choice, and the price of a byte, at capacity price p."""
    num_seats = seat_cost.size
    gain, load = np.empty(num_seats), np.zeros(num_seats)
    total_bytes, total_load = 0.0, 0.0
    for j in range(num_seats):
        gain[j] = -seat_cost[j]
        for k in range(start[j] - start[0], start[j + 1] - start[0]):
            rest = worth[k] - p * work[k]
            if rest > 0:
                gain[j] += rest
                load[j] += work[k]
        if gain[j] > 0:
            total_bytes += seat_bytes[j]
            total_load += load[j]
    if total_bytes <= memory:
        return total_load, 0.0
    density = np.empty(num_seats)
    for j in range(num_seats):
        weightless = -np.inf if gain[j] > 0 else 0.0
        density[j] = -gain[j] / seat_bytes[j] if seat_bytes[j] > 0 else weightless
    room, total_load = memory, 0.0
    for j in np.argsort(density, kind="mergesort"):
        if gain[j] <= 0:
            break
        if seat_bytes[j] > room:
            return total_load + room / seat_bytes[j] * load[j], gain[j] / seat_bytes[j]
        room -= seat_bytes[j]
        total_load += load[j]
    return total_load, 0.0
