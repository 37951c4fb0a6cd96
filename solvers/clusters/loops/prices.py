"""The bound of a tree at prices with its derivatives, and a feasible allocation from them.

The arrays of a tree share one work array: alpha, slack, length of path, right-hand side rho, h and a third
side (N each), P (N * N), airtime and bandwidth of each transfer (N each), and 3 N for results.
"""

import math

import numpy as np

from solvers.clusters.loops.fields import offsets
from solvers.clusters.loops.link import least_airtime, respond
from solvers.clusters.loops.shape import shape
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled


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

    The time prices alpha stand at the beginning of ``work``; it writes the length of the path from each
    node's computing on, h = its derivative by ln mu, P = minus that by alpha, and t and b of each transfer.
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
def sends_nothing(num_nodes: int, data: FloatArray, payload: IntArray, tree: IntArray) -> bool:
    """Return whether no transfer of a tree has bits: the band is then worth nothing."""
    o_nats, most = offsets(num_nodes)[4], 0.0
    for j in range(num_nodes - 1):
        most = max(most, data[o_nats + payload[tree[j]]])
    return most == 0.0


@compiled
def start(num_nodes: int, zero: int, weight: float, least: float, alpha: FloatArray, work: FloatArray) -> int:
    """Write time prices that sum to ``weight``, each about ``least`` of it or more; return how many."""
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


@compiled
def first_price(num_nodes: int, data: FloatArray) -> float:
    """Return a price of the band at which about N - 1 equal shares are the best for each node's best link."""
    o_noise, o_spend, o_cap, o_idle, _, _, _, _, o_band = offsets(num_nodes)
    n = num_nodes
    share, total, found = data[o_band] / (n - 1), 0.0, 0
    nats = max(data[data.size - 1], 1e-300)
    for u in range(n):
        best = u * n
        for at in range(u * n, u * n + n):
            if data[o_noise + at] < data[o_noise + best]:
                best = at
        noise, cap, spend = data[o_noise + best], data[o_cap + best], data[o_spend + best]
        if noise == np.inf:
            continue
        price = 0.5 * data[o_band + 1] + data[o_idle + best]
        q = math.log1p(cap / (noise * share))
        x, chi = shape(q)
        t = nats / (share * q)
        if spend * share * chi > price:
            low, high = 0.0, q
            for _ in range(40):
                q = 0.5 * (low + high)
                x, chi = shape(q)
                if spend * share * chi > price:
                    high = q
                else:
                    low = q
            total += spend * chi * nats / (share * q)
        else:
            total += (price + spend / noise * cap) * t * chi / ((1.0 + x) * q) / share
        found += 1
    return total / max(found, 1)
