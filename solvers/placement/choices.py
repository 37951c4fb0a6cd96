"""The live pairs and replicas of a problem in the order of demands, for a search that moves demands."""

from typing import NamedTuple

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.placement.arrangement import Arrangement


class Choices(NamedTuple):
    """S options (live pairs) in the order of demands, and the R seats (live replicas) of an arrangement.

    What one demand may choose lies side by side in memory, where a search looks most.

    Parameters
    ----------
    slot : (S,) int
        The arrangement's slot behind each option.
    demand, node, seat : (S,) int
        What each option serves, where, and by which seat.
    cost, work : (S,) float
        As in the problem.
    demand_start : (D + 1,) int
        The options of demand d are ``demand_start[d]`` to ``demand_start[d + 1]``.
    option_of_seat, seat_start : (S,) and (R + 1,) int
        The options of seat r are ``option_of_seat[seat_start[r] : seat_start[r + 1]]``.
    node_start : (N + 1,) int
        The seats of node n are ``node_start[n]`` to ``node_start[n + 1]``.
    seat_node : (R,) int
        Node of each seat.
    seat_cost, seat_bytes : (R,) float
        Cost and bytes of the replica.
    memory, capacity : (N,) float
        The limits of the nodes, ``inf`` where they cannot bind.
    """

    slot: IntArray
    demand: IntArray
    node: IntArray
    seat: IntArray
    cost: FloatArray
    work: FloatArray
    demand_start: IntArray
    option_of_seat: IntArray
    seat_start: IntArray
    node_start: IntArray
    seat_node: IntArray
    seat_cost: FloatArray
    seat_bytes: FloatArray
    memory: FloatArray
    capacity: FloatArray

    @property
    def num_demands(self) -> int:
        """D, the number of demands."""
        return int(self.demand_start.size) - 1

    @property
    def num_nodes(self) -> int:
        """N, the number of nodes."""
        return int(self.memory.size)


def choices_of(at: Arrangement) -> Choices:
    """Return the choices of an arrangement.

    Parameters
    ----------
    at : Arrangement
        Slots and seats in the order of nodes.
    """
    slot = at.slot_of_demand
    option_of_slot = np.empty_like(slot)
    option_of_slot[slot] = np.arange(slot.size, dtype=slot.dtype)
    return Choices(
        slot=slot,
        demand=at.demand[slot],
        node=at.node[slot],
        seat=at.seat[slot],
        cost=at.cost[slot],
        work=at.work[slot],
        demand_start=at.demand_start,
        option_of_seat=option_of_slot,
        seat_start=at.seat_start,
        node_start=at.node_start,
        seat_node=at.seat_node,
        seat_cost=at.seat_cost,
        seat_bytes=at.seat_bytes,
        memory=at.memory,
        capacity=at.capacity,
    )
