"""The common step of a set of costs, which turns a bound into the next value that any placement can have."""

import math

import numpy as np

from solvers.common.arrays import FloatArray

_EXACT_STEPS = 2.0**50
"""Sums of at most this many steps are exact in 64-bit floats, with room to spare."""


def common_step(values: FloatArray) -> float | None:
    """Return the largest power of two of which all values are whole multiples, or ``None`` if it is useless.

    Every float is a whole multiple of some power of two; it is useless when the values together make more
    steps than a float counts exactly.

    Parameters
    ----------
    values : array of float
        Finite numbers.
    """
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return 1.0
    mantissa, exponent = np.frexp(sizes)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest_bit = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    step = float(np.ldexp(1.0, int((exponent - 53 + lowest_bit).min())))
    return step if step > 0 and float(sizes.sum()) / step <= _EXACT_STEPS else None


def coarse_step(values: FloatArray, steps: float) -> float:
    """Return the smallest power of two of which the values together make at most about ``steps``.

    Parameters
    ----------
    values : array of float
        Finite numbers.
    steps : float
        How many steps their sizes may add up to.
    """
    total = float(np.abs(values).sum())
    return 2.0 ** max(math.ceil(math.log2(total / steps)), -1000) if total > 0 else 1.0


def round_up(bound: float, step: float | None) -> float:
    """Return the least whole multiple of ``step`` at or above ``bound``; ``bound`` itself without a step.

    Parameters
    ----------
    bound : float
        A lower bound on a whole multiple of ``step``.
    step : float or None
        The step.
    """
    if step is None or not math.isfinite(bound) or abs(bound) / step > _EXACT_STEPS:
        return bound
    return math.ceil(bound / step) * step
