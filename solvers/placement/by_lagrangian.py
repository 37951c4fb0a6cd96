"""Bound by Lagrangian relaxation, place by repair and annealing: for sizes beyond mixed-integer solvers.

Relaxing (2) with multipliers v_d and (5) with prices p_n >= 0 leaves one knapsack (4) per node:

    L(v, p) = sum_d v_d + sum_n min(0, -p_n C_n + K_n)
    K_n = least sum over h on n of y_h (f_h + sum over k of h of min(0, c_k + p_n w_k - v_d(k)))

A node without replicas pays no -p_n C_n: (5) is relaxed as sum w x <= C_n z_n, where z_n tells whether the
node hosts anything.  Without that, bounds of facility location are far too low.  Multipliers follow deflected
subgradients with Polyak's step (Camerini, Fratta, Maffioli 1975, doi:10.1007/BFb0120697).
"""

import time
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.options import Options
from solvers.common.result import StopReason, relative_gap
from solvers.placement import knapsack
from solvers.placement.evaluate import objective_value, solution_from_pairs, sum_by
from solvers.placement.heuristics import repair
from solvers.placement.local_search import improve
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import num_users
from solvers.placement.solution import Claim
from solvers.placement.start import Start, claim_of_start, prepare, remaining_s
from solvers.placement.step import round_up

DEFAULT_TIME_S = 30.0
"""Seconds spent when the options set no limit: annealing has no end of its own."""
_PATIENCE = 15
"""Steps without a better bound after which the step length is halved."""
_SHORTEST = 1e-4
"""Step length at which the bound counts as converged."""
_AMBITION = 0.05
"""Share of the bound by which a step aims above it, at most up to the cost of a placement at hand."""
_BOUND_SHARE = 0.4
"""Share of the time after which bounding ends, converged or not."""


@dataclass(frozen=True, eq=False)
class _Data:
    """The live pairs, gathered for fast steps."""

    problem: PlacementProblem
    pair: IntArray
    demand: IntArray
    host: IntArray
    node: IntArray
    cost: FloatArray
    work: FloatArray
    capacity: FloatArray
    """(N,) capacity of nodes where it can bind, inf elsewhere."""
    live_host: BoolArray
    knapsacks: knapsack.Knapsacks


@dataclass(frozen=True, eq=False)
class _Point:
    """The relaxation at one choice of multipliers."""

    value: float
    part: FloatArray
    """(H,) part of each replica that exists."""
    slope: FloatArray
    """(D + N,) subgradient: demands not yet served, then capacity overrun as a share of it."""


def solve(problem: PlacementProblem, options: Options) -> Claim:
    """Bound and place within the time limit, 30 s if none is set; serves demands whole.

    Parameters
    ----------
    problem : PlacementProblem
        The problem; with ``split=True`` the bound holds for splits, and the placement does not use them.
    options : Options
        Gap, time limit and seed.
    """
    started = time.perf_counter()
    limit_s = DEFAULT_TIME_S if options.time_limit_s is None else options.time_limit_s
    options = Options(gap=options.gap, time_limit_s=limit_s, seed=options.seed, threads=options.threads)
    start = prepare(problem, options)
    if start.closed:
        return claim_of_start(problem, start)
    rng = np.random.default_rng(options.seed)
    data = _gather(problem, start)
    gap = options.gap or 0.0
    until = started + _BOUND_SHARE * limit_s
    point = _ascend(data, _first(data, start), start.cost, until, gap=gap)
    bound = max(start.bound, round_up(point.value, start.step))
    best = _cheaper(problem, repair(problem, point.part > 0.5), start)
    left_s = remaining_s(options, started)
    if best is not None and left_s > 0:
        enough = bound + gap * abs(bound)
        best = improve(problem, best, rng, time.perf_counter() + left_s, enough=enough)
    timed_out = remaining_s(options, started) <= 0
    return Claim(
        demand_pair=best,
        bound=bound,
        stop_reason=StopReason.TIME_LIMIT if timed_out else StopReason.NO_PROGRESS,
    )


def _cheaper(problem: PlacementProblem, repaired: IntArray | None, start: Start) -> IntArray | None:
    """Return the cheaper of a repaired placement and the start's."""
    if repaired is None:
        return None if start.solution is None else start.solution.demand_pair
    if (
        start.solution is None
        or objective_value(problem, solution_from_pairs(problem, repaired)) < start.cost
    ):
        return repaired
    return start.solution.demand_pair


def _gather(problem: PlacementProblem, start: Start) -> _Data:
    pair = np.flatnonzero(start.reduction.live_pair)
    work = problem.pair_work[pair]
    node = problem.pair_node[pair]
    binding = sum_by(node, work, problem.num_nodes) > problem.node_capacity
    # A node without capacity but with work on offer would divide by zero: only its workless pairs are left.
    binding &= problem.node_capacity > 0
    return _Data(
        problem=problem,
        pair=pair,
        demand=problem.pair_demand[pair],
        host=problem.pair_host[pair],
        node=node,
        cost=problem.pair_cost[pair],
        work=work,
        capacity=np.where(binding, problem.node_capacity, np.inf),
        live_host=start.reduction.live_host,
        knapsacks=knapsack.prepare(problem, start.reduction.live_host),
    )


def _relax(data: _Data, at: FloatArray) -> _Point:
    """Return the relaxation at (D + N,) multipliers: v_d, then p_n C_n, the price of a whole capacity."""
    problem = data.problem
    demand_value, fill_price = at[: problem.num_demands], at[problem.num_demands :]
    work_share = data.work / data.capacity[data.node]
    reduced = data.cost + fill_price[data.node] * work_share - demand_value[data.demand]
    gained = np.minimum(reduced, 0.0)
    price = problem.host_cost + sum_by(data.host, gained, problem.num_hosts)
    value, part = knapsack.cheapest(data.knapsacks, np.where(data.live_host, price, np.inf))
    worth = value - fill_price < 0
    part = np.where((worth | (fill_price == 0))[problem.host_node], part, 0.0)
    node_value = np.minimum(value - fill_price, 0.0)
    size = float(np.abs(demand_value).sum() + np.abs(fill_price).sum() + np.abs(gained).sum())
    served = np.where(reduced < 0, part[data.host], 0.0)
    finite = np.isfinite(data.capacity)
    filled = sum_by(data.node, served * work_share, problem.num_nodes) - (finite & worth)
    slope = np.concatenate(
        [
            1.0 - sum_by(data.demand, served, problem.num_demands),
            np.where(finite, filled, 0.0),
        ]
    )
    return _Point(float(demand_value.sum() + node_value.sum()) - 1e-13 * size, part, slope)


def _first(data: _Data, start: Start) -> FloatArray:
    """Return first multipliers: least pair cost plus three fair shares of the replica's, no fill prices."""
    problem = data.problem
    users = np.maximum(num_users(problem, start.reduction.live_pair), 1)
    value = np.full(problem.num_demands, np.inf)
    np.minimum.at(value, data.demand, data.cost + 3 * problem.host_cost[data.host] / users[data.host])
    return np.concatenate([value, np.zeros(problem.num_nodes)])


def _ascend(data: _Data, at: FloatArray, target: float, until: float, *, gap: float) -> _Point:
    """Return the relaxation at the best bound met.

    ``target`` is the cost of a placement, or ``inf``; ``gap`` ends the search when the bound is that near.
    """
    num_demands = data.problem.num_demands
    point = best = _relax(data, at)
    best_at, direction = at, np.zeros_like(at)
    length, waited = 1.0, 0
    while length > _SHORTEST and time.perf_counter() < until and relative_gap(target, best.value) > gap:
        norm, backwards = _dot(direction, direction), _dot(direction, point.slope)
        turn = 1.5 * backwards / norm if backwards < 0 else 0.0
        direction = point.slope - turn * direction
        norm = _dot(direction, direction)
        if norm == 0:
            break
        goal = min(target, best.value + _AMBITION * abs(best.value))
        at = at + length * max(goal - point.value, 0.0) / norm * direction
        at[num_demands:] = np.maximum(at[num_demands:], 0.0)
        point = _relax(data, at)
        waited += 1
        if point.value > best.value:
            if point.value > best.value + 1e-5 * abs(best.value):
                waited = 0
            best, best_at = point, at
        if waited >= _PATIENCE:
            length, waited = length / 2, 0
            at, point, direction = best_at, best, np.zeros_like(at)
    return best


def _dot(left: FloatArray, right: FloatArray) -> float:
    """Return the inner product without BLAS, whose threads cost more than they bring here."""
    return float((left * right).sum())
