"""Where the loops keep a few devices at a time: flat rows, which a compiler sees not to overlap."""

import numpy as np
import numpy.typing as npt

from solvers.allocation.loops.lanes import select
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

CHUNK = 256
"""Devices kept at a time: what is computed of them fits the fastest cache."""
LANES = 8
"""Devices are filled up to a multiple of this with copies of the last one."""

Order = npt.NDArray[np.int32]
"""Places in the problem's arrays of some devices."""
Data = tuple[FloatArray, ...]
"""bits, gain, noise, max_power, cycles, max_frequency, capacitance, min_power, min_frequency: (N,) each."""

# Given of each device: payload (nat), n (W/Hz), power cap and floor (W), least and longest computing time
# (s), K^3, seconds by which its least time is below ``base``, and least airtime (s).
A, N, CAP, FLOOR, C_MIN, C_MAX = 0, CHUNK, 2 * CHUNK, 3 * CHUNK, 4 * CHUNK, 5 * CHUNK
K3, SLACK, T_FLOOR = 6 * CHUNK, 7 * CHUNK, 8 * CHUNK
# Found: w = ln x, its last step, bandwidth (Hz), airtime (s), deadline price (1/s), power (W), computing
# time (s), a row for what comes between, and the derivatives of bandwidth and price by ln mu and by T.
W, STEP, B, T, PRICE = 9 * CHUNK, 10 * CHUNK, 11 * CHUNK, 12 * CHUNK, 13 * CHUNK
POWER, C, SPARE = 14 * CHUNK, 15 * CHUNK, 16 * CHUNK
B_MU, B_T, PRICE_MU, PRICE_T = 17 * CHUNK, 18 * CHUNK, 19 * CHUNK, 20 * CHUNK
NUM_ROWS = 21

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
    bits, gain, noise, cap, cycles, fastest, capacitance, floor, slowest = data
    for k in range(len(who)):
        i = who[k]
        at[A + k], at[N + k], at[SPARE + k] = bits[i], noise[i], gain[i]
        at[CAP + k], at[FLOOR + k] = cap[i], floor[i]
        at[T_FLOOR + k], at[C_MIN + k], at[C_MAX + k] = cycles[i], fastest[i], slowest[i]
        at[K3 + k] = capacitance[i]
    last = len(who) - 1
    for k in range(len(who), filled(len(who))):
        for row in (A, N, SPARE, CAP, FLOOR, T_FLOOR, C_MIN, C_MAX, K3):
            at[row + k] = at[row + last]
    for k in range(filled(len(who))):
        cycles_k, n, a = at[T_FLOOR + k], at[N + k] / at[SPARE + k], at[A + k] * _LN_2
        c_min = select(cycles_k > 0.0, cycles_k / at[C_MIN + k], 0.0)
        t_floor = select(a > 0.0, a * n / at[CAP + k], 0.0)
        at[A + k], at[N + k], at[T_FLOOR + k], at[C_MIN + k] = a, n, t_floor, c_min
        at[C_MAX + k] = select(cycles_k > 0.0, cycles_k / at[C_MAX + k], 0.0)
        at[K3 + k] = 2.0 * energy_weight * at[K3 + k] * (cycles_k * cycles_k * cycles_k)
        at[SLACK + k] = select(c_min + t_floor < base, (base - c_min) - t_floor, 0.0)
