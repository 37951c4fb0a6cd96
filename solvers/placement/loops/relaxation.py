"""The Lagrangian relaxation of "each demand is served once" at given multipliers; compiled.

It falls apart by node.  Nodes with few slots are solved by trying all sets.  The others are solved exactly by
:mod:`solvers.placement.loops.node_search`, or, many times faster, bounded with a price on their capacity that
is a multiplier too, and with parts of replicas in their memory.
"""

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.node_search import best_choice


@compiled
def relax(
    at: Arrangement,
    value: FloatArray,
    price: FloatArray,
    most_tried: int,
    most_nodes: int,
    served: FloatArray,
    slope: FloatArray,
    excess: FloatArray,
    node_value: FloatArray,
) -> float:
    """Return the relaxation's value at multipliers; write its solution into the last four arguments.

    Parameters
    ----------
    at : Arrangement
        The problem.
    value : (D,) float
        What serving each demand is worth, of any sign.
    price : (N,) float
        Price of a unit of work on each node, >= 0.  With an exact search it is only where that begins, and
        becomes the price found.
    most_tried : int
        Nodes with at most this many slots try all sets; 0 where demands may be split.
    most_nodes : int
        Size at which an exact search of a node is given up; 0 for none, priced capacities instead.
    served : (S,) float
        Becomes the part of its demand that each slot serves.
    slope : (D,) float
        Becomes 1 minus the parts of each demand that are served.
    excess : (N,) float
        Becomes the work above the capacity of each open node; zero where the capacity is not priced.
    node_value : (N,) float
        Becomes the least cost of each node, <= 0.
    """
    demand, cost, work, memory, capacity = at.demand, at.cost, at.work, at.memory, at.capacity
    seat_start, node_start, seat_cost, seat_bytes = at.seat_start, at.node_start, at.seat_cost, at.seat_bytes
    worth, used = np.empty(demand.size), np.zeros(demand.size, np.int64)
    part = np.empty(seat_cost.size)
    total = 0.0
    for d in range(value.size):
        total += value[d]
    for k in range(demand.size):
        worth[k] = value[demand[k]] - cost[k]
    for n in range(memory.size):
        excess[n] = 0.0
        first, last = node_start[n], node_start[n + 1]
        if first == last:
            node_value[n] = 0.0
            continue
        begin, end = seat_start[first], seat_start[last]
        if end - begin <= most_tried:
            node_value[n] = _try_all(
                first, last, seat_start, worth, work, seat_cost, seat_bytes, memory[n], capacity[n], served
            )
        elif most_nodes > 0:
            most, price[n], _ = best_choice(
                seat_start[first : last + 1],
                worth[begin:end],
                work[begin:end],
                seat_cost[first:last],
                seat_bytes[first:last],
                memory[n],
                capacity[n],
                price[n],
                most_nodes,
                used[begin:end],
            )
            node_value[n] = -most
            for k in range(begin, end):
                served[k] = used[k]
        else:
            p = price[n] if capacity[n] < np.inf else 0.0  # what cannot bind has no price
            node_value[n], load = _priced(
                first,
                last,
                seat_start,
                worth,
                work,
                seat_cost,
                seat_bytes,
                memory[n],
                capacity[n],
                p,
                part,
                served,
            )
            if node_value[n] < 0 and capacity[n] < np.inf:
                excess[n] = load - capacity[n]
        total += node_value[n]
    for d in range(value.size):
        slope[d] = 1.0
    for k in range(demand.size):
        slope[demand[k]] -= served[k]
    return total


@compiled
def _try_all(
    first: int,
    last: int,
    seat_start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    served: FloatArray,
) -> float:
    """Return the least cost of a node with few slots, exactly."""
    begin, end = seat_start[first], seat_start[last]
    best, best_set = 0.0, 0
    for chosen in range(1, 1 << (end - begin)):
        cost, room, space = 0.0, capacity, memory
        for j in range(first, last):
            is_open = False
            for k in range(seat_start[j], seat_start[j + 1]):
                if (chosen >> (k - begin)) & 1:
                    cost -= worth[k]
                    room -= work[k]
                    is_open = True
            if is_open:
                cost += seat_cost[j]
                space -= seat_bytes[j]
        if cost < best and room >= 0 and space >= 0:
            best, best_set = cost, chosen
    for k in range(begin, end):
        served[k] = (best_set >> (k - begin)) & 1
    return best


@compiled
def _priced(
    first: int,
    last: int,
    seat_start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    p: float,
    part: FloatArray,
    served: FloatArray,
) -> tuple[float, float]:
    """Return a lower bound on the cost of a node whose unit of work costs p, and the load there.

    Replicas in parts are allowed.  A node that hosts nothing pays nothing and takes no work: capacity C is C
    times "hosts anything".
    """
    cost = part[first:last]
    wanted_bytes, cheapest, least, total = 0.0, first, np.inf, 0.0
    for j in range(first, last):
        seat = seat_cost[j]
        for k in range(seat_start[j], seat_start[j + 1]):
            seat -= max(worth[k] - p * work[k], 0.0)
        cost[j - first] = seat
        if seat < 0:
            wanted_bytes += seat_bytes[j]
            total += seat
        if seat < least:
            cheapest, least = j, seat
    if least >= 0 and p > 0:
        cost[:] = 0.0
        cost[cheapest - first] = 1.0
        total = least
    elif wanted_bytes <= memory:
        for j in range(last - first):
            cost[j] = 1.0 if cost[j] < 0 else 0.0
    else:
        total = _into_memory(cost, seat_bytes[first:last], memory)
    if p > 0:
        total -= p * capacity
    load = 0.0
    for j in range(first, last):
        share = cost[j - first] if total < 0 else 0.0
        for k in range(seat_start[j], seat_start[j + 1]):
            served[k] = 0.0
            if share > 0 and worth[k] - p * work[k] > 0:
                served[k] = share
                load += share * work[k]
    return min(total, 0.0), load


@compiled
def _into_memory(cost: FloatArray, seat_bytes: FloatArray, memory: float) -> float:
    """Return the least cost of parts of seats that fit, the cheapest per byte first (Dantzig 1957).

    The parts replace the costs.
    """
    density = np.zeros(cost.size)
    for j in range(cost.size):
        if cost[j] < 0:
            density[j] = cost[j] / seat_bytes[j] if seat_bytes[j] > 0 else -np.inf
    room, total = memory, 0.0
    for j in np.argsort(density, kind="mergesort"):
        part = 0.0
        if cost[j] < 0 and room > 0:
            part = 1.0 if seat_bytes[j] <= room else room / seat_bytes[j]
            total += part * cost[j]
            room -= seat_bytes[j]
        cost[j] = part
    return total
