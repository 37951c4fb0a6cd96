"""The live pairs and replicas of a problem in the order of nodes, for loops that go node by node."""

from typing import NamedTuple

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.evaluate import RELATIVE_TOLERANCE, sum_by
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import Reduction


class Arrangement(NamedTuple):
    """S slots (live pairs) and R seats (live replicas), both sorted by node; slots then by seat and demand.

    A named tuple, because compiled loops take it as one argument.  Indices are 32 bits wide.

    Parameters
    ----------
    pair, demand, node, seat : (S,) int
        What stands behind each slot.
    cost, work : (S,) float
        As in the problem.
    slot_of_demand, demand_start : (S,) and (D + 1,) int
        The slots of demand d are ``slot_of_demand[demand_start[d] : demand_start[d + 1]]``.
    seat_start : (R + 1,) int
        The slots of seat r are ``seat_start[r]`` to ``seat_start[r + 1]``.
    node_start : (N + 1,) int
        The seats of node n are ``node_start[n]`` to ``node_start[n + 1]``.
    seat_host, seat_node : (R,) int
        The replica behind each seat, and its node.
    seat_cost, seat_bytes : (R,) float
        Cost and bytes of the replica.
    memory, capacity : (N,) float
        The limits of the nodes, ``inf`` where they cannot bind.
    """

    pair: IntArray
    demand: IntArray
    node: IntArray
    seat: IntArray
    cost: FloatArray
    work: FloatArray
    slot_of_demand: IntArray
    demand_start: IntArray
    seat_start: IntArray
    node_start: IntArray
    seat_host: IntArray
    seat_node: IntArray
    seat_cost: FloatArray
    seat_bytes: FloatArray
    memory: FloatArray
    capacity: FloatArray

    @property
    def num_slots(self) -> int:
        """S, the number of live pairs."""
        return int(self.pair.size)

    @property
    def num_demands(self) -> int:
        """D, the number of demands."""
        return int(self.demand_start.size) - 1

    @property
    def num_nodes(self) -> int:
        """N, the number of nodes."""
        return int(self.memory.size)


def arrange(problem: PlacementProblem, reduction: Reduction) -> Arrangement:
    """Return the arrangement of what a reduction leaves.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    reduction : Reduction
        The pairs that are live.
    """
    live = np.flatnonzero(reduction.live_pair)
    key = problem.pair_node[live] * max(problem.num_hosts, 1) + problem.pair_host[live]
    pair = live[np.argsort(key, kind="stable")]
    host = problem.pair_host[pair]
    new_seat = np.diff(host, prepend=-1) != 0
    seat_host = host[new_seat]
    seat_node = problem.host_node[seat_host]
    demand = problem.pair_demand[pair]
    node, work = problem.pair_node[pair], problem.pair_work[pair]
    seat_bytes = problem.item_memory[problem.host_item[seat_host]]
    return Arrangement(
        pair=_short(pair),
        demand=_short(demand),
        node=_short(node),
        seat=_short(np.cumsum(new_seat) - 1),
        cost=problem.pair_cost[pair],
        work=work,
        slot_of_demand=_short(np.argsort(demand, kind="stable")),
        demand_start=_starts(demand, problem.num_demands),
        seat_start=_short(np.append(np.flatnonzero(new_seat), pair.size)),
        node_start=_starts(seat_node, problem.num_nodes),
        seat_host=_short(seat_host),
        seat_node=_short(seat_node),
        seat_cost=problem.host_cost[seat_host],
        seat_bytes=seat_bytes,
        memory=_binding(seat_node, seat_bytes, problem.node_memory),
        capacity=_binding(node, work, problem.node_capacity),
    )


def narrowed(at: Arrangement, kept: BoolArray) -> Arrangement:
    """Return the arrangement of some slots, and of the seats that they need.

    Parameters
    ----------
    at : Arrangement
        What to narrow.
    kept : (S,) bool
        The slots to keep.
    """
    seat = at.seat[kept]
    new_seat = np.diff(seat, prepend=-1) != 0
    seats = seat[new_seat]
    demand = at.demand[kept]
    return at._replace(
        pair=at.pair[kept],
        demand=demand,
        node=at.node[kept],
        seat=_short(np.cumsum(new_seat) - 1),
        cost=at.cost[kept],
        work=at.work[kept],
        slot_of_demand=_short(np.argsort(demand, kind="stable")),
        demand_start=_starts(demand, at.num_demands),
        seat_start=_short(np.append(np.flatnonzero(new_seat), demand.size)),
        node_start=_starts(at.seat_node[seats], at.num_nodes),
        seat_host=at.seat_host[seats],
        seat_node=at.seat_node[seats],
        seat_cost=at.seat_cost[seats],
        seat_bytes=at.seat_bytes[seats],
    )


def with_tolerance(arranged: Arrangement, share: float) -> Arrangement:
    """Return the arrangement with limits loosened by a share of the tolerance of every placement.

    Parameters
    ----------
    arranged : Arrangement
        What to loosen.
    share : float
        Above 1 for bounds, which rounding must not raise; below 1 for placements, which it must not break.
    """
    factor = 1 + share * RELATIVE_TOLERANCE
    return arranged._replace(memory=arranged.memory * factor, capacity=arranged.capacity * factor)


def _binding(node: IntArray, load: FloatArray, limit: FloatArray) -> FloatArray:
    return np.where(sum_by(node, load, limit.size) > limit, limit, np.inf)


def _starts(index: IntArray, size: int) -> IntArray:
    return _short(np.concatenate([[0], np.cumsum(np.bincount(index, minlength=size))]))


def _short(index: IntArray) -> IntArray:
    return index.astype(np.int32)
