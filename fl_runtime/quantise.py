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

import numpy as np
import numpy.typing as npt

from fl_runtime.packing import CodeArray

FloatArray = npt.NDArray[np.float64]

FINER_STEPS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Tried parts of the step that reaches the largest value; 0.3 suits heavy tails, 1 values of equal size."""

MAX_BITS_TO_CLIP = 4
"""From 8 bits on the step that reaches the largest value is fine enough, and nothing is clipped."""


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
    largest = float(np.abs(values).max()) if len(values) else 0.0
    reaching = largest / _largest(bits)
    parts = FINER_STEPS if 1 < bits <= MAX_BITS_TO_CLIP else (1.0,)
    tried = [_nearest(values, reaching * part, bits) for part in parts]
    kept = [_explained(values, counts) for counts in tried]
    best = tried[int(np.argmax(kept))]
    square = float(best @ best)
    step = max(0.0, float(values @ best)) / square if square > 0 else 0.0
    return _coded(best, bits), float(np.float32(step))


def restore(codes: CodeArray, scale: float, bits: int) -> FloatArray:
    """Return the values that codes stand for, shape (n,)."""
    whole = codes.astype(np.float64)
    counts = 2.0 * whole - (2**bits - 1) if bits <= 2 else whole - _largest(bits)
    return counts * scale


def _largest(bits: int) -> int:
    """Return the largest code, in steps."""
    return int(2**bits - 1) if bits <= 2 else int(2 ** (bits - 1) - 1)


def _nearest(values: FloatArray, step: float, bits: int) -> FloatArray:
    """Return the nearest code of each value, in steps."""
    scaled = values / step if step > 0 else np.zeros_like(values)
    largest = _largest(bits)
    if bits <= 2:
        return np.clip(2.0 * np.floor(scaled / 2.0) + 1.0, -largest, largest)
    return np.clip(np.rint(scaled), -largest, largest)


def _explained(values: FloatArray, counts: FloatArray) -> float:
    """Return how much of ``|values|^2`` codes keep with the scale of least squares."""
    square = float(counts @ counts)
    return float(values @ counts) ** 2 / square if square > 0 else 0.0


def _coded(counts: FloatArray, bits: int) -> CodeArray:
    shifted = (counts + (2**bits - 1)) / 2.0 if bits <= 2 else counts + _largest(bits)
    return shifted.astype(np.uint16)
