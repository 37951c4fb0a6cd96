"""Place replicas on nodes and serve demands by them: the front door.

Sets: demands d, items i, nodes n, candidate pairs k of a demand d(k) and a node n(k), possible replicas h of
an item on a node; h(k) is the replica that pair k needs, m(h) its bytes.
Data: cost c_k and work w_k of a pair, cost f_h of a replica, memory M_n and capacity C_n of a node.
Variables: x_k, whether (with split demands: to which part) pair k serves its demand; y_h in {0, 1}, whether
replica h exists.

(1) minimise  sum_k c_k x_k + sum_h f_h y_h
(2) each demand is served once:             sum over k of d of x_k = 1     for each d
(3) only where the replica is:              x_k <= y_h(k)                  for each k
(4) replicas fit into memory:               sum over h on n of m(h) y_h <= M_n     for each n
(5) work fits into capacity:                sum over k on n of w_k x_k <= C_n      for each n
(6) implied by (3) and (5), and tighter:    sum over k of h of w_k x_k <= C_n y_h  for each h on n
(7) implied by (4) or (5) and whole x, y:   sets that do not fit are not chosen whole, added when broken
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from solvers.common.dispatch import Method, load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Result, StopReason
from solvers.placement.evaluate import checked_result
from solvers.placement.explain import explain_infeasible
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import Claim, PlacementSolution

DEFAULT_GAP = 1e-6
"""Relative gap asked when the options name none."""

MOST_EXACT_PAIRS = 50_000
"""Pairs up to which ``auto`` takes HiGHS, given time.

On the networks of ``benchmarks/placement.py`` HiGHS had neither a bound nor a placement of its own within
60 s at 180,000 pairs.
"""
PAIRS_PER_S = 100.0
"""Pairs for each second of the time limit up to which ``auto`` takes HiGHS.

On the same networks it needs that long before it adds to what the Lagrangian method bounds and finds.
"""

EXPLANATION_TIME_S = 10.0
"""Seconds that finding the limits in conflict may take after infeasibility is proven."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "by_lagrangian": Method(
            target="solvers.placement.by_lagrangian:solve",
            summary="Lagrangian bound with annealing; whole demands, any size",
            exact=False,
        ),
        "greedy": Method(
            target="solvers.placement.heuristics:greedy",
            summary="the pair that costs least now, with its replica, again and again",
            exact=False,
        ),
        "greedy_regret": Method(
            target="solvers.placement.heuristics:greedy_regret",
            summary="first the demand that would lose most with its second-best pair",
            exact=False,
        ),
        "nearest": Method(
            target="solvers.placement.heuristics:nearest",
            summary="each demand by its cheapest pair that fits, blind to the cost of replicas",
            exact=False,
        ),
        "random": Method(
            target="solvers.placement.heuristics:random",
            summary="each demand by a random pair that fits",
            exact=False,
        ),
        "via_cp_sat": Method(
            target="solvers.placement.via_cp_sat:solve",
            summary="CP-SAT of OR-Tools on integer data; whole demands",
            exact=True,
            needs=("ortools",),
        ),
        "via_highs": Method(
            target="solvers.placement.via_highs:solve",
            summary="mixed-integer program by HiGHS; whole and split demands",
            exact=True,
        ),
        "via_pyomo": Method(
            target="solvers.placement.via_pyomo:solve",
            summary="the same program as a Pyomo model, by the solver that you own",
            exact=True,
            needs=("pyomo",),
            extra="pyomo",
        ),
    }
)


def solve(
    problem: PlacementProblem, method: str = "auto", options: Options | None = None
) -> Result[PlacementSolution]:
    """Return a checked placement with its proven bound.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    method : str
        A name in ``METHODS``, or ``"auto"``, which chooses by size and time limit and says so in
        ``explanation``.
    options : Options, optional
        Gap (1e-6 if ``None``), time limit, seed, threads and observer.

    Returns
    -------
    Result
        Cost and violations are recomputed from the problem's arrays.  An infeasible problem has bound
        ``inf`` and an explanation that names the limits to relax, see
        :func:`solvers.placement.explain_infeasible`.

    Raises
    ------
    UnknownMethod, MissingBackend
        For a method that does not exist, or whose package is not installed.
    BackendFailure
        If a backend crashes, or claims what its own numbers refute.
    """
    started = time.perf_counter()
    options = options or Options()
    options = replace(options, gap=DEFAULT_GAP if options.gap is None else options.gap)
    assert options.gap is not None
    chosen, reason = _automatic(problem, options) if method == "auto" else (method, "")
    claim: Claim = load_method(METHODS, chosen, "placement")(problem, options)
    said = [part for part in (reason, claim.explanation) if part]
    if claim.stop_reason is StopReason.PROVEN_INFEASIBLE:
        said.append(_conflict(problem, options))
    return checked_result(
        problem,
        replace(claim, explanation="; ".join(said)),
        gap=options.gap,
        method=chosen,
        seconds=time.perf_counter() - started,
    )


def _automatic(problem: PlacementProblem, options: Options) -> tuple[str, str]:
    limit_s = math.inf if options.time_limit_s is None else options.time_limit_s
    exact = problem.split or problem.num_pairs <= min(MOST_EXACT_PAIRS, PAIRS_PER_S * limit_s)
    name = "via_highs" if exact else "by_lagrangian"
    within = "" if options.time_limit_s is None else f" within {options.time_limit_s:g} s"
    return name, f"auto chose {name} for {problem.num_pairs} pairs{within}"


def _conflict(problem: PlacementProblem, options: Options) -> str:
    """Return the limits in conflict in words; a relaxation of nothing refutes the claim of infeasibility."""
    limit_s = min(options.time_limit_s or EXPLANATION_TIME_S, EXPLANATION_TIME_S)
    try:
        conflict = explain_infeasible(problem, replace(options, time_limit_s=limit_s))
    except BackendFailure as error:
        return f"infeasible; which limits are in conflict is not known: {error}"
    if not conflict:
        raise BackendFailure("a method claims infeasibility of a problem that has a placement")
    return f"infeasible; {conflict}"
