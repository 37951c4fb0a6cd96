"""A placement in motion: who is served where, what is left, and moves that can be undone; compiled."""

from typing import NamedTuple

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.node_search import best_choice


class State(NamedTuple):
    """What moves change in place.

    Parameters
    ----------
    chosen : (D,) int
        The slot that serves each demand, -1 for none.
    users : (R,) int
        How many demands each seat serves; it is open while it serves any.
    memory, capacity : (N,) float
        What is left of each node's limits.
    guest, guest_start, num_guests, place : (S,), (N + 1,), (N,) and (D,) int
        The demands served by node n are ``guest[guest_start[n] :]``, ``num_guests[n]`` of them; demand d is
        at position ``place[d]`` among them.
    log : (2, L) int
        Demands moved and the slots that they came from, to undo a move.
    gain : (2, S') float
        Room to sort slots of one seat by gain.
    """

    chosen: IntArray
    users: IntArray
    memory: FloatArray
    capacity: FloatArray
    guest: IntArray
    guest_start: IntArray
    num_guests: IntArray
    place: IntArray
    log: IntArray
    gain: FloatArray


def empty_state(at: Arrangement) -> State:
    """Return the state in which nothing is served."""
    longest = int(np.diff(at.seat_start).max(initial=0))
    return State(
        chosen=np.full(at.num_demands, -1, dtype=np.int32),
        users=np.zeros(at.seat_cost.size, dtype=np.int32),
        memory=at.memory.copy(),
        capacity=at.capacity.copy(),
        guest=np.zeros(at.num_slots, dtype=np.int32),
        guest_start=at.seat_start[at.node_start],
        num_guests=np.zeros(at.num_nodes, dtype=np.int32),
        place=np.zeros(at.num_demands, dtype=np.int32),
        log=np.zeros((2, 2 * at.num_demands + 8), dtype=np.int32),
        gain=np.zeros((2, longest)),
    )


@compiled
def fits(at: Arrangement, state: State, k: int) -> bool:
    """Return whether the slot's node has room for its work and, if new, its replica."""
    n, seat = at.node[k], at.seat[k]
    if at.work[k] > state.capacity[n]:
        return False
    return state.users[seat] > 0 or at.seat_bytes[seat] <= state.memory[n]


@compiled
def price_of(at: Arrangement, state: State, k: int) -> float:
    """Return the cost that choosing the slot adds now, with its replica if new."""
    seat = at.seat[k]
    return at.cost[k] if state.users[seat] > 0 else at.cost[k] + at.seat_cost[seat]


@compiled
def saving_of(at: Arrangement, state: State, d: int) -> float:
    """Return what releasing the demand would save."""
    k = state.chosen[d]
    seat = at.seat[k]
    return at.cost[k] + at.seat_cost[seat] if state.users[seat] == 1 else at.cost[k]


@compiled
def choose(at: Arrangement, state: State, k: int) -> None:
    """Serve the slot's demand, which nothing serves, by it; whether it fits is for the caller to know."""
    d, n, seat = at.demand[k], at.node[k], at.seat[k]
    state.chosen[d] = k
    state.capacity[n] -= at.work[k]
    if state.users[seat] == 0:
        state.memory[n] -= at.seat_bytes[seat]
    state.users[seat] += 1
    state.place[d] = state.num_guests[n]
    state.guest[state.guest_start[n] + state.num_guests[n]] = d
    state.num_guests[n] += 1


@compiled
def release(at: Arrangement, state: State, d: int) -> int:
    """Take a demand off its slot, close the seat if that was its last; return the slot."""
    k = state.chosen[d]
    n, seat = at.node[k], at.seat[k]
    state.chosen[d] = -1
    state.capacity[n] += at.work[k]
    state.users[seat] -= 1
    if state.users[seat] == 0:
        state.memory[n] += at.seat_bytes[seat]
    state.num_guests[n] -= 1
    last = state.guest[state.guest_start[n] + state.num_guests[n]]
    state.guest[state.guest_start[n] + state.place[d]] = last
    state.place[last] = state.place[d]
    return k


@compiled
def best_slot(at: Arrangement, state: State, d: int, not_seat: int, not_node: int) -> int:
    """Return the cheapest slot that fits a released demand, outside a seat and a node; -1 for none."""
    best, best_price = -1, np.inf
    for position in range(at.demand_start[d], at.demand_start[d + 1]):
        k = at.slot_of_demand[position]
        if at.seat[k] != not_seat and at.node[k] != not_node and fits(at, state, k):
            price = price_of(at, state, k)
            if price < best_price:
                best, best_price = k, price
    return best


@compiled
def move(at: Arrangement, state: State, k: int, logged: int) -> float:
    """Serve the slot's demand by it instead; return the change of cost; log it at position ``logged``."""
    d = at.demand[k]
    saving = saving_of(at, state, d)
    before = release(at, state, d)
    price = price_of(at, state, k)
    choose(at, state, k)
    state.log[0, logged] = d
    state.log[1, logged] = before
    return price - saving


@compiled
def undo(at: Arrangement, state: State, logged: int) -> None:
    """Undo what is logged."""
    for position in range(logged - 1, -1, -1):
        release(at, state, state.log[0, position])
        choose(at, state, state.log[1, position])


@compiled
def send_away(at: Arrangement, state: State, k: int, not_seat: int, not_node: int, logged: int) -> float:
    """Move the slot's demand to its best slot elsewhere; return the change of cost, ``inf`` if none fits."""
    d = at.demand[k]
    saving = saving_of(at, state, d)
    release(at, state, d)
    other = best_slot(at, state, d, not_seat, not_node)
    if other < 0:
        choose(at, state, k)
        return np.inf
    price = price_of(at, state, other)
    choose(at, state, other)
    state.log[0, logged] = d
    state.log[1, logged] = k
    return price - saving


@compiled
def close_seat(at: Arrangement, state: State, seat: int, logged: int) -> tuple[float, int]:
    """Send all users of a seat away; return the change of cost, ``inf`` if one stays, and the log's end."""
    change = 0.0
    for k in range(at.seat_start[seat], at.seat_start[seat + 1]):
        if state.chosen[at.demand[k]] == k:
            change += send_away(at, state, k, seat, -1, logged)
            if change == np.inf:
                return change, logged
            logged += 1
    return change, logged


@compiled
def open_seat(at: Arrangement, state: State, seat: int, draw: float) -> tuple[float, int]:
    """Attract all that gain to a new replica, after closing another of the node if memory lacks.

    ``draw`` in [0, 1) chooses which to close.  Returns the change of cost and the log's end.
    """
    n = at.seat_node[seat]
    change, logged = 0.0, 0
    if at.seat_bytes[seat] > state.memory[n]:
        first, last = at.node_start[n], at.node_start[n + 1]
        num_open = 0
        for other in range(first, last):
            num_open += state.users[other] > 0
        skipped = int(draw * num_open)
        for other in range(first, last):
            if state.users[other] > 0:
                if skipped == 0:
                    change, logged = close_seat(at, state, other, 0)
                    break
                skipped -= 1
        if change == np.inf or at.seat_bytes[seat] > state.memory[n]:
            return np.inf, logged
    count = 0
    for k in range(at.seat_start[seat], at.seat_start[seat + 1]):
        gain = saving_of(at, state, at.demand[k]) - at.cost[k]
        if gain > 0 and state.chosen[at.demand[k]] != k:
            state.gain[0, count] = -gain
            state.gain[1, count] = k
            count += 1
    for position in np.argsort(state.gain[0, :count], kind="mergesort"):
        k = int(state.gain[1, position])
        if not fits(at, state, k):
            continue
        if state.users[seat] == 0 or saving_of(at, state, at.demand[k]) > at.cost[k]:
            change += move(at, state, k, logged)
            logged += 1
    return change, logged


@compiled
def rechoose_node(
    at: Arrangement, state: State, n: int, guess: float, most_nodes: int, noise: FloatArray
) -> tuple[float, int, float]:
    """Let a node choose anew, as if all others stood still; a demand is worth what it costs elsewhere.

    ``noise`` is added to the worth of the node's slots.  Returns the change of cost, ``inf`` if a demand
    that was to leave has to stay, the log's end, and the price of the node's capacity.
    """
    first, last = at.node_start[n], at.node_start[n + 1]
    begin, end = at.seat_start[first], at.seat_start[last]
    worth, used = np.empty(end - begin), np.zeros(end - begin, np.int64)
    for k in range(begin, end):
        d = at.demand[k]
        if at.node[state.chosen[d]] != n:
            elsewhere = saving_of(at, state, d)
        else:
            other = best_slot(at, state, d, -1, n)
            elsewhere = price_of(at, state, other) if other >= 0 else at.cost[k] + 1e3 * abs(at.cost[k]) + 1.0
        worth[k - begin] = elsewhere - at.cost[k] + noise[k - begin]
    _, price, _ = best_choice(
        at.seat_start[first : last + 1],
        worth,
        at.work[begin:end],
        at.seat_cost[first:last],
        at.seat_bytes[first:last],
        state.memory[n] + _hosted_bytes(at, state, n),
        state.capacity[n] + _load(at, state, n),
        guess,
        most_nodes,
        used,
    )
    change, logged = 0.0, 0
    for k in range(begin, end):
        if state.chosen[at.demand[k]] == k and not used[k - begin]:
            change += send_away(at, state, k, -1, n, logged)
            if change == np.inf:
                return change, logged, price
            logged += 1
    for k in range(begin, end):
        if used[k - begin] and state.chosen[at.demand[k]] != k and fits(at, state, k):
            change += move(at, state, k, logged)
            logged += 1
    return change, logged, price


@compiled
def _hosted_bytes(at: Arrangement, state: State, n: int) -> float:
    total = 0.0
    for seat in range(at.node_start[n], at.node_start[n + 1]):
        if state.users[seat] > 0:
            total += at.seat_bytes[seat]
    return total


@compiled
def _load(at: Arrangement, state: State, n: int) -> float:
    total = 0.0
    for position in range(state.guest_start[n], state.guest_start[n] + state.num_guests[n]):
        total += at.work[state.chosen[state.guest[position]]]
    return total
