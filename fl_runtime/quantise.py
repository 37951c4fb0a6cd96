"""Differences of parameters as codes of few bits with one scale.

Codes count steps: with 1 bit they are -1 and 1; with 2 bits -3, -1, 1 and 3; with ``b >= 3`` bits all whole
numbers from ``1 - 2^(b-1)`` to ``2^(b-1) - 1``.  Rounding is to the nearest code ``k`` for a step, and the
scale is then the step of least squares, ``s = <x, k> / <k, k>``.  The step is the one that reaches the
largest value, or for few bits the best of some finer ones, which clip the largest values (Lloyd 1982,
doi:10.1109/TIT.1982.1056489, looks for such steps one by one).

With the scale of least squares the error is that of a projection, ``|x - s k|^2 = |x|^2 - <x, k>^2 / <k,
k>``, and a code has the sign of its value, so the error is smaller than the value whatever the values: what
error feedback needs (Karimireddy et al. 2019, arXiv:1901.09847).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from fl_runtime.packing import CodeArray, CodeRows

FloatArray = npt.NDArray[np.float64]

FINER_STEPS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Tried parts of the step that reaches the largest value; 0.3 suits heavy tails, 1 values of equal size."""

MAX_BITS_TO_CLIP = 4
"""From 8 bits on the step that reaches the largest value is fine enough, and nothing is clipped."""

_BINS_A_STEP = 40
"""Of the histograms: a bin is 0.025 steps, and whatever the step tried, codes change where a bin ends."""


def quantise(values: FloatArray, bits: int) -> tuple[CodeArray, float]:
    """Return the packed codes of values, and their scale.

    Parameters
    ----------
    values : array of float, shape (n,)
        Finite numbers.
    bits : int
        Bits a code: 1, 2, 3, 4, 8 or 16.

    Returns
    -------
    codes : array of uint16, shape (n,)
        Each below ``2 ** bits``.
    scale : float
        The step, a float32, >= 0.
    """
    codes, scales = quantise_rows(values[None], bits)
    return codes[0].astype(np.uint16), float(scales[0])


def quantise_rows(values: FloatArray, bits: int) -> tuple[CodeRows, FloatArray]:
    """Return what :func:`quantise` returns, for each row by itself: (rows, n) codes and (rows,) scales."""
    if not values.size:
        return _coded(np.zeros_like(values), bits), np.zeros(len(values))
    sizes = np.abs(values)
    reaching = sizes.max(axis=1) / _largest(bits)
    step = reaching * _best_parts(sizes, reaching, bits)
    counts = _nearest(values, step[:, None], bits)
    kept = np.array([row @ own for row, own in zip(values, counts, strict=True)])
    square = np.array([own @ own for own in counts])
    scales = np.maximum(0.0, kept) / np.where(square > 0, square, 1.0)
    return _coded(counts, bits), scales.astype(np.float32).astype(np.float64)


def restore(codes: CodeRows, scale: float | FloatArray, bits: int) -> FloatArray:
    """Return the values that codes stand for, of the same shape; ``scale`` is one, or one of each row."""
    counts = codes.astype(np.float64)
    if bits <= 2:
        counts *= 2.0
    counts -= 2**bits - 1 if bits <= 2 else _largest(bits)
    counts *= np.asarray(scale)[..., None]
    return counts


def _largest(bits: int) -> int:
    """Return the largest code, in steps."""
    return int(2**bits - 1) if bits <= 2 else int(2 ** (bits - 1) - 1)


def _best_parts(sizes: FloatArray, reaching: FloatArray, bits: int) -> FloatArray:
    """Return which of ``FINER_STEPS`` keeps most of each row's square, with the scale of least squares.

    A histogram of sizes (rows, n) in units of the reaching step, and of their sums, tells ``<x, k>`` and
    ``<k, k>`` for all steps at once.
    """
    if not 1 < bits <= MAX_BITS_TO_CLIP:
        return np.ones(len(sizes))
    num_bins = _BINS_A_STEP * _largest(bits) + 1
    scaled = sizes * (_BINS_A_STEP / np.where(reaching > 0, reaching, np.inf))[:, None]
    places = scaled.astype(np.int32)
    places += num_bins * np.arange(len(sizes), dtype=np.int32)[:, None]
    shape = (len(sizes), num_bins)
    counts = np.bincount(places.ravel(), minlength=shape[0] * num_bins).reshape(shape)
    sums = np.bincount(places.ravel(), sizes.ravel(), minlength=shape[0] * num_bins).reshape(shape)
    codes = _codes_of_bins(bits)  # (bins, steps)
    kept, squares = sums @ codes, counts @ codes**2
    best = np.argmax(kept**2 / np.maximum(squares, 1.0), axis=1)
    chosen: FloatArray = np.array(FINER_STEPS)[best]
    return chosen


@cache
def _codes_of_bins(bits: int) -> FloatArray:
    """Return the size of the code of each bin with each of ``FINER_STEPS``, (bins, steps)."""
    middles = (np.arange(_BINS_A_STEP * _largest(bits) + 1) + 0.5) / _BINS_A_STEP
    return _nearest(middles[:, None], np.array(FINER_STEPS), bits)


def _nearest(values: FloatArray, step: FloatArray, bits: int) -> FloatArray:
    """Return the nearest code of each value, in steps; without a step, that of zero."""
    scaled = values / np.where(step > 0, step, np.inf)
    largest = _largest(bits)
    if bits <= 2:
        scaled /= 2.0
        np.floor(scaled, out=scaled)
        scaled *= 2.0
        scaled += 1.0
    else:
        np.rint(scaled, out=scaled)
    return np.clip(scaled, -largest, largest, out=scaled)


def _coded(counts: FloatArray, bits: int) -> CodeRows:
    """Return codes of counts, which are changed."""
    if bits <= 2:
        counts += 2**bits - 1
        counts /= 2.0
    else:
        counts += _largest(bits)
    return counts.astype(np.uint8) if bits <= 8 else counts.astype(np.uint16)
