"""What every exact method begins with: a greedy placement, a cheap bound, and all that they rule out."""

import math
import time
from dataclasses import dataclass

import numpy as np

from solvers.common.options import Options
from solvers.common.result import StopReason, relative_gap
from solvers.placement.evaluate import objective_value, solution_from_pairs
from solvers.placement.heuristics import best_start
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import (
    Reduction,
    demands_without,
    reduction_by_cost,
    reduction_by_limits,
    share_bound,
)
from solvers.placement.solution import Claim, PlacementSolution
from solvers.placement.step import common_step, round_up


@dataclass(frozen=True, eq=False)
class Start:
    """Where a search begins.

    Parameters
    ----------
    solution : PlacementSolution or None
        The best greedy placement.
    cost : float
        Its cost; ``inf`` without one.
    bound : float
        The share bound; ``inf`` when a demand has nowhere to go.
    reduction : Reduction
        Pairs and replicas that a better placement can use.
    step : float or None
        Step of which every placement's cost is a whole multiple, if that is of use.
    closed : bool
        Whether nothing is left to search.
    """

    solution: PlacementSolution | None
    cost: float
    bound: float
    reduction: Reduction
    step: float | None
    closed: bool


def prepare(problem: PlacementProblem, options: Options, *, heuristics: bool = True) -> Start:
    """Return where the search begins.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        ``gap`` decides whether the start is good enough already.
    heuristics : bool
        Whether greedy heuristics look for a placement, which takes time and memory where demands are many.
    """
    reduction = reduction_by_limits(problem)
    if demands_without(problem, reduction.live_pair).size:
        return Start(None, math.inf, math.inf, reduction, None, closed=True)
    pairs = best_start(problem) if heuristics else None
    solution = None if pairs is None else solution_from_pairs(problem, pairs)
    cost = math.inf if solution is None else objective_value(problem, solution)
    step = None
    if not problem.split:
        step = common_step(np.concatenate([problem.pair_cost, problem.host_cost]))
    bound = min(round_up(share_bound(problem, reduction.live_pair).value, step), cost)
    assert options.gap is not None
    return Start(
        solution,
        cost,
        bound,
        reduction_by_cost(problem, reduction, cost),
        step,
        closed=relative_gap(cost, bound) <= options.gap,
    )


def claim_of_start(problem: PlacementProblem, start: Start) -> Claim:
    """Return the claim of a start that leaves nothing to search.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    start : Start
        A closed start.
    """
    if start.solution is None:
        return Claim(bound=math.inf, stop_reason=StopReason.PROVEN_INFEASIBLE)
    return Claim(
        demand_pair=None if problem.split else start.solution.demand_pair,
        pair_fraction=start.solution.pair_fraction,
        bound=start.bound,
        stop_reason=StopReason.GAP_REACHED,
    )


def remaining_s(options: Options, started: float) -> float:
    """Return the seconds left since ``started`` (of :func:`time.perf_counter`), ``inf`` without a limit."""
    if options.time_limit_s is None:
        return math.inf
    return options.time_limit_s - (time.perf_counter() - started)
