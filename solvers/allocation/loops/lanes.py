"""Elementary functions without branches, which a compiler computes for several numbers at a time.

A call of the C library ends that; these functions, written out where they are used, do not.  Arguments are
expected where they are stated; elsewhere the answer is some number, to be passed over by :func:`select`.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from solvers.allocation.snr import SERIES_BELOW

_ROUND = 6755399441055744.0
"""1.5 * 2^52: a double added to it is rounded to a whole number, which stands in its low bits."""
_ROUND_BITS = int(np.float64(_ROUND).view(np.int64))
_LOG2_E = 1.4426950408889634
_LN_2_HIGH = 6.93147180369123816490e-01
_LN_2_LOW = 1.90821492927058770002e-10
_SQRT_HALF_BITS = int(np.float64(np.sqrt(0.5)).view(np.int64))
_EXPONENT = 52


def lane(function: Any) -> Any:
    """Return ``function`` written out where compiled loops call it."""
    return njit(nogil=True, error_model="numpy", inline="always")(function)


@intrinsic
def _number_of(context: Any, bits: Any) -> Any:
    """Return the double whose bits are those of a whole number."""
    return types.float64(types.int64), lambda _, builder, __, values: builder.bitcast(
        values[0], ir.DoubleType()
    )


@intrinsic
def _bits_of(context: Any, number: Any) -> Any:
    """Return the bits of a double as a whole number."""
    return types.int64(types.float64), lambda _, builder, __, values: builder.bitcast(
        values[0], ir.IntType(64)
    )


@intrinsic
def select(context: Any, condition: Any, this: Any, other: Any) -> Any:
    """Return ``this`` where a condition holds, else ``other``; both are computed."""
    return types.float64(types.boolean, types.float64, types.float64), (
        lambda _, builder, __, values: builder.select(*values)
    )


@lane
def exp(w: float) -> float:
    """Return e^w, |w| < 700: within two units in the last place."""
    rounded = w * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (w - k * _LN_2_HIGH) - k * _LN_2_LOW
    p = _exp_tail(r)
    return _number_of(_bits_of(1.0 + (r + r * r * p)) + (_bits_of(rounded) << _EXPONENT))


@lane
def _exp_tail(r: float) -> float:
    """Return (e^r - 1 - r) / r^2 for |r| < 0.36 by its series."""
    p = 1 / 6227020800 + r * (1 / 87178291200)
    p = 1 / 39916800 + r * (1 / 479001600 + r * p)
    p = 1 / 362880 + r * (1 / 3628800 + r * p)
    p = 1 / 5040 + r * (1 / 40320 + r * p)
    p = 1 / 120 + r * (1 / 720 + r * p)
    return 1 / 2 + r * (1 / 6 + r * (1 / 24 + r * p))


@lane
def expm1(w: float) -> float:
    """Return e^w - 1 for 0 <= w < 700, also for small w."""
    return select(w < 0.35, w + w * w * _exp_tail(w), exp(w) - 1.0)


@lane
def log(x: float) -> float:
    """Return ln x of a positive normal number: within a unit in the last place.

    x = 2^k m with m next to 1, and ln m = 2 artanh(s), s = (m - 1) / (m + 1), by the polynomial of FDLIBM.
    """
    bits = _bits_of(x)
    exponent = (bits - _SQRT_HALF_BITS) >> _EXPONENT
    m = _number_of(bits - (exponent << _EXPONENT))
    k = _number_of(exponent + _ROUND_BITS) - _ROUND
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    tail = 1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01)
    tail = 2.857142874366239149e-01 + z * (2.222219843214978396e-01 + z * tail)
    tail = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * tail))
    half = 0.5 * f * f
    return k * _LN_2_HIGH - ((half - (s * (half + tail) + k * _LN_2_LOW)) - f)


@lane
def log1p(x: float) -> float:
    """Return ln(1 + x) for x >= 0, also for small x."""
    u = 1.0 + x
    return log(u) + (x - (u - 1.0)) / u


@lane
def cube_root(x: float) -> float:
    """Return the cube root of a positive normal number, to some units in the last place."""
    return exp(log(x) * (1 / 3))


@lane
def chi_at(x: float, q: float) -> float:
    """Return chi = (1 + x) q - x, q = ln(1 + x), for x small by its series in x."""
    tail = 1 / 90 - x * (1 / 110 - x * (1 / 132 - x * (1 / 156)))
    tail = 1 / 30 - x * (1 / 42 - x * (1 / 56 - x * (1 / 72 - x * tail)))
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x * tail))))
    return select(x < SERIES_BELOW, series, (1.0 + x) * q - x)


@lane
def excess_at(x: float, q: float) -> float:
    """Return x / q - 1, for x small by the series of x - q in x."""
    tail = 1 / 10 - x * (1 / 11 - x * (1 / 12 - x * (1 / 13)))
    tail = 1 / 6 - x * (1 / 7 - x * (1 / 8 - x * (1 / 9 - x * tail)))
    series = x * x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x * tail))))
    return select(x < SERIES_BELOW, series, x - q) / q
