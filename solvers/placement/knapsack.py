"""The cheapest replicas that fit into each node's memory, for all nodes at once, or a bound on them."""

from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.evaluate import RELATIVE_TOLERANCE, sum_by
from solvers.placement.problem import PlacementProblem

_MOST_ENUMERATED = 6
"""Nodes with at most this many replicas try all subsets; the others may host parts."""


@dataclass(frozen=True, eq=False)
class Knapsacks:
    """The memory of all nodes, prepared for many prices of replicas.

    Parameters
    ----------
    num_nodes : int
        N.
    host_node : (H,) int
        The node of each replica.
    free : (H,) bool
        Replicas on nodes that can hold all theirs.
    subsets : tuple or None
        ``(hosts, choices, fits)`` of small nodes: (n, s) replica or H for none, (2**s, s) and (n, 2**s).
    large : tuple or None
        ``(hosts, shares)`` of large nodes: (n, s) replica or H for none, and their shares of the memory.
    """

    num_nodes: int
    host_node: IntArray
    free: BoolArray
    subsets: tuple[IntArray, FloatArray, BoolArray] | None
    large: tuple[IntArray, FloatArray] | None


def prepare(problem: PlacementProblem, live_host: BoolArray) -> Knapsacks:
    """Return the knapsacks of the live replicas.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    live_host : (H,) bool
        Replicas that may exist, each small enough for its node alone.
    """
    memory = problem.item_memory[problem.host_item]
    counted = np.where(live_host, memory, 0.0)
    scarce = sum_by(problem.host_node, counted, problem.num_nodes) > problem.node_memory
    inside = np.flatnonzero(live_host & scarce[problem.host_node])
    count = np.bincount(problem.host_node[inside], minlength=problem.num_nodes)
    small = np.flatnonzero((count > 0) & (count <= _MOST_ENUMERATED))
    large = np.flatnonzero(count > _MOST_ENUMERATED)
    padded_memory = np.append(memory, 0.0)
    limit = problem.node_memory * (1 + RELATIVE_TOLERANCE)
    subsets = many = None
    if small.size:
        hosts = _padded(problem, inside, small)
        width = hosts.shape[1]
        choices = ((np.arange(2**width)[:, None] >> np.arange(width)) & 1).astype(np.float64)
        subsets = hosts, choices, padded_memory[hosts] @ choices.T <= limit[small, None]
    if large.size:
        hosts = _padded(problem, inside, large)
        many = hosts, padded_memory[hosts] / limit[large, None]
    free = live_host & ~scarce[problem.host_node]
    return Knapsacks(problem.num_nodes, problem.host_node, free, subsets, many)


def cheapest(knapsacks: Knapsacks, price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least total price of replicas on each node, (N,) <= 0, and the part of each replica, (H,).

    Parameters
    ----------
    knapsacks : Knapsacks
        The knapsacks.
    price : (H,) float
        Price of each replica; only those below zero are worth having.
    """
    hosted = knapsacks.free & (price < 0)
    value = sum_by(knapsacks.host_node, np.where(hosted, price, 0.0), knapsacks.num_nodes)
    gain = np.append(np.minimum(price, 0.0), 0.0)
    chosen = np.append(hosted, False).astype(np.float64)
    if knapsacks.subsets is not None:
        hosts, choices, fits = knapsacks.subsets
        totals = np.where(fits, gain[hosts] @ choices.T, np.inf)
        best = np.argmin(totals, axis=1)
        chosen[hosts] = choices[best]
        value += sum_by(knapsacks.host_node[hosts[:, 0]], totals.min(axis=1), knapsacks.num_nodes)
    if knapsacks.large is not None:
        hosts, shares = knapsacks.large
        total, taken = _by_density(gain[hosts], shares)
        chosen[hosts] = taken
        value += sum_by(knapsacks.host_node[hosts[:, 0]], total, knapsacks.num_nodes)
    return value, np.where(price < 0, chosen[:-1], 0.0)


def _by_density(gain: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least totals and parts when the best by price per byte go first (Dantzig 1957)."""
    order = np.argsort(gain / np.maximum(shares, 1e-300), axis=1)
    size = np.take_along_axis(shares, order, axis=1)
    room = np.maximum(1.0 - (np.cumsum(size, axis=1) - size), 0.0)
    part = np.minimum(room / np.maximum(size, 1e-300), 1.0)
    parts = np.empty_like(part)
    np.put_along_axis(parts, order, part, axis=1)
    return (gain * parts).sum(axis=1), parts


def _padded(problem: PlacementProblem, hosts: IntArray, nodes: IntArray) -> IntArray:
    """Return the replicas of each node in a row, the first one present, filled up with H."""
    row_of_node = np.full(problem.num_nodes, -1)
    row_of_node[nodes] = np.arange(nodes.size)
    mine = hosts[row_of_node[problem.host_node[hosts]] >= 0]
    mine = mine[np.argsort(row_of_node[problem.host_node[mine]], kind="stable")]
    row = row_of_node[problem.host_node[mine]]
    count = np.bincount(row, minlength=nodes.size)
    column = np.arange(mine.size) - (np.cumsum(count) - count)[row]
    table = np.full((nodes.size, int(count.max())), problem.num_hosts)
    table[row, column] = mine
    return table
