"""A placement in motion: what serving by an option costs now, and moves of replicas; compiled.

Small functions take arrays one by one: numba counts references on each look into a tuple of arrays, which
takes longer than the function.
"""

from typing import NamedTuple

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.choices import Choices

_MOST_ATTRACTED = 1000
"""Options of a seat beyond which no other seat shifts to it: looking at all of them would take too long."""


class State(NamedTuple):
    """What moves change in place.

    Parameters
    ----------
    chosen : (D,) int
        The option that serves each demand, -1 for none.
    users : (R,) int
        How many demands each seat serves; it is open while it serves any.
    memory, capacity : (N,) float
        What is left of each node's limits; below zero where a capacity is soft and overfull.
    price : (N,) float
        What work costs on a node that is exactly full and whose capacity is soft, >= 0; -1 where it is hard.
    stiffness : (1,) float
        How that price rises with each unit of work above the capacity, and falls below it, > 0.
    log : (2, L) int
        Demands moved and the options that they came from, to undo a move.
    gain : (2, Q) float
        Room to sort the options of one seat by gain.
    """

    chosen: IntArray
    users: IntArray
    memory: FloatArray
    capacity: FloatArray
    price: FloatArray
    stiffness: FloatArray
    log: IntArray
    gain: FloatArray


def empty_state(of: Choices) -> State:
    """Return the state in which nothing is served and capacities are hard."""
    longest = int(np.diff(of.seat_start).max(initial=0))
    return State(
        chosen=np.full(of.num_demands, -1, dtype=np.int32),
        users=np.zeros(of.seat_cost.size, dtype=np.int32),
        memory=of.memory.copy(),
        capacity=of.capacity.copy(),
        price=np.full(of.num_nodes, -1.0),
        stiffness=np.ones(1),
        log=np.zeros((2, 4 * of.num_demands + 8), dtype=np.int32),
        gain=np.zeros((2, longest)),
    )


@compiled
def price_of(
    k: int,
    node: IntArray,
    seat: IntArray,
    cost: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    users: IntArray,
    memory: FloatArray,
    capacity: FloatArray,
    price: FloatArray,
    stiffness: float,
) -> float:
    """Return what serving by option k would add now, with its replica if new; ``inf`` if it does not fit.

    Soft capacities cost the integral of ``max(0, price + stiffness * excess)`` over the work added: the
    augmented Lagrangian of the capacity.
    """
    n, s = node[k], seat[k]
    total = cost[k]
    if users[s] == 0:
        if seat_bytes[s] > memory[n]:
            return np.inf
        total += seat_cost[s]
    if price[n] < 0:
        return total if work[k] <= capacity[n] else np.inf
    low = price[n] - stiffness * capacity[n]
    high = low + stiffness * work[k]
    if high > 0:
        low = max(low, 0.0)
        total += 0.5 * (high * high - low * low) / stiffness
    return total


@compiled
def saving_of(
    k: int,
    node: IntArray,
    seat: IntArray,
    cost: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    users: IntArray,
    capacity: FloatArray,
    price: FloatArray,
    stiffness: float,
) -> float:
    """Return what no longer serving by option k would save now."""
    n, s = node[k], seat[k]
    total = cost[k]
    if users[s] == 1:
        total += seat_cost[s]
    if price[n] >= 0:
        high = price[n] - stiffness * capacity[n]
        if high > 0:
            low = max(high - stiffness * work[k], 0.0)
            total += 0.5 * (high * high - low * low) / stiffness
    return total


@compiled
def put(
    k: int,
    node: IntArray,
    seat: IntArray,
    work: FloatArray,
    seat_bytes: FloatArray,
    users: IntArray,
    memory: FloatArray,
    capacity: FloatArray,
) -> None:
    """Take up the room of option k."""
    n, s = node[k], seat[k]
    capacity[n] -= work[k]
    if users[s] == 0:
        memory[n] -= seat_bytes[s]
    users[s] += 1


@compiled
def lift(
    k: int,
    node: IntArray,
    seat: IntArray,
    work: FloatArray,
    seat_bytes: FloatArray,
    users: IntArray,
    memory: FloatArray,
    capacity: FloatArray,
) -> None:
    """Give back the room of option k, and that of its seat if it was the last user."""
    n, s = node[k], seat[k]
    capacity[n] += work[k]
    users[s] -= 1
    if users[s] == 0:
        memory[n] += seat_bytes[s]


@compiled
def cheapest(of: Choices, state: State, d: int, not_seat: int, not_node: int) -> tuple[int, float]:
    """Return the cheapest option of a lifted demand outside a seat and a node, and its price; -1 for none."""
    node, seat, cost, work = of.node, of.seat, of.cost, of.work
    seat_cost, seat_bytes, users = of.seat_cost, of.seat_bytes, state.users
    memory, capacity, price, stiffness = state.memory, state.capacity, state.price, state.stiffness[0]
    best, least = -1, np.inf
    for k in range(of.demand_start[d], of.demand_start[d + 1]):
        if seat[k] != not_seat and node[k] != not_node:
            now = price_of(
                k, node, seat, cost, work, seat_cost, seat_bytes, users, memory, capacity, price, stiffness
            )
            if now < least:
                best, least = k, now
    return best, least


@compiled
def close_seat(of: Choices, state: State, s: int, logged: int) -> tuple[float, int]:
    """Send all users of a seat elsewhere; return the change of cost, ``inf`` if one stays, and log's end."""
    node, seat, cost, work, demand = of.node, of.seat, of.cost, of.work, of.demand
    seat_cost, seat_bytes, users, chosen = of.seat_cost, of.seat_bytes, state.users, state.chosen
    memory, capacity, price, stiffness = state.memory, state.capacity, state.price, state.stiffness[0]
    log, demand_start, option = state.log, of.demand_start, of.option_of_seat
    change = 0.0
    for place in range(of.seat_start[s], of.seat_start[s + 1]):
        k = option[place]
        d = demand[k]
        if chosen[d] != k:
            continue
        saving = saving_of(k, node, seat, cost, work, seat_cost, users, capacity, price, stiffness)
        lift(k, node, seat, work, seat_bytes, users, memory, capacity)
        best, least = -1, np.inf
        for j in range(demand_start[d], demand_start[d + 1]):
            if seat[j] != s:
                now = price_of(
                    j,
                    node,
                    seat,
                    cost,
                    work,
                    seat_cost,
                    seat_bytes,
                    users,
                    memory,
                    capacity,
                    price,
                    stiffness,
                )
                if now < least:
                    best, least = j, now
        if best < 0:
            put(k, node, seat, work, seat_bytes, users, memory, capacity)
            return np.inf, logged
        put(best, node, seat, work, seat_bytes, users, memory, capacity)
        chosen[d] = best
        log[0, logged], log[1, logged] = d, k
        logged += 1
        change += least - saving
    return change, logged


@compiled
def open_seat(of: Choices, state: State, s: int, draw: float, most: float) -> tuple[float, int]:
    """Attract all that gain to a new replica, after closing another of the node if memory lacks.

    ``draw`` in [0, 1) chooses which to close; ``most`` is a change of cost that would be too much, so that
    what cannot gain enough is not tried.  Returns the change of cost and the log's end.
    """
    node, seat, cost, work, demand = of.node, of.seat, of.cost, of.work, of.demand
    seat_cost, seat_bytes, users, chosen = of.seat_cost, of.seat_bytes, state.users, state.chosen
    memory, capacity, price, stiffness = state.memory, state.capacity, state.price, state.stiffness[0]
    log, gain, option = state.log, state.gain, of.option_of_seat
    n = of.seat_node[s]
    count, total = 0, -seat_cost[s]
    low = price[n] - stiffness * capacity[n]
    for place in range(of.seat_start[s], of.seat_start[s + 1]):
        k = option[place]
        if chosen[demand[k]] == k:
            continue
        more = -cost[k] + saving_of(
            chosen[demand[k]], node, seat, cost, work, seat_cost, users, capacity, price, stiffness
        )
        if price[n] >= 0 and low + stiffness * work[k] > 0:
            more -= (low + 0.5 * stiffness * work[k]) * work[k] if low > 0 else 0.0
        if more > 0:
            total += more
            gain[0, count], gain[1, count] = -more, k
            count += 1
    if count == 0 or -total > most:
        return np.inf, 0
    change, logged = 0.0, 0
    if seat_bytes[s] > memory[n]:
        change, logged = _make_room(of, state, n, draw)
        if change == np.inf or seat_bytes[s] > memory[n]:
            return np.inf, logged
    for position in np.argsort(gain[0, :count], kind="mergesort"):
        k = int(gain[1, position])
        d = demand[k]
        now = price_of(
            k, node, seat, cost, work, seat_cost, seat_bytes, users, memory, capacity, price, stiffness
        )
        before = chosen[d]
        saving = saving_of(before, node, seat, cost, work, seat_cost, users, capacity, price, stiffness)
        if now == np.inf or (users[s] > 0 and saving <= now):
            continue
        lift(before, node, seat, work, seat_bytes, users, memory, capacity)
        put(k, node, seat, work, seat_bytes, users, memory, capacity)
        chosen[d] = k
        log[0, logged], log[1, logged] = d, before
        logged += 1
        change += now - saving
    return change, logged


@compiled
def _make_room(of: Choices, state: State, n: int, draw: float) -> tuple[float, int]:
    """Close one open seat of a node, chosen by ``draw``; return the change of cost and the log's end."""
    first, last, users = of.node_start[n], of.node_start[n + 1], state.users
    num_open = 0
    for other in range(first, last):
        num_open += users[other] > 0
    skipped = int(draw * num_open)
    for other in range(first, last):
        if users[other] > 0:
            if skipped == 0:
                return close_seat(of, state, other, 0)
            skipped -= 1
    return np.inf, 0


@compiled
def shift_seat(of: Choices, state: State, s: int, first: float, second: float) -> tuple[float, int]:
    """Open a replica of the same item on another node, and close the seat, in one move.

    ``first`` in [0, 1) chooses one of the seat's demands, and of that one's other seats; ``second`` what to
    close for its memory.  Returns the change of cost, ``inf`` where it cannot be, and the log's end.
    """
    begin, length = of.seat_start[s], of.seat_start[s + 1] - of.seat_start[s]
    scaled = first * length
    d = of.demand[of.option_of_seat[begin + int(scaled)]]
    begin, length = of.demand_start[d], of.demand_start[d + 1] - of.demand_start[d]
    other = of.seat[begin + int((scaled - int(scaled)) * length)]
    if state.users[other] > 0 or of.seat_node[other] == of.seat_node[s]:
        return np.inf, 0
    if of.seat_start[other + 1] - of.seat_start[other] > _MOST_ATTRACTED:
        return np.inf, 0
    change, logged = open_seat(of, state, other, second, np.inf)
    if change == np.inf or state.users[other] == 0:
        return np.inf, logged
    more, logged = close_seat(of, state, s, logged)
    return change + more, logged


@compiled
def undo(of: Choices, state: State, logged: int) -> None:
    """Undo what is logged."""
    node, seat, work, seat_bytes, users = of.node, of.seat, of.work, of.seat_bytes, state.users
    memory, capacity, chosen, log = state.memory, state.capacity, state.chosen, state.log
    for position in range(logged - 1, -1, -1):
        d, before = log[0, position], log[1, position]
        lift(chosen[d], node, seat, work, seat_bytes, users, memory, capacity)
        put(before, node, seat, work, seat_bytes, users, memory, capacity)
        chosen[d] = before
