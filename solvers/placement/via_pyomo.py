"""The same mixed-integer program as a Pyomo model, for the solver that a user owns."""

import math
from typing import Any

import numpy as np

from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.pyomo_solver import pyomo_solver
from solvers.placement.branch_and_cut import branch_and_cut
from solvers.placement.highs import Answer
from solvers.placement.matrices import Rows, rows_of
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import reduction_by_limits
from solvers.placement.solution import Claim

_KNOWN = ("gurobi", "cplex", "xpress", "appsi_highs", "scip", "cbc", "glpk")
"""Mixed-integer solvers in the order in which they are looked for."""
_GAP_OPTION = {
    "gurobi": "MIPGap",
    "cplex": "mip_tolerances_mipgap",
    "xpress": "miprelstop",
    "appsi_highs": "mip_rel_gap",
    "scip": "limits/gap",
    "cbc": "ratioGap",
    "glpk": "mipgap",
}
"""What each solver calls its relative gap; others stop at their own."""


def solve(problem: PlacementProblem, options: Options, solver: str = "") -> Claim:
    """Solve the disaggregated model by branch and cut of a solver that Pyomo knows; whole and split demands.

    The solver is ``solver``, or the one that the environment variable ``HFEDFM_PYOMO_SOLVER`` names, or the
    first available of Gurobi, CPLEX, Xpress, HiGHS, SCIP, CBC and GLPK.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        ``gap`` is given; ``threads`` and ``seed`` are not passed on.
    solver : str
        The solver's name in Pyomo.

    Raises
    ------
    MissingBackend
        If the solver is not available.
    BackendFailure
        If the solver fails, or calls a problem infeasible of which a placement is at hand.
    """
    name, optimiser = pyomo_solver(_KNOWN, solver)

    def ask(problem: PlacementProblem, rows: Rows, scale: float, options: Options, left_s: float) -> Answer:
        assert options.gap is not None
        settings: dict[str, Any] = {"load_solutions": False}
        if math.isfinite(left_s):
            settings["timelimit"] = max(math.ceil(left_s), 1)
        if name in _GAP_OPTION:
            settings["options"] = {_GAP_OPTION[name]: 0.9 * options.gap}
        return _answer(_model(rows, scale, split=problem.split), rows, name, optimiser, settings)

    return branch_and_cut(problem, options, ask)


def pyomo_model(problem: PlacementProblem) -> Any:
    """Return the program as a ``ConcreteModel`` in the problem's own numbers.

    It has ``x[k]`` for each candidate pair k and ``y[h]`` for each possible replica h.  Pairs and replicas
    that no placement can use are left out, and so are replicas that cost nothing and compete for no memory.
    Rows (2) to (6) of :mod:`solvers.placement.solve` are in ``rows``, in this order, loads as thousandths of
    their limit.
    """
    return _model(rows_of(problem, reduction_by_limits(problem)), 1.0, split=problem.split)


def _model(rows: Rows, scale: float, *, split: bool) -> Any:
    import pyomo.environ as pyo
    from pyomo.core.expr.numeric_expr import LinearExpression

    model = pyo.ConcreteModel()
    model.pairs = pyo.Set(initialize=rows.pairs.tolist(), ordered=True)
    model.hosts = pyo.Set(initialize=rows.hosts.tolist(), ordered=True)
    model.x = pyo.Var(model.pairs, domain=pyo.UnitInterval if split else pyo.Binary)
    model.y = pyo.Var(model.hosts, domain=pyo.Binary)
    columns = [*model.x.values(), *model.y.values()]
    model.cost = pyo.Objective(  # (1)
        expr=LinearExpression(linear_coefs=(rows.cost * scale).tolist(), linear_vars=columns)
    )
    model.rows = pyo.ConstraintList()
    starts, places, numbers = rows.matrix.indptr, rows.matrix.indices.tolist(), rows.matrix.data.tolist()
    for row, (low, high) in enumerate(zip(rows.lower.tolist(), rows.upper.tolist(), strict=True)):
        mine = slice(int(starts[row]), int(starts[row + 1]))
        left = LinearExpression(
            linear_coefs=numbers[mine], linear_vars=[columns[place] for place in places[mine]]
        )
        model.rows.add(left == high if low == high else (None, left, high))
    return model


def _answer(model: Any, rows: Rows, name: str, optimiser: Any, settings: dict[str, Any]) -> Answer:
    import pyomo.environ as pyo
    from pyomo.common.errors import ApplicationError, PyomoException

    try:
        results = optimiser.solve(model, **settings)
    except (ApplicationError, PyomoException, RuntimeError, ValueError) as error:
        raise BackendFailure(f"Pyomo's solver {name!r} failed: {error}") from error
    ended, conditions = results.solver.termination_condition, pyo.TerminationCondition
    infeasible = ended in (conditions.infeasible, conditions.infeasibleOrUnbounded)
    timed_out = ended in (conditions.maxTimeLimit, conditions.maxIterations, conditions.resourceInterrupt)
    if not infeasible and not timed_out and ended != conditions.optimal:
        raise BackendFailure(f"Pyomo's solver {name!r} ended with {ended}")
    bound, best = (_number(results.problem, field) for field in ("lower_bound", "upper_bound"))
    values = None
    if not infeasible and math.isfinite(best):
        model.solutions.load_from(results)
        columns = [*model.x.values(), *model.y.values()]
        values = np.array([column.value or 0.0 for column in columns], dtype=np.float64)
    return Answer(values=values, bound=bound, infeasible=infeasible, timed_out=timed_out)


def _number(problem: Any, field: str) -> float:
    """Return a bound that the solver reports, or an infinite one."""
    value = getattr(problem, field)
    value = getattr(value, "value", value)
    empty = -math.inf if field == "lower_bound" else math.inf
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else empty
