"""Say why a problem has no placement: which limits to relax, and by how much."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import sparse

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.errors import BackendFailure
from solvers.common.options import Options
from solvers.placement.evaluate import (
    RELATIVE_TOLERANCE,
    exceeds,
    node_loads,
    solution_from_fractions,
    solution_from_pairs,
    sum_by,
)
from solvers.placement.highs import mixed_integer
from solvers.placement.matrices import LOAD_SCALE, load_rows
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import demands_without
from solvers.placement.solution import PlacementSolution


class LimitKind(StrEnum):
    """Which limit of a node."""

    MEMORY = "memory"
    CAPACITY = "capacity"


@dataclass(frozen=True)
class Relaxation:
    """One limit to relax.

    Parameters
    ----------
    node : int
        The node.
    kind : LimitKind
        Its memory or its capacity.
    amount : float
        By how much the limit must grow, > 0: bytes for memory, the problem's unit of work for capacity.
    """

    node: int
    kind: LimitKind
    amount: float

    def __str__(self) -> str:
        unit = " byte" if self.kind is LimitKind.MEMORY else ""
        return f"{self.kind} of node {self.node} by {self.amount:.6g}{unit}"


@dataclass(frozen=True)
class Infeasibility:
    """Why there is no placement; empty where there is one.

    Parameters
    ----------
    demands_without_pair : tuple of int
        Demands without any candidate; no relaxation of limits helps them.
    relaxations : tuple of Relaxation
        Limits that, relaxed together by these amounts, let the other demands be placed.
    proven_least : bool
        Whether no other choice has a smaller sum of amounts, each measured in shares of its limit.
    """

    demands_without_pair: tuple[int, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    proven_least: bool = True

    def __bool__(self) -> bool:
        return bool(self.demands_without_pair or self.relaxations)

    def __str__(self) -> str:
        parts = []
        if self.demands_without_pair:
            names = ", ".join(map(str, self.demands_without_pair[:10]))
            more = len(self.demands_without_pair) - 10
            parts.append(f"no candidate pair: demand {names}" + (f" and {more} more" if more > 0 else ""))
        if self.relaxations:
            least = "the least" if self.proven_least else "a sufficient"
            parts.append(f"{least} relaxation: " + "; ".join(map(str, self.relaxations)))
        return "; ".join(parts)


def explain_infeasible(problem: PlacementProblem, options: Options | None = None) -> Infeasibility:
    """Return the least relaxation of node limits under which all demands that have a pair can be placed.

    The least is that with the smallest sum of excesses, each divided by its limit (or by the largest load
    that may come, where that is more), since bytes and work have no common unit.

    Parameters
    ----------
    problem : PlacementProblem
        Any problem; a feasible one gives an empty answer.
    options : Options, optional
        ``time_limit_s`` ends the search with a relaxation that suffices, if one was found.

    Raises
    ------
    BackendFailure
        If HiGHS fails or finds nothing within the time limit.
    """
    lost = tuple(demands_without(problem, np.ones(problem.num_pairs, dtype=bool)).tolist())
    if not problem.num_pairs:
        return Infeasibility(lost)
    solution, proven = _least_excess(problem, options or Options())
    memory, work = node_loads(problem, solution)
    if not (np.any(exceeds(memory, problem.node_memory)) or np.any(exceeds(work, problem.node_capacity))):
        return Infeasibility(lost, (), proven_least=True)
    relaxations = (
        *_relaxations(LimitKind.MEMORY, memory, problem.node_memory),
        *_relaxations(LimitKind.CAPACITY, work, problem.node_capacity),
    )
    return Infeasibility(lost, relaxations, proven_least=proven)


def _relaxations(kind: LimitKind, load: FloatArray, limit: FloatArray) -> tuple[Relaxation, ...]:
    over = np.flatnonzero(exceeds(load, limit))
    return tuple(Relaxation(int(node), kind, float(load[node] - limit[node])) for node in over)


def _least_excess(problem: PlacementProblem, options: Options) -> tuple[PlacementSolution, bool]:
    """Return a placement of least total relative excess, and whether that is proven."""
    rows, num_excess = _elastic_rows(problem)
    num_whole = problem.num_pairs + problem.num_hosts
    whole = np.arange(num_whole + num_excess) < num_whole
    if problem.split:
        whole[: problem.num_pairs] = False
    answer = mixed_integer(
        np.concatenate([np.zeros(num_whole), np.ones(num_excess)]),
        rows,
        whole,
        np.concatenate([np.ones(num_whole), np.full(num_excess, np.inf)]),
        gap=1e-6,
        time_limit_s=math.inf if options.time_limit_s is None else options.time_limit_s,
    )
    if answer.values is None:
        raise BackendFailure("HiGHS found no relaxation of the limits within the time limit")
    served: IntArray = np.flatnonzero(
        np.bincount(problem.pair_demand, minlength=problem.num_demands) > 0
    ).astype(np.int64)
    return _served_placement(problem, answer.values[: problem.num_pairs], served), not answer.timed_out


def _served_placement(problem: PlacementProblem, share: FloatArray, served: IntArray) -> PlacementSolution:
    """Return the placement of the demands that have pairs; the others are left out."""
    order = np.lexsort((share, problem.pair_demand))
    chosen = order[np.cumsum(np.bincount(problem.pair_demand, minlength=problem.num_demands))[served] - 1]
    if not problem.split:
        return solution_from_pairs(problem, chosen)
    fraction = np.where(share > 1e-9, share, 0.0)
    total = sum_by(problem.pair_demand, fraction, problem.num_demands)
    return solution_from_fractions(problem, fraction / total[problem.pair_demand])


def _elastic_rows(problem: PlacementProblem) -> tuple[tuple[sparse.csr_array, FloatArray, FloatArray], int]:
    """Return rows over x, y and one excess per limit that can bind; an excess is in shares of its limit."""
    num_pairs, num_hosts = problem.num_pairs, problem.num_hosts
    width = num_pairs + num_hosts
    pair, ones = np.arange(num_pairs), np.ones(num_pairs)
    served, row = np.unique(problem.pair_demand, return_inverse=True)
    demand_rows = sparse.csr_array((ones, (row, pair)), shape=(served.size, width))
    link_rows = sparse.csr_array(
        (
            np.concatenate([ones, -ones]),
            (np.concatenate([pair, pair]), np.concatenate([pair, num_pairs + problem.pair_host])),
        ),
        shape=(num_pairs, width),
    )
    host_column = num_pairs + np.arange(num_hosts)
    host_memory = problem.item_memory[problem.host_item]
    memory = load_rows(problem.host_node, host_column, host_memory, problem.node_memory, width)
    work = load_rows(problem.pair_node, pair, problem.pair_work, problem.node_capacity, width)
    loads = sparse.vstack([memory[0], work[0]], format="csr")
    num_excess = loads.shape[0]
    # A limit may be passed freely within the tolerance of every placement, and by its excess beyond.
    room = np.concatenate([memory[2], work[2]]) * (1 + RELATIVE_TOLERANCE)
    fixed = sparse.vstack([demand_rows, link_rows], format="csr")
    matrix = sparse.block_array(
        [[fixed, None], [loads, -LOAD_SCALE * sparse.eye_array(num_excess)]], format="csr"
    )
    lower = np.concatenate([np.ones(served.size), np.full(num_pairs + num_excess, -math.inf)])
    upper = np.concatenate([np.ones(served.size), np.zeros(num_pairs), room])
    return (sparse.csr_array(matrix), lower, upper), num_excess
