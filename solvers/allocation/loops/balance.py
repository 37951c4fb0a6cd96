"""The bandwidth price and the deadline of one cell at which its devices' answers fit: Newton's method.

A large cell is first balanced for a few of its devices that stand for all, then for more, so that one or
two looks at all of them are enough.
"""

import math

import numpy as np

from solvers.allocation.loops import scratch as s
from solvers.allocation.loops.device import Tables, respond
from solvers.allocation.loops.scratch import CHUNK, Data, Order, gather
from solvers.allocation.loops.shape import excess, shape_at
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

Sums = tuple[float, float, float, float, float, float]
"""Sums over a cell of bandwidth and deadline price, then of their derivatives by ln mu and by T."""
Found = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Bandwidth, airtime, deadline price, guess of ln x and power of each device (N,): written to.

The power of a device at its cap or its floor is that limit itself.
"""
Cell = tuple[float, float, float, float, float]
"""Energy weight, time weight, band (Hz), deadline given (s, or 0), and ``base`` (s) of a cell."""

NUM_TIGHT = 16
"""Devices with the least slack that are always looked at: a hurried cell depends on them."""
_FEWEST = 48
"""Devices with which a large cell starts."""
_GROWTH = 8
_STEPS = 60
_USABLE = 2e-5
"""Imbalance above which there is no answer."""
_ROUNDING = 1e-8
"""Imbalance below which one that does not shrink is taken for rounding."""
_LONGEST_STEP = 3.0
_LEAST_SHARE = 1e-60


@compiled
def slowest(data: Data, who: Order, tight: Order) -> tuple[float, float, int, int]:
    """Return the largest least time of transmitters and of others, the number of the former, and one more.

    ``tight`` is filled with the transmitters whose least times are the largest; their number comes last.
    """
    bits, gain, noise, cap, cycles, fastest, _, _, _ = data
    sending, computing, senders, count = 0.0, 0.0, 0, 0
    times = np.empty(len(tight))
    for i in who:
        seconds = cycles[i] / fastest[i] if cycles[i] > 0.0 else 0.0
        if bits[i] == 0.0:
            computing = max(computing, seconds)
            continue
        seconds += bits[i] * math.log(2.0) * (noise[i] / gain[i]) / cap[i]
        senders += 1
        if not seconds < np.inf:
            sending = np.inf
        sending = max(sending, seconds)
        if count == len(tight) and seconds <= times[count - 1]:
            continue
        place = min(count, len(tight) - 1)
        while place > 0 and times[place - 1] < seconds:
            times[place], tight[place] = times[place - 1], tight[place - 1]
            place -= 1
        times[place], tight[place] = seconds, i
        count = min(count + 1, len(tight))
    return sending, computing, senders, count


@compiled
def stand_ins(who: Order, tight: Order, stride: int) -> Order:
    """Return the tight devices, and each stride-th of the others: with stride 1 all as they are."""
    if stride == 1:
        return who
    chosen = np.empty(len(tight) + len(who) // stride + 1, dtype=np.int32)
    chosen[: len(tight)] = tight
    count = len(tight)
    for k in range(stride // 2, len(who), stride):
        new = True
        for i in tight:
            new = new and i != who[k]
        if new:
            chosen[count] = who[k]
            count += 1
    return chosen[:count]


@compiled
def totals(
    data: Data,
    who: Order,
    alone: int,
    weight: float,
    cell: Cell,
    mu: float,
    margin: float,
    last_step: float,
    found: Found,
    at: FloatArray,
    tables: Tables,
) -> Sums:
    """Return the sums over some devices, the first ``alone`` as they are, the others ``weight`` times.

    Their answers, exact to about the square of ``last_step``, are written down.
    """
    bandwidth, airtime, prices, guesses, power = found
    energy_weight, base = cell[0], cell[4]
    deadline = base + margin
    asked, price, asked_mu, asked_t, price_mu, price_t = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for start in range(0, len(who), CHUNK):
        some = who[start : start + CHUNK]
        if len(who) > CHUNK:
            gather(data, some, energy_weight, base, at)
        for k in range(s.filled(len(some))):
            at[s.W + k] = guesses[some[min(k, len(some) - 1)]]
        respond(at, len(some), energy_weight, mu, margin, last_step, tables)
        for k in range(len(some)):
            i, times = some[k], 1.0 if start + k < alone else weight
            if at[s.A + k] == 0.0:
                own = at[s.K3 + k] / (deadline * deadline * deadline) if deadline < at[s.C_MAX + k] else 0.0
                prices[i] = own
                price += times * own
                price_t -= times * 3.0 * own / deadline
                continue
            bandwidth[i], airtime[i] = at[s.B + k], at[s.T + k]
            prices[i], guesses[i], power[i] = at[s.PRICE + k], at[s.W + k], at[s.POWER + k]
            asked += times * at[s.B + k]
            price += times * at[s.PRICE + k]
            asked_mu += times * at[s.B_MU + k]
            asked_t += times * at[s.B_T + k]
            price_mu += times * at[s.PRICE_MU + k]
            price_t += times * at[s.PRICE_T + k]
    return asked, price, asked_mu, asked_t, price_mu, price_t


@compiled
def starting_point(data: Data, who: Order, cell: Cell, senders: int, at: FloatArray) -> tuple[float, float]:
    """Return ln mu and ln margin as if everybody had an equal share of the band."""
    energy_weight, _, band, deadline, base = cell
    share = band / senders
    some = who[:CHUNK]
    gather(data, some, energy_weight, base, at)
    margin = base * _LEAST_SHARE
    for k in range(len(some)):
        if at[s.A + k] > 0.0:
            x, q, _, _ = shape_at(math.log(at[s.CAP + k] / (at[s.N + k] * share)))
            margin = max(margin, at[s.T_FLOOR + k] * excess(x, q) - at[s.SLACK + k])
    margin = deadline - base if deadline > 0.0 else 1.5 * margin
    total, count = 0.0, 0
    for k in range(len(some)):
        if at[s.A + k] > 0.0:
            room = margin + at[s.SLACK + k] + at[s.T_FLOOR + k]
            q = at[s.A + k] / (share * room)
            loudest = math.log(at[s.CAP + k] / (at[s.N + k] * share))
            w = min(q + math.log(-math.expm1(-q)), loudest)
            total += math.log(energy_weight * at[s.N + k] * room * shape_at(w)[2])
            count += 1
    return total / count, math.log(margin)


@compiled
def newton_step(sums: Sums, cell: Cell, margin: float) -> tuple[float, float, float]:
    """Return the imbalance and the steps in ln mu and in ln margin, none longer than a limit."""
    asked, price, b_mu, b_t, price_mu, price_t = sums
    _, time_weight, band, deadline, _ = cell
    held = deadline > 0.0
    crowding = math.log(asked / band)
    by_mu, by_z = b_mu / asked, 0.0 if held else b_t * margin / asked
    hurry, hurry_mu, hurry_z = 0.0, 0.0, -1.0
    if not held:
        total = max(price, 1e-300)
        hurry = math.log(total / time_weight)
        hurry_mu, hurry_z = price_mu / total, price_t * margin / total
    determinant = by_mu * hurry_z - by_z * hurry_mu
    step_mu = (by_z * hurry - hurry_z * crowding) / determinant
    step_z = (hurry_mu * crowding - by_mu * hurry) / determinant
    longest = max(abs(step_mu), abs(step_z))
    if not longest < np.inf:
        step_mu = min(max(crowding, -_LONGEST_STEP), _LONGEST_STEP)
        step_z = min(max(hurry, -_LONGEST_STEP), _LONGEST_STEP)
    elif longest > _LONGEST_STEP:
        step_mu, step_z = step_mu * _LONGEST_STEP / longest, step_z * _LONGEST_STEP / longest
    return max(abs(crowding), abs(hurry)), step_mu, 0.0 if held else step_z


@compiled
def balance(
    data: Data,
    who: Order,
    cell: Cell,
    tight: Order,
    senders: int,
    found: Found,
    at: FloatArray,
    tables: Tables,
    tolerance: float,
) -> tuple[float, float, bool]:
    """Return ln mu and ln margin of a cell's balance, and whether it was found; the answers are written.

    ``tolerance`` is the imbalance at which the answers are taken: what they cost too much is about its
    square.  Steps are halved while the larger imbalance grows.  What is known from some devices is where
    the next, eight times as many, start.
    """
    stride = 1
    while len(who) // (stride * _GROWTH) >= _FEWEST:
        stride *= _GROWTH
    some = stand_ins(who, tight, stride)
    ln_mu, z = starting_point(data, some, cell, senders, at)
    lowest = math.log(_LEAST_SHARE * max(cell[4], 1e-240))
    while True:
        alone = 0 if stride == 1 else len(tight)
        weight = (len(who) - alone) / max(len(some) - alone, 1)
        if len(some) <= CHUNK:
            gather(data, some, cell[0], cell[4], at)
        enough = tolerance if stride == 1 else 0.3 / math.sqrt(len(some))
        best_norm, best_mu, best_z, step_mu, step_z = np.inf, ln_mu, z, 0.0, 0.0
        for _ in range(_STEPS):
            last_step = min(1e-3, max(min(1e-4, 1e4 * tolerance), 0.01 * best_norm))
            mu, margin = math.exp(ln_mu), math.exp(z)
            sums = totals(data, some, alone, weight, cell, mu, margin, last_step, found, at, tables)
            norm, to_mu, to_z = newton_step(sums, cell, margin)
            if norm < best_norm:
                best_mu, best_z, best_norm = ln_mu, z, norm
                step_mu, step_z = to_mu, to_z
            else:
                step_mu, step_z = 0.5 * step_mu, 0.5 * step_z
            if norm <= enough or best_norm < min(norm, _ROUNDING) or abs(step_mu) + abs(step_z) < 1e-15:
                break
            ln_mu, z = best_mu + step_mu, max(best_z + step_z, lowest)
        if stride == 1:
            return ln_mu, z, norm <= _USABLE
        ln_mu, z = best_mu + step_mu, max(best_z + step_z, lowest)
        stride //= _GROWTH
        some = stand_ins(who, tight, stride)
