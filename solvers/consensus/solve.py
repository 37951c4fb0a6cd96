"""The front door of consensus.

Sets: nodes i, edges e = (i, j). Decided is a weight w_e for each edge. Objective: the spectral factor of

    W = I - sum over edges w_e b_e b_e',      b_e = unit vector i minus unit vector j,                 (1)

that is the largest absolute eigenvalue of W but that of the mean. By (1), W is symmetric, its rows sum to one
and it is zero where there is no edge. Constraint, if the problem says so: no entry of W is below zero (2).
"""

import time
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from solvers.common.dispatch import Method, load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap
from solvers.consensus.evaluate import evaluate, mixing_matrix, spectral_factor, violations
from solvers.consensus.outcome import Outcome
from solvers.consensus.problem import ConsensusProblem
from solvers.consensus.solution import ConsensusSolution

DEFAULT_GAP = 1e-6
"""Relative gap at which weights count as optimal unless the options say otherwise."""

PROGRAM_NODES = 60
"""Nodes to which ``auto`` solves the semidefinite program; beyond, it takes the best single weight."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "clarabel": Method(
            target="solvers.consensus.via_cvxpy:solve_clarabel",
            summary="fastest symmetric weights: semidefinite program by an interior-point method",
            exact=True,
            needs=("cvxpy", "clarabel"),
        ),
        "scs": Method(
            target="solvers.consensus.via_cvxpy:solve_scs",
            summary="the same program by a first-order method, less accurate",
            exact=True,
            needs=("cvxpy", "scs"),
        ),
        "best_constant": Method(
            target="solvers.consensus.degree_weights:best_constant",
            summary="the best single weight for all edges, from the Laplacian's eigenvalues",
            exact=False,
        ),
        "metropolis": Method(
            target="solvers.consensus.degree_weights:metropolis",
            summary="one over one plus the larger degree of each edge",
            exact=False,
        ),
        "max_degree": Method(
            target="solvers.consensus.degree_weights:max_degree",
            summary="one over one plus the largest degree, for every edge",
            exact=False,
        ),
    }
)
"""The methods by name; ``auto`` chooses one by size."""


def solve(
    problem: ConsensusProblem, *, method: str = "auto", options: Options | None = None
) -> Result[ConsensusSolution]:
    """Return weights with their factor as objective, re-evaluated, and a proven lower bound on all weights'.

    Parameters
    ----------
    problem : ConsensusProblem
    method : str
        A name of :data:`METHODS`, or ``"auto"``: ``clarabel`` to 60 nodes, ``best_constant`` beyond.
    options : Options or None
        ``None``: gap ``DEFAULT_GAP``, no time limit.

    Raises
    ------
    UnknownMethod, MissingBackend, BackendFailure
    """
    begin = time.perf_counter()
    options = options or Options()
    name, explanation = method, ""
    if method == "auto":
        name = "clarabel" if problem.num_nodes <= PROGRAM_NODES else "best_constant"
        explanation = f"auto: {problem.num_nodes} nodes"
    function = load_method(METHODS, name, "consensus")
    apart = _why_it_never_mixes(problem)
    if apart:
        return _nothing(Status.INFEASIBLE, name, time.perf_counter() - begin, apart)
    outcome: Outcome = function(problem, options)
    if spectral_factor(mixing_matrix(problem, outcome.weight)) >= 1:
        reason = "; ".join(filter(None, (explanation, "these weights do not mix")))
        return _nothing(Status.UNKNOWN, name, time.perf_counter() - begin, reason, outcome.bound)
    solution = _checked(problem, name, outcome)
    bound = min(outcome.bound, solution.factor)
    status, stop_reason = _verdict(outcome, relative_gap(solution.factor, bound), options)
    return Result(
        status=status,
        stop_reason=stop_reason,
        solution=solution,
        objective=solution.factor,
        bound=bound,
        method=name,
        seconds=time.perf_counter() - begin,
        explanation=explanation,
    )


def _why_it_never_mixes(problem: ConsensusProblem) -> str:
    shape = (problem.num_nodes, problem.num_nodes)
    ones = np.ones(problem.edge_source.size)
    graph = sparse.csr_matrix((ones, (problem.edge_source, problem.edge_target)), shape=shape)
    num_parts, part = csgraph.connected_components(graph, directed=False)
    if num_parts == 1:
        return ""
    other = int(np.flatnonzero(part != part[0])[0])
    return f"no path of edges leads from node 0 to node {other}: no weights make them agree"


def _checked(problem: ConsensusProblem, name: str, outcome: Outcome) -> ConsensusSolution:
    solution = evaluate(problem, outcome.weight)
    broken = violations(problem, solution)
    if broken:
        raise BackendFailure(f"method {name!r} returned weights in which {broken[0]}")
    if outcome.bound > solution.factor + 1e-9:
        raise BackendFailure(
            f"method {name!r} claims the bound {outcome.bound!r} above its factor {solution.factor!r}"
        )
    return solution


def _nothing(
    status: Status, name: str, seconds: float, explanation: str, bound: float = 0.0
) -> Result[ConsensusSolution]:
    infeasible = status is Status.INFEASIBLE
    return Result(
        status=status,
        stop_reason=StopReason.PROVEN_INFEASIBLE if infeasible else StopReason.NO_PROGRESS,
        solution=None,
        objective=float("inf"),
        bound=bound,
        method=name,
        seconds=seconds,
        explanation=explanation,
    )


def _verdict(outcome: Outcome, gap: float, options: Options) -> tuple[Status, StopReason]:
    if gap <= (DEFAULT_GAP if options.gap is None else options.gap):
        return Status.OPTIMAL, StopReason.GAP_REACHED
    ended = StopReason.TIME_LIMIT if outcome.timed_out else StopReason.NO_PROGRESS
    return Status.FEASIBLE, ended
