"""Prove optima with a mixed-integer solver: ask, check against the limits, cut off, ask again."""

import math
import time
from typing import Protocol

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import has_compiler
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.progress import Reporter
from solvers.common.result import StopReason
from solvers.placement.by_lagrangian import compile_loops
from solvers.placement.covers import violated_covers
from solvers.placement.evaluate import (
    cheaper,
    objective_value,
    solution_from_fractions,
    solution_from_pairs,
    sum_by,
)
from solvers.placement.highs import DUAL_TOLERANCE, FEASIBILITY_TOLERANCE, Answer, linear
from solvers.placement.matrices import Cover, Rows, rows_of
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import Reduction, demands_without
from solvers.placement.solution import Claim, PlacementSolution
from solvers.placement.start import Start, claim_of_start, prepare, remaining_s
from solvers.placement.step import round_up
from solvers.placement.tighten import tightened

_WORTH_TIGHTENING = 500
"""Pairs from which Lagrangian relaxation goes first, where its loops are compiled."""
_TIGHTENING_SHARE, _TIGHTENING_S = 0.2, 5.0
"""Share of the time limit, and seconds at most, that it may take."""
_LARGEST_COST = 1e15
"""Scaled costs stay below this, far from the 1e20 that HiGHS takes for infinity."""


class MixedIntegerSolver(Protocol):
    """Minimises ``scale`` times the cost of rows, pairs whole unless demands are split."""

    def __call__(
        self, problem: PlacementProblem, rows: Rows, scale: float, options: Options, left_s: float
    ) -> Answer:
        """Return what the solver says within ``left_s`` seconds, at the gap of the options."""
        ...


def branch_and_cut(problem: PlacementProblem, options: Options, ask: MixedIntegerSolver) -> Claim:
    """Solve the disaggregated model with a solver that works within tolerances; whole and split demands.

    The solver's bound is lowered by all that its tolerances can hide.  A placement that breaks a limit
    within those tolerances is cut off and the search repeated.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        ``gap`` is given.
    ask : MixedIntegerSolver
        The solver.

    Raises
    ------
    BackendFailure
        If the solver fails, or calls a problem infeasible of which a placement is at hand.
    """
    tighten = not problem.split and problem.num_pairs >= _WORTH_TIGHTENING and has_compiler()
    if tighten:
        compile_loops()
    started = time.perf_counter()
    reporter = Reporter(options.observer)
    start = prepare(problem, options)
    reporter.bound(start.bound)
    reporter.objective(start.cost)
    if tighten and not start.closed:
        limit_s = min(_TIGHTENING_SHARE * remaining_s(options, started), _TIGHTENING_S)
        start = tightened(problem, start, options, limit_s, reporter)
    if start.closed:
        return claim_of_start(problem, start)
    scale = _cost_scale(problem, start)
    covers: tuple[Cover, ...] = ()
    best, bound = start.solution, start.bound
    while True:
        left_s = remaining_s(options, started)
        if left_s <= 0:
            return _claim(problem, best, bound, StopReason.TIME_LIMIT)
        rows = rows_of(problem, start.reduction, covers)
        answer = ask(problem, rows, scale, options, left_s)
        if answer.infeasible:
            if best is not None:
                raise BackendFailure("the solver claims infeasibility of a problem that has a placement")
            return Claim(bound=math.inf, stop_reason=StopReason.PROVEN_INFEASIBLE)
        bound = max(bound, round_up((answer.bound - _slack(problem, rows)) / scale, start.step))
        found = _placement(problem, rows, answer.values, start.reduction)
        cuts = violated_covers(problem, found) if found is not None else ()
        if not cuts:
            best = cheaper(problem, best, found)
            reporter.bound(bound)
            if best is not None:
                reporter.objective(objective_value(problem, best))
            stop = StopReason.TIME_LIMIT if answer.timed_out else StopReason.GAP_REACHED
            return _claim(problem, best, bound, stop)
        covers += cuts


def _cost_scale(problem: PlacementProblem, start: Start) -> float:
    """Return the power of two that makes a placement cost about 10 per demand, for absolute tolerances."""
    live = start.reduction
    largest = max(
        float(np.abs(problem.pair_cost[live.live_pair]).max(initial=0.0)),
        float(problem.host_cost[live.live_host].max(initial=0.0)),
    )
    if largest == 0:
        return 1.0
    size = max(abs(start.bound), abs(start.cost) if math.isfinite(start.cost) else 0.0)
    wanted = (1e3 + 10 * problem.num_demands) / max(size, 1e-9 * largest)
    return 2.0 ** math.floor(math.log2(min(wanted, _LARGEST_COST / largest)))


def _slack(problem: PlacementProblem, rows: Rows) -> float:
    """Return by how much the bound of the scaled problem can be too high.

    The x of a demand sum to 1 and each y is at most 1, so that reduced costs off by the tolerance are worth
    at most that much per demand and replica.
    """
    return FEASIBILITY_TOLERANCE + DUAL_TOLERANCE * (problem.num_demands + rows.hosts.size)


def _placement(
    problem: PlacementProblem, rows: Rows, values: FloatArray | None, reduction: Reduction
) -> PlacementSolution | None:
    if values is None:
        return None
    if problem.split:
        return _split_placement(problem, rows, values, reduction)
    return solution_from_pairs(problem, _largest_per_demand(problem, rows.pairs, values))


def _largest_per_demand(problem: PlacementProblem, pairs: IntArray, values: FloatArray) -> IntArray:
    demand = problem.pair_demand[pairs]
    order = np.lexsort((values[: pairs.size], demand))
    last = np.cumsum(np.bincount(demand, minlength=problem.num_demands)) - 1
    chosen: IntArray = pairs[order[last]]
    return chosen


def _split_placement(
    problem: PlacementProblem, rows: Rows, values: FloatArray, reduction: Reduction
) -> PlacementSolution | None:
    """Return the cheapest split among the replicas that HiGHS hosts, solved again at finer tolerances."""
    hosted = reduction.live_host.copy()
    hosted[rows.hosts] = values[rows.pairs.size :] > 0.5
    inside: BoolArray = reduction.live_pair & hosted[problem.pair_host]
    if demands_without(problem, inside).size:
        return None
    fixed = rows_of(problem, Reduction(inside, np.zeros_like(hosted)))
    equal = np.arange(fixed.upper.size) < problem.num_demands
    shares = linear(fixed.cost, (fixed.matrix, fixed.lower, fixed.upper), equal)
    if shares is None:
        return None
    fraction = np.zeros(problem.num_pairs)
    fraction[fixed.pairs] = np.where(shares > 1e-12, np.minimum(shares, 1), 0)
    fraction /= sum_by(problem.pair_demand, fraction, problem.num_demands)[problem.pair_demand]
    return solution_from_fractions(problem, fraction)


def _claim(
    problem: PlacementProblem, best: PlacementSolution | None, bound: float, stop: StopReason
) -> Claim:
    return Claim(
        demand_pair=None if best is None or problem.split else best.demand_pair,
        pair_fraction=None if best is None else best.pair_fraction,
        bound=bound,
        stop_reason=stop,
    )
