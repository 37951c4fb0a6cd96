"""The front door of clusters.

Sets: clusters, nodes u, links (u, v). Decided are one root r, a gather tree and a return tree, each
transfer's bandwidth b and radiated power p, each node's frequency f, the order of transfers at half-duplex
nodes.

Objective::

    energy_weight * energy + time_weight * latency                                                 (1)
    latency = trips * (gather + return) + legs * (gather + leg), and the same for joules           (2)

Constraints, on each way::

    every node but the root has one parent, along a link; no cycle                                 (3)
    a transfer of D bits takes t = D / (b log2(1 + p g / (N0 b))) seconds, D the union below       (4)
    a node sends once its computing (cycles / f) is done and everything below it has arrived; at a
    half-duplex parent once the transfer that comes first has ended                                (5)
    the bandwidths sum to at most the band                                                         (6)
    powers and frequencies are within their limits                                                 (7)
"""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from solvers.clusters.by_branching import DEFAULT_GAP
from solvers.clusters.evaluate import evaluate, violations, without_axis
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterResult, ClusterSolution, Outcome, relative_gaps
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES
from solvers.common.arrays import FloatArray, frozen
from solvers.common.dispatch import Method, load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Status, StopReason

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "by_branching": Method(
            target="solvers.clusters.by_branching:by_branching",
            summary="all trees bounded at the prices of the best ones; to 7 nodes, 6 half duplex",
            exact=True,
        ),
        "local_search": Method(
            target="solvers.clusters.local_search:local_search",
            summary="moves of nodes in the trees of the best roots, with a bound by relaxation; to 60 nodes",
            exact=False,
        ),
        "moves": Method(
            target="solvers.clusters.local_search:moves",
            summary="the same without a bound, in a fraction of the time",
            exact=False,
        ),
        "via_cvxpy": Method(
            target="solvers.clusters.via_cvxpy:via_cvxpy",
            summary="oracle: each tree's convex program in logarithms by Clarabel; to 5 nodes, no bound",
            exact=False,
            needs=("cvxpy", "clarabel"),
        ),
    }
)
"""The methods by name; ``auto`` chooses one by size."""


def solve(problem: ClusterProblem, method: str = "auto", options: Options | None = None) -> ClusterResult:
    """Return trees and allocation of each cluster at the least cost, re-evaluated, with a proven bound.

    Parameters
    ----------
    problem : ClusterProblem
        One cluster, or many of one size: these are independent, and solved in one call.
    method : str
        A name of :data:`METHODS`, or ``"auto"``: ``by_branching`` to 7 nodes (6 half duplex),
        ``local_search`` beyond.
    options : Options or None
        When to stop; the default gap is 1e-6. After the time limit the clusters that are left get the first
        tree found.

    Raises
    ------
    UnknownMethod, MissingBackend
    InvalidProblem
        If the clusters are too large for the method.
    BackendFailure
        If a method's answer breaks a limit or its bound exceeds its cost.
    """
    started = time.perf_counter()
    options = options or Options()
    name = _method_for(problem) if method == "auto" else method
    function: Callable[[ClusterProblem, Options], Outcome] = load_method(METHODS, name, "clusters")
    many = problem.as_many()
    outcome = function(many, options)
    solution = _checked(many, outcome, name)
    objective = np.where(np.isnan(solution.objective), np.inf, solution.objective)
    bound = np.minimum(outcome.bound, objective)
    wanted = DEFAULT_GAP if options.gap is None else options.gap
    status = _statuses(objective, bound, wanted)
    return ClusterResult(
        status=status[0] if len(set(status)) == 1 else Status.FEASIBLE,
        stop_reason=_stop_reason(status, outcome.timed_out),
        solution=_shown_solution(problem, solution, status),
        objective=_shown(problem, objective),
        bound=_shown(problem, bound),
        cluster_status=status,
        method=name,
        seconds=time.perf_counter() - started,
        explanation=_explanation(status, outcome.explanation),
    )


def _method_for(problem: ClusterProblem) -> str:
    most = MAX_HALF_DUPLEX_NODES if problem.half_duplex else MAX_NODES
    return "by_branching" if problem.num_nodes <= most else "local_search"


def _checked(problem: ClusterProblem, outcome: Outcome, name: str) -> ClusterSolution:
    broken = violations(problem, outcome.plan)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise BackendFailure(f"clusters by {name!r} break a limit: {broken[0]}{more}")
    solution = evaluate(problem, outcome.plan)
    wrong = np.flatnonzero(outcome.bound > solution.objective * (1.0 + 1e-9))
    if len(wrong):
        place = wrong[0]
        raise BackendFailure(
            f"cluster {place} by {name!r} costs {float(solution.objective[place])!r}, "
            f"below its own lower bound {float(outcome.bound[place])!r}"
        )
    return solution


def _statuses(objective: FloatArray, bound: FloatArray, wanted: float) -> tuple[Status, ...]:
    gap = relative_gaps(objective, bound)
    kinds = np.where(
        np.isfinite(objective),
        np.where(gap <= wanted, Status.OPTIMAL, Status.FEASIBLE),
        np.where(bound == np.inf, Status.INFEASIBLE, Status.UNKNOWN),
    )
    return tuple(Status(kind) for kind in kinds.tolist())


def _stop_reason(status: tuple[Status, ...], timed_out: bool) -> StopReason:
    if all(one is Status.INFEASIBLE for one in status):
        return StopReason.PROVEN_INFEASIBLE
    if all(one in (Status.OPTIMAL, Status.INFEASIBLE) for one in status):
        return StopReason.GAP_REACHED
    return StopReason.TIME_LIMIT if timed_out else StopReason.NO_PROGRESS


def _explanation(status: tuple[Status, ...], said: str) -> str:
    missing = [place for place, one in enumerate(status) if one is Status.INFEASIBLE]
    if not missing:
        return said
    how_many = f"{len(missing)} of {len(status)} clusters, first in {missing[0]}"
    text = f"no tree of links leads to a candidate root in {how_many}"
    return "; ".join(filter(None, (said, text)))


def _shown_solution(
    problem: ClusterProblem, solution: ClusterSolution, status: tuple[Status, ...]
) -> ClusterSolution | None:
    if all(one in (Status.INFEASIBLE, Status.UNKNOWN) for one in status):
        return None
    return evaluate(problem, without_axis(solution.plan)) if problem.is_single else solution


def _shown(problem: ClusterProblem, values: FloatArray) -> FloatArray | float:
    return float(values[0]) if problem.is_single else frozen(values)
