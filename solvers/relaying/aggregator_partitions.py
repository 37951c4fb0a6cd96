"""The best aggregators of few members: every partition of the members, with the exact front of every part."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from solvers.relaying.by_enumeration import pareto_front
from solvers.relaying.clusters_of import Clusters, cluster_of, outside_roots
from solvers.relaying.evaluate import evaluate
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution

LARGEST_TREE = 7
"""Nodes of the largest tree that a part may have."""
MOST_CHOICES = 5_000
"""Partitions, with relays and candidates outside dealt to their parts, that are tried at most."""

Point = tuple[float, float, RelayingSolution]
"""Latency, energy and plan."""


def can_try_all(problem: RelayingProblem, num_aggregators: int) -> bool:
    """Return whether all partitions, and all trees of their parts, are few enough to try."""
    num_members, outside = int(problem.members.sum()), outside_roots(problem)
    free = problem.relays | outside
    largest = num_members - num_aggregators + 1 + int(problem.relays.sum())
    largest += bool((outside & ~problem.relays).any())
    if max(largest, num_members) > LARGEST_TREE:
        return False
    ways_to_deal: int = num_aggregators ** int(free.sum())
    return _num_partitions(num_members, num_aggregators) * ways_to_deal <= MOST_CHOICES


def best_partition(problem: RelayingProblem, num_aggregators: int) -> Clusters | None:
    """Return the optimum: all partitions of the members, the front of each part.

    Relays and candidates that are no members are dealt to the parts in every way: a relay serves one part,
    and a part has its root among its own candidates.
    """
    nodes = np.flatnonzero(problem.members).tolist()
    free = np.flatnonzero(problem.relays | outside_roots(problem)).tolist()
    fronts: dict[tuple[int, ...], list[Point]] = {}
    best_value, best = math.inf, None
    for parts in _dealt(nodes, free, num_aggregators):
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
    masks = [np.isin(np.arange(problem.num_nodes), part) & problem.members for part in best[0]]
    return Clusters(best[1], masks)


def _num_partitions(num_nodes: int, num_parts: int) -> int:
    """Return how many partitions into non-empty parts there are (Stirling numbers of the second kind)."""
    num_labelled: int = sum(
        (-1) ** (num_parts - j) * math.comb(num_parts, j) * j**num_nodes for j in range(num_parts + 1)
    )
    return num_labelled // math.factorial(num_parts)


def _dealt(nodes: list[int], free: list[int], num_parts: int) -> Iterator[list[tuple[int, ...]]]:
    """Yield all partitions of ``nodes``, each with all ways to deal the nodes of ``free`` to the parts."""
    for parts in _partitions(nodes, num_parts):
        for owners in itertools.product(range(num_parts), repeat=len(free)):
            owned = list(zip(owners, free, strict=True))
            yield [(*part, *(n for k, n in owned if k == turn)) for turn, part in enumerate(parts)]


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


def _front(problem: RelayingProblem, part: tuple[int, ...]) -> list[Point]:
    """Return latency, energy and plan of all non-dominated plans of a cluster."""
    inside = np.isin(np.arange(problem.num_nodes), part)
    roots = problem.roots[inside[problem.roots]]
    if roots.size == 0:
        return []
    cluster = cluster_of(problem, inside, roots)
    front = pareto_front(cluster)
    plans = [
        evaluate(cluster, int(front.root[k]), front.parent[k], front.return_parent[k], front.leg_parent[k])
        for k in range(len(front))
    ]
    return [(plan.latency_s, plan.energy_j, plan) for plan in plans]


def _combinations(
    choices: list[list[Point]],
) -> Iterator[list[Point]]:
    """Yield for each latency that some choice has the cheapest choices that are no slower."""
    if not all(choices):
        return
    for latency_s in sorted({choice[0] for front in choices for choice in front}):
        within = [[choice for choice in front if choice[0] <= latency_s] for front in choices]
        if all(within):  # along a front, energy falls as latency rises
            yield [front[-1] for front in within]
