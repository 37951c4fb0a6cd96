"""The semidefinite program of the fastest symmetric weights, through CVXPY.

L. Xiao and S. Boyd, "Fast linear iterations for distributed averaging", Systems & Control Letters 53 (2004),
65-78, doi:10.1016/j.sysconle.2004.02.022, equation (16): minimise ``s`` over ``s`` and the weights with
``-s I <= W - J <= s I`` in the order of semidefinite matrices.
"""

import warnings

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.consensus.certificate import factor_bound
from solvers.consensus.degree_weights import best_constant_weights, max_degree_weights, metropolis_weights
from solvers.consensus.evaluate import mixing_matrix, spectral_factor
from solvers.consensus.outcome import Outcome
from solvers.consensus.problem import ConsensusProblem

_SETTINGS: dict[str, dict[str, float]] = {
    "CLARABEL": {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10},
    "SCS": {"eps_abs": 1e-8, "eps_rel": 1e-8, "max_iters": 50_000},
}
_TIME_LIMIT = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}
_IDLE = 1e-7
"""Weights below this part of the largest are tried as 0: an edge that carries nothing costs nothing."""


def solve_clarabel(problem: ConsensusProblem, options: Options) -> Outcome:
    """Return the fastest weights by Clarabel, an interior-point method; accurate, up to some 60 nodes."""
    return _solve(problem, options, "CLARABEL")


def solve_scs(problem: ConsensusProblem, options: Options) -> Outcome:
    """Return the fastest weights by SCS, a first-order method; a second opinion."""
    return _solve(problem, options, "SCS")


def _solve(problem: ConsensusProblem, options: Options, solver: str) -> Outcome:
    written_down = [best_constant_weights(problem), metropolis_weights(problem), max_degree_weights(problem)]
    if problem.edge_source.size == 0:
        return Outcome(weight=written_down[0])
    weight, dual, diagonal_dual, timed_out = _program(problem, options, solver)
    candidates = [*written_down]
    if weight is not None:
        weight = _feasible(problem, weight)
        candidates = [_without_idle(problem, weight), weight, *candidates]
    factors = [spectral_factor(mixing_matrix(problem, candidate)) for candidate in candidates]
    bound = 0.0 if dual is None else factor_bound(problem, dual, diagonal_dual)
    return Outcome(weight=candidates[int(np.argmin(factors))], bound=bound, timed_out=timed_out)


def _program(
    problem: ConsensusProblem, options: Options, solver: str
) -> tuple[FloatArray | None, FloatArray | None, FloatArray, bool]:
    """Return weights, the dual matrix, the duals of the diagonal, and whether time ran out."""
    import cvxpy as cp

    num_nodes, num_edges = problem.num_nodes, problem.edge_source.size
    incidence = np.zeros((num_nodes, num_edges))
    incidence[problem.edge_source, np.arange(num_edges)] = 1.0
    incidence[problem.edge_target, np.arange(num_edges)] = -1.0
    factor, weight = cp.Variable(), cp.Variable(num_edges)
    mixing = np.eye(num_nodes) - incidence @ cp.diag(weight) @ incidence.T
    off_mean, limit = mixing - 1.0 / num_nodes, factor * np.eye(num_nodes)
    above, below = limit - off_mean >> 0, limit + off_mean >> 0
    constraints = [above, below]
    if problem.nonnegative:
        constraints += [weight >= 0, np.abs(incidence) @ weight <= 1]
    program = cp.Problem(cp.Minimize(factor), constraints)
    settings = dict(_SETTINGS[solver])
    if options.time_limit_s is not None:
        settings[_TIME_LIMIT[solver]] = options.time_limit_s
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CVXPY warns of inaccurate answers: we measure it
        try:
            program.solve(solver=solver, **settings)
        except cp.SolverError as error:
            raise BackendFailure(f"{solver} found no weights for a connected graph: {error}") from error
    diagonal_dual = np.zeros(num_nodes)
    if weight.value is None or above.dual_value is None:
        return None, None, diagonal_dual, program.status == cp.USER_LIMIT
    if problem.nonnegative:
        diagonal_dual = np.asarray(constraints[3].dual_value, dtype=np.float64)
    dual = np.asarray(above.dual_value - below.dual_value, dtype=np.float64)
    return np.asarray(weight.value, dtype=np.float64), dual, diagonal_dual, program.status == cp.USER_LIMIT


def _feasible(problem: ConsensusProblem, weight: FloatArray) -> FloatArray:
    """Return the weights with what a solver's tolerance leaves below zero taken back, where that matters."""
    if not problem.nonnegative:
        return weight
    weight = np.maximum(weight, 0.0)
    ends = (problem.edge_source, problem.edge_target)
    load = sum(np.bincount(end, weight, minlength=problem.num_nodes) for end in ends)
    excess = np.maximum(load, 1.0)
    scaled: FloatArray = weight / np.maximum(excess[ends[0]], excess[ends[1]])
    return scaled


def _without_idle(problem: ConsensusProblem, weight: FloatArray) -> FloatArray:
    """Return the weights with the negligible ones at exactly 0, unless that slows them down."""
    trimmed = np.where(np.abs(weight) < _IDLE * np.abs(weight).max(), 0.0, weight)
    before = spectral_factor(mixing_matrix(problem, weight))
    after = spectral_factor(mixing_matrix(problem, trimmed))
    return trimmed if after <= before * (1 + _IDLE) else weight
