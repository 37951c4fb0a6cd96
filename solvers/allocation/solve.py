"""The front door: dispatch, feasibility, and the check that every answer passes."""

import time
from typing import cast

import numpy as np

from solvers.allocation.dual_bound import ROUNDING, dual_value
from solvers.allocation.evaluate import TOLERANCE, cost, violations
from solvers.allocation.fleet import cells_of
from solvers.allocation.methods import AUTO, METHODS
from solvers.allocation.prepared import Prepared, prepare, restricted
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import AllocationResult, AllocationSolution, Proposal, relative_gaps
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.dispatch import load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Status, StopReason

DEFAULT_GAP = 1e-9
"""Relative gap within which an answer is called optimal unless the options ask otherwise."""
_DEADLINE_SLACK = 1e-12
"""Share by which a deadline may be below the least one and still count as met."""


def solve(
    problem: AllocationProblem, method: str = "auto", options: Options | None = None
) -> AllocationResult:
    """Return bandwidth, power, frequency and deadline at the least cost, with a proof of how good they are.

    Parameters
    ----------
    problem : AllocationProblem
        One cell, or many: these are independent, and solved in one call.
    method : str
        ``"auto"``, or a name of :data:`solvers.allocation.methods.METHODS`.
    options : Options or None
        When to stop; the default gap is 1e-9.

    Returns
    -------
    AllocationResult
        Checked against the problem's own arrays.  A cell whose deadline is too short is infeasible, and
        ``minimum_deadline_s`` says what it would need.

    Raises
    ------
    UnknownMethod
        If there is no such method.
    MissingBackend
        If the method needs a package that is not installed.
    BackendFailure
        If a method's answer breaks a limit or its bound exceeds its cost.
    """
    started = time.perf_counter()
    options = options or Options()
    name = AUTO if method == "auto" else method
    function = load_method(METHODS, name, "allocation")
    prepared = prepare(problem)
    least = prepared.fleet.base + prepared.least
    feasible = np.isfinite(least)
    if prepared.fleet.deadline is not None:
        feasible &= prepared.fleet.deadline >= least * (1.0 - _DEADLINE_SLACK)
    parts = None
    if feasible.any():
        some = prepared if feasible.all() else prepare(restricted(problem, feasible))
        proposal: Proposal = function(some, options)
        parts = (proposal, *_judge(some, proposal, name))
    return _result(prepared, feasible, least, parts, name, options, started)


def _judge(prepared: Prepared, proposal: Proposal, name: str) -> tuple[FloatArray, FloatArray]:
    """Return cost and bound of each cell, both recomputed; a false claim is a failure."""
    problem, fleet = prepared.problem, prepared.fleet
    broken = violations(problem, proposal)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise BackendFailure(f"allocation by {name!r} breaks a limit: {broken[0]}{more}")
    objective = cost(problem, proposal)
    if proposal.prices is None:
        return objective, np.full_like(objective, -np.inf)
    value, size = dual_value(problem, proposal.prices.bandwidth, proposal.prices.time, fleet)
    bound = value - ROUNDING * size
    wrong = np.flatnonzero(~(bound <= objective + 2.0 * TOLERANCE * size))  # limits hold to TOLERANCE only
    if len(wrong):
        place = wrong[0]
        raise BackendFailure(
            f"allocation by {name!r} costs {float(objective[place])!r} in cell {place}, "
            f"below its own lower bound {float(bound[place])!r}"
        )
    return objective, np.minimum(bound, objective)


def _result(
    prepared: Prepared,
    feasible: BoolArray,
    least: FloatArray,
    parts: tuple[Proposal, FloatArray, FloatArray] | None,
    name: str,
    options: Options,
    started: float,
) -> AllocationResult:
    problem, count = prepared.problem, prepared.fleet.count
    objective, bound = np.full(count, np.inf), np.full(count, np.inf)
    solution = None
    if parts is not None:
        proposal, objective[feasible], bound[feasible] = parts
        solution = _solution(problem, proposal, feasible)
    wanted = DEFAULT_GAP if options.gap is None else options.gap
    optimal = feasible & (relative_gaps(objective, bound) <= wanted)
    status = tuple(
        Status.INFEASIBLE if not can else Status.OPTIMAL if best else Status.FEASIBLE
        for can, best in zip(feasible.tolist(), optimal.tolist(), strict=True)
    )
    return AllocationResult(
        status=status[0] if len(set(status)) == 1 else Status.FEASIBLE,
        stop_reason=_stop_reason(feasible, optimal, parts is not None and parts[0].timed_out),
        solution=solution,
        objective=_shown(problem, objective),
        bound=_shown(problem, bound),
        minimum_deadline_s=_shown(problem, least),
        cell_status=status,
        method=name,
        seconds=time.perf_counter() - started,
        explanation=_explanation(prepared, feasible, least),
    )


def _solution(problem: AllocationProblem, proposal: Proposal, feasible: BoolArray) -> AllocationSolution:
    mine = feasible[cells_of(problem)]
    prices = proposal.prices
    num_cells = len(proposal.deadline_s)
    if prices is None:
        band, time_price = np.full(num_cells, np.nan), np.full(num_cells, np.nan)
    else:
        band = prices.bandwidth
        order = (np.cumsum(feasible) - 1)[cells_of(problem)[mine]]
        time_price = np.bincount(order, prices.time, minlength=num_cells)
    return AllocationSolution(
        bandwidth_hz=frozen(_scattered(proposal.bandwidth_hz, mine)),
        power_w=frozen(_scattered(proposal.power_w, mine)),
        frequency_hz=frozen(_scattered(proposal.frequency_hz, mine)),
        transmit_s=frozen(_scattered(proposal.transmit_s, mine)),
        deadline_s=_shown(problem, _scattered(proposal.deadline_s, feasible)),
        bandwidth_price=_shown(problem, _scattered(band, feasible)),
        deadline_price=_shown(problem, _scattered(time_price, feasible)),
    )


def _scattered(values: FloatArray, where: BoolArray) -> FloatArray:
    full = np.full(where.shape, np.nan)
    full[where] = values
    return full


def _shown(problem: AllocationProblem, values: FloatArray) -> FloatArray | float:
    return float(values[0]) if problem.cell is None else frozen(values)


def _stop_reason(feasible: BoolArray, optimal: BoolArray, timed_out: bool) -> StopReason:
    if not feasible.any():
        return StopReason.PROVEN_INFEASIBLE
    if optimal[feasible].all():
        return StopReason.GAP_REACHED
    return StopReason.TIME_LIMIT if timed_out else StopReason.NO_PROGRESS


def _explanation(prepared: Prepared, feasible: BoolArray, least: FloatArray) -> str:
    missing: IntArray = np.flatnonzero(~feasible)
    if not len(missing):
        return ""
    place = missing[0]
    where = "the cell" if prepared.problem.cell is None else f"cell {place}"
    more = f" ({len(missing)} of {len(feasible)} cells are infeasible)" if len(missing) > 1 else ""
    if not np.isfinite(least[place]):
        return f"{where} has a device that can never finish: no gain, power, frequency or band{more}"
    given = float(np.atleast_1d(cast("FloatArray", prepared.problem.deadline_s))[place])
    return f"{where} cannot meet {given!r} s: it needs at least {float(least[place])!r} s{more}"
