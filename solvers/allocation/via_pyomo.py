"""In Pyomo's terms, for whatever solver a user owns, linear or nonlinear: a second opinion, with a bound."""

import time

import numpy as np

from solvers.allocation.cutting_planes import by_cutting_planes
from solvers.allocation.equal_bandwidth import equal_bandwidth_optimal
from solvers.allocation.fleet import cells_of
from solvers.allocation.nonlinear_program import by_nonlinear_program
from solvers.allocation.prepared import Prepared, prepare, restricted
from solvers.allocation.solution import Prices, Proposal
from solvers.common.options import Options
from solvers.common.pyomo_solver import pyomo_solver

_LINEAR = ("appsi_highs", "gurobi", "cplex", "xpress", "cbc", "glpk")
"""Linear solvers with prices, in the order in which they are looked for."""
_NONLINEAR = ("ipopt", "knitro", "conopt", "cyipopt", "scip_direct", "scip", "baron")
"""Nonlinear solvers, looked for after those."""


def via_pyomo(prepared: Prepared, options: Options, solver: str = "") -> Proposal:
    """Return the optimum and its prices by the solver of the user; one cell after the other.

    The solver is ``solver``, or the one that the environment variable ``HFEDFM_PYOMO_SOLVER`` names, or the
    first available of HiGHS, Gurobi, CPLEX, Xpress, CBC and GLPK (by cutting planes), and then of Ipopt,
    Knitro, CONOPT, SCIP and BARON (the convex program itself).  One that is not among these is taken for
    nonlinear.

    Raises
    ------
    MissingBackend
        If the solver is not available.
    BackendFailure
        If the solver finds no answer to a cell that has one.
    """
    end = time.perf_counter() + (options.time_limit_s or np.inf)
    name, optimiser = pyomo_solver(_LINEAR + _NONLINEAR, solver)
    linear = name in _LINEAR or "highs" in name or name.startswith(("gurobi", "cplex", "xpress"))
    solve_cell = by_cutting_planes if linear else by_nonlinear_program
    problem, fleet = prepared.problem, prepared.fleet
    start = equal_bandwidth_optimal(prepared, options)
    names = ("bandwidth_hz", "power_w", "frequency_hz", "transmit_s")
    whole = {name: np.array(getattr(start, name)) for name in names}
    deadline, mu = np.array(start.deadline_s), np.zeros(fleet.count)
    price = np.zeros(problem.num_devices)
    cell, late = cells_of(problem), False
    for place in np.flatnonzero(fleet.base > 0):
        late = late or time.perf_counter() > end
        if late:
            break
        one = prepared
        if fleet.count > 1:
            one = prepare(restricted(problem, np.arange(fleet.count) == place))
        found, prices, late = solve_cell(one, optimiser, options, end)
        for name in names:
            whole[name][cell == place] = getattr(found, name)
        deadline[place], mu[place] = found.deadline_s[0], prices.bandwidth[0]
        price[cell == place] = prices.time
    prices = Prices(bandwidth=mu, time=price)
    return Proposal(**whole, deadline_s=deadline, prices=prices, timed_out=late)
