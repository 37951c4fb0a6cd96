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

MAX_STEPS = 40
"""Steps of Newton's method after which the slower way is taken; most trees need 5 to 15."""
CLIMBS = 200
HALVINGS = 40
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
def priced(
    num_nodes: int,
    data: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    tree: IntArray,
    work: FloatArray,
    mu: float,
) -> tuple[float, float, float]:
    """Return the bound at prices, the bandwidth wished for, and its derivative by ln mu.

    The time prices alpha stand at the beginning of ``work``; it writes the length of the path from each node's
    computing on, h = its derivative by ln mu, P = minus that by alpha, and t and b of each transfer.
    """
    o_noise, o_spend, o_cap, o_idle, o_nats, o_least, o_most, o_cube, o_band = offsets(num_nodes)
    n = num_nodes
    o_path, o_h, o_p = 2 * n, 4 * n, 6 * n
    o_t = o_p + n * n
    bound, sum_b, slope = -mu * data[o_band], 0.0, 0.0
    for u in range(n):
        cost, c, falls = computing(data[o_least + u], data[o_most + u], data[o_cube + u], work[u])
        bound += cost
        work[o_path + u] = c
        work[o_h + u] = 0.0
        for v in range(n):
            work[o_p + u * n + v] = 0.0
        work[o_p + u * n + u] = -falls
    for j in range(n - 1):
        k = tree[j]
        mask, at = flow[k], pair[k]
        price = data[o_idle + at]
        for u in range(n):
            if mask >> u & 1:
                price += work[u]
        cost, t, b, t_price, t_mu, b_mu = respond(
            free_pieces, capped_pieces, data[o_nats + payload[k]], data[o_noise + at], data[o_spend + at],
            data[o_cap + at], mu, price,
        )  # fmt: skip
        bound += cost
        sum_b += b
        slope += b_mu
        work[o_t + j], work[o_t + n + j] = t, b
        for u in range(n):
            if mask >> u & 1:
                work[o_path + u] += t
                work[o_h + u] += t_mu
                for v in range(n):
                    if mask >> v & 1:
                        work[o_p + u * n + v] -= t_price
    return bound, sum_b, slope


@compiled
def never_waited_for(num_nodes: int, data: FloatArray, flow: IntArray, tree: IntArray) -> int:
    """Return the nodes without computing for which others end later anyway: their time price is 0."""
    _, _, _, _, _, o_least, _, o_cube, _ = offsets(num_nodes)
    nodes = 0
    for u in range(num_nodes):
        if data[o_cube + u] == 0.0 and data[o_least + u] == 0.0:
            nodes |= 1 << u
    for j in range(num_nodes - 1):
        mask = flow[tree[j]]
        if mask & (mask - 1) == 0:
            nodes &= ~mask
    return nodes


@compiled
def start(num_nodes: int, zero: int, weight: float, least: float, alpha: FloatArray, work: FloatArray) -> int:
    """Write time prices that sum to ``weight``, each at least about ``least`` of it; return how many there are."""
    total, count = 0.0, 0
    for u in range(num_nodes):
        work[u] = 0.0
        if not zero >> u & 1:
            work[u] = max(alpha[u], least * weight)
            total += work[u]
            count += 1
    for u in range(num_nodes):
        work[u] *= weight / total
    return count


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
    n = num_nodes
    o_slack, o_path, o_b = n, 2 * n, 7 * n + n * n
    o_band = offsets(n)[8]
    band, weight = data[o_band], data[o_band + 1]
    zero = never_waited_for(n, data, flow, tree)
    count = start(n, zero, weight, 0.01, alpha, work)
    trial, best, value = mu, -np.inf, np.inf
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
            for u in range(n):
                if not zero >> u & 1:
                    makespan = max(makespan, work[o_path + u])
            makespan *= 1.1
            for u in range(n):
                work[o_slack + u] = makespan - work[o_path + u]
        comp, error = 0.0, trial * abs(sum_b - band)
        for u in range(n):
            if not zero >> u & 1:
                comp += work[u] * work[o_slack + u]
                error += work[u] * abs(work[o_path + u] + work[o_slack + u] - makespan)
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
        return climb(
            n, data, free_pieces, capped_pieces, pair, payload, flow, tree, alpha, mu, cutoff, tolerance,
            value, best, work, out,
        )  # fmt: skip
    return value, best, mu


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
        if not zero >> u & 1:
            h = work[o_d + u]
            h_rho += h * work[o_rho + u]
            h_h += h * work[o_h + u]
            h_one += h * work[o_one + u]
            one_rho += work[o_rho + u]
            one_one += work[o_one + u]
    a, e1, e2 = h_h + slope, short - h_rho, -one_rho
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
    total = 0.0
    for u in range(n):
        if not zero >> u & 1:
            work[u] += step * work[o_d + u]
            work[o_slack + u] += step * work[o_rho + u]
            total += work[u]
    for u in range(n):
        work[u] *= weight / total


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

    Newton's method with a line search maximises the bound plus tau times the sum of ln alpha, which is concave,
    while tau falls.
    """
    n = num_nodes
    o_slack, o_path, o_b, o_d = n, 2 * n, 7 * n + n * n, 8 * n + n * n
    o_band = offsets(n)[8]
    band, weight = data[o_band], data[o_band + 1]
    zero = never_waited_for(n, data, flow, tree)
    count = start(n, zero, weight, 0.1, alpha, work)
    trial = mu
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
        height, gain = bound, 0.0
        for u in range(n):
            if not zero >> u & 1:
                height += tau * math.log(work[u] / weight)
                work[o_slack + u] = tau / work[u]
        d_mu, _ = direction(n, zero, work, 0.0, tau, trial * (band - sum_b), trial * slope)
        step = 2.0 / max(abs(d_mu), 2.0)
        for u in range(n):
            old[u] = work[u]
            if not zero >> u & 1:
                move_of[u] = work[o_d + u]
                gain += (work[o_path + u] + work[o_slack + u]) * move_of[u]
                if move_of[u] < 0.0:
                    step = min(step, -BOUNDARY * work[u] / move_of[u])
        gain += trial * (sum_b - band) * d_mu
        if gain <= 0.1 * tau * count:
            cost = feasible_cost(n, data, pair, payload, flow, tree, work, sum_b)
            if cost < value:
                value = cost
                for place in range(3 * n):
                    out[place] = work[o_b + n + place]
            if best >= cutoff or value - best <= tolerance * abs(best):
                break
            tau *= 0.1
        before = trial
        for _ in range(HALVINGS):
            trial = before * math.exp(step * d_mu)
            risen = 0.0
            for u in range(n):
                if not zero >> u & 1:
                    work[u] = old[u] + step * move_of[u]
                    risen += tau * math.log(work[u] / weight)
            bound, _, _ = priced(
                n, data, free_pieces, capped_pieces, pair, payload, flow, tree, work, trial
            )
            if bound + risen >= height + 1e-4 * step * gain - 1e-14 * abs(height):
                break
            step *= 0.5
    return value, best, mu


@compiled
def feasible_cost(
    num_nodes: int,
    data: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    tree: IntArray,
    work: FloatArray,
    sum_b: float,
) -> float:
    """Return the cost with the band shared in proportion to the wishes, and each power within its limit.

    It writes the allocation behind b: the seconds of computing, then bandwidth and seconds of each transfer.
    """
    o_noise, o_spend, o_cap, o_idle, o_nats, o_least, o_most, o_cube, o_band = offsets(num_nodes)
    n = num_nodes
    o_t, o_b = 6 * n + n * n, 7 * n + n * n
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
