"""Several aggregators: k of the candidate roots, each with a tree of its own for the members that it serves.

Each member belongs to one aggregator. The clusters work side by side, each with its own items: the energy is
the sum over them, the latency that of the slowest. Legs of the roots count once for each.
"""

import math
import time
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap
from solvers.relaying.aggregator_forest import open_phases, search_forest
from solvers.relaying.aggregator_partitions import best_partition, can_try_all
from solvers.relaying.bounds import ROUNDING, cheapest_links
from solvers.relaying.clusters_of import Clusters
from solvers.relaying.first_use import compile_loops
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution
from solvers.relaying.solve import DEFAULT_GAP


@dataclass(frozen=True, kw_only=True, eq=False)
class AggregatorsSolution:
    """The chosen aggregators, whom they serve, and the plan of each.

    Parameters
    ----------
    roots : (k,) int
        The aggregators, ascending.
    aggregator_of : (N,) int
        The aggregator of each member, itself for an aggregator; -1 for all other nodes.
    plans : tuple of RelayingSolution
        The plan of each aggregator's cluster, in the order of ``roots``.
    latency_s, energy_j, objective : float
        Latency of the slowest cluster, energy of all, and what they cost.
    """

    roots: IntArray
    aggregator_of: IntArray
    plans: tuple[RelayingSolution, ...]
    latency_s: float
    energy_j: float
    objective: float


def solve_aggregators(
    problem: RelayingProblem, num_aggregators: int, options: Options | None = None
) -> Result[AggregatorsSolution]:
    """Return the best found choice of aggregators with their clusters and trees, and a lower bound.

    To seven members that is the optimum, from the fronts of all clusters (with relays and candidates outside
    as far as trees of seven nodes and 5,000 ways to divide them go); beyond, roots are exchanged, the forest
    of each choice is annealed as one tree under all its roots, and the clusters of the best are planned by
    :func:`~solvers.relaying.solve.solve`. Limits hold in each cluster, every cluster has a member, and a
    relay serves one cluster. Compiling the loops, once per installation, does not count as time.

    Parameters
    ----------
    problem : RelayingProblem
        A candidate root that is a member aggregates for itself too; others may be relays or outside.
    num_aggregators : int
        k, from 1 to the number of candidate roots, and of members.
    options : Options or None

    Raises
    ------
    InvalidProblem
    """
    compile_loops()
    begun = time.perf_counter()
    options = options or Options()
    _check(problem, num_aggregators)
    exact = can_try_all(problem, num_aggregators)
    if exact:
        clusters = best_partition(problem, num_aggregators)
    else:
        clusters = search_forest(problem, num_aggregators, options)
    found = None if clusters is None else _collected(problem, clusters)
    objective = math.inf if found is None else found.objective
    bound = objective if exact else min(_bound(problem, num_aggregators), objective)
    allowed = DEFAULT_GAP if options.gap is None else options.gap
    status, reason = Status.FEASIBLE, StopReason.NO_PROGRESS
    if found is None:
        status = Status.INFEASIBLE if exact else Status.UNKNOWN
        reason = StopReason.PROVEN_INFEASIBLE if exact else reason
    elif relative_gap(objective, bound) <= allowed:
        status, reason = Status.OPTIMAL, StopReason.GAP_REACHED
    return Result(
        status=status,
        stop_reason=reason,
        solution=found,
        objective=objective,
        bound=bound,
        method="partitions" if exact else "forest_search",
        seconds=time.perf_counter() - begun,
    )


def _check(problem: RelayingProblem, num_aggregators: int) -> None:
    most = min(problem.roots.size, int(problem.members.sum()))
    if not 1 <= num_aggregators <= most:
        wanted = f"a whole number from 1 to {most}, the candidate roots or the members"
        raise InvalidProblem("num_aggregators", None, num_aggregators, wanted)


def _collected(problem: RelayingProblem, clusters: Clusters) -> AggregatorsSolution:
    plans, members = clusters.plans, clusters.members
    order = np.argsort([plan.root for plan in plans])
    aggregator_of = np.full(problem.num_nodes, -1)
    for plan, inside in zip(plans, members, strict=True):
        aggregator_of[inside] = aggregator_of[plan.root] = plan.root
    latency_s, energy_j = max(plan.latency_s for plan in plans), sum(plan.energy_j for plan in plans)
    return AggregatorsSolution(
        roots=np.array([plans[k].root for k in order]),
        aggregator_of=aggregator_of,
        plans=tuple(plans[k] for k in order),
        latency_s=latency_s,
        energy_j=energy_j,
        objective=problem.energy_weight * energy_j + problem.time_weight * latency_s,
    )


def _bound(problem: RelayingProblem, num_aggregators: int) -> float:
    """Return a lower bound: members that do not aggregate send over their cheapest links; k cheapest legs."""
    price, num_spared = 0.0, min(num_aggregators, int(problem.members[problem.roots].sum()))
    for phase in open_phases(problem):
        if phase.back:
            continue  # a cluster's union may be as small as an aggregator's own items
        cheapest = cheapest_links(phase, phase.least_price)[phase.member]
        price += float(np.sort(cheapest)[: cheapest.size - num_spared].sum())
    legs_j = float(np.sort(problem.root_joules[problem.roots])[:num_aggregators].sum())
    legs_s = float(np.sort(problem.root_seconds[problem.roots])[num_aggregators - 1])
    times = problem.num_round_trips + problem.num_root_legs
    waits_s = times * float(problem.ready_s[problem.members].max())
    slowest = max(problem.num_root_legs * legs_s, waits_s) * problem.time_weight
    rest = problem.num_root_legs * problem.energy_weight * legs_j
    return (price + rest + slowest) * (1.0 - ROUNDING)
