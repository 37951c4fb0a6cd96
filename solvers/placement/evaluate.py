"""Recompute value and violations of a placement from the problem's arrays: the only judge of every method."""

import math

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.errors import BackendFailure
from solvers.common.result import Result, Status, StopReason, Violation, relative_gap
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import Claim, PlacementSolution

RELATIVE_TOLERANCE = 1e-9
"""Share of a limit (or of a demand) by which a sum may miss it; room for rounding, and for no more."""


def solution_from_pairs(problem: PlacementProblem, demand_pair: IntArray) -> PlacementSolution:
    """Return the placement that serves each demand by one pair.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    demand_pair : (D,) int
        The pair of each demand, in [0, K).
    """
    pairs = np.array(demand_pair, dtype=np.int64)
    hosted = np.zeros(problem.num_hosts, dtype=bool)
    hosted[problem.pair_host[pairs]] = True
    fraction = None
    if problem.split:
        fraction = np.zeros(problem.num_pairs)
        fraction[pairs] = 1.0
        frozen(fraction)
    return PlacementSolution(frozen(problem.pair_node[pairs]), frozen(pairs), frozen(hosted), fraction)


def solution_from_fractions(problem: PlacementProblem, pair_fraction: FloatArray) -> PlacementSolution:
    """Return the placement that splits demands so; needs a pair for every demand.

    Parameters
    ----------
    problem : PlacementProblem
        A problem with ``split=True``.
    pair_fraction : (K,) float
        The part of its demand that each pair serves.
    """
    fraction = np.array(pair_fraction, dtype=np.float64)
    # Within a demand the largest fraction comes last: its position is the demand's end.
    order = np.lexsort((-np.arange(fraction.size), fraction, problem.pair_demand))
    last = np.cumsum(np.bincount(problem.pair_demand, minlength=problem.num_demands)) - 1
    pairs = order[last]
    hosted = np.zeros(problem.num_hosts, dtype=bool)
    hosted[problem.pair_host[fraction > 0]] = True
    return PlacementSolution(
        frozen(problem.pair_node[pairs]), frozen(pairs), frozen(hosted), frozen(fraction)
    )


def pair_shares(problem: PlacementProblem, solution: PlacementSolution) -> FloatArray:
    """Return the part of its demand that each pair serves: (K,), zero or one unless demands are split."""
    if solution.pair_fraction is not None:
        return solution.pair_fraction
    shares = np.zeros(problem.num_pairs)
    shares[solution.demand_pair] = 1.0
    return shares


def objective_value(problem: PlacementProblem, solution: PlacementSolution) -> float:
    """Return the cost of a placement: (1) of the model, summed without rounding error.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    solution : PlacementSolution
        Any placement, within the limits or not.
    """
    host_cost = problem.host_cost[solution.hosted]
    if solution.pair_fraction is None:
        pair_cost = problem.pair_cost[solution.demand_pair]
    else:
        pair_cost = problem.pair_cost * solution.pair_fraction
    return math.fsum(pair_cost.tolist() + host_cost.tolist())


def node_loads(problem: PlacementProblem, solution: PlacementSolution) -> tuple[FloatArray, FloatArray]:
    """Return the bytes hosted and the work taken by each node: two arrays of shape (N,)."""
    hosted = np.flatnonzero(solution.hosted)
    host_memory = problem.item_memory[problem.host_item[hosted]]
    memory = sum_by(problem.host_node[hosted], host_memory, problem.num_nodes)
    work = problem.pair_work * pair_shares(problem, solution)
    return memory, sum_by(problem.pair_node, work, problem.num_nodes)


def sum_by(index: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Return the sum of the values of each index: (size,)."""
    return np.bincount(index, weights=values, minlength=size).astype(np.float64)


def exceeds(load: FloatArray, limit: FloatArray) -> BoolArray:
    """Return where a load is above its limit by more than the tolerance."""
    return load > limit * (1 + RELATIVE_TOLERANCE)


def violations_of(problem: PlacementProblem, solution: PlacementSolution) -> tuple[Violation, ...]:
    """Return every limit that a placement breaks beyond the tolerance, with the amount.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    solution : PlacementSolution
        Any placement of the right shapes.
    """
    broken = []
    shares = pair_shares(problem, solution)
    served = sum_by(problem.pair_demand, shares, problem.num_demands)
    for demand in np.flatnonzero(np.abs(served - 1) > RELATIVE_TOLERANCE):  # (2)
        missing = abs(1 - float(served[demand]))
        broken.append(Violation(f"share served of demand {demand}", missing, "of the demand"))
    for pair in np.flatnonzero((shares < 0) | ((shares > 0) & ~solution.hosted[problem.pair_host])):  # (3)
        broken.append(Violation(f"replica behind pair {pair}", abs(float(shares[pair])), "of the demand"))
    memory, work = node_loads(problem, solution)
    for node in np.flatnonzero(exceeds(memory, problem.node_memory)):  # (4)
        amount = float(memory[node] - problem.node_memory[node])
        broken.append(Violation(f"memory of node {node}", amount, "byte"))
    for node in np.flatnonzero(exceeds(work, problem.node_capacity)):  # (5)
        amount = float(work[node] - problem.node_capacity[node])
        broken.append(Violation(f"capacity of node {node}", amount, "of work"))
    return tuple(broken)


def cheaper(
    problem: PlacementProblem, best: PlacementSolution | None, found: PlacementSolution | None
) -> PlacementSolution | None:
    """Return ``found`` if it keeps all limits and costs less than ``best``, else ``best``.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    best, found : PlacementSolution or None
        A placement within the limits, and any placement.
    """
    if found is None or violations_of(problem, found):
        return best
    if best is None or objective_value(problem, found) < objective_value(problem, best):
        return found
    return best


def checked_result(
    problem: PlacementProblem, claim: Claim, *, gap: float, method: str, seconds: float
) -> Result[PlacementSolution]:
    """Return a method's claim as a result, after recomputing all that it says.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    claim : Claim
        What the method says.
    gap : float
        The relative gap asked, which decides between optimal and feasible.
    method : str
        Name of the method.
    seconds : float
        Wall seconds spent.

    Raises
    ------
    BackendFailure
        If the placement breaks a limit, or if the bound claimed is above the value of the placement.
    """
    solution, objective, status = None, math.inf, Status.UNKNOWN
    bound, stop_reason = claim.bound, claim.stop_reason
    if claim.demand_pair is not None or claim.pair_fraction is not None:
        solution = _solution(problem, claim)
        broken = violations_of(problem, solution)
        if broken:
            raise BackendFailure(f"method {method!r} returned a placement in which {broken[0]}")
        objective = objective_value(problem, solution)
        if bound > objective + RELATIVE_TOLERANCE * _magnitude(problem, solution):
            raise BackendFailure(
                f"method {method!r} claims that no placement costs less than {bound!r}, "
                f"yet its own costs {objective!r}"
            )
        bound = min(bound, objective)
        closed = relative_gap(objective, bound) <= gap
        status = Status.OPTIMAL if closed else Status.FEASIBLE
        if closed:
            stop_reason = StopReason.GAP_REACHED
        elif stop_reason is StopReason.GAP_REACHED:
            stop_reason = StopReason.NO_PROGRESS
    elif stop_reason is StopReason.PROVEN_INFEASIBLE:
        status, bound = Status.INFEASIBLE, math.inf
    return Result(
        status=status,
        stop_reason=stop_reason,
        solution=solution,
        objective=objective,
        bound=bound,
        method=method,
        seconds=seconds,
        explanation=claim.explanation,
    )


def _solution(problem: PlacementProblem, claim: Claim) -> PlacementSolution:
    if claim.pair_fraction is not None:
        return solution_from_fractions(problem, claim.pair_fraction)
    assert claim.demand_pair is not None
    pairs = claim.demand_pair
    if pairs.shape != (problem.num_demands,) or np.any((pairs < 0) | (pairs >= problem.num_pairs)):
        raise BackendFailure("a method returned something else than one pair per demand")
    if np.any(problem.pair_demand[pairs] != np.arange(problem.num_demands)):
        raise BackendFailure("a method served a demand by a pair of another demand")
    return solution_from_pairs(problem, pairs)


def _magnitude(problem: PlacementProblem, solution: PlacementSolution) -> float:
    """Return the sum of the sizes of all terms of the objective: the scale of its rounding errors."""
    shares = pair_shares(problem, solution)
    return float(np.abs(problem.pair_cost) @ shares + problem.host_cost[solution.hosted].sum())
