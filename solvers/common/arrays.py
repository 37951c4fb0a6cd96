"""Checked, read-only arrays: the border at which every problem's data are validated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.common.errors import InvalidProblem

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def float_array(
    field: str,
    values: npt.ArrayLike,
    shape: tuple[int, ...],
    *,
    positive: bool = False,
    allow_inf: bool = False,
    allow_negative: bool = False,
) -> FloatArray:
    """Return a read-only float64 copy of ``values``, broadcast from a scalar to ``shape`` if need be.

    Parameters
    ----------
    field : str
        Name in error messages.
    values : array_like
        A scalar or an array of exactly ``shape``.
    shape : tuple of int
        The shape required.
    positive : bool
        Whether zero is refused.
    allow_inf : bool
        Whether ``+inf`` has a meaning.
    allow_negative : bool
        Whether values below zero have a meaning.

    Raises
    ------
    InvalidProblem
        At the first value that has no meaning, with its index.
    """
    try:
        raw = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidProblem(field, None, values, f"numbers of shape {shape}") from error
    if raw.ndim and raw.shape != shape:
        raise InvalidProblem(field, None, f"an array of shape {raw.shape}", f"a number or of shape {shape}")
    sign = "" if allow_negative else (" > 0" if positive else " >= 0")
    expected = f"a {'' if allow_inf else 'finite '}number{sign}"
    bad = np.isnan(raw) | (np.isneginf(raw) if allow_inf else np.isinf(raw))
    if not allow_negative:
        bad |= (raw <= 0) if positive else (raw < 0)
    _refuse(field, raw, bad, expected, float)
    return frozen(np.array(np.broadcast_to(raw, shape)))


def index_array(field: str, values: npt.ArrayLike, *, below: int, length: int | None = None) -> IntArray:
    """Return a read-only int64 copy of a one-dimensional array of indices in ``[0, below)``.

    Parameters
    ----------
    field : str
        Name in error messages.
    values : array_like of int
        The indices.
    below : int
        The number of things indexed.
    length : int or None
        The length required, if any.

    Raises
    ------
    InvalidProblem
        At the first value that is no such index, or for a wrong shape.
    """
    raw = np.asarray(values)
    if raw.size == 0:
        raw = raw.astype(np.int64)
    if raw.ndim != 1 or not np.issubdtype(raw.dtype, np.integer):
        raise InvalidProblem(
            field, None, f"{raw.dtype} of shape {raw.shape}", "whole numbers in one dimension"
        )
    if length is not None and raw.shape[0] != length:
        raise InvalidProblem(field, None, f"an array of length {raw.shape[0]}", f"of length {length}")
    _refuse(field, raw, (raw < 0) | (raw >= below), f"a whole number from 0 to {below - 1}", int)
    return frozen(raw.astype(np.int64))


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``array`` itself, made read-only."""
    array.setflags(write=False)
    return array


def _refuse(
    field: str,
    raw: npt.NDArray[Any],
    bad: npt.NDArray[np.bool_],
    expected: str,
    kind: Callable[[Any], object],
) -> None:
    if not np.any(bad):
        return
    if raw.ndim == 0:
        raise InvalidProblem(field, None, kind(raw), expected)
    place = tuple(int(part) for part in np.argwhere(bad)[0])
    raise InvalidProblem(field, place[0] if len(place) == 1 else place, kind(raw[place]), expected)
