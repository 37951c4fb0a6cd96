"""What devices do at a bandwidth price and a deadline: see :mod:`solvers.allocation.respond`.

Without limits of power all devices of a chunk are worked on together; those at a limit follow one by one.
"""

import math

import numpy as np

from solvers.allocation.loops import scratch as s
from solvers.allocation.loops.lanes import chi_at, exp, log, log1p, select
from solvers.allocation.loops.shape import (
    Table,
    capped_slope,
    excess,
    ln_of_ratio,
    looked_up,
    shape_at,
    w_of_excess,
)
from solvers.allocation.snr import W_LIMIT
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

Letters = tuple[float, float, float, float, float]
"""a (nat), n (W/Hz), least and longest computing time (s), K^3."""
Answer = tuple[float, float, float, float, float, float, float]
"""b (Hz), t (s), deadline price (1/s); db and dprice by ln mu and by T."""
Tables = tuple[Table, Table]
"""Inverses of ln chi and of ln(x / q - 1)."""

NO_GUESS = -1e300
_NO_CANCELLATION = 1e-3
"""Share of full power's price above which the deadline price is what is left of it: c may have cancelled."""
_STEPS = 60


@compiled
def respond(
    at: FloatArray,
    count: int,
    energy_weight: float,
    mu: float,
    margin: float,
    last_step: float,
    tables: Tables,
) -> None:
    """Write what the devices with payload in a scratch do at a bandwidth price and a deadline.

    ``margin`` is the deadline less ``base``, s, > 0.  A step of Newton's method in ln x below ``last_step``
    is only applied to first order: it leaves about its square.  W holds guesses of w = ln x without limits
    of power, or :data:`NO_GUESS`, and then its values.
    """
    filled = s.filled(count)
    _guess(at, filled, energy_weight, mu, margin, tables[0])
    for _ in range(_STEPS):
        _newton(at, filled, energy_weight, mu, margin)
        if _longest_step(at, count) < last_step:
            break
    for k in range(count):
        if at[s.A + k] == 0.0:
            continue
        late = margin + at[s.SLACK + k] + at[s.T_FLOOR + k] + at[s.C_MIN + k] - at[s.C_MAX + k]
        if late > 0.0 and at[s.C + k] > at[s.C_MAX + k]:
            _slow_down(at, k, energy_weight, mu, late, tables[0])
        if not at[s.FLOOR + k] <= at[s.POWER + k] <= at[s.CAP + k]:
            _limit_power(at, k, energy_weight, mu, margin, tables[1])


@compiled
def _guess(at: FloatArray, filled: int, energy_weight: float, mu: float, margin: float, table: Table) -> None:
    """Write the w at which sending takes all time that full frequency leaves, where there is no guess."""
    some = False
    for k in range(filled):
        some = some or at[s.W + k] == NO_GUESS
    if not some:
        return
    for k in range(filled):
        room = margin + at[s.SLACK + k] + at[s.T_FLOOR + k]
        at[s.SPARE + k] = log(mu / (energy_weight * at[s.N + k] * room))
    for k in range(filled):
        if at[s.W + k] == NO_GUESS:
            at[s.W + k] = looked_up(table, at[s.SPARE + k])


@compiled
def _newton(at: FloatArray, filled: int, energy_weight: float, mu: float, margin: float) -> None:
    """Write the answers at W without limits of power, moved by a step of Newton's method to first order.

    t = mu / (A chi) and price = mu b / t give c = K price^(-1/3), at least c_min; c + t = T is the root
    sought.  With c = c_min it is t = room instead: both fall in w and are convex in logarithms.
    """
    for k in range(filled):
        n, c_min, cube, w = at[s.N + k], at[s.C_MIN + k], at[s.K3 + k], at[s.W + k]
        room = margin + at[s.SLACK + k] + at[s.T_FLOOR + k]
        x = exp(w)
        q = log1p(x)
        chi = chi_at(x, q)
        p, g = x * q / chi, x / ((1.0 + x) * q)
        t = mu / (energy_weight * n * chi)
        b = at[s.A + k] / (q * t)
        price = mu * b / t
        free = cube > price * (c_min * c_min * c_min)
        c = select(free, exp(log(cube / price) * (1 / 3)), c_min)
        third = select(free, c * (1 / 3), 0.0)
        spent, total = select(free, t + c, t), select(free, room + c_min, room)
        fall = p * t + third * (2.0 * p - g)
        step = 2.0 * (spent - total) / (spent + total) * spent / fall
        w_mu, w_t = (t + third) / fall, -1.0 / fall
        moved = w + step
        moved = select(moved > W_LIMIT, W_LIMIT, moved)
        at[s.W + k] = select(moved < -W_LIMIT, -W_LIMIT, moved)
        at[s.STEP + k] = step
        at[s.B + k] = b * (1.0 + (p - g) * step)
        at[s.T + k] = t * (1.0 - p * step)
        at[s.PRICE + k] = price * (1.0 + (2.0 * p - g) * step)
        at[s.B_MU + k] = b * ((p - g) * w_mu - 1.0)
        at[s.B_T + k] = b * (p - g) * w_t
        at[s.PRICE_MU + k] = price * ((2.0 * p - g) * w_mu - 1.0)
        at[s.PRICE_T + k] = price * (2.0 * p - g) * w_t
        at[s.POWER + k] = n * b * x * (1.0 + (1.0 + p - g) * step)
        at[s.C + k] = c


@compiled
def _longest_step(at: FloatArray, count: int) -> float:
    longest = 0.0
    for k in range(count):
        if at[s.A + k] > 0.0:
            longest = max(longest, abs(at[s.STEP + k]))
    return longest


@compiled
def _write(at: FloatArray, k: int, answer: Answer, power: float) -> None:
    b, t, price, b_mu, b_t, price_mu, price_t = answer
    at[s.B + k], at[s.T + k], at[s.PRICE + k], at[s.POWER + k] = b, t, price, power
    at[s.B_MU + k], at[s.B_T + k], at[s.PRICE_MU + k], at[s.PRICE_T + k] = b_mu, b_t, price_mu, price_t


@compiled
def _slow_down(at: FloatArray, k: int, energy_weight: float, mu: float, room: float, table: Table) -> None:
    """Write the answer of a device at its least frequency, which leaves ``room`` s to send."""
    a, n = at[s.A + k], at[s.N + k]
    target = math.log(mu / (energy_weight * n * room))
    w = looked_up(table, target)
    for _ in range(2):
        x, q, chi, _ = shape_at(w)
        w += (target - math.log(chi)) * chi / (x * q)
    x, q, chi, one_less_g = shape_at(w)
    p, g = x * q / chi, 1.0 - one_less_g
    b = a / (q * room)
    price = mu * b / room
    falls, steep = -1.0 / (p * room), (2.0 * p - g) / p
    answer = (
        b,
        room,
        price,
        b * ((p - g) / p - 1.0),
        b * (p - g) * falls,
        price * (steep - 1.0),
        price * (2.0 * p - g) * falls,
    )
    _write(at, k, answer, n * b * x)


@compiled
def _limit_power(
    at: FloatArray, k: int, energy_weight: float, mu: float, margin: float, table: Table
) -> None:
    """Write the answer of a device that would send at more than its cap, or at less than its floor."""
    power, over = at[s.CAP + k], margin + at[s.SLACK + k]
    if at[s.POWER + k] < at[s.FLOOR + k] < power:
        power = at[s.FLOOR + k]
        over += at[s.T_FLOOR + k] - at[s.A + k] * at[s.N + k] / power
    letters = at[s.A + k], at[s.N + k], at[s.C_MIN + k], at[s.C_MAX + k], at[s.K3 + k]
    _write(at, k, _at_power(letters, power, energy_weight * power, over, mu, table), power)


@compiled
def _at_power(letters: Letters, power: float, spend: float, over: float, mu: float, table: Table) -> Answer:
    """Return the answer at a power: b = power / (n x), t = t_floor x / q, price = full - ``spend``.

    ``over`` is what full frequency leaves of the deadline beyond t_floor = n a / power, s.  In turn: full
    frequency, the least one, a frequency between the two, and a deadline that is not reached.
    """
    a, n, c_min, c_max, K3 = letters
    t_floor = a * n / power
    scale = mu * power * power / (n * n * a)
    w = w_of_excess(over / t_floor, looked_up(table, math.log(over / t_floor)))
    x, q, chi, rest = shape_at(w)
    full = scale * (q / x) / x / rest
    price, third = full - spend, 0.0
    if price < 0.0 or price * c_min * c_min * c_min < K3:
        between = K3 > 0.0
        if between and over > c_max - c_min:
            lowest = w_of_excess((over - (c_max - c_min)) / t_floor, w)
            x, q, chi, rest = shape_at(lowest)
            full = scale * (q / x) / x / rest
            price = full - spend
            between = price * c_max * c_max * c_max > K3
        if between:
            w, c = _between_frequencies(letters, t_floor, scale, spend, over, w)
            x, q, chi, rest = shape_at(w)
            full = scale * (q / x) / x / rest
            price = full - spend
            if not price > _NO_CANCELLATION * full:
                price = K3 / (c * c * c)
            third = c * (full / price) / 3.0
        elif not price > 0.0:
            return _too_early(power / n, t_floor, scale, spend, w)
    t, b = t_floor * x / q, power / (n * x)
    H = capped_slope(x, q, chi, rest)
    below = t * rest + third * H
    w_mu, w_t = third / below, 1.0 / below
    return b, t, price, -b * w_mu, -b * w_t, full * (1.0 - H * w_mu), -full * H * w_t


@compiled
def _too_early(width: float, t_floor: float, scale: float, spend: float, w: float) -> Answer:
    """Return the answer where the deadline has no price: full = spend; ``width`` is power / n."""
    H = 2.0
    for _ in range(_STEPS):
        x, q, chi, rest = shape_at(w)
        H = capped_slope(x, q, chi, rest)
        step = math.log(scale * (q / x) / x / rest / spend) / H
        w += step
        if abs(step) < 1e-8:  # the next one would be its square
            break
    x, q, _, _ = shape_at(w)
    b = width / x
    return b, t_floor * x / q, 0.0, -b / H, 0.0, 0.0, 0.0


@compiled
def _between_frequencies(
    letters: Letters, t_floor: float, scale: float, spend: float, over: float, upper: float
) -> tuple[float, float]:
    """Return w, and c, where the prices of sending and of computing meet: at most ``upper``."""
    _, _, c_min, _, K3 = letters
    w, low, high = upper, -np.inf, upper
    c = c_min
    for _ in range(_STEPS):
        x, q, chi, rest = shape_at(w)
        t = t_floor * x / q
        c = c_min + max(over - t_floor * excess(x, q), 0.0)
        cost = K3 / (c * c * c)
        full = scale * (q / x) / x / rest
        if not cost < np.inf:
            w = high = w - 1e-3 * max(1.0, abs(w))
            continue
        slope = capped_slope(x, q, chi, rest) + 3.0 * cost / (cost + spend) * t * rest / c
        step = ln_of_ratio(full / (cost + spend)) / slope
        if abs(step) < 1e-8:  # the next one would be its square
            x, q, _, _ = shape_at(w + step)
            return w + step, c_min + max(over - t_floor * excess(x, q), 0.0)
        if step > 0.0:
            low = w
        else:
            high = w
        w += step
        if not low < w < high:
            w = 0.5 * (max(low, high - 8.0) + high)
    return w, c
