"""The dual value of one cell from any prices: see :mod:`solvers.allocation.dual_bound`."""

import math

import numpy as np

from solvers.allocation.loops import scratch as s
from solvers.allocation.loops.balance import Cell
from solvers.allocation.loops.device import Tables
from solvers.allocation.loops.finish import best_times
from solvers.allocation.loops.lanes import chi_at, exp, log, log1p
from solvers.allocation.loops.scratch import CHUNK, Data, Order, gather
from solvers.allocation.loops.shape import Table, capped_slope, looked_up, shape_at
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

_STEPS = 40
_LAST_STEP = 1e-6
"""A step of Newton's method after which the least cost is met to rounding; without one there is no bound."""
_SURE_STEP = 1e-8
"""A step from the place at which a cost was taken that is too short to matter: it would change its square."""
_SMALLEST = 1e-290
"""Prices below are looked at one by one: they are not normal numbers, or nearly so."""


@compiled
def dual_value(
    data: Data, who: Order, cell: Cell, mu: float, prices: FloatArray, at: FloatArray, tables: Tables
) -> tuple[float, float]:
    """Return the dual value of a cell and the sum of its terms' sizes."""
    energy_weight, time_weight, band, deadline, base = cell
    asked = 0.0
    for i in who:
        asked += prices[i]
    scale = time_weight / asked if deadline == 0.0 and asked > time_weight else 1.0
    least = 0.0
    for start in range(0, len(who), CHUNK):
        some = who[start : start + CHUNK]
        gather(data, some, energy_weight, base, at)
        for k in range(s.filled(len(some))):
            at[s.PRICE + k] = scale * prices[some[min(k, len(some) - 1)]]
        least += _computing(at, len(some)) + _sending(at, len(some), energy_weight, mu, tables)
    if deadline > 0.0:
        waiting, size = (time_weight - asked) * deadline, (time_weight + asked) * deadline
    else:
        waiting = size = max(time_weight - asked, 0.0) * base
    rent = mu * band
    return least + waiting - rent, least + size + rent


@compiled
def _computing(at: FloatArray, count: int) -> float:
    """Return the sum of min over c of K^3 / (2 c^2) + price c within the limits of c."""
    best_times(at, s.filled(count))
    total = 0.0
    for k in range(count):
        c, price = at[s.C + k], at[s.PRICE + k]
        if at[s.K3 + k] > 0.0:
            total += 0.5 * at[s.K3 + k] / (c * c)
        if price > 0.0:
            total += price * c
    return total


@compiled
def _sending(at: FloatArray, count: int, energy_weight: float, mu: float, tables: Tables) -> float:
    """Return the sum of min over (b, t) of energy_weight p t + mu b + price t within the limits of power."""
    filled = s.filled(count)
    if mu > _SMALLEST:
        for k in range(filled):
            A = energy_weight * at[s.N + k]
            at[s.SPARE + k] = log(mu) + log(at[s.PRICE + k]) - log(at[s.A + k]) - 2.0 * log(A)
        for k in range(filled):
            at[s.W + k] = looked_up(tables[0], at[s.SPARE + k])
        _least(at, filled, energy_weight, mu)
        _least(at, filled, energy_weight, mu)
    total = 0.0
    for k in range(count):
        if at[s.A + k] == 0.0:
            continue
        usual = mu > _SMALLEST and at[s.PRICE + k] > _SMALLEST and abs(at[s.STEP + k]) < _SURE_STEP
        if usual and at[s.FLOOR + k] <= at[s.POWER + k] <= at[s.CAP + k]:
            total += at[s.T + k]
        else:
            total += _sending_cost(at, k, energy_weight, mu, tables)
    return total


@compiled
def _least(at: FloatArray, filled: int, energy_weight: float, mu: float) -> None:
    """Write cost (into T) and power at W without limits of power, and move W a step to the least cost.

    There ln(chi^2 / q) is what SPARE says, and u = b t = a / q.  Where the last step was short, the cost
    written is the least one.
    """
    for k in range(filled):
        n, w = at[s.N + k], at[s.W + k]
        x = exp(w)
        q = log1p(x)
        chi = chi_at(x, q)
        u = at[s.A + k] / q
        price = at[s.PRICE + k]
        b = np.sqrt(price * u / mu)
        at[s.POWER + k] = n * b * x
        at[s.T + k] = energy_weight * n * u * x + 2.0 * np.sqrt(mu * price * u)
        slope = 2.0 * x * q / chi - x / ((1.0 + x) * q)
        step = (at[s.SPARE + k] - 2.0 * log(chi) + log(q)) / slope
        at[s.STEP + k], at[s.W + k] = step, w + step


@compiled
def _sending_cost(at: FloatArray, k: int, energy_weight: float, mu: float, tables: Tables) -> float:
    """Return the least cost of sending of one device, whatever its prices."""
    a, n, cap, floor, price = at[s.A + k], at[s.N + k], at[s.CAP + k], at[s.FLOOR + k], at[s.PRICE + k]
    A = energy_weight * n
    if mu == 0.0:
        return A * a + price * (a * n / cap)
    if price == 0.0:
        return _cost_at_power(a, n, floor, energy_weight * floor, mu, tables[1]) if floor > 0.0 else A * a
    if A > 0.0:
        target = math.log(mu) + math.log(price) - math.log(a) - 2.0 * math.log(A)
        w, step = looked_up(tables[0], target), 1.0
        for _ in range(_STEPS):
            x, q, chi, rest = shape_at(w)
            if abs(step) < _LAST_STEP:
                break
            step = (target - 2.0 * math.log(chi) + math.log(q)) / (2.0 * x * q / chi - 1.0 + rest)
            w += step
        if not abs(step) < _LAST_STEP:
            return -np.inf
        u = a / q
        b = math.sqrt(price * u / mu)
        if n * b * x < floor:
            return _cost_at_power(a, n, floor, price + energy_weight * floor, mu, tables[1])
        if n * b * x <= cap:
            return A * u * x + 2.0 * math.sqrt(mu * price * u)
    return _cost_at_power(a, n, cap, price + energy_weight * cap, mu, tables[1])


@compiled
def _cost_at_power(a: float, n: float, power: float, whole: float, mu: float, table: Table) -> float:
    """Return min over b of whole t + mu b at a power, ``whole`` being what a second on the air costs."""
    noisy = power / n
    target = math.log(mu * noisy * noisy / a / whole)
    w, step = looked_up(table, target), 1.0
    for _ in range(_STEPS):
        x, q, chi, rest = shape_at(w)
        if abs(step) < _LAST_STEP:
            break
        step = (target - 2.0 * w - math.log(rest / q)) / capped_slope(x, q, chi, rest)
        w += step
    if not abs(step) < _LAST_STEP:
        return -np.inf
    return whole * (a / noisy) * x / q + mu * noisy / x
