"""Several aggregators: k roots among the members, each with a tree of its own for the members that it serves.

Each member belongs to one aggregator. The clusters work side by side, each with its own items: the energy is
the sum over them, the latency that of the slowest. Legs of the roots count once for each.
"""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap
from solvers.relaying.bounds import ROUNDING, cheapest_links
from solvers.relaying.by_enumeration import pareto_front
from solvers.relaying.evaluate import evaluate
from solvers.relaying.first_use import compile_loops
from solvers.relaying.phase import ANY_ROOT, NO_LIMIT, Phase, phases_of
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution
from solvers.relaying.solve import DEFAULT_GAP, solve
from solvers.relaying.tree_search import TreeSearch

EXACT_MEMBERS = 7
"""Members up to which all partitions and all trees are tried."""
_SWAPS = 40
"""Exchanges of a root that are tried where time does not limit them."""
_MOVES_PER_NODE = 200
"""Moves of the search for the forest of one choice of roots."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AggregatorsSolution:
    """The chosen aggregators, whom they serve, and the plan of each.

    Parameters
    ----------
    roots : (k,) int
        The aggregators, ascending.
    aggregator_of : (N,) int
        The aggregator of each member, itself for an aggregator; -1 for nodes that are no members.
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

    To ``EXACT_MEMBERS`` members that is the optimum, from the fronts of all clusters; beyond, roots are
    exchanged, the forest of each choice is annealed as one tree under all its roots, and the clusters of the
    best are planned by :func:`~solvers.relaying.solve.solve`. Limits hold in each cluster.

    Parameters
    ----------
    problem : RelayingProblem
        Its candidate roots are members; it has no relays.
    num_aggregators : int
        k, from 1 to the number of candidate roots.
    options : Options or None

    Raises
    ------
    InvalidProblem
    """
    compile_loops()
    begun = time.perf_counter()
    options = options or Options()
    _check(problem, num_aggregators)
    exact = int(problem.members.sum()) <= EXACT_MEMBERS
    found = _best_partition(problem, num_aggregators) if exact else _search(problem, num_aggregators, options)
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
    if problem.relays.any():
        raise InvalidProblem("relays", int(np.argmax(problem.relays)), True, "false with several aggregators")
    outside = np.flatnonzero(~problem.members[problem.roots])
    if outside.size:
        root = int(problem.roots[outside[0]])
        raise InvalidProblem("roots", int(outside[0]), root, "a member, with several aggregators")
    if not 1 <= num_aggregators <= problem.roots.size:
        wanted = f"a whole number from 1 to {problem.roots.size}, the candidate roots"
        raise InvalidProblem("num_aggregators", None, num_aggregators, wanted)


def _cluster(problem: RelayingProblem, members: BoolArray, roots: IntArray) -> RelayingProblem:
    """Return the problem of one cluster: some members with their items, and the roots to choose from."""
    holds = problem.items_of_node & members[:, None]
    start = np.concatenate([[0], np.cumsum(holds.sum(axis=1))])
    return replace(
        problem, members=members, roots=roots, node_item_start=start, node_item=np.nonzero(holds)[1]
    )


def _collected(
    problem: RelayingProblem, plans: list[RelayingSolution], members: list[BoolArray]
) -> AggregatorsSolution:
    order = np.argsort([plan.root for plan in plans])
    aggregator_of = np.full(problem.num_nodes, -1)
    for plan, inside in zip(plans, members, strict=True):
        aggregator_of[inside] = plan.root
    latency_s, energy_j = max(plan.latency_s for plan in plans), sum(plan.energy_j for plan in plans)
    return AggregatorsSolution(
        roots=np.array([plans[k].root for k in order]),
        aggregator_of=aggregator_of,
        plans=tuple(plans[k] for k in order),
        latency_s=latency_s,
        energy_j=energy_j,
        objective=problem.energy_weight * energy_j + problem.time_weight * latency_s,
    )


def _best_partition(problem: RelayingProblem, num_aggregators: int) -> AggregatorsSolution | None:
    """Return the optimum: all partitions of the members, the front of each part."""
    nodes = np.flatnonzero(problem.members).tolist()
    fronts: dict[tuple[int, ...], list[tuple[float, float, RelayingSolution]]] = {}
    best_value, best = math.inf, None
    for parts in _partitions(nodes, num_aggregators):
        for part in parts:
            if part not in fronts:
                fronts[part] = _front(problem, part)
        choices = [fronts[part] for part in parts]
        for chosen in _combinations(choices):
            latency_s = max(choice[0] for choice in chosen)
            energy_j = sum(choice[1] for choice in chosen)
            value = problem.energy_weight * energy_j + problem.time_weight * latency_s
            if value < best_value:
                best_value, best = value, (parts, [choice[2] for choice in chosen])
    if best is None:
        return None
    masks = [np.isin(np.arange(problem.num_nodes), part) for part in best[0]]
    return _collected(problem, best[1], masks)


def _partitions(nodes: list[int], num_parts: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield all partitions into a number of parts, each part and the parts by their first node."""
    if num_parts == 1:
        yield (tuple(nodes),)
        return
    first, others = nodes[0], nodes[1:]
    for size in range(len(others) - num_parts + 2):
        for with_first in itertools.combinations(others, size):
            left = [node for node in others if node not in with_first]
            for rest in _partitions(left, num_parts - 1):
                yield ((first, *with_first), *rest)


def _front(problem: RelayingProblem, part: tuple[int, ...]) -> list[tuple[float, float, RelayingSolution]]:
    """Return latency, energy and plan of all non-dominated plans of a cluster."""
    members = np.isin(np.arange(problem.num_nodes), part)
    roots = problem.roots[members[problem.roots]]
    if roots.size == 0:
        return []
    cluster = _cluster(problem, members, roots)
    front = pareto_front(cluster)
    plans = [
        evaluate(cluster, int(front.root[k]), front.parent[k], front.return_parent[k], front.leg_parent[k])
        for k in range(len(front))
    ]
    return [(plan.latency_s, plan.energy_j, plan) for plan in plans]


def _combinations(
    choices: list[list[tuple[float, float, RelayingSolution]]],
) -> Iterator[list[tuple[float, float, RelayingSolution]]]:
    """Yield for each latency that some choice has the cheapest choices that are no slower."""
    if not all(choices):
        return
    for latency_s in sorted({choice[0] for front in choices for choice in front}):
        within = [[choice for choice in front if choice[0] <= latency_s] for front in choices]
        if all(within):  # along a front, energy falls as latency rises
            yield [front[-1] for front in within]


def _search(problem: RelayingProblem, num_aggregators: int, options: Options) -> AggregatorsSolution | None:
    """Exchange roots while the forest under them gets cheaper, then plan each cluster."""
    begun = time.perf_counter()
    limit_s = math.inf if options.time_limit_s is None else options.time_limit_s
    rng = np.random.default_rng(options.seed)
    phase = phases_of(problem, ANY_ROOT)[0]
    roots = rng.permutation(problem.roots)[:num_aggregators]
    best, aggregator_of = _forest(problem, phase, roots, rng)
    for _ in range(_SWAPS * num_aggregators):
        if time.perf_counter() - begun > 0.6 * limit_s or num_aggregators == problem.roots.size:
            break
        others = np.setdiff1d(problem.roots, roots)
        swapped = roots.copy()
        swapped[rng.integers(num_aggregators)] = others[rng.integers(others.size)]
        value, served = _forest(problem, phase, swapped, rng)
        if value < best or math.isinf(best):
            best, roots, aggregator_of = value, swapped, served
    if math.isinf(best):
        return None
    plans, masks = [], []
    for k, root in enumerate(roots.tolist()):
        masks.append(aggregator_of == root)
        left_s = (limit_s - (time.perf_counter() - begun)) / (num_aggregators - k)
        left = replace(options, time_limit_s=None if math.isinf(left_s) else max(left_s, 1e-3))
        cluster = _cluster(problem, masks[-1], np.array([root]))
        few = int(masks[-1].sum()) <= EXACT_MEMBERS
        plan = solve(cluster, method="enumeration" if few else "local_search", options=left).solution
        if plan is None:
            return None
        plans.append(plan)
    return _collected(problem, plans, masks)


def _forest(
    problem: RelayingProblem, phase: Phase, roots: IntArray, rng: np.random.Generator
) -> tuple[float, IntArray]:
    """Return the price of the gathers of a choice of roots, annealed as one tree, and each member's root."""
    top, is_root = problem.num_nodes, np.zeros(problem.num_nodes + 1, dtype=np.bool_)
    is_root[roots] = True
    kept = np.flatnonzero(~is_root[phase.child])
    child, parent = (
        np.append(phase.child[kept], roots),
        np.append(phase.parent[kept], np.full(roots.size, top)),
    )
    order = np.lexsort((parent, child))
    part = problem.num_root_legs / (problem.num_round_trips + problem.num_root_legs)

    def extended(values: FloatArray, last: FloatArray) -> FloatArray:
        return np.append(values[kept], last)[order]

    nothing = np.zeros(roots.size)
    forest = replace(
        phase,
        num_nodes=top + 1,
        root=top,
        start=np.searchsorted(child[order], np.arange(top + 2)),
        child=child[order],
        parent=parent[order],
        delay_s=extended(phase.delay_s, part * problem.root_seconds[roots]),
        s_per_bit=extended(phase.s_per_bit, nothing),
        second_price=extended(phase.second_price, nothing),
        holds=np.append(phase.holds, np.zeros((1, phase.holds.shape[1]), dtype=np.bool_), axis=0),
        ready_s=np.append(phase.ready_s, 0.0),
        half_duplex=np.append(phase.half_duplex, False),
        member=np.append(problem.members, False),
        relay=np.append(phase.relay, False),
        max_root_children=NO_LIMIT,
        max_hops=NO_LIMIT if phase.max_hops == NO_LIMIT else phase.max_hops + 1,
    )
    search = TreeSearch(forest, rng)
    search.begin()
    search.improve(_MOVES_PER_NODE * top, math.inf)
    above = np.where(is_root, np.arange(top + 1), search.parent)
    while (above[above] != above)[problem.members.nonzero()[0]].any() and math.isfinite(search.value):
        above = np.where(above >= 0, above[above], -1)
    legs = problem.num_root_legs * problem.energy_weight * float(problem.root_joules[roots].sum())
    return search.value + legs, np.where(problem.members, above[:-1], -1)


def _bound(problem: RelayingProblem, num_aggregators: int) -> float:
    """Return a lower bound: all members but k send over their cheapest links, and legs are the cheapest k."""
    price = 0.0
    for phase in phases_of(problem, ANY_ROOT):
        if phase.back:
            continue  # a cluster's union may be as small as an aggregator's own items
        cheapest = cheapest_links(phase, phase.least_price)[phase.member]
        price += float(np.sort(cheapest)[: cheapest.size - num_aggregators].sum())
    legs_j = float(np.sort(problem.root_joules[problem.roots])[:num_aggregators].sum())
    legs_s = float(np.sort(problem.root_seconds[problem.roots])[num_aggregators - 1])
    times = problem.num_round_trips + problem.num_root_legs
    waits_s = times * float(problem.ready_s[problem.members].max())
    slowest = max(problem.num_root_legs * legs_s, waits_s) * problem.time_weight
    rest = problem.num_root_legs * problem.energy_weight * legs_j
    return (price + rest + slowest) * (1.0 - ROUNDING)
