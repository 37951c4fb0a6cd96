"""Prove optima with CP-SAT of OR-Tools, on data rounded down to whole steps.

CP-SAT counts in integers.  Costs, works and bytes are rounded down to whole multiples of powers of two, and
so are the limits: every placement of the problem is one of the rounded problem and costs no more there, so
that CP-SAT's bound holds for the problem as given.  Data that are whole multiples of one step already lose
nothing.  A placement that fits only thanks to the rounding is cut off and the search repeated.
"""

import math
import time
from typing import Any

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.errors import BackendFailure, InvalidProblem
from solvers.common.options import Options
from solvers.common.progress import Reporter
from solvers.common.result import StopReason
from solvers.placement.covers import violated_covers
from solvers.placement.evaluate import (
    RELATIVE_TOLERANCE,
    cheaper,
    objective_value,
    solution_from_pairs,
)
from solvers.placement.matrices import Cover
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import Claim, PlacementSolution
from solvers.placement.start import Start, claim_of_start, prepare, remaining_s
from solvers.placement.step import coarse_step, common_step, round_up

_COST_STEPS = 2.0**50
"""All costs together make at most about this many steps: CP-SAT adds in 64 bits, and reports in 53."""
_LOAD_STEPS = 2.0**40
"""All loads of a node together make at most about this many steps."""


def solve(problem: PlacementProblem, options: Options) -> Claim:
    """Solve by CP-SAT; whole demands only.

    Parameters
    ----------
    problem : PlacementProblem
        A problem with ``split=False``.
    options : Options
        All are used; ``gap`` is given.

    Raises
    ------
    InvalidProblem
        For split demands, which have no integer model.
    BackendFailure
        If CP-SAT refuses its model, or calls a problem infeasible of which a placement is at hand.
    """
    if problem.split:
        raise InvalidProblem("split", None, True, "False for the method 'via_cp_sat'")
    started = time.perf_counter()
    reporter = Reporter(options.observer)
    start = prepare(problem, options)
    reporter.bound(start.bound)
    reporter.objective(start.cost)
    if start.closed:
        return claim_of_start(problem, start)
    best, bound = start.solution, start.bound
    covers: tuple[Cover, ...] = ()
    while True:
        left_s = remaining_s(options, started)
        if left_s <= 0:
            return _claim(best, bound, StopReason.TIME_LIMIT)
        answer = _Answer(problem, start, covers, options, left_s)
        if answer.infeasible:
            if best is not None:
                raise BackendFailure("CP-SAT claims infeasibility of a problem that has a placement")
            return Claim(bound=math.inf, stop_reason=StopReason.PROVEN_INFEASIBLE)
        bound = max(bound, round_up(answer.bound, start.step))
        cuts = violated_covers(problem, answer.placement) if answer.placement is not None else ()
        if not cuts:
            best = cheaper(problem, best, answer.placement)
            reporter.bound(bound)
            reporter.objective(math.inf if best is None else objective_value(problem, best))
            return _claim(best, bound, StopReason.TIME_LIMIT if answer.timed_out else StopReason.GAP_REACHED)
        covers += cuts


class _Answer:
    """What CP-SAT said: a placement (or none), a bound in the problem's unit, and why it ended."""

    def __init__(
        self,
        problem: PlacementProblem,
        start: Start,
        covers: tuple[Cover, ...],
        options: Options,
        left_s: float,
    ) -> None:
        from ortools.sat.python import cp_model

        live = start.reduction
        pairs, hosts = np.flatnonzero(live.live_pair), np.flatnonzero(live.live_host)
        costs = np.concatenate([problem.pair_cost[pairs], problem.host_cost[hosts]])
        step = common_step(costs) or coarse_step(costs, _COST_STEPS)
        model = cp_model.CpModel()
        serve = {int(pair): model.new_bool_var("") for pair in pairs}
        host = {int(index): model.new_bool_var("") for index in hosts}
        _add_limits(model, problem, serve, host)
        for cover in covers:  # (7)
            members = host if cover.of_hosts else serve
            model.add(sum(members[int(m)] for m in cover.members if int(m) in members) <= cover.size)
        steps = np.floor(costs / step).astype(np.int64).tolist()
        model.minimize(cp_model.LinearExpr.weighted_sum([*serve.values(), *host.values()], steps))  # (1)
        if start.solution is not None:
            for pair, variable in serve.items():
                model.add_hint(variable, start.solution.demand_pair[problem.pair_demand[pair]] == pair)
        solver = cp_model.CpSolver()
        assert options.gap is not None
        solver.parameters.relative_gap_limit = 0.9 * options.gap
        solver.parameters.absolute_gap_limit = 0.0
        solver.parameters.num_workers = options.threads
        solver.parameters.random_seed = options.seed % 2**31
        if math.isfinite(left_s):
            solver.parameters.max_time_in_seconds = left_s
        status = solver.solve(model)
        if status == cp_model.MODEL_INVALID:
            raise BackendFailure(f"CP-SAT refuses its model: {model.validate()}")
        self.infeasible = status == cp_model.INFEASIBLE
        self.timed_out = status in (cp_model.UNKNOWN, cp_model.FEASIBLE)
        self.bound = -math.inf if self.infeasible else float(solver.best_objective_bound) * step
        self.placement: PlacementSolution | None = None
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            chosen = np.array([pair for pair in serve if solver.boolean_value(serve[pair])])
            self.placement = solution_from_pairs(problem, chosen)


def _add_limits(model: Any, problem: PlacementProblem, serve: dict[int, Any], host: dict[int, Any]) -> None:
    from ortools.sat.python import cp_model

    of_demand: list[list[Any]] = [[] for _ in range(problem.num_demands)]
    for pair, variable in serve.items():
        of_demand[problem.pair_demand[pair]].append(variable)
        model.add_implication(variable, host[int(problem.pair_host[pair])])  # (3)
    for candidates in of_demand:  # (2)
        model.add_exactly_one(candidates)
    host_memory = problem.item_memory[problem.host_item]
    for variables, node, load, limit in (
        (host, problem.host_node, host_memory, problem.node_memory),  # (4)
        (serve, problem.pair_node, problem.pair_work, problem.node_capacity),  # (5)
    ):
        members = np.array(list(variables), dtype=np.int64)
        for where in np.unique(node[members]):
            here = members[node[members] == where]
            weights, most = _whole_loads(load[here], float(limit[where]))
            if weights is not None:
                model.add(
                    cp_model.LinearExpr.weighted_sum([variables[int(m)] for m in here], weights.tolist())
                    <= most
                )


def _whole_loads(load: FloatArray, limit: float) -> tuple[IntArray | None, int]:
    """Return loads and limit in whole steps, rounded down, or ``None`` where the limit cannot bind."""
    if float(load.sum()) <= limit:
        return None, 0
    step = common_step(load)
    if step is None or float(load.sum()) / step > _LOAD_STEPS:
        step = coarse_step(load, _LOAD_STEPS)
    weights: IntArray = np.floor(load / step).astype(np.int64)
    return weights, math.floor(limit * (1 + RELATIVE_TOLERANCE) / step)


def _claim(best: PlacementSolution | None, bound: float, stop: StopReason) -> Claim:
    return Claim(demand_pair=None if best is None else best.demand_pair, bound=bound, stop_reason=stop)
