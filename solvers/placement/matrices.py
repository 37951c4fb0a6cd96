"""The placement problem as sparse rows, for solvers of mixed-integer linear programs.

Columns: one x per live pair, then one y per live replica that the rows below speak of.  Loads are divided by
their limit and multiplied by ``LOAD_SCALE``, so that a solver's absolute tolerance of 1e-6 is a billionth of
the limit.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.evaluate import sum_by
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import Reduction

LOAD_SCALE = 1e3
"""What a full node is worth in the rows of memory and capacity."""


@dataclass(frozen=True, eq=False)
class Cover:
    """At most ``size`` of these pairs, or of these replicas, fit together: a cut found violated.

    Parameters
    ----------
    members : (S,) int
        Pairs or replicas.
    size : int
        How many of them may be chosen.
    of_hosts : bool
        Whether the members are replicas.
    """

    members: IntArray
    size: int
    of_hosts: bool


@dataclass(frozen=True, eq=False)
class Rows:
    """Minimise ``cost @ v`` over ``lower <= matrix @ v <= upper``, 0 <= v <= 1.

    Parameters
    ----------
    pairs : (P,) int
        The pair behind each of the first P columns.
    hosts : (Q,) int
        The replica behind each of the other Q columns.
    cost : (P + Q,) float
        Cost of each column, in the problem's unit.
    matrix : (R, P + Q) sparse
        The rows.
    lower, upper : (R,) float
        Their limits.
    """

    pairs: IntArray
    hosts: IntArray
    cost: FloatArray
    matrix: sparse.csr_array
    lower: FloatArray
    upper: FloatArray


def rows_of(problem: PlacementProblem, reduction: Reduction, covers: tuple[Cover, ...] = ()) -> Rows:
    """Return the disaggregated model of what a reduction leaves; numbers are those of the model.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    reduction : Reduction
        The pairs and replicas to model; every demand has a live pair.
    covers : tuple of Cover
        Cuts to add.
    """
    pairs = np.flatnonzero(reduction.live_pair)
    hosts = np.flatnonzero(_needs_column(problem, reduction))
    column_of_host = np.full(problem.num_hosts, -1)
    column_of_host[hosts] = pairs.size + np.arange(hosts.size)
    width = pairs.size + hosts.size
    blocks = [
        _demand_rows(problem, pairs, width),
        _link_rows(column_of_host[problem.pair_host[pairs]], width),
        _memory_rows(problem, hosts, pairs.size, width),
        *_capacity_rows(problem, pairs, hosts, column_of_host, width),
        *(_cover_row(cover, pairs, column_of_host, width) for cover in covers),
    ]
    matrix = sparse.vstack([block[0] for block in blocks], format="csr")
    return Rows(
        pairs=pairs,
        hosts=hosts,
        cost=np.concatenate([problem.pair_cost[pairs], problem.host_cost[hosts]]),  # (1)
        matrix=sparse.csr_array(matrix),
        lower=np.concatenate([block[1] for block in blocks]),
        upper=np.concatenate([block[2] for block in blocks]),
    )


_Block = tuple[sparse.csr_array, FloatArray, FloatArray]


def _needs_column(problem: PlacementProblem, reduction: Reduction) -> BoolArray:
    """Return the live replicas that cost something or compete for memory; the others are free."""
    live = reduction.live_host
    memory = np.where(live, problem.item_memory[problem.host_item], 0.0)
    total = sum_by(problem.host_node, memory, problem.num_nodes)
    scarce = total > problem.node_memory
    return live & ((problem.host_cost > 0) | scarce[problem.host_node])


def _demand_rows(problem: PlacementProblem, pairs: IntArray, width: int) -> _Block:
    """(2) Each demand is served once."""
    ones = np.ones(problem.num_demands)
    matrix = sparse.csr_array(
        (np.ones(pairs.size), (problem.pair_demand[pairs], np.arange(pairs.size))),
        shape=(problem.num_demands, width),
    )
    return matrix, ones, ones


def _link_rows(host_column: IntArray, width: int) -> _Block:
    """(3) A pair is served only where the replica is."""
    linked = np.flatnonzero(host_column >= 0)
    count = linked.size
    row = np.arange(count)
    matrix = sparse.csr_array(
        (
            np.concatenate([np.ones(count), -np.ones(count)]),
            (np.concatenate([row, row]), np.concatenate([linked, host_column[linked]])),
        ),
        shape=(count, width),
    )
    return matrix, np.full(count, -np.inf), np.zeros(count)


def _memory_rows(problem: PlacementProblem, hosts: IntArray, offset: int, width: int) -> _Block:
    """(4) Replicas fit into the memory of their node."""
    node = problem.host_node[hosts]
    memory = problem.item_memory[problem.host_item[hosts]]
    column = offset + np.arange(hosts.size)
    return load_rows(node, column, memory, problem.node_memory, width)


def _capacity_rows(
    problem: PlacementProblem, pairs: IntArray, hosts: IntArray, column_of_host: IntArray, width: int
) -> list[_Block]:
    """(5) Work fits into the capacity of its node, (6) and into none where the replica is not hosted."""
    column = np.arange(pairs.size)
    node, work = problem.pair_node[pairs], problem.pair_work[pairs]
    blocks = [load_rows(node, column, work, problem.node_capacity, width)]
    host = problem.pair_host[pairs]
    total = sum_by(host, work, problem.num_hosts)
    tight = hosts[total[hosts] > problem.node_capacity[problem.host_node[hosts]]]
    if tight.size:
        row_of_host = np.full(problem.num_hosts, -1)
        row_of_host[tight] = np.arange(tight.size)
        inside = np.flatnonzero(row_of_host[host] >= 0)
        limit = problem.node_capacity[problem.host_node[tight]]
        heaviest = np.zeros(problem.num_hosts)
        np.maximum.at(heaviest, host, work)
        scale = LOAD_SCALE / np.maximum(limit, heaviest[tight])
        row = row_of_host[host[inside]]
        matrix = sparse.csr_array(
            (
                np.concatenate([work[inside] * scale[row], -limit * scale]),
                (
                    np.concatenate([row, np.arange(tight.size)]),
                    np.concatenate([inside, column_of_host[tight]]),
                ),
            ),
            shape=(tight.size, width),
        )
        blocks.append((matrix, np.full(tight.size, -np.inf), np.zeros(tight.size)))
    return blocks


def load_rows(node: IntArray, column: IntArray, load: FloatArray, limit: FloatArray, width: int) -> _Block:
    """Return a row for each node whose loads together are above its limit: sum of loads chosen <= limit.

    Parameters
    ----------
    node, column : (C,) int
        Node and column of each load.
    load : (C,) float
        What choosing the column puts on the node.
    limit : (N,) float
        The limits.
    width : int
        Number of columns.
    """
    total = sum_by(node, load, limit.size)
    binding = np.flatnonzero(total > limit)
    row_of_node = np.full(limit.size, -1)
    row_of_node[binding] = np.arange(binding.size)
    heaviest = np.zeros(limit.size)
    np.maximum.at(heaviest, node, load)
    scale = LOAD_SCALE / np.maximum(limit, heaviest)[binding]
    inside = (row_of_node[node] >= 0) & (load > 0)
    row = row_of_node[node[inside]]
    matrix = sparse.csr_array((load[inside] * scale[row], (row, column[inside])), shape=(binding.size, width))
    return matrix, np.full(binding.size, -np.inf), limit[binding] * scale


def _cover_row(cover: Cover, pairs: IntArray, column_of_host: IntArray, width: int) -> _Block:
    """(7) A set that does not fit is not chosen whole."""
    columns = (
        column_of_host[cover.members] if cover.of_hosts else np.flatnonzero(np.isin(pairs, cover.members))
    )
    columns = columns[columns >= 0]
    matrix = sparse.csr_array(
        (np.ones(columns.size), (np.zeros(columns.size, dtype=np.int64), columns)), shape=(1, width)
    )
    return matrix, np.array([-np.inf]), np.array([float(cover.size)])
