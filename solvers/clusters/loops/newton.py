"""Newton's method on the prices of a tree, in the work array of :mod:`solvers.clusters.loops.prices`."""

import math

from solvers.common.arrays import FloatArray
from solvers.common.compiled import compiled

BOUNDARY = 0.95
"""Part of the way to the nearest limit that a step may go."""


@compiled
def factorise(n: int, work: FloatArray) -> None:
    """Replace P by its lower Cholesky factor."""
    o_p = 6 * n
    for i in range(n):
        for j in range(i + 1):
            rest = work[o_p + i * n + j]
            for k in range(j):
                rest -= work[o_p + i * n + k] * work[o_p + j * n + k]
            if i == j:
                work[o_p + i * n + i] = math.sqrt(max(rest, 1e-300))
            else:
                work[o_p + i * n + j] = rest / work[o_p + j * n + j]


@compiled
def solve_for(n: int, work: FloatArray, o_x: int) -> None:
    """Replace a side at ``o_x`` by the solution for it, from the factor of P."""
    o_p = 6 * n
    for i in range(n):
        rest = work[o_x + i]
        for k in range(i):
            rest -= work[o_p + i * n + k] * work[o_x + k]
        work[o_x + i] = rest / work[o_p + i * n + i]
    for i in range(n - 1, -1, -1):
        rest = work[o_x + i]
        for k in range(i + 1, n):
            rest -= work[o_p + k * n + i] * work[o_x + k]
        work[o_x + i] = rest / work[o_p + i * n + i]


@compiled
def direction(
    n: int, zero: int, work: FloatArray, makespan: float, tau: float, short: float, slope: float
) -> tuple[float, float]:
    """Write Newton's moves of alpha (over h) and of the slack (over rho); return those of ln mu and makespan.

    ``short`` and ``slope`` are mu times the band left over, and mu times the derivative of its use by ln mu.
    """
    o_slack, o_path, o_rho, o_h, o_one = n, 2 * n, 3 * n, 4 * n, 5 * n
    o_p = 6 * n
    o_d = o_p + n * n + 2 * n  # h before it is solved for, then moves of alpha
    for u in range(n):
        if zero >> u & 1:
            for v in range(n):
                work[o_p + u * n + v] = 0.0
                work[o_p + v * n + u] = 0.0
            work[o_p + u * n + u] = 1.0
            work[o_rho + u] = work[o_h + u] = work[o_one + u] = 0.0
        else:
            work[o_p + u * n + u] += work[o_slack + u] / work[u]
            work[o_rho + u] = work[o_path + u] - makespan + tau / work[u]
            work[o_one + u] = 1.0
        work[o_d + u] = work[o_h + u]
    factorise(n, work)
    for o_x in (o_rho, o_h, o_one):
        solve_for(n, work, o_x)
    h_rho = h_h = h_one = one_rho = one_one = 0.0
    for u in range(n):
        if not zero >> u & 1:
            h = work[o_d + u]
            h_rho += h * work[o_rho + u]
            h_h += h * work[o_h + u]
            h_one += h * work[o_one + u]
            one_rho += work[o_rho + u]
            one_one += work[o_one + u]
    a, e1, e2 = h_h + slope, short - h_rho, -one_rho
    d_mu = 0.0
    if slope < 0.0:  # there is something to send
        d_mu = (h_one * e2 - one_one * e1) / (h_one * h_one - a * one_one)
    d_makespan = (h_one * d_mu - e2) / one_one
    for u in range(n):
        if not zero >> u & 1:
            d = work[o_rho + u] + work[o_h + u] * d_mu - work[o_one + u] * d_makespan
            work[o_rho + u] = (tau - work[o_slack + u] * d) / work[u] - work[o_slack + u]
            work[o_d + u] = d
    return d_mu, d_makespan


@compiled
def longest_step(n: int, zero: int, work: FloatArray) -> float:
    """Return the step, at most 1, that goes at most :data:`BOUNDARY` of the way to the nearest limit."""
    o_slack, o_rho, o_d = n, 3 * n, 8 * n + n * n
    step = 1.0
    for u in range(n):
        if not zero >> u & 1:
            if work[o_d + u] < 0.0:
                step = min(step, -BOUNDARY * work[u] / work[o_d + u])
            if work[o_rho + u] < 0.0:
                step = min(step, -BOUNDARY * work[o_slack + u] / work[o_rho + u])
    return step


@compiled
def move(n: int, zero: int, weight: float, work: FloatArray, step: float) -> None:
    """Move alpha, which goes on summing to ``weight``, and the slack."""
    o_slack, o_rho, o_d = n, 3 * n, 8 * n + n * n
    for u in range(n):
        if not zero >> u & 1:
            work[u] += step * work[o_d + u]
            work[o_slack + u] += step * work[o_rho + u]
    rescale(n, weight, work)


@compiled
def rescale(n: int, weight: float, work: FloatArray) -> None:
    """Make alpha sum to ``weight``: only then is the bound one."""
    total = 0.0
    for u in range(n):
        total += work[u]
    for u in range(n):
        work[u] *= weight / total
