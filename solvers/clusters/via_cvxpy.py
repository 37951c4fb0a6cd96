"""The independent oracle: each tree's allocation as a convex program in logarithms, for Clarabel.

Unknown are ln b, ln t and q = a / (b t) of each transfer, ln c of each node that computes, and the moments
at which sendings may start.  The energy n a (exp(q) - 1) / q of a transfer is n a times the integral of
exp(q theta) over theta in [0, 1], a Gauss-Legendre sum; so everything is a sum of exponentials of linear
functions.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.clusters.assemble import Chosen, plan_of
from solvers.clusters.phases import phases_of
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import Outcome
from solvers.clusters.trees import Trees, all_trees
from solvers.common.arrays import FloatArray, IntArray, frozen
from solvers.common.clarabel import solve_by_clarabel
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options

MAX_NODES = 5
"""Largest cluster whose trees are all given to Clarabel: 125 trees for each root."""
_NODES = 40
"""Nodes of the quadrature: rounding up to a spectral efficiency of 30 nats."""
_SETTINGS: tuple[dict[str, float | bool], ...] = (
    {"max_step_fraction": 0.9, "equilibrate_enable": False},
    {"max_step_fraction": 0.8, "equilibrate_enable": True},
    {"tol_gap_abs": 1e-7, "tol_gap_rel": 1e-7, "tol_feas": 1e-7},
)
_TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11, "max_iter": 300}


@dataclass(frozen=True)
class _Way:
    """One way of one cluster: links by (node, parent), payloads by set, computing, band and price of time."""

    noise: FloatArray
    spend: FloatArray
    cap: FloatArray
    idle: FloatArray
    nats: FloatArray
    c_min: FloatArray
    c_max: FloatArray
    cube: FloatArray
    band: float
    weight: float


def via_cvxpy(problem: ClusterProblem, options: Options) -> Outcome:
    """Return the best of all trees, each with Clarabel's allocation; about 1e-8 accurate, without a bound.

    Raises
    ------
    InvalidProblem
        If the clusters have more than 5 nodes.
    BackendFailure
        If Clarabel finds no answer to a tree whose links exist.
    """
    if problem.num_nodes > MAX_NODES:
        size = f"clusters of {problem.num_nodes} nodes"
        raise InvalidProblem("gain", None, size, f"at most {MAX_NODES} to give all trees to Clarabel")
    trees = all_trees(problem.num_nodes, problem.half_duplex)
    phases = phases_of(problem)
    chosen = Chosen.none(problem.num_clusters, problem.num_nodes)
    ends = np.inf if options.time_limit_s is None else time.perf_counter() + options.time_limit_s
    late = False
    for m in range(problem.num_clusters):
        least = np.inf
        for root in np.flatnonzero(np.isfinite(phases.constant[m])).tolist():
            late |= time.perf_counter() > ends
            if late:
                break
            up = _best(_way(phases.up[m], problem.num_nodes), trees, root)
            back = (0.0, -1, np.zeros(3 * problem.num_nodes))
            if phases.trips[m] > 0:
                back = _best(_way(phases.back[m], problem.num_nodes), trees, root)
            cost = up[0] + phases.trips[m] * back[0] + phases.constant[m, root]
            if cost < least:
                least = cost
                chosen.tree[m] = up[1], back[1]
                chosen.allocation[m] = up[2], back[2]
    plan = plan_of(problem, phases.leg_power_w, trees, trees, chosen)
    return Outcome(plan=plan, bound=frozen(np.full(problem.num_clusters, -np.inf)), timed_out=late)


def _way(row: FloatArray, num: int) -> _Way:
    links = row[: 4 * num * num].reshape(4, num, num)
    rest = row[4 * num * num :]
    c_min, c_max, cube = rest[: 3 * num].reshape(3, num)
    band, weight, nats = float(rest[3 * num]), float(rest[3 * num + 1]), rest[3 * num + 2 :]
    noise, spend, cap, idle = links
    return _Way(noise, spend, cap, idle, nats, c_min, c_max, cube, band, weight)


def _best(way: _Way, trees: Trees, root: int) -> tuple[float, int, FloatArray]:
    """Return the least cost of the trees of a root, the tree, and its allocation as the loops write it."""
    num = trees.num_nodes
    best = (np.inf, -1, np.zeros(3 * num))
    for which in range(trees.first[root], trees.first[root + 1]):
        kinds = trees.transfer[which]
        if not np.isfinite(way.noise.ravel()[trees.pair[kinds]]).all():
            continue
        allocation = _allocate(way, trees, which)
        cost = _cost(way, trees, which, allocation)
        if cost < best[0]:
            best = (cost, which, allocation)
    return best


def _allocate(way: _Way, trees: Trees, which: int) -> FloatArray:
    """Return computing seconds, bandwidths and airtimes of one tree by Clarabel, made feasible."""
    import cvxpy as cp

    num, kinds = trees.num_nodes, trees.transfer[which]
    at, nats, waits = trees.pair[kinds], way.nats[trees.payload[kinds]], _members(trees.flow[kinds], num)
    noise, cap, idle, spend = (values.ravel()[at] for values in (way.noise, way.cap, way.idle, way.spend))
    b_0 = np.full(num - 1, way.band / (num - 1))
    t_0 = nats / (b_0 * np.log1p(cap / (noise * b_0)))
    q_0 = nats / (b_0 * t_0)
    c_0 = np.where(way.c_min > 0, way.c_min, 1.0)
    span = float((np.where(way.c_min > 0, way.c_min, 0.0) + waits.T @ t_0).max())
    scale = way.weight * span
    theta, weight = np.polynomial.legendre.leggauss(_NODES)
    theta, weight = 0.5 * (theta + 1.0), 0.5 * weight
    b, t, q = cp.Variable(num - 1), cp.Variable(num - 1), cp.Variable(num - 1, nonneg=True)
    c, finish = cp.Variable(num), cp.Variable()
    limits: list[Any] = [cp.exp(-b - t) <= q, cp.sum(cp.multiply(b_0 / way.band, cp.exp(b))) <= 1.0]
    costs: list[Any] = [finish * (way.weight * span / scale)]
    for j in range(num - 1):
        energy = cp.log_sum_exp(theta * (q_0[j] * q[j]) + np.log(weight))
        limits.append(energy + np.log(noise[j] * nats[j] / t_0[j] / cap[j]) <= t[j])
        if spend[j] > 0:
            offsets = np.log(weight * spend[j] * nats[j] / scale)
            costs.append(cp.sum(cp.exp(theta * (q_0[j] * q[j]) + offsets)))
        if idle[j] > 0:
            costs.append(idle[j] * t_0[j] / scale * cp.exp(t[j]))
    for u in range(num):
        path = cp.sum(cp.multiply(waits[:, u] * t_0 / span, cp.exp(t)))
        if way.c_min[u] > 0:
            path = path + c_0[u] / span * cp.exp(c[u])
            limits.append(c[u] >= 0.0)
            if np.isfinite(way.c_max[u]):
                limits.append(c[u] <= np.log(way.c_max[u] / c_0[u]))
            if way.cube[u] > 0:
                costs.append(way.cube[u] / (2.0 * c_0[u] ** 2 * scale) * cp.exp(-2.0 * c[u]))
        limits.append(path <= finish)
    program = cp.Problem(cp.Minimize(sum(costs)), limits)
    solve_by_clarabel(program, _TIGHT, _SETTINGS, "a tree")
    seconds = np.zeros(num)
    if c.value is not None:
        seconds = np.where(way.c_min > 0, np.clip(c_0 * np.exp(c.value), way.c_min, way.c_max), 0.0)
    bandwidth = b_0 * np.exp(b.value)
    bandwidth *= way.band / bandwidth.sum()
    airtime = np.maximum(t_0 * np.exp(t.value), nats / (bandwidth * np.log1p(cap / (noise * bandwidth))))
    return np.concatenate([seconds, bandwidth, [0.0], airtime, [0.0]])


def _cost(way: _Way, trees: Trees, which: int, allocation: FloatArray) -> float:
    num, kinds = trees.num_nodes, trees.transfer[which]
    seconds, b, t = allocation[:num], allocation[num : 2 * num - 1], allocation[2 * num : 3 * num - 1]
    spend, idle = way.spend.ravel()[trees.pair[kinds]], way.idle.ravel()[trees.pair[kinds]]
    nats = way.nats[trees.payload[kinds]]
    computing = np.divide(way.cube, 2.0 * seconds**2, out=np.zeros(num), where=seconds > 0)
    span = (seconds + _members(trees.flow[kinds], num).T @ t).max()
    sending = spend * b * t * np.expm1(nats / (b * t)) + idle * t
    return float(computing.sum() + sending.sum() + way.weight * span)


def _members(sets: IntArray, num: int) -> FloatArray:
    return np.asarray(sets[:, None] >> np.arange(num) & 1, dtype=np.float64)
