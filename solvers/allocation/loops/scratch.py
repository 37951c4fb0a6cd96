"""Where the loops keep a few devices at a time: flat rows, which a compiler sees not to overlap."""

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

CHUNK = 256
"""Devices kept at a time: what is computed of them fits the fastest cache."""
LANES = 8
"""Devices are filled up to a multiple of this with copies of the last one."""

Order = npt.NDArray[np.int32]
"""Places in the problem's arrays of some devices."""
Data = tuple[FloatArray, ...]
"""bits, gain, noise, max_power, cycles, max_frequency, capacitance: (N,) each."""

# Given of each device: payload (nat), n (W/Hz), power cap (W), least computing time (s), K^3, seconds by
# which its least time is below ``base``, and least airtime (s).
A, N, CAP, C_MIN, K3, SLACK, T_FLOOR = 0, CHUNK, 2 * CHUNK, 3 * CHUNK, 4 * CHUNK, 5 * CHUNK, 6 * CHUNK
# Found: w = ln x, its last step, bandwidth (Hz), airtime (s), deadline price (1/s), power (W), computing
# time (s), a row for what comes between, and the derivatives of bandwidth and price by ln mu and by T.
W, STEP, B, T, PRICE = 7 * CHUNK, 8 * CHUNK, 9 * CHUNK, 10 * CHUNK, 11 * CHUNK
POWER, C, SPARE = 12 * CHUNK, 13 * CHUNK, 14 * CHUNK
B_MU, B_T, PRICE_MU, PRICE_T = 15 * CHUNK, 16 * CHUNK, 17 * CHUNK, 18 * CHUNK
NUM_ROWS = 19

_LN_2 = float(np.log(2.0))


@compiled
def new_scratch() -> FloatArray:
    """Return an empty scratch."""
    return np.empty(NUM_ROWS * CHUNK)


@compiled
def filled(count: int) -> int:
    """Return how many rows are worked on for ``count`` devices."""
    return (count + LANES - 1) // LANES * LANES


@compiled
def gather(data: Data, who: Order, energy_weight: float, base: float, at: FloatArray) -> None:
    """Write what is given of some devices, at most :data:`CHUNK`; SLACK of the slowest is exactly 0."""
    bits, gain, noise, cap, cycles, fastest, capacitance = data
    for k in range(filled(len(who))):
        i = who[min(k, len(who) - 1)]
        c_min, cube = 0.0, 0.0
        if cycles[i] > 0.0:
            c_min = cycles[i] / fastest[i]
            cube = 2.0 * energy_weight * capacitance[i] * cycles[i] * cycles[i] * cycles[i]
        a, n = bits[i] * _LN_2, noise[i] / gain[i]
        t_floor = a * n / cap[i] if a > 0.0 else 0.0
        at[A + k], at[N + k], at[CAP + k], at[C_MIN + k], at[K3 + k] = a, n, cap[i], c_min, cube
        at[SLACK + k] = (base - c_min) - t_floor if c_min + t_floor < base else 0.0
        at[T_FLOOR + k] = t_floor
