"""OR-Tools CP-SAT: trees, payloads and orders of each root in a model of whole numbers, cp_sat_model.py."""

import time
from dataclasses import dataclass, replace

import numpy as np

from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.relaying.baselines import best_baseline
from solvers.relaying.bounds import root_bounds
from solvers.relaying.cp_sat_model import RelayingModel
from solvers.relaying.first_use import compile_arborescences
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution

_STOP_GAP = 1e-9
"""Relative gap of the rounded model at which CP-SAT stops, unless the options ask for less work."""


@dataclass(frozen=True)
class Run:
    """What one run knows about one root: a plan better than before, if any, and a bound on its plans."""

    plan: RelayingSolution | None
    bound: float
    finished: bool


def solve_cp_sat(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan that CP-SAT finds within the options, with its proven bound.

    The candidate roots are taken by rising cheap bound; each has to beat the best plan so far, and a root
    whose cheap bound does not is skipped. A time limit is shared evenly among the roots that are left;
    compiling loops takes none of it.
    """
    compile_arborescences()
    begin = time.perf_counter()
    best = best_baseline(problem, options).plan
    cheap = root_bounds(problem)
    bound, timed_out = np.inf, False
    for rank, k in enumerate(np.argsort(cheap, kind="stable").tolist()):
        if (best is not None and cheap[k] >= best.objective) or not np.isfinite(cheap[k]):
            bound = min(bound, float(cheap[k]))
            continue
        left_s = None
        if options.time_limit_s is not None:
            spent_s = time.perf_counter() - begin
            left_s = (options.time_limit_s - spent_s) / (cheap.size - rank)
        if left_s is not None and left_s <= 0:
            bound, timed_out = min(bound, float(cheap[k])), True
            continue
        one_root = replace(problem, roots=problem.roots[[k]])
        run = run_cp_sat(one_root, replace(options, time_limit_s=left_s), best)
        bound = min(bound, max(run.bound, float(cheap[k])))
        timed_out |= not run.finished
        best = run.plan if run.plan is not None else best
    if best is None and not timed_out:
        return Outcome(infeasible=True, explanation="CP-SAT proved that no plan keeps the limits")
    return Outcome(plan=best, bound=bound, timed_out=timed_out)


def run_cp_sat(problem: RelayingProblem, options: Options, incumbent: RelayingSolution | None) -> Run:
    """Search for a plan of a problem with one root, no worse than ``incumbent`` (of any root)."""
    from ortools.sat.python import cp_model

    if incumbent is not None and incumbent.objective == 0:
        return Run(None, 0.0, finished=True)
    built = RelayingModel(problem, incumbent)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = options.threads
    solver.parameters.interleave_search = options.threads == 1  # one strategy alone may get stuck
    solver.parameters.random_seed = options.seed
    solver.parameters.relative_gap_limit = _STOP_GAP if options.gap is None else options.gap / 2
    if options.time_limit_s is not None:
        solver.parameters.max_time_in_seconds = options.time_limit_s
    status = solver.solve(built.model)
    if status == cp_model.MODEL_INVALID:
        raise BackendFailure(f"CP-SAT refused the model: {built.model.validate()}")
    if status == cp_model.INFEASIBLE:
        if incumbent is None:
            return Run(None, np.inf, finished=True)
        if incumbent.root in problem.roots:
            value = incumbent.objective
            raise BackendFailure(f"CP-SAT claims infeasibility, but a plan has the value {value!r}")
        return Run(None, incumbent.objective, finished=True)
    bound = solver.best_objective_bound * built.tick
    if status == cp_model.UNKNOWN:
        return Run(None, bound, finished=False)
    plan = built.plan(solver)
    if incumbent is None and status == cp_model.OPTIMAL:  # coarse ticks found it, fine ones prove it
        finer = run_cp_sat(problem, options, plan)
        return Run(finer.plan or plan, max(bound, finer.bound), finer.finished)
    better = incumbent is None or plan.objective < incumbent.objective
    return Run(plan if better else None, bound, finished=status == cp_model.OPTIMAL)
