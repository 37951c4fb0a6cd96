"""Spectral efficiencies at which sending costs the least, by tables of two functions of one variable.

With q in nats, x = exp(q) - 1 and chi = (1 + x) q - x, a sender without a limit of power has its optimum
where ln(chi^2 / q), and one at its limit where ln(x^2 chi / ((1 + x) q^2)), takes a value that is given by
the prices.
"""

import math
from functools import cache

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

STEP = 0.25
"""Step of both tables; cubic pieces are then 1e-7 accurate in ln q."""
FREE_LOW, CAPPED_LOW = -75.0, -100.0
"""First values of the two tables, where q is about 1e-11."""
NUM_ROWS = 1000
SERIES_BELOW = 0.02
"""q below which chi is summed as a series: exp(q) (q - 1) + 1 cancels."""


@compiled
def shape(q: float) -> tuple[float, float]:
    """Return x = exp(q) - 1 and chi = (1 + x) q - x without cancellation, for q > 0."""
    if q < SERIES_BELOW:
        chi = q * q * (1 / 2 + q * (1 / 3 + q * (1 / 8 + q * (1 / 30 + q * (1 / 144 + q / 840)))))
        return q * (1.0 + q * (1 / 2 + q * (1 / 6 + q * (1 / 24 + q * (1 / 120 + q / 720))))), chi
    e = math.exp(q)
    return e - 1.0, e * (q - 1.0) + 1.0


@compiled
def free_slope(q: float, x: float, chi: float) -> float:
    """Return d ln(chi^2 / q) / d ln q."""
    return 2.0 * q * q * (1.0 + x) / chi - 1.0


@compiled
def capped_slope(q: float, x: float, chi: float) -> float:
    """Return d ln(x^2 chi / ((1 + x) q^2)) / d ln q."""
    return 2.0 * q * (1.0 + x) / x + q * q * (1.0 + x) / chi - q - 2.0


@compiled
def looked_up(pieces: FloatArray, low: float, value: float) -> float:
    """Return q from a table, 1e-7 accurate within it; below it q is a power, above it stays at the end."""
    place = (value - low) / STEP
    if place < 0.0:
        return math.exp(pieces[0] + place * pieces[1])
    row = min(int(place), len(pieces) // 4 - 1)
    s = min(place - row, 1.0)
    row *= 4
    return math.exp(((pieces[row + 3] * s + pieces[row + 2]) * s + pieces[row + 1]) * s + pieces[row])


@cache
def free_table() -> FloatArray:
    """Return the cubic pieces of ln q as a function of ln(chi^2 / q)."""
    return _tabulated(FREE_LOW, 3.0, lambda q, x, chi: 2.0 * math.log(chi) - math.log(q), free_slope)


@cache
def capped_table() -> FloatArray:
    """Return the cubic pieces of ln q as a function of ln(x^2 chi / ((1 + x) q^2))."""
    return _tabulated(
        CAPPED_LOW,
        2.0,
        lambda q, x, chi: 2.0 * math.log(x) + math.log(chi) - q - 2.0 * math.log(q),
        capped_slope,
    )


def _tabulated(low: float, power: float, value, slope) -> FloatArray:  # type: ignore[no-untyped-def]
    knots, slopes = np.empty(NUM_ROWS + 1), np.empty(NUM_ROWS + 1)
    ln_q = low / power
    for row in range(NUM_ROWS + 1):
        target = low + STEP * row
        for _ in range(100):
            q = math.exp(ln_q)
            x, chi = shape(q)
            step = (target - value(q, x, chi)) / slope(q, x, chi)
            ln_q += min(step, 1.0)
            if abs(step) < 1e-14:
                break
        q = math.exp(ln_q)
        knots[row], slopes[row] = ln_q, 1.0 / slope(q, *shape(q))
    rise, left, right = np.diff(knots), STEP * slopes[:-1], STEP * slopes[1:]
    pieces = np.stack([knots[:-1], left, 3.0 * rise - 2.0 * left - right, left + right - 2.0 * rise], axis=1)
    return np.ascontiguousarray(pieces.ravel())  # not read-only: loops would be compiled twice
