"""The best allocation of a given tree and order, by a primal-dual method on its prices.

Unknown are a time price alpha_u >= 0 of each node, which sum to the price of the makespan, and the price mu
of the band.  A sender's time price is the sum of alpha over the nodes that wait for it (its ``flow`` set).
Newton's method follows alpha_u * slack_u = tau -> 0, where slack_u is how much earlier than the makespan the
path that begins with the computing of u ends.  Any such prices give a bound; see
docs/mathematics/clusters.md.
"""

import math

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.newton import direction, longest_step, move, rescale
from solvers.clusters.loops.prices import (
    feasible_cost,
    first_price,
    never_waited_for,
    priced,
    sends_nothing,
    start,
)
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

MAX_STEPS = 40
"""Steps of Newton's method after which the slower way is taken; most trees need 5 to 15."""
CLIMBS = 200
"""Steps of the slower way at most."""
HALVINGS = 40
"""How often one of them may be halved."""


@compiled
def first_slack(n: int, zero: int, work: FloatArray) -> float:
    """Write slack up to a makespan a tenth longer than the longest path, and return it."""
    o_slack, o_path = n, 2 * n
    longest = 0.0
    for u in range(n):
        if not zero >> u & 1:
            longest = max(longest, work[o_path + u])
    for u in range(n):
        work[o_slack + u] = 1.1 * longest - work[o_path + u]
    return 1.1 * longest


@compiled
def distance(n: int, zero: int, makespan: float, work: FloatArray) -> tuple[float, float]:
    """Return the sum of alpha times slack, and what paths and slacks miss the makespan by, priced."""
    o_slack, o_path = n, 2 * n
    comp, error = 0.0, 0.0
    for u in range(n):
        if not zero >> u & 1:
            comp += work[u] * work[o_slack + u]
            error += work[u] * abs(work[o_path + u] + work[o_slack + u] - makespan)
    return comp, error


@compiled
def solve_tree(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    tree: IntArray,
    alpha: FloatArray,
    mu: float,
    cutoff: float,
    tolerance: float,
    work: FloatArray,
    out: FloatArray,
) -> tuple[float, float, float]:
    """Return the cost of a feasible allocation (inf if none was made), a bound, and the bound's price mu.

    ``tree`` names the transfers; ``alpha`` (N,) holds first prices and then those of the bound.  It stops
    when the bound reaches ``cutoff``, or when it is within ``tolerance`` of the cost.  ``out`` (3 N,)
    becomes the seconds of computing by node, and bandwidth and seconds of each transfer, of the cheapest
    allocation.
    """
    n = num_nodes
    o_b = 7 * n + n * n
    o_band = offsets(n)[8]
    band, weight = data[o_band], data[o_band + 1]
    zero = never_waited_for(n, data, flow, tree)
    count = start(n, zero, weight, 0.01, alpha, work)
    is_silent, given = sends_nothing(n, data, payload, tree), mu
    trial, best, value = 0.0 if is_silent else mu, -np.inf, np.inf
    makespan, step = 0.0, 1.0
    for turn in range(MAX_STEPS):
        bound, sum_b, slope = priced(
            n, data, free_pieces, capped_pieces, pair, payload, flow, tree, work, trial
        )
        if bound > best:
            best, mu = bound, trial
            for u in range(n):
                alpha[u] = work[u]
            if best >= cutoff:
                break
        if turn == 0:
            makespan = first_slack(n, zero, work)
        comp, error = distance(n, zero, makespan, work)
        error += trial * abs(sum_b - band)
        if comp + error <= 30.0 * tolerance * abs(best):
            cost = feasible_cost(n, data, pair, payload, flow, tree, work, sum_b)
            if cost < value:
                value = cost
                for place in range(3 * n):
                    out[place] = work[o_b + n + place]
            if value - best <= tolerance * abs(best):
                break
        sigma = 0.02 if step > 0.9 else (0.1 if step > 0.4 else 0.5)
        tau = sigma * comp / count
        d_mu, d_makespan = direction(n, zero, work, makespan, tau, trial * (band - sum_b), trial * slope)
        step = min(longest_step(n, zero, work), 2.0 / max(abs(d_mu), 2.0))
        move(n, zero, weight, work, step)
        trial *= math.exp(step * d_mu)
        makespan += step * d_makespan
    if best < cutoff and not value - best <= tolerance * abs(best):
        value, best, mu = climb(
            n, data, free_pieces, capped_pieces, pair, payload, flow, tree, alpha, mu, cutoff, tolerance,
            value, best, work, out,
        )  # fmt: skip
    return value, best, given if is_silent else mu


@compiled
def barrier(n: int, zero: int, tau: float, weight: float, work: FloatArray) -> float:
    """Write the slack tau / alpha of each node; return tau times the sum of ln(alpha / weight)."""
    total = 0.0
    for u in range(n):
        if not zero >> u & 1:
            work[n + u] = tau / work[u]
            total += tau * math.log(work[u] / weight)
    return total


@compiled
def climb(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    tree: IntArray,
    alpha: FloatArray,
    mu: float,
    cutoff: float,
    tolerance: float,
    value: float,
    best: float,
    work: FloatArray,
    out: FloatArray,
) -> tuple[float, float, float]:
    """Return what ``solve_tree`` does, by a slower way that always arrives.

    Newton's method with a line search maximises the bound plus tau times the sum of ln alpha, which is
    concave, while tau falls.
    """
    n = num_nodes
    o_slack, o_path, o_b, o_d = n, 2 * n, 7 * n + n * n, 8 * n + n * n
    o_band = offsets(n)[8]
    band, weight = data[o_band], data[o_band + 1]
    zero = never_waited_for(n, data, flow, tree)
    count = start(n, zero, weight, 1.0, alpha, work)
    trial = first_price(n, data) if mu > 0.0 else 0.0  # afresh: the best bound may be at prices near 0
    tau = 0.1 * abs(best) / count
    old, move_of = np.empty(n), np.empty(n)
    for _ in range(CLIMBS):
        bound, sum_b, slope = priced(
            n, data, free_pieces, capped_pieces, pair, payload, flow, tree, work, trial
        )
        if bound > best:
            best, mu = bound, trial
            for u in range(n):
                alpha[u] = work[u]
        height = bound + barrier(n, zero, tau, weight, work)
        d_mu, _ = direction(n, zero, work, 0.0, tau, trial * (band - sum_b), trial * slope)
        gain = trial * (sum_b - band) * d_mu
        for u in range(n):
            old[u], move_of[u] = work[u], 0.0
            if not zero >> u & 1:
                move_of[u] = work[o_d + u]
                gain += (work[o_path + u] + work[o_slack + u]) * move_of[u]
        step = min(longest_step(n, zero, work), 2.0 / max(abs(d_mu), 2.0))
        cost = feasible_cost(n, data, pair, payload, flow, tree, work, sum_b)
        if cost < value:
            value = cost
            for place in range(3 * n):
                out[place] = work[o_b + n + place]
        if best >= cutoff or value - best <= tolerance * abs(best):
            break
        if gain <= 0.1 * tau * count:
            tau *= 0.1
        before = trial
        for _ in range(HALVINGS):
            trial = before * math.exp(step * d_mu)
            for u in range(n):
                work[u] = old[u] + step * move_of[u]
            rescale(n, weight, work)
            risen = barrier(n, zero, tau, weight, work)
            bound, _, _ = priced(n, data, free_pieces, capped_pieces, pair, payload, flow, tree, work, trial)
            if bound + risen >= height + 1e-4 * step * gain - 1e-14 * abs(height):
                break
            step *= 0.5
    return value, best, mu
