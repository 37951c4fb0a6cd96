"""The front door of relaying.

Sets: members u, candidate roots r, links l = (u, v), items i. Decided are one root, a gather tree (each
member but the root sends once, to its parent), a return tree, possibly a gather tree of root legs, and the
order of the transfers at half-duplex nodes.

Objective::

    energy_weight * energy + time_weight * latency                                                 (1)
    latency = trips * (gather + return) + legs * (leg gather + root_seconds[root])                 (2)
    energy  = the same with the joules of the links used                                           (3)

Constraints::

    one candidate root is chosen                                                                   (4)
    each other member has one parent, along a link; no cycle; a relay has at most one, and one if
    it is a parent; other nodes are only ever the root                                             (5)
    the payload of a member's sending is the union of the items of its subtree                     (6)
    a sending lasts delay + bits / rate seconds and starts when the member is ready and everything
    below it has arrived; the gather ends when the root is ready and has everything                (7)
    a half-duplex node has one transfer at a time                                                  (8)
    on the way back each member receives the union once, from a parent that has it; (4) (5) (8);
    with broadcasts a parent serves its children at once, for as long as the slowest needs         (9)
    no tree has more than max_root_children children of the root or more than max_hops hops        (10)
"""

import time
from collections.abc import Mapping
from types import MappingProxyType

from solvers.common.dispatch import Method, load_method
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap
from solvers.relaying.bounds import cheap_bound
from solvers.relaying.evaluate import violations
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.reach import why_no_root
from solvers.relaying.solution import RelayingSolution

DEFAULT_GAP = 1e-6
"""Relative gap at which a plan counts as optimal unless the options say otherwise."""

ENUMERATION_NODES = 7
"""Largest tree for which ``auto`` prices all trees: 7 ** 5 = 16,807 for each root."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "enumeration": Method(
            target="solvers.relaying.by_enumeration:enumerate_trees",
            summary="price every tree of every root, exact to 8 nodes",
            exact=True,
        ),
        "cp_sat": Method(
            target="solvers.relaying.via_cp_sat:solve_cp_sat",
            summary="OR-Tools CP-SAT: trees, payloads and orders in one model, with a proven bound",
            exact=True,
            needs=("ortools",),
        ),
        "branch_and_bound": Method(
            target="solvers.relaying.by_branch_and_bound:branch_and_bound",
            summary="local search, then bounds by prices of paths, CP-SAT and branching over the links left",
            exact=True,
            needs=("ortools",),
        ),
        "local_search": Method(
            target="solvers.relaying.by_local_search:local_search",
            summary="trees grown between the cheapest and the fastest, then annealed in compiled loops",
            exact=False,
        ),
        "shortest_paths": Method(
            target="solvers.relaying.baselines:shortest_paths",
            summary="fastest path of each node to the best root; optimal for time alone in full duplex",
            exact=False,
        ),
        "minimum_spanning_tree": Method(
            target="solvers.relaying.baselines:minimum_spanning_tree",
            summary="spanning tree of min(latency, reverse latency), directed to the best root",
            exact=False,
        ),
        "star": Method(
            target="solvers.relaying.baselines:star",
            summary="every node directly to and from the best root",
            exact=False,
        ),
        "minimum_arborescence": Method(
            target="solvers.relaying.baselines:minimum_arborescence",
            summary="tree of least energy (Chu-Liu, Edmonds) to the best root; optimal for energy alone "
            "where all nodes carry the same items",
            exact=False,
        ),
        "best_baseline": Method(
            target="solvers.relaying.baselines:best_baseline",
            summary="the best of the four trees above",
            exact=False,
        ),
    }
)
"""The methods by name; ``auto`` chooses one by size."""


def solve(
    problem: RelayingProblem, *, method: str = "auto", options: Options | None = None
) -> Result[RelayingSolution]:
    """Return the best plan found, re-evaluated on the problem's own clock, with a proven lower bound.

    Parameters
    ----------
    problem : RelayingProblem
    method : str
        A name of :data:`METHODS`, or ``"auto"``: all trees to 7 nodes, branch and bound beyond.
    options : Options or None
        ``None``: gap ``DEFAULT_GAP``, no time limit (branch and bound then proves for a minute at most).

    Raises
    ------
    UnknownMethod, MissingBackend, BackendFailure
    """
    begin = time.perf_counter()
    options = options or Options()
    name, explanation = _choose(problem) if method == "auto" else (method, "")
    function = load_method(METHODS, name, "relaying")
    reason = why_no_root(problem)
    outcome = Outcome(infeasible=True, explanation=reason) if reason else function(problem, options)
    outcome = _checked(problem, name, outcome)
    objective = outcome.plan.objective if outcome.plan else float("inf")
    bound = outcome.bound
    if not METHODS[name].exact and not outcome.infeasible:
        bound = max(bound, cheap_bound(problem))
    bound = min(bound, objective)  # a bound above by rounding alone; more than that was refused
    status, stop_reason = _verdict(outcome, relative_gap(objective, bound), options)
    return Result(
        status=status,
        stop_reason=stop_reason,
        solution=outcome.plan,
        objective=objective,
        bound=bound,
        method=name,
        seconds=time.perf_counter() - begin,
        explanation="; ".join(part for part in (explanation, outcome.explanation) if part),
    )


def _choose(problem: RelayingProblem) -> tuple[str, str]:
    connects = problem.members | problem.relays
    size = int(connects.sum()) + int((~connects[problem.roots]).any())
    if size <= ENUMERATION_NODES:
        return "enumeration", f"auto: a tree has {size} nodes, so all are priced"
    return "branch_and_bound", f"auto: a tree has {size} nodes, more than {ENUMERATION_NODES}"


def _checked(problem: RelayingProblem, name: str, outcome: Outcome) -> Outcome:
    if outcome.plan is None:
        return outcome
    broken = violations(problem, outcome.plan)
    if broken:
        raise BackendFailure(f"method {name!r} returned a plan in which {broken[0]}")
    objective = outcome.plan.objective
    if outcome.bound > objective + 1e-9 * abs(objective):
        raise BackendFailure(
            f"method {name!r} claims the bound {outcome.bound!r} above its value {objective!r}"
        )
    return outcome


def _verdict(outcome: Outcome, gap: float, options: Options) -> tuple[Status, StopReason]:
    if outcome.infeasible:
        return Status.INFEASIBLE, StopReason.PROVEN_INFEASIBLE
    ended = StopReason.TIME_LIMIT if outcome.timed_out else StopReason.NO_PROGRESS
    if outcome.plan is None:
        return Status.UNKNOWN, ended
    if gap <= (DEFAULT_GAP if options.gap is None else options.gap):
        return Status.OPTIMAL, StopReason.GAP_REACHED
    return Status.FEASIBLE, ended
