"""Functions of the signal-to-noise ratio x in which the whole problem is written, and their inverses.

With w = ln x:  q = ln(1 + x)  (spectral efficiency in nats),  chi = (1 + x) q - x  (so that chi' = q),
G = x / ((1 + x) q) = d ln q / dw  and  P = x q / chi = d ln chi / dw.  Each function inverted here is
almost straight in w, so one Newton step from a table of cubic pieces is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from solvers.common.arrays import FloatArray

W_LIMIT = 300.0
"""Largest |ln x| that is considered: exp(300) = 2e130 is beyond any signal-to-noise ratio."""
SERIES_BELOW = 0.03
"""Below this x, chi and x - q are taken from their series: the closed forms cancel."""
TABLE_STEP = 0.1
"""Step in the value between the pieces of a tabulated inverse."""
_SURE_STEP = 1e-6
"""A Newton step shorter than this leaves an error below 1e-12 of it: no other is needed."""
Inverse = Literal["chi", "chi2_over_q", "excess", "capped_price"]
"""Functions whose logarithms are inverted."""
_CHI_SERIES = [(-1.0) ** k / (k * (k - 1)) for k in range(13, 1, -1)]
_EXCESS_SERIES = [(-1.0) ** k / k for k in range(13, 1, -1)]


@dataclass(frozen=True)
class Shape:
    """The functions of x at some points; all arrays have one shape.

    ``x``, ``q`` and ``chi`` as above; ``one_less_g`` is 1 - G = chi / ((1 + x) q), without cancellation.
    """

    x: FloatArray
    q: FloatArray
    chi: FloatArray
    one_less_g: FloatArray

    @property
    def g(self) -> FloatArray:
        """Slope of ln q in w, in (0, 1)."""
        return 1.0 - self.one_less_g

    @property
    def p(self) -> FloatArray:
        """Slope of ln chi in w, in (1, 2)."""
        return self.x * self.q / self.chi


def shape_at(w: FloatArray) -> Shape:
    """Return the functions of x at ln x = ``w`` (any shape)."""
    x = np.exp(w)
    q = np.log1p(x)
    grown = (1.0 + x) * q
    chi = grown - x
    small = x < SERIES_BELOW
    if small.any():
        low = x[small]
        chi[small] = low * low * _series(_CHI_SERIES, low)
    return Shape(x, q, chi, chi / grown)


def _series(coefficients: list[float], x: FloatArray) -> FloatArray:
    """Return the polynomial with these coefficients, the highest power first, by Horner's rule."""
    value = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def excess(shape: Shape) -> FloatArray:
    """Return x / q - 1 without cancellation: the relative excess of the airtime over its least."""
    difference = shape.x - shape.q
    small = shape.x < SERIES_BELOW
    if small.any():
        low = shape.x[small]
        difference[small] = low * low * _series(_EXCESS_SERIES, low)
    return difference / shape.q


def inverse_chi(value: FloatArray) -> FloatArray:
    """Return w with ln chi = ``value``."""
    return _invert(_ln_chi, value)


def inverse_chi2_over_q(value: FloatArray) -> FloatArray:
    """Return w with ln(chi^2 / q) = ``value``."""
    return _invert(_ln_chi2_over_q, value)


def inverse_excess(value: FloatArray) -> FloatArray:
    """Return w with ln(x / q - 1) = ``value``."""
    return _invert(_ln_excess, value)


def inverse_capped_price(value: FloatArray) -> FloatArray:
    """Return w with ln(x^2 chi / ((1 + x) q^2)) = ``value``."""
    return _invert(_ln_capped_price, value)


def _ln_chi(w: FloatArray) -> tuple[FloatArray, FloatArray]:
    shape = shape_at(w)
    return np.log(shape.chi), shape.p


def _ln_chi2_over_q(w: FloatArray) -> tuple[FloatArray, FloatArray]:
    shape = shape_at(w)
    return 2.0 * np.log(shape.chi) - np.log(shape.q), 2.0 * shape.p - shape.g


def _ln_excess(w: FloatArray) -> tuple[FloatArray, FloatArray]:
    shape = shape_at(w)
    gap = excess(shape)
    return np.log(gap), shape.one_less_g * (1.0 + gap) / gap


def _ln_capped_price(w: FloatArray) -> tuple[FloatArray, FloatArray]:
    shape = shape_at(w)
    return 2.0 * w + np.log(shape.one_less_g) - np.log(shape.q), capped_slope(shape)


def capped_slope(shape: Shape) -> FloatArray:
    """Return H = d ln(x^2 chi / ((1 + x) q^2)) / dw, about 2."""
    return 2.0 * shape.one_less_g + shape.p - shape.x / (1.0 + shape.x)


_Function = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class _Table:
    """Cubic pieces of an inverse over equal steps of the value, from ``first`` to ``last``."""

    first: float
    last: float
    pieces: tuple[FloatArray, FloatArray, FloatArray, FloatArray]


@cache
def _table(function: _Function) -> _Table:
    """Return the Hermite pieces of a function's inverse; between them w is 1e-7 accurate."""
    w = np.linspace(-W_LIMIT, W_LIMIT, 6001)
    height = function(w)[0]
    value = np.arange(height[0], height[-1], TABLE_STEP)
    w = np.interp(value, height, w)
    for _ in range(5):
        height, slope = function(w)
        w = w + (value - height) / slope
    by_value = TABLE_STEP / function(w)[1]
    rise, here, there = w[1:] - w[:-1], by_value[:-1], by_value[1:]
    pieces = (w[:-1].copy(), here.copy(), 3.0 * rise - 2.0 * here - there, here + there - 2.0 * rise)
    return _Table(float(value[0]), float(value[-1]), pieces)


def inverse_table(name: "Inverse") -> tuple[float, FloatArray]:
    """Return the first value of a tabulated inverse and its cubic pieces (rows, 4), for the compiled loops.

    Piece r gives w at a value ``first + (r + s) TABLE_STEP``, 0 <= s < 1, as a polynomial in s, lowest power
    first.
    """
    functions = {
        "chi": _ln_chi,
        "chi2_over_q": _ln_chi2_over_q,
        "excess": _ln_excess,
        "capped_price": _ln_capped_price,
    }
    table = _table(functions[name])
    return table.first, np.column_stack(table.pieces)


def _invert(function: _Function, value: FloatArray) -> FloatArray:
    """Return w from the table and one Newton step, whose error is the square of the table's."""
    table = _table(function)
    inside = np.fmin(np.fmax(value, table.first), table.last)  # both pass over NaN
    place = (inside - table.first) * (1.0 / TABLE_STEP)
    row = place.astype(np.intp)
    np.minimum(row, len(table.pieces[0]) - 1, out=row)
    place -= row
    one, two, three, four = (piece.take(row) for piece in table.pieces)
    w = ((four * place + three) * place + two) * place + one
    height, slope = function(w)
    step = (value - height) / slope
    w += step
    return w if np.max(np.abs(step), initial=0.0) < _SURE_STEP else _beyond(function, value, w)


def _beyond(function: _Function, value: FloatArray, w: FloatArray) -> FloatArray:
    """Return w where some value is beyond the table: Newton's method, held within the limits."""
    for _ in range(6):
        w = np.clip(w, -W_LIMIT, W_LIMIT)
        height, slope = function(w)
        step = (value - height) / slope
        w = np.clip(w + step, -W_LIMIT, W_LIMIT)
        if not np.any(np.abs(step) > 1e-8):  # the next step would be below 1e-16
            break
    return w
