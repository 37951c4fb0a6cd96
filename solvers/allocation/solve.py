"""The front door: dispatch, feasibility, and the check that every answer passes."""

import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from solvers.allocation.evaluate import violations
from solvers.allocation.fleet import cells_of
from solvers.allocation.judge import judge
from solvers.allocation.methods import AUTO, METHODS
from solvers.allocation.prepared import Prepared, of_cells, prepare
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import (
    AllocationResult,
    AllocationSolution,
    Proposal,
    merged,
    picked,
    relative_gaps,
)
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.dispatch import load_function, load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Status, StopReason

DEFAULT_GAP = 1e-9
"""Relative gap within which an answer is called optimal unless the options ask otherwise."""
_TIGHT = 1e-10
"""Relative gap above which a cell is given to the method that stands behind the one asked for."""


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
    feasible = prepared.feasible
    answer = None
    if feasible.any():
        some = of_cells(prepared, feasible)
        proposal: Proposal = function(some, options)
        answer = _Answer(proposal, *_judged(some, proposal, name, options))
        late = options.time_limit_s is not None and time.perf_counter() - started > options.time_limit_s
        if late or not METHODS[name].behind:
            answer = replace(answer, proposal=replace(proposal, timed_out=late or proposal.timed_out))
        else:
            answer = _improved(some, answer, name, options)
    return _result(prepared, answer, name, options, started)


@dataclass(frozen=True)
class _Answer:
    """A proposal for the feasible cells, with cost and bound of each."""

    proposal: Proposal
    objective: FloatArray
    bound: FloatArray


def _improved(prepared: Prepared, answer: _Answer, name: str, options: Options) -> _Answer:
    """Return the answer with cells whose gap is not tight given to the method behind."""
    limit = _TIGHT if options.gap is None else min(_TIGHT, options.gap)
    weak = answer.objective - answer.bound > limit * answer.objective
    if not weak.any():
        return answer
    gap = relative_gaps(answer.objective, answer.bound)
    part = of_cells(prepared, weak)
    other: Proposal = load_function(METHODS[name].behind)(part, options)
    objective, bound = _judged(part, other, name, options)
    better = np.zeros_like(weak)
    better[weak] = taken = relative_gaps(objective, bound) < gap[weak]
    if not better.any():
        return answer
    other = picked(other, part.problem, taken)
    whole = _Answer(merged(answer.proposal, other, prepared.problem, better), answer.objective, answer.bound)
    whole.objective[better], whole.bound[better] = objective[taken], bound[taken]
    return whole


def _judged(
    prepared: Prepared, proposal: Proposal, name: str, options: Options
) -> tuple[FloatArray, FloatArray]:
    """Return cost and bound of each cell, both recomputed; a false claim is a failure."""
    broken = violations(prepared.problem, proposal)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise BackendFailure(f"allocation by {name!r} breaks a limit: {broken[0]}{more}")
    verdict = judge(prepared, proposal, options.threads)
    objective, bound = verdict.objective, verdict.bound
    wrong = np.flatnonzero(~(bound <= objective + verdict.rounding))  # limits hold to a tolerance only
    if len(wrong):
        place = wrong[0]
        raise BackendFailure(
            f"allocation by {name!r} costs {float(objective[place])!r} in cell {place}, "
            f"below its own lower bound {float(bound[place])!r}"
        )
    return objective, np.minimum(bound, objective)


def _result(
    prepared: Prepared, answer: _Answer | None, name: str, options: Options, started: float
) -> AllocationResult:
    problem, feasible = prepared.problem, prepared.feasible
    objective, bound = np.full(len(feasible), np.inf), np.full(len(feasible), np.inf)
    solution = None
    if answer is not None:
        objective[feasible], bound[feasible] = answer.objective, answer.bound
        solution = _solution(problem, answer.proposal, feasible)
    wanted = DEFAULT_GAP if options.gap is None else options.gap
    optimal = feasible & (relative_gaps(objective, bound) <= wanted)
    status = tuple(
        Status.INFEASIBLE if not can else Status.OPTIMAL if best else Status.FEASIBLE
        for can, best in zip(feasible.tolist(), optimal.tolist(), strict=True)
    )
    return AllocationResult(
        status=status[0] if len(set(status)) == 1 else Status.FEASIBLE,
        stop_reason=_stop_reason(feasible, optimal, answer is not None and answer.proposal.timed_out),
        solution=solution,
        objective=_shown(problem, objective),
        bound=_shown(problem, bound),
        least_deadlines=prepared.least_deadlines,
        cell_status=status,
        method=name,
        seconds=time.perf_counter() - started,
        explanation=_explanation(prepared),
    )


def _solution(problem: AllocationProblem, proposal: Proposal, feasible: BoolArray) -> AllocationSolution:
    prices, num_cells = proposal.prices, len(proposal.deadline_s)
    if prices is None:
        band, time_price = np.full(num_cells, np.nan), np.full(num_cells, np.nan)
    else:
        band = prices.bandwidth
        if problem.cell is None:
            time_price = np.full(1, prices.time.sum())
        else:
            order = np.cumsum(feasible) - 1
            mine = cells_of(problem)[feasible[cells_of(problem)]]
            time_price = np.bincount(order[mine], prices.time, minlength=num_cells)
    rows = feasible if problem.cell is None else feasible[cells_of(problem)]
    return AllocationSolution(
        bandwidth_hz=frozen(_scattered(proposal.bandwidth_hz, rows)),
        power_w=frozen(_scattered(proposal.power_w, rows)),
        frequency_hz=frozen(_scattered(proposal.frequency_hz, rows)),
        transmit_s=frozen(_scattered(proposal.transmit_s, rows)),
        deadline_s=_shown(problem, _scattered(proposal.deadline_s, feasible)),
        bandwidth_price=_shown(problem, _scattered(band, feasible)),
        deadline_price=_shown(problem, _scattered(time_price, feasible)),
    )


def _scattered(values: FloatArray, where: BoolArray) -> FloatArray:
    if where.all():
        return values
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


def _explanation(prepared: Prepared) -> str:
    feasible = prepared.feasible
    missing: IntArray = np.flatnonzero(~feasible)
    if not len(missing):
        return ""
    least = prepared.minimum_deadline
    place = missing[0]
    where = "the cell" if prepared.problem.cell is None else f"cell {place}"
    more = f" ({len(missing)} of {len(feasible)} cells are infeasible)" if len(missing) > 1 else ""
    if not np.isfinite(least[place]):
        return f"{where} has a device that can never finish: no gain, power, frequency or band{more}"
    given = float(np.atleast_1d(cast("FloatArray", prepared.problem.deadline_s))[place])
    return f"{where} cannot meet {given!r} s: it needs at least {float(least[place])!r} s{more}"
