"""What each device does at a bandwidth price and a deadline: its bandwidth and its deadline price."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.fleet import Computers, Transmitters
from solvers.allocation.snr import (
    Shape,
    capped_slope,
    excess,
    inverse_capped_price,
    inverse_chi,
    inverse_excess,
    shape_at,
)
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_ROOT_STEPS = 40
_LAST_STEP = 1e-7
"""A Newton step that is followed by no other: its error is about its square."""
_NO_CANCELLATION = 1e-3
"""Share of full power's price above which the deadline price is what is left of it: c may have cancelled."""
_SMALLEST = 1e-16
"""Least deadline price at full power, as a share of what it is the rest of: below is only rounding."""


@dataclass(frozen=True)
class Response:
    """Bandwidth and deadline price of each transmitter, and how they move.

    ``bandwidth`` b (Hz) and ``price`` lambda (1/s); ``airtime`` t (s); ``*_by_mu`` are derivatives by the
    logarithm of the bandwidth price, ``*_by_t`` by the deadline in seconds.
    """

    bandwidth: FloatArray
    price: FloatArray
    airtime: FloatArray
    bandwidth_by_mu: FloatArray
    bandwidth_by_t: FloatArray
    price_by_mu: FloatArray
    price_by_t: FloatArray


def respond(
    group: Transmitters, mu: FloatArray, margin: FloatArray, near: FloatArray | None = None
) -> Response:
    """Return each transmitter's best answer to a bandwidth price ``mu`` and a deadline.

    Parameters
    ----------
    group : Transmitters
        Devices with a positive energy price.
    mu : FloatArray
        Price of bandwidth, 1/Hz, > 0; for each device, or one for all.
    margin : FloatArray
        Seconds of the deadline above ``base``, > 0; for each device, or one for all.
    near : FloatArray or None
        Hints of each device's root ln x, -inf for none; replaced by the roots found.
    """
    mu = np.broadcast_to(mu, group.a.shape)
    over = margin + group.slack
    room = over + group.t_floor
    w, computing = _uncapped_root(group, mu, room, near)
    total = room + group.c_min
    slow = np.flatnonzero((computing > group.c_max) & (group.c_max < total))
    if len(slow):  # at the least frequency: sending takes what that leaves
        left = total[slow] - group.c_max[slow]
        w[slow] = inverse_chi(np.log(mu[slow] / (group.energy_price[slow] * group.n[slow] * left)))
        computing[slow] = 0.0
    shape = shape_at(w)
    airtime = mu / (group.energy_price * group.n * shape.chi)
    bandwidth = group.a / (shape.q * airtime)
    power = group.n * shape.x * bandwidth
    price = mu * bandwidth / airtime
    result = _uncapped(shape, airtime, bandwidth, price, computing)
    for limit, beyond in ((group.cap, power > group.cap), (group.floor, power < group.floor)):
        at = np.flatnonzero(beyond)
        if len(at):
            own, level = _pick(group, at), limit[at]
            left = np.where(level == own.cap, over[at], room[at] - own.n * own.a / level)
            part = at_power(own, level, mu[at], left)
            for name, values in vars(part).items():
                getattr(result, name)[at] = values
    return result


def computing_price(group: Computers, deadline: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the deadline price of devices that only compute, and its derivative by the deadline.

    Parameters
    ----------
    group : Computers
        The devices.
    deadline : FloatArray
        Deadline in s, at least ``c_min``; for each device, or one for all.
    """
    speed = group.K / deadline
    price = np.where(deadline < group.c_max, speed * speed * speed, 0.0)
    return price, -3.0 * price / deadline


def _uncapped_root(
    group: Transmitters, mu: FloatArray, room: FloatArray, near: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return w = ln x without a power cap, and the computing time where it is not at its least, else 0.

    With t = mu / (A chi), A = energy_price n, and lambda = mu a / (q t^2), the time c + t falls in w, is
    convex in logarithms, and t <= room bounds w from below: Newton from there rises to the root.  From
    a hint beyond the root its first step leads below the root, at worst to the bound.
    """
    A = group.energy_price * group.n
    w = inverse_chi(np.log(mu / (A * room)))
    shape = shape_at(w)
    price = mu * group.a / shape.q * (A * shape.chi / mu) ** 2
    cube = group.c_min * group.c_min * group.c_min
    free = np.flatnonzero(price * cube < group.K * group.K * group.K)
    computing = np.zeros_like(w)
    if not len(free):
        return w, computing
    A, mu, a, K = A[free], mu[free], group.a[free], group.K[free]
    total, share = room[free] + group.c_min[free], K / np.cbrt(mu * a)
    least = w[free]
    point = least if near is None else np.maximum(least, near[free])
    for _ in range(_ROOT_STEPS):
        shape = shape_at(point)
        t = mu / (A * shape.chi)
        c = share * np.cbrt(shape.q * t * t)
        p, spent = shape.p, c + t
        step = np.log(spent / total) * spent / (p * t + c * (2.0 * p - shape.g) / 3.0)
        point = np.maximum(point + step, least)
        if np.max(np.abs(step)) < _LAST_STEP:
            break
    shape = shape_at(point)
    t = mu / (A * shape.chi)
    w[free] = point
    if near is not None:
        near[free] = point
    computing[free] = share * np.cbrt(shape.q * t * t)
    return w, computing


def _uncapped(
    shape: Shape, airtime: FloatArray, bandwidth: FloatArray, price: FloatArray, computing: FloatArray
) -> Response:
    p, g = shape.p, shape.g
    third = computing / 3.0
    below = p * airtime + third * (2.0 * p - g)
    w_by_mu = (airtime + third) / below
    w_by_t = -1.0 / below
    return Response(
        bandwidth=bandwidth,
        price=price,
        airtime=airtime,
        bandwidth_by_mu=bandwidth * ((p - g) * w_by_mu - 1.0),
        bandwidth_by_t=bandwidth * (p - g) * w_by_t,
        price_by_mu=price * ((2.0 * p - g) * w_by_mu - 1.0),
        price_by_t=price * (2.0 * p - g) * w_by_t,
    )


def at_power(group: Transmitters, power: FloatArray, mu: FloatArray, over: FloatArray) -> Response:
    """Return the answer at a power: b = power / (n x), t = t_floor x / q, t_floor = n a / power.

    ``over`` is what full frequency leaves of the deadline beyond t_floor, s.  In turn: full frequency, a
    frequency between the limits, the least frequency, and a deadline that is not reached and has no price.
    """
    t_floor = group.a * group.n / power
    scale = mu * power**2 / (group.n**2 * group.a)
    spend = group.energy_price * power
    w = inverse_excess(np.log(over / t_floor))
    shape = shape_at(w)
    cube = group.c_min * group.c_min * group.c_min
    full = _full_price(shape, scale)
    price, third, early = full - spend, np.zeros_like(w), np.zeros(w.shape, dtype=bool)
    relaxed = np.flatnonzero((price < 0) | (price * cube < group.K * group.K * group.K))
    if len(relaxed):
        own = _pick(group, relaxed)
        parts = (t_floor, scale, spend, over, w)
        w[relaxed], third[relaxed], price[relaxed], early[relaxed] = _relaxed(
            own, *(values[relaxed] for values in parts)
        )
        shape = shape_at(w)
        full = _full_price(shape, scale)
    keeps = np.setdiff1d(np.arange(len(w)), relaxed)
    price[keeps] = (full - spend)[keeps]
    price = np.where(early, 0.0, np.maximum(price, _SMALLEST * full))
    third *= np.divide(full, price, out=np.zeros_like(full), where=~early)
    airtime = t_floor * shape.x / shape.q
    H = capped_slope(shape)
    below = airtime * shape.one_less_g + third * H
    w_by_mu, w_by_t = np.where(early, 1.0 / H, third / below), np.where(early, 0.0, 1.0 / below)
    bandwidth = power / (group.n * shape.x)
    return Response(
        bandwidth=bandwidth,
        price=price,
        airtime=airtime,
        bandwidth_by_mu=-bandwidth * w_by_mu,
        bandwidth_by_t=-bandwidth * w_by_t,
        price_by_mu=np.where(early, 0.0, full * (1.0 - H * w_by_mu)),
        price_by_t=-full * H * w_by_t,
    )


def _relaxed(
    group: Transmitters,
    t_floor: FloatArray,
    scale: FloatArray,
    spend: FloatArray,
    over: FloatArray,
    w: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Return w, a third of c where it is free, price, and who is too early, for devices not at full speed."""
    third, price = np.zeros_like(w), np.zeros_like(w)
    between = group.K > 0
    slow = np.flatnonzero(between & (over > group.c_max - group.c_min))
    if len(slow):
        left = over[slow] - (group.c_max[slow] - group.c_min[slow])
        lowest = inverse_excess(np.log(left / t_floor[slow]))
        rest = _full_price(shape_at(lowest), scale[slow]) - spend[slow]
        speed = group.K[slow] / group.c_max[slow]
        between[slow] = rest > speed * speed * speed
        w[slow] = np.where(between[slow], w[slow], lowest)
        price[slow] = rest
    waits = ~between & (price <= 0)
    busy = np.flatnonzero(between)
    if len(busy):
        part = _pick(group, busy)
        highest = np.minimum(w[busy], inverse_capped_price(np.log(scale[busy] / spend[busy])))
        w[busy] = _capped_root(part, t_floor[busy], scale[busy], spend[busy], over[busy], highest)
        shape = shape_at(w[busy])
        c = part.c_min + np.maximum(over[busy] - t_floor[busy] * excess(shape), 0.0)
        speed = part.K / c
        rest = _full_price(shape, scale[busy]) - spend[busy]
        sure = rest > _NO_CANCELLATION * (rest + spend[busy])
        third[busy], price[busy] = c / 3.0, np.where(sure, rest, speed * speed * speed)
    if waits.any():
        w[waits] = inverse_capped_price(np.log(scale[waits] / spend[waits]))
        third[waits], price[waits] = 0.0, 0.0
    return w, third, price, waits


def _full_price(shape: Shape, scale: FloatArray) -> FloatArray:
    """Return mu b / (t (1 - G)) at full power: the deadline price plus the power's cost per second."""
    return scale * (shape.q / shape.x) / shape.x / shape.one_less_g


def _capped_root(
    group: Transmitters,
    t_floor: FloatArray,
    scale: FloatArray,
    spend: FloatArray,
    over: FloatArray,
    upper: FloatArray,
) -> FloatArray:
    """Return w = ln x at a power where computing is not at its fastest.

    ln(full price) - ln(K^3 / c^3 + spend) with c = deadline - t falls in w and is below 0 at ``upper``,
    where c = c_min; Newton goes down from there, and a bracket catches it should it leave.
    """
    w, high = upper.copy(), upper
    low = np.full_like(w, -np.inf)
    for _ in range(_ROOT_STEPS):
        shape = shape_at(w)
        t = t_floor * shape.x / shape.q
        c = group.c_min + np.maximum(over - t_floor * excess(shape), 0.0)
        speed = group.K / c
        cost = speed * speed * speed
        full = _full_price(shape, scale)
        value = np.log(full / (cost + spend))
        slope = -capped_slope(shape) - 3.0 * cost / (cost + spend) * t * shape.one_less_g / c
        low = np.where(value > 0, np.maximum(low, w), low)
        high = np.where(value < 0, np.minimum(high, w), high)
        following = w - value / slope
        outside = (following < low) | (following > high)
        following = np.where(outside, 0.5 * (np.maximum(low, w - 4.0) + high), following)
        step = following - w
        w = following
        if np.max(np.abs(step)) < _LAST_STEP:
            break
    return w


def _pick(group: Transmitters, chosen: IntArray) -> Transmitters:
    return Transmitters(**{name: values.take(chosen) for name, values in vars(group).items()})
