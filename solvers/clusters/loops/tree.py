"""The best allocation of a given tree and order, by a primal-dual method on its prices.

Unknown are a time price alpha_u >= 0 of each node, which sum to the price of the makespan, and the price mu of
the band.  A sender's time price is the sum of alpha over the nodes that wait for it (its ``flow`` set).  Newton's
method follows alpha_u * slack_u = tau -> 0, where slack_u is how much earlier than the makespan the path that
begins with the computing of u ends.  Any such prices give a bound; see docs/mathematics/clusters.md.
"""

import math

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.link import least_airtime, respond
from solvers.clusters.loops.shape import shape
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled

MAX_STEPS = 60
BOUNDARY = 0.95
"""Part of the way to the nearest limit that a step may go."""


@compiled
def computing(c_min: float, c_max: float, cube: float, price: float) -> tuple[float, float, float]:
    """Return least cost of computing at a price of time, its seconds, and their derivative by the price."""
    if cube == 0.0:
        return price * c_min, c_min, 0.0
    if price == 0.0:
        return cube / (2.0 * c_max * c_max), c_max, 0.0
    c, falls = c_max, 0.0
    if price * c_max * c_max * c_max > cube:
        c = np.cbrt(cube / price)
        falls = -c / (3.0 * price)
        if c < c_min:
            c, falls = c_min, 0.0
    return cube / (2.0 * c * c) + price * c, c, falls


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
    """Return the cost of a feasible allocation (inf if none was made), a bound, and the price mu of the bound.

    ``tree`` names the transfers; ``alpha`` (N,) holds first prices and then those of the bound.  It stops when
    the bound reaches ``cutoff``, or when it is within ``tolerance`` of the cost.  ``out`` (3 N,) becomes the
    seconds of computing by node, and bandwidth and seconds of each transfer, of the cheapest allocation.
    """
    o_noise, o_spend, o_cap, o_idle, o_nats, o_least, o_most, o_cube, o_band = offsets(num_nodes)
    n, senders = num_nodes, num_nodes - 1
    band, weight = data[o_band], data[o_band + 1]
    # work: trial, slack, path, rho, h, ones (n each), P (n * n), t and b (n each)
    o_slack, o_path, o_rho, o_h, o_one = n, 2 * n, 3 * n, 4 * n, 5 * n
    o_p = 6 * n
    o_t = o_p + n * n
    o_b = o_t + n
    waits = 0  # nodes whose own computing cannot be what the makespan waits for
    for u in range(n):
        if data[o_cube + u] == 0.0 and data[o_least + u] == 0.0:
            waits |= 1 << u
    for j in range(senders):
        mask = flow[tree[j]]
        if mask & (mask - 1) == 0:
            waits &= ~mask
    total = 0.0
    num_active = 0
    for u in range(n):
        if waits >> u & 1:
            work[u] = 0.0
        else:
            work[u] = max(alpha[u], 0.01 * weight)
            total += work[u]
            num_active += 1
    for u in range(n):
        work[u] *= weight / total
    trial_mu = mu
    best = -np.inf
    value = np.inf
    makespan = 0.0
    tau = 0.0
    step = 1.0
    for turn in range(MAX_STEPS):
        bound, sum_b, slope = -trial_mu * band, 0.0, 0.0
        for u in range(n):
            cost, c, falls = computing(data[o_least + u], data[o_most + u], data[o_cube + u], work[u])
            bound += cost
            work[o_path + u] = c
            work[o_h + u] = 0.0
            for v in range(n):
                work[o_p + u * n + v] = 0.0
            work[o_p + u * n + u] = -falls
        for j in range(senders):
            k = tree[j]
            mask, at = flow[k], pair[k]
            price = 0.0
            for u in range(n):
                if mask >> u & 1:
                    price += work[u]
            cost, t, b, t_price, t_mu, b_mu = respond(
                free_pieces, capped_pieces, data[o_nats + payload[k]], data[o_noise + at], data[o_spend + at],
                data[o_cap + at], trial_mu, price + data[o_idle + at],
            )
            bound += cost
            sum_b += b
            slope += b_mu
            work[o_t + j], work[o_b + j] = t, b
            for u in range(n):
                if mask >> u & 1:
                    work[o_path + u] += t
                    work[o_h + u] += t_mu
                    for v in range(n):
                        if mask >> v & 1:
                            work[o_p + u * n + v] -= t_price
        if bound > best:
            best = bound
            mu = trial_mu
            for u in range(n):
                alpha[u] = work[u]
            if best >= cutoff:
                break
        if turn == 0:
            for u in range(n):
                if not waits >> u & 1:
                    makespan = max(makespan, work[o_path + u])
            makespan *= 1.1
            for u in range(n):
                work[o_slack + u] = makespan - work[o_path + u]
        error = trial_mu * abs(sum_b - band)
        comp = 0.0
        for u in range(n):
            if not waits >> u & 1:
                comp += work[u] * work[o_slack + u]
                error += work[u] * abs(work[o_path + u] + work[o_slack + u] - makespan)
        if comp + error <= 30.0 * tolerance * abs(best):
            cost = feasible_cost(num_nodes, data, pair, payload, flow, tree, work, o_t, o_b, sum_b)
            if cost < value:
                value = cost
                for place in range(3 * n):
                    out[place] = work[o_b + n + place]
            if value - best <= tolerance * value:
                break
        # Newton
        sigma = 0.02 if step > 0.9 else (0.1 if step > 0.4 else 0.5)
        tau = sigma * comp / num_active
        step, trial_mu, makespan = newton(
            n, waits, work, trial_mu, makespan, tau, trial_mu * (band - sum_b), trial_mu * slope
        )
        total = 0.0
        for u in range(n):
            total += work[u]
        for u in range(n):
            work[u] *= weight / total
    return value, best, mu


@compiled
def newton(
    n: int, waits: int, work: FloatArray, mu: float, makespan: float, tau: float, short: float, slope: float
) -> tuple[float, float, float]:
    """Move alpha, slack and return the step taken, mu and the makespan."""
    o_slack, o_path, o_rho, o_h, o_one = n, 2 * n, 3 * n, 4 * n, 5 * n
    o_p = 6 * n
    o_d = o_p + n * n + 2 * n  # h before it is solved for, then moves of alpha
    for u in range(n):
        if waits >> u & 1:
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
    # Cholesky in place, lower
    for i in range(n):
        for j in range(i + 1):
            s = work[o_p + i * n + j]
            for k in range(j):
                s -= work[o_p + i * n + k] * work[o_p + j * n + k]
            if i == j:
                work[o_p + i * n + i] = math.sqrt(max(s, 1e-300))
            else:
                work[o_p + i * n + j] = s / work[o_p + j * n + j]
    for o_x in (o_rho, o_h, o_one):
        for i in range(n):
            s = work[o_x + i]
            for k in range(i):
                s -= work[o_p + i * n + k] * work[o_x + k]
            work[o_x + i] = s / work[o_p + i * n + i]
        for i in range(n - 1, -1, -1):
            s = work[o_x + i]
            for k in range(i + 1, n):
                s -= work[o_p + k * n + i] * work[o_x + k]
            work[o_x + i] = s / work[o_p + i * n + i]
    h_rho = h_h = h_one = one_rho = one_one = 0.0
    for u in range(n):
        if not waits >> u & 1:
            h = work[o_d + u]
            h_rho += h * work[o_rho + u]
            h_h += h * work[o_h + u]
            h_one += h * work[o_one + u]
            one_rho += work[o_rho + u]
            one_one += work[o_one + u]
    a, e1, e2 = h_h + slope, short - h_rho, -one_rho
    d_mu = (h_one * e2 - one_one * e1) / (h_one * h_one - a * one_one)
    d_makespan = (h_one * d_mu - e2) / one_one
    step = 1.0
    if abs(d_mu) > 2.0:
        step = 2.0 / abs(d_mu)
    for u in range(n):
        if not waits >> u & 1:
            d = work[o_rho + u] + work[o_h + u] * d_mu - work[o_one + u] * d_makespan
            slack = work[o_slack + u]
            d_slack = (tau - slack * d) / work[u] - slack
            work[o_d + u], work[o_rho + u] = d, d_slack
            if d < 0.0:
                step = min(step, -BOUNDARY * work[u] / d)
            if d_slack < 0.0:
                step = min(step, -BOUNDARY * slack / d_slack)
    for u in range(n):
        if not waits >> u & 1:
            work[u] += step * work[o_d + u]
            work[o_slack + u] += step * work[o_rho + u]
    return step, mu * math.exp(step * d_mu), makespan + step * d_makespan


@compiled
def feasible_cost(
    num_nodes: int,
    data: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    tree: IntArray,
    work: FloatArray,
    o_t: int,
    o_b: int,
    sum_b: float,
) -> float:
    """Return the cost with the band shared in proportion to the wishes, and each power within its limit.

    It writes the allocation behind b: the seconds of computing, then bandwidth and seconds of each transfer.
    """
    o_noise, o_spend, o_cap, o_idle, o_nats, o_least, o_most, o_cube, o_band = offsets(num_nodes)
    n = num_nodes
    cost, scale = 0.0, data[o_band] / sum_b if sum_b > 0.0 else 1.0
    for u in range(n):
        _, c, _ = computing(data[o_least + u], data[o_most + u], data[o_cube + u], work[u])
        if data[o_cube + u] > 0.0:
            cost += data[o_cube + u] / (2.0 * c * c)
        work[3 * n + u] = work[o_b + n + u] = c
    for j in range(n - 1):
        k = tree[j]
        mask, at, nats = flow[k], pair[k], data[o_nats + payload[k]]
        work[o_b + 2 * n + j] = work[o_b + 3 * n + j] = 0.0
        if nats == 0.0:
            continue
        b = work[o_b + j] * scale
        t = max(work[o_t + j], least_airtime(nats, data[o_noise + at], data[o_cap + at], b))
        work[o_b + 2 * n + j], work[o_b + 3 * n + j] = b, t
        x, _ = shape(nats / (b * t))
        cost += data[o_spend + at] * b * t * x + data[o_idle + at] * t
        for u in range(n):
            if mask >> u & 1:
                work[3 * n + u] += t
    makespan = 0.0
    for u in range(n):
        makespan = max(makespan, work[3 * n + u])
    return cost + data[o_band + 1] * makespan
