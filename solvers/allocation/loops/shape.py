"""The functions of the signal-to-noise ratio x of :mod:`solvers.allocation.snr`, for one number at a time."""

import math

from solvers.allocation.loops.lanes import chi_at, excess_at
from solvers.allocation.snr import TABLE_STEP, W_LIMIT
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

Table = tuple[float, FloatArray]
"""First value of a tabulated inverse, and its cubic pieces, shape (rows, 4)."""

_STEPS = 40


@compiled
def shape_at(w: float) -> tuple[float, float, float, float]:
    """Return x, q = ln(1 + x), chi = (1 + x) q - x, and 1 - G = chi / ((1 + x) q) at ln x = ``w``."""
    x = math.exp(min(max(w, -W_LIMIT), W_LIMIT))
    q = math.log1p(x)
    chi = chi_at(x, q)
    return x, q, chi, chi / ((1.0 + x) * q)


@compiled
def excess(x: float, q: float) -> float:
    """Return x / q - 1 without cancellation."""
    return float(excess_at(x, q))


@compiled
def looked_up(table: Table, value: float) -> float:
    """Return w from a tabulated inverse, 1e-7 accurate within it and at its end beyond."""
    first, pieces = table
    place = min(max((value - first) / TABLE_STEP, 0.0), float(len(pieces)))
    row = min(int(place), len(pieces) - 1)
    s = place - row
    return float(((pieces[row, 3] * s + pieces[row, 2]) * s + pieces[row, 1]) * s + pieces[row, 0])


@compiled
def capped_slope(x: float, q: float, chi: float, one_less_g: float) -> float:
    """Return H = d ln(x^2 chi / ((1 + x) q^2)) / dw."""
    return 2.0 * one_less_g + x * q / chi - x / (1.0 + x)


@compiled
def ln_of_ratio(ratio: float) -> float:
    """Return ln(ratio), near 1 by its first Pade fraction: exact enough for a step of Newton's method."""
    if 0.5 < ratio < 2.0:
        return 2.0 * (ratio - 1.0) / (ratio + 1.0)
    return math.log(ratio)


@compiled
def w_of_excess(share: float, w: float) -> float:
    """Return w = ln x at which x / q - 1 is ``share``, from a guess, to rounding."""
    target = math.log(share)
    for _ in range(_STEPS):
        x, q, _, rest = shape_at(w)
        gap = excess(x, q)
        step = (target - math.log(gap)) * gap / (rest * (1.0 + gap))
        w += step
        if abs(step) < 1e-8:  # the next one would be its square
            break
    return w
