"""The Lagrangian relaxation of "each demand is served once" at given multipliers; compiled.

It falls apart by node.  Nodes with few slots are solved by trying all sets.  The others are solved exactly by
:mod:`solvers.placement.loops.node_search`, or, many times faster, bounded with a price on their capacity that
is a multiplier too, and with parts of replicas in their memory.
"""

import numpy as np

from solvers.common.arrays import FloatArray
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
    excess: FloatArray,
    node_value: FloatArray,
) -> float:
    """Return the relaxation's value at multipliers; write its solution into the last three arguments.

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
    excess : (N,) float
        Becomes the work above the capacity of each open node; zero where the capacity is not priced.
    node_value : (N,) float
        Becomes the least cost of each node, <= 0.
    """
    total = 0.0
    for d in range(value.size):
        total += value[d]
    used = np.zeros(at.demand.size, np.int64)
    for n in range(at.memory.size):
        excess[n] = 0.0
        first, last = at.node_start[n], at.node_start[n + 1]
        if first == last:
            node_value[n] = 0.0
            continue
        begin, end = at.seat_start[first], at.seat_start[last]
        if end - begin <= most_tried:
            node_value[n] = _try_all(at, n, value, served)
        elif most_nodes > 0:
            worth = np.empty(end - begin)
            for k in range(begin, end):
                worth[k - begin] = value[at.demand[k]] - at.cost[k]
            most, price[n], _ = best_choice(
                at.seat_start[first : last + 1],
                worth,
                at.work[begin:end],
                at.seat_cost[first:last],
                at.seat_bytes[first:last],
                at.memory[n],
                at.capacity[n],
                price[n],
                most_nodes,
                used[begin:end],
            )
            node_value[n] = -most
            for k in range(begin, end):
                served[k] = used[k]
        else:
            p = price[n] if at.capacity[n] < np.inf else 0.0  # what cannot bind has no price
            node_value[n] = _priced(at, n, value, p, served, excess)
        total += node_value[n]
    return total


@compiled
def _try_all(at: Arrangement, n: int, value: FloatArray, served: FloatArray) -> float:
    """Return the least cost of a node with few slots, exactly."""
    first, last = at.node_start[n], at.node_start[n + 1]
    begin, end = at.seat_start[first], at.seat_start[last]
    best, best_set = 0.0, 0
    for chosen in range(1, 1 << (end - begin)):
        cost, room, space = 0.0, at.capacity[n], at.memory[n]
        before = -1
        for k in range(begin, end):
            if (chosen >> (k - begin)) & 1:
                cost += at.cost[k] - value[at.demand[k]]
                room -= at.work[k]
                if at.seat[k] != before:
                    before = at.seat[k]
                    cost += at.seat_cost[before]
                    space -= at.seat_bytes[before]
        if cost < best and room >= 0 and space >= 0:
            best, best_set = cost, chosen
    for k in range(begin, end):
        served[k] = (best_set >> (k - begin)) & 1
    return best


@compiled
def _priced(
    at: Arrangement, n: int, value: FloatArray, p: float, served: FloatArray, excess: FloatArray
) -> float:
    """Return a lower bound on the cost of a node whose unit of work costs p, replicas in parts allowed.

    A node that hosts nothing pays nothing and takes no work: capacity C is C times "hosts anything".
    """
    first, last = at.node_start[n], at.node_start[n + 1]
    num_seats = last - first
    cost = np.empty(num_seats)
    wanted_bytes, cheapest = 0.0, 0
    for j in range(num_seats):
        cost[j] = at.seat_cost[first + j]
        for k in range(at.seat_start[first + j], at.seat_start[first + j + 1]):
            rest = at.cost[k] - value[at.demand[k]] + p * at.work[k]
            if rest < 0:
                cost[j] += rest
        if cost[j] < 0:
            wanted_bytes += at.seat_bytes[first + j]
        if cost[j] < cost[cheapest]:
            cheapest = j
    part = np.zeros(num_seats)
    total = _into_memory(cost, at.seat_bytes[first:last], at.memory[n], wanted_bytes, part)
    if cost[cheapest] >= 0 and p > 0:
        part[cheapest] = 1.0
        total = cost[cheapest]
    limited = at.capacity[n] < np.inf
    if limited and p > 0:
        total -= p * at.capacity[n]
    is_open = total < 0
    load = 0.0
    for j in range(num_seats):
        for k in range(at.seat_start[first + j], at.seat_start[first + j + 1]):
            served[k] = 0.0
            if is_open and part[j] > 0 and at.cost[k] - value[at.demand[k]] + p * at.work[k] < 0:
                served[k] = part[j]
                load += part[j] * at.work[k]
    if not is_open:
        return 0.0
    if limited:
        excess[n] = load - at.capacity[n]
    return total


@compiled
def _into_memory(
    cost: FloatArray, seat_bytes: FloatArray, memory: float, wanted_bytes: float, part: FloatArray
) -> float:
    """Return the least cost of parts of seats that fit, the cheapest per byte first (Dantzig 1957)."""
    total = 0.0
    if wanted_bytes <= memory:
        for j in range(cost.size):
            if cost[j] < 0:
                part[j] = 1.0
                total += cost[j]
        return total
    density = np.zeros(cost.size)
    for j in range(cost.size):
        if cost[j] < 0:
            density[j] = cost[j] / seat_bytes[j] if seat_bytes[j] > 0 else -np.inf
    room = memory
    for j in np.argsort(density, kind="mergesort"):
        if cost[j] >= 0 or room <= 0:
            break
        part[j] = 1.0 if seat_bytes[j] <= room else room / seat_bytes[j]
        total += part[j] * cost[j]
        room -= seat_bytes[j]
    return total
