"""The allocation problem as checked arrays: who must send how much, over which band, with which means."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import FloatArray, IntArray, float_array, index_array
from solvers.common.errors import InvalidProblem

DEVICE_FIELDS = (
    "bits",
    "gain",
    "noise_w_per_hz",
    "max_power_w",
    "cycles",
    "max_frequency_hz",
    "capacitance",
    "min_power_w",
    "min_frequency_hz",
)
"""Fields with a number for each device."""
_RANGES = (("min_power_w", "max_power_w"), ("min_frequency_hz", "max_frequency_hz"))
_CELL_FIELDS = ("band_hz", "energy_weight", "time_weight")


@dataclass(frozen=True, kw_only=True, eq=False)
class AllocationProblem:
    """Transmitters that share a band and a deadline; one cell, or many independent cells at once.

    Each device computes ``cycles`` at a frequency f, then sends ``bits`` within t seconds at a power p
    over a bandwidth b of its own::

        minimise    energy_weight * sum_i (capacitance_i cycles_i f_i^2 + p_i t_i) + time_weight * T
        subject to  t_i b_i log2(1 + p_i gain_i / (noise_i b_i)) >= bits_i                         (1)
                    cycles_i / f_i + t_i <= T                                                       (2)
                    sum_i b_i <= band_hz                                                            (3)
                    min_power_w_i <= p_i <= max_power_w_i   where bits_i > 0,
                    min_frequency_hz_i <= f_i <= max_frequency_hz_i   where cycles_i > 0            (4)

    over b, p, f, t and T, or with T given.  Power or frequency is fixed where its two limits are equal.
    Arrays are copied, checked and made read-only; a number stands for an array of equal numbers.

    Parameters
    ----------
    bits : array_like, shape (N,)
        Payload, bit, >= 0.
    gain : array_like, shape (N,)
        Power gain of the channel, linear, >= 0; with 0 nothing can be sent.
    noise_w_per_hz : array_like, shape (N,)
        Noise power density at the receiver, noise figure included, W/Hz, > 0.
    max_power_w : array_like, shape (N,)
        Cap of the transmit power, W, >= 0.
    cycles : array_like, shape (N,)
        Work before the transmission, CPU cycles, >= 0.
    max_frequency_hz : array_like, shape (N,)
        Cap of the CPU frequency, Hz, >= 0.
    capacitance : array_like, shape (N,)
        Effective switched capacitance, J s^2 / cycle^3, >= 0; with 0 computing costs no energy.
    band_hz : float, or array_like of shape (M,) with ``cell``
        Band that the devices share, Hz, >= 0.
    energy_weight : float, or array_like of shape (M,) with ``cell``
        Price of energy, 1/J, >= 0.
    time_weight : float, or array_like of shape (M,) with ``cell``
        Price of the deadline, 1/s, >= 0; above 0 unless the deadline is given.
    deadline_s : float or None, or array_like of shape (M,) with ``cell``
        The deadline T, s, > 0; ``None`` leaves it to be decided.
    min_power_w : array_like, shape (N,)
        Least transmit power, W, >= 0 and at most ``max_power_w``; a device that has sent is off the air.
    min_frequency_hz : array_like, shape (N,)
        Least CPU frequency, Hz, >= 0 and at most ``max_frequency_hz``; a device that has computed waits for
        nothing.
    cell : array_like of int, shape (N,), or None
        Cell of each device, 0..M-1, in any order; a cell may be empty.

    Raises
    ------
    InvalidProblem
        At the first number that has no meaning, with its field, index, value and what was expected.
    """

    bits: npt.ArrayLike
    gain: npt.ArrayLike
    noise_w_per_hz: npt.ArrayLike
    max_power_w: npt.ArrayLike
    cycles: npt.ArrayLike
    max_frequency_hz: npt.ArrayLike
    capacitance: npt.ArrayLike
    band_hz: npt.ArrayLike
    energy_weight: npt.ArrayLike
    time_weight: npt.ArrayLike
    deadline_s: npt.ArrayLike | None = None
    min_power_w: npt.ArrayLike = 0.0
    min_frequency_hz: npt.ArrayLike = 0.0
    cell: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        length = self._count_devices()
        for field in DEVICE_FIELDS:
            positive = field == "noise_w_per_hz"
            self._store(field, float_array(field, getattr(self, field), (length,), positive=positive))
        for least, most in _RANGES:
            self._check_range(least, most)
        shape = self._check_cells(length)
        for field in _CELL_FIELDS:
            self._store(field, float_array(field, getattr(self, field), shape))
        if self.deadline_s is not None:
            self._store("deadline_s", float_array("deadline_s", self.deadline_s, shape, positive=True))
        else:
            expected = "above 0, because no deadline is given"
            weight = cast("FloatArray", self.time_weight)
            for place in np.argwhere(weight == 0)[:1]:
                raise InvalidProblem("time_weight", int(place[0]) if shape else None, 0.0, expected)

    @property
    def num_devices(self) -> int:
        """Number of devices N."""
        return len(cast("FloatArray", self.bits))

    @property
    def num_cells(self) -> int:
        """Number of cells M; 1 without ``cell``."""
        return int(np.size(cast("FloatArray", self.band_hz)))

    def _store(self, field: str, value: FloatArray | IntArray) -> None:
        object.__setattr__(self, field, value)

    def _count_devices(self) -> int:
        names = (*DEVICE_FIELDS, "cell")
        for name in names:
            value = getattr(self, name)
            shape = np.shape(value) if value is not None else ()
            if len(shape) > 1:
                raise InvalidProblem(name, None, f"an array of shape {shape}", "a number or of shape (N,)")
            if shape:
                return int(shape[0])
        return 1

    def _check_range(self, least: str, most: str) -> None:
        low, high = getattr(self, least), getattr(self, most)
        for place in np.flatnonzero(low > high)[:1]:
            expected = f"at most {most}, which is {float(high[place])!r}"
            raise InvalidProblem(least, int(place), float(low[place]), expected)

    def _check_cells(self, length: int) -> tuple[int, ...]:
        """Check ``cell`` and return the shape of what is given per cell."""
        if self.cell is None:
            return ()
        lengths = [np.shape(getattr(self, name))[0] for name in _CELL_FIELDS if np.ndim(getattr(self, name))]
        if self.deadline_s is not None and np.ndim(self.deadline_s):
            lengths.append(np.shape(self.deadline_s)[0])
        raw = np.asarray(self.cell)
        largest = int(raw.max()) + 1 if raw.size and np.issubdtype(raw.dtype, np.integer) else 1
        num_cells = lengths[0] if lengths else max(largest, 1)
        self._store("cell", index_array("cell", raw, below=num_cells, length=length))
        return (num_cells,)
