"""A feasible point beside the balance of one cell: see :mod:`solvers.allocation.repair`."""

import math

import numpy as np

from solvers.allocation.loops import scratch as s
from solvers.allocation.loops.balance import Cell, Found
from solvers.allocation.loops.lanes import exp, expm1, log, log1p, select
from solvers.allocation.loops.scratch import CHUNK, Data, Order, gather
from solvers.allocation.loops.shape import shape_at, w_of_excess
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

_STEPS = 40
_ROUNDING = 1e-13
"""Share of the deadline by which a device may miss it through rounding."""


@compiled
def finish(
    data: Data, who: Order, cell: Cell, margin: float, found: Found, frequency: FloatArray, at: FloatArray
) -> float:
    """Write power, frequency and airtime of a feasible point, and return its deadline; nan if there is none.

    A device at a limit of power stays there, or first-order more is spent: with its frequency at a limit too
    it gets the bandwidth that just meets the deadline; the others share the rest of the band.  Each device
    computes for as long as is best at its deadline price and sends in what is left, or the other way round
    at a limit of power; its frequency then fills the rest.
    """
    _, time_weight, _, given, base = cell
    prices = found[2]
    if given == 0.0:
        asked = 0.0
        for i in who:
            asked += prices[i]
        for i in who:
            prices[i] *= time_weight / asked
    margin, share = _fix_bandwidths(data, who, cell, margin, found, at)
    if not share > 0.0:
        return np.nan
    deadline = given if given > 0.0 else base + margin
    latest = _write(data, who, cell, deadline, share, found, frequency, at)
    if latest <= deadline * (1.0 + _ROUNDING):
        return deadline
    if given > 0.0:
        return np.nan
    _write(data, who, cell, latest, 1.0, found, frequency, at)
    return latest


@compiled
def _write(
    data: Data,
    who: Order,
    cell: Cell,
    deadline: float,
    share: float,
    found: Found,
    frequency: FloatArray,
    at: FloatArray,
) -> float:
    """Write all means, bandwidths that are not fixed times ``share``, and return when the last is done, s."""
    energy_weight, _, _, _, base = cell
    bandwidth, airtime, prices, fixed, power = found
    cycles, fastest, capacitance, slowest = data[4], data[5], data[6], data[8]
    latest = 0.0
    for start in range(0, len(who), CHUNK):
        some = who[start : start + CHUNK]
        gather(data, some, energy_weight, base, at)
        for k in range(s.filled(len(some))):
            i = some[min(k, len(some) - 1)]
            at[s.B + k] = bandwidth[i] * (share if fixed[i] == 0.0 else 1.0)
            at[s.PRICE + k], at[s.POWER + k] = prices[i], power[i]
        _quickest(at, s.filled(len(some)))
        _send(at, s.filled(len(some)), deadline)
        for k in range(len(some)):
            i = some[k]
            if at[s.A + k] > 0.0:
                bandwidth[i], airtime[i], power[i] = at[s.B + k], at[s.T + k], at[s.POWER + k]
                latest = max(latest, at[s.C_MIN + k] + at[s.SPARE + k])
            seconds = deadline - airtime[i]
            if cycles[i] == 0.0:
                frequency[i] = 0.0
            elif capacitance[i] == 0.0 or not seconds > at[s.C_MIN + k]:
                frequency[i] = fastest[i]
            else:
                frequency[i] = min(max(cycles[i] / seconds, slowest[i]), fastest[i])
    return latest


@compiled
def _quickest(at: FloatArray, filled: int) -> None:
    """Write the airtime at full power over B into SPARE."""
    for k in range(filled):
        b = at[s.B + k]
        at[s.SPARE + k] = at[s.A + k] / (b * log1p(at[s.CAP + k] / (at[s.N + k] * b)))


@compiled
def best_times(at: FloatArray, filled: int) -> None:
    """Write the best computing times at the deadline prices into C: K price^(-1/3) within its limits."""
    for k in range(filled):
        price, c_min, c_max, cube = at[s.PRICE + k], at[s.C_MIN + k], at[s.C_MAX + k], at[s.K3 + k]
        c = exp(log(cube / price) * (1 / 3))
        c = select(cube > price * (c_min * c_min * c_min), c, c_min)
        c = select(c < c_max, c, c_max)
        at[s.C + k] = select(price > 0.0, c, select(cube > 0.0, c_max, c_min))


@compiled
def _send(at: FloatArray, filled: int, deadline: float) -> None:
    """Write airtime and power: sending takes what computing leaves, at a limit of power the other way round.

    POWER holds the power before, SPARE the least airtime.
    """
    best_times(at, filled)
    for k in range(filled):
        a, n, b, cap, floor = at[s.A + k], at[s.N + k], at[s.B + k], at[s.CAP + k], at[s.FLOOR + k]
        quickest, c, c_min = at[s.SPARE + k], at[s.C + k], at[s.C_MIN + k]
        slowest = a / (b * log1p(floor / (n * b)))
        inside = select(c > c_min, 1.0, 0.0) * select(c < at[s.C_MAX + k], 1.0, 0.0)
        full = inside * select(at[s.POWER + k] >= cap, 1.0, 0.0)
        t = select(full > 0.0, quickest, deadline - c)
        low = inside * select(at[s.POWER + k] <= floor, 1.0, 0.0) * select(floor > 0.0, 1.0, 0.0)
        t = select(low + select(at[s.PRICE + k] > 0.0, 0.0, 1.0) > 0.0, slowest, t)
        left = deadline - c_min
        t = select(t > left, left, t)
        t = select(t > quickest, t, quickest)
        t = select(t < slowest, t, slowest)
        p = n * b * expm1(a / (b * t))
        p = select(p < floor, floor, p)
        at[s.POWER + k] = select(p < cap, p, cap)
        at[s.T + k] = t


@compiled
def _fix_bandwidths(
    data: Data, who: Order, cell: Cell, margin: float, found: Found, at: FloatArray
) -> tuple[float, float]:
    """Write the exact bandwidths of devices at limits of power and frequency, and the margin that they fit.

    Returns this margin, which only moves where it is free and nobody else can give way, and the factor of
    the others' bandwidths, 0 where there is none.
    """
    band, given = cell[2], cell[3]
    for _ in range(_STEPS):
        needed, falls, others = _needed(data, who, cell, margin, found, at)
        share = (band - needed) / others if others > 0.0 else 1.0
        if (others > 0.0 and 0.5 < share < 2.0) or (others == 0.0 and abs(needed / band - 1.0) <= _ROUNDING):
            return margin, share
        if given > 0.0:
            break
        margin += (needed + others - band) / falls
    return margin, share if needed <= band * (1.0 + _ROUNDING) else 0.0


@compiled
def _needed(
    data: Data, who: Order, cell: Cell, margin: float, found: Found, at: FloatArray
) -> tuple[float, float, float]:
    """Return what devices at limits need of the band (Hz), its fall per second, and what others have."""
    energy_weight, _, _, _, base = cell
    bandwidth, _, prices, fixed, power = found
    needed, falls, others = 0.0, 0.0, 0.0
    for start in range(0, len(who), CHUNK):
        some = who[start : start + CHUNK]
        gather(data, some, energy_weight, base, at)
        for k in range(s.filled(len(some))):
            at[s.PRICE + k] = prices[some[min(k, len(some) - 1)]]
        best_times(at, s.filled(len(some)))
        for k in range(len(some)):
            i, n, c, limit = some[k], at[s.N + k], at[s.C + k], power[some[k]]
            fixed[i] = 0.0
            if at[s.A + k] == 0.0:
                continue
            still = c == at[s.C_MIN + k] or c == at[s.C_MAX + k]
            if still and prices[i] > 0.0 and (limit == at[s.CAP + k] or limit == at[s.FLOOR + k]):
                t_floor, over = at[s.T_FLOOR + k], margin + at[s.SLACK + k]
                if limit != at[s.CAP + k]:
                    t_floor = at[s.A + k] * n / limit
                    over += at[s.T_FLOOR + k] - t_floor
                over -= c - at[s.C_MIN + k]
                guess = math.log(limit / (n * bandwidth[i]))
                x, q, _, rest = shape_at(w_of_excess(over / t_floor, guess))
                bandwidth[i], fixed[i] = limit / (n * x), 1.0
                needed += bandwidth[i]
                falls += bandwidth[i] / (t_floor * x / q * rest)
            else:
                others += bandwidth[i]
    return needed, falls, others
