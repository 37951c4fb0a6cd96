"""OR-Tools CP-SAT: root, trees, payloads and orders in one model of whole numbers (see cp_sat_model.py)."""

import time
from dataclasses import replace

from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.relaying.baselines import best_baseline
from solvers.relaying.bounds import cheap_bound
from solvers.relaying.cp_sat_model import RelayingModel
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution

_STOP_GAP = 1e-9
"""Relative gap of the rounded model at which CP-SAT stops, unless the options ask for less work."""


def solve_cp_sat(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan that CP-SAT finds within the options, with its proven bound.

    The model counts in ticks, a fraction of the value of a plan to start from. Where no baseline keeps the
    limits, a first run with coarse ticks finds such a plan.
    """
    begin = time.perf_counter()
    start = best_baseline(problem, options).plan
    outcome = _run(problem, options, start)
    if start is None and outcome.plan is not None:
        left = options
        if options.time_limit_s is not None:
            left_s = options.time_limit_s - (time.perf_counter() - begin)
            if left_s <= 0:
                return outcome
            left = replace(options, time_limit_s=left_s)
        finer = _run(problem, left, outcome.plan)
        return replace(finer, bound=max(finer.bound, outcome.bound))
    return outcome


def _run(problem: RelayingProblem, options: Options, start: RelayingSolution | None) -> Outcome:
    from ortools.sat.python import cp_model

    if start is not None and start.objective == 0:
        return Outcome(plan=start, bound=0.0)
    built = RelayingModel(problem, start)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = options.threads
    solver.parameters.interleave_search = options.threads == 1
    solver.parameters.random_seed = options.seed
    solver.parameters.relative_gap_limit = _STOP_GAP if options.gap is None else options.gap / 2
    if options.time_limit_s is not None:
        solver.parameters.max_time_in_seconds = options.time_limit_s
    status = solver.solve(built.model)
    if status == cp_model.MODEL_INVALID:
        raise BackendFailure(f"CP-SAT refused the model: {built.model.validate()}")
    if status == cp_model.INFEASIBLE:
        if start is not None:
            raise BackendFailure(
                f"CP-SAT claims infeasibility, but a plan has the value {start.objective!r}"
            )
        return Outcome(infeasible=True, explanation="CP-SAT proved that no plan keeps the limits")
    plans = [start] if start is not None else []
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        plans.append(built.plan(solver))
    return Outcome(
        plan=min(plans, key=lambda plan: plan.objective, default=None),
        bound=max(cheap_bound(problem), solver.best_objective_bound * built.tick),
        timed_out=status != cp_model.OPTIMAL,
    )
