"""What one transfer does at prices of bandwidth and of time: docs/mathematics/clusters.md derives it."""

import math

from solvers.clusters.loops.shape import (
    CAPPED_LOW,
    FREE_LOW,
    capped_slope,
    free_slope,
    looked_up,
    shape,
)
from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

NEWTON_BELOW = 1e-6
"""Step in ln q after which Newton's method has reached rounding: the next step would be its square."""


@compiled
def free_efficiency(pieces: FloatArray, target: float) -> float:
    """Return q with ln(chi^2 / q) = ``target``, to rounding."""
    q = looked_up(pieces, FREE_LOW, target)
    for _ in range(60):
        x, chi = shape(q)
        step = (target - math.log(chi * chi / q)) / free_slope(q, x, chi)
        q *= math.exp(min(step, 1.0)) if abs(step) > 1e-3 else 1.0 + step
        if abs(step) < NEWTON_BELOW:
            break
    return q


@compiled
def capped_efficiency(pieces: FloatArray, target: float) -> float:
    """Return q with ln(x^2 chi / ((1 + x) q^2)) = ``target``, to rounding."""
    q = looked_up(pieces, CAPPED_LOW, target)
    for _ in range(60):
        x, chi = shape(q)
        step = (target - math.log(x * chi / q * x / q) + q) / capped_slope(q, x, chi)
        q *= math.exp(min(step, 1.0)) if abs(step) > 1e-3 else 1.0 + step
        if abs(step) < NEWTON_BELOW:
            break
    return q


@compiled
def least_cost(
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    nats: float,
    noise: float,
    spend: float,
    cap: float,
    mu: float,
    price: float,
) -> float:
    """Return min over (b, t) of spend b t x + mu b + price t with noise b x <= cap: 1e-14 above it at most.

    ``spend`` is energy price times noise over efficiency, ``price`` of a second includes what the radios
    draw besides.  A transfer without bits costs nothing.
    """
    if nats == 0.0:
        return 0.0
    if spend > 0.0:
        if price == 0.0:
            return spend * nats
        q = looked_up(free_pieces, FREE_LOW, math.log(mu * price / (nats * spend * spend)))
        x, _ = shape(q)
        u = nats / q
        if noise * x * math.sqrt(price * u / mu) <= cap:
            return spend * u * x + 2.0 * math.sqrt(mu * price * u)
    elif price == 0.0:
        return 0.0
    full = price + spend / noise * cap
    q = looked_up(capped_pieces, CAPPED_LOW, math.log(mu * cap / noise * cap / (noise * nats * full)))
    x, _ = shape(q)
    return mu * cap / (noise * x) + full * noise * nats / cap * x / q


@compiled
def respond(
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    nats: float,
    noise: float,
    spend: float,
    cap: float,
    mu: float,
    price: float,
) -> tuple[float, float, float, float, float, float]:
    """Return least cost, t, b, dt/dprice, dt/dln mu and db/dln mu at prices > 0; exact to rounding."""
    if nats == 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if spend > 0.0:
        q = free_efficiency(free_pieces, math.log(mu * price / (nats * spend * spend)))
        x, chi = shape(q)
        u = nats / q
        t, b = math.sqrt(mu * u / price), math.sqrt(price * u / mu)
        if noise * b * x <= cap:
            elasticity = 1.0 / free_slope(q, x, chi)
            longer, shorter = 0.5 * (1.0 - elasticity), -0.5 * (1.0 + elasticity)
            cost = spend * u * x + mu * b + price * t
            return cost, t, b, shorter * t / price, longer * t, shorter * b
    full = price + spend / noise * cap
    q = capped_efficiency(capped_pieces, math.log(mu * cap / noise * cap / (noise * nats * full)))
    x, chi = shape(q)
    b, t = cap / (noise * x), noise * nats / cap * x / q
    elasticity = 1.0 / capped_slope(q, x, chi)
    longer = chi / x * elasticity
    cost = mu * b + full * t
    return cost, t, b, -longer * t / full, longer * t, -(longer + elasticity) * b


@compiled
def least_airtime(nats: float, noise: float, cap: float, b: float) -> float:
    """Return the seconds of a transfer at full power over ``b`` hertz."""
    return nats / (b * math.log1p(cap / (noise * b)))
