"""The best choice of seats and slots of one node, proven by a search around its priced choice; compiled.

At prices (p, q) every choice loses against the priced bound: a seat or slot that is not as the prices say
loses its priced gain, unused capacity and memory lose their price.  The losses add up, so that choices of
little loss are enumerated by depth-first search, seats first, then slots, each in order of loss, under a
limit on the total that doubles until a choice is found.  The first found with the least loss is the best.
"""

from typing import NamedTuple

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.loops.node_prices import node_prices

_FIRST_SHARE = 0.01
"""First limit on the loss, as a share of the priced bound."""


class Deviations(NamedTuple):
    """A node's priced choice, and what leaving it costs.

    Parameters
    ----------
    open : (r,) bool
        Seats that are open; the search turns them over, and back.
    used : (s,) bool
        Slots that are used where their seat is open; likewise.
    seat_loss, slot_loss : (r,) and (s,) float
        What turning over loses.
    seat_order, slot_order : (r,) and (s,) int
        Seats and slots by their loss.
    seat_of_slot : (s,) int
        Seat of each slot, counted within the node.
    load : (r,) float
        Work of the used slots of each seat.
    """

    open: BoolArray
    used: BoolArray
    seat_loss: FloatArray
    slot_loss: FloatArray
    seat_order: IntArray
    slot_order: IntArray
    seat_of_slot: IntArray
    load: FloatArray


@compiled
def best_choice(
    start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    guess: float,
    most_nodes: int,
    used: IntArray,
) -> tuple[float, float, bool]:
    """Choose seats and slots of one node that are worth most; write them into ``used``.

    Parameters
    ----------
    start, worth, work, seat_cost, seat_bytes, memory, capacity, guess
        As in :func:`solvers.placement.loops.node_prices.node_prices`.
    most_nodes : int
        Size of the search at which it is given up.
    used : (s,) int
        Becomes one for slots chosen, zero for the others; within the limits in any case.

    Returns
    -------
    tuple of float, float and bool
        An upper bound on the worth of every choice, >= 0; the price of the capacity; and whether ``used``
        is proven best, so that the bound is its worth.
    """
    p, q = node_prices(start, worth, work, seat_cost, seat_bytes, memory, capacity, guess)
    around, top = _deviations(start, worth, work, seat_cost, seat_bytes, memory, capacity, p, q)
    used[:] = 0
    if top <= 0:
        return 0.0, p, True
    limit, before = _FIRST_SHARE * top, 0.0
    seats, slots = np.empty(seat_cost.size, np.int64), np.empty(worth.size, np.int64)
    visited = 0
    while True:
        most = min(limit, top)
        loss, num_seats, num_slots, visited = _search(
            around, work, seat_bytes, memory, capacity, p, q, most, most_nodes, visited, seats, slots
        )
        if visited > most_nodes and num_seats < 0:
            _fill(around, worth, work, seat_bytes, memory, capacity, used)
            return max(top - before, 0.0), p, False
        if num_seats >= 0:
            for index in seats[:num_seats]:
                around.open[index] = not around.open[index]
            for index in slots[:num_slots]:
                around.used[index] = not around.used[index]
            for k in range(worth.size):
                used[k] = around.used[k] and around.open[around.seat_of_slot[k]]
            proven = visited <= most_nodes
            return max(top - (loss if proven else before), 0.0), p, proven
        if most >= top:
            return 0.0, p, True
        before = most
        limit *= 2


@compiled
def _deviations(
    start: IntArray,
    worth: FloatArray,
    work: FloatArray,
    seat_cost: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    p: float,
    q: float,
) -> tuple[Deviations, float]:
    """Return the deviations from the priced choice at (p, q), and the priced bound."""
    num_seats, num_slots = seat_cost.size, worth.size
    is_open, used = np.zeros(num_seats, np.bool_), np.zeros(num_slots, np.bool_)
    seat_loss, slot_loss = np.empty(num_seats), np.empty(num_slots)
    seat_of_slot, load = np.empty(num_slots, np.int64), np.zeros(num_seats)
    top = 0.0
    if p > 0:
        top += p * capacity
    if q > 0:
        top += q * memory
    for j in range(num_seats):
        gain = -seat_cost[j] - q * seat_bytes[j]
        for k in range(start[j] - start[0], start[j + 1] - start[0]):
            rest = worth[k] - p * work[k]
            slot_loss[k] = abs(rest)
            seat_of_slot[k] = j
            if rest > 0:
                used[k] = True
                gain += rest
                load[j] += work[k]
        seat_loss[j] = abs(gain)
        if gain > 0:
            is_open[j] = True
            top += gain
    seat_order = np.argsort(seat_loss, kind="mergesort")
    slot_order = np.argsort(slot_loss, kind="mergesort")
    return Deviations(is_open, used, seat_loss, slot_loss, seat_order, slot_order, seat_of_slot, load), top


@compiled
def _search(
    around: Deviations,
    work: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    p: float,
    q: float,
    best: float,
    most_nodes: int,
    visited: int,
    seats: IntArray,
    slots: IntArray,
) -> tuple[float, int, int, int]:
    """Search choices that lose less than ``best``; write what they turn over into ``seats`` and ``slots``.

    Returns the least loss, how many seats and slots it turns over (-1 if none was found), and nodes visited.
    """
    num_seats = seat_bytes.size
    turned, loss_at = np.empty(num_seats, np.int64), np.zeros(num_seats + 1)
    num_turned, nxt, found_seats, found_slots = 0, 0, -1, 0
    fresh = True
    while True:
        if not fresh:
            index = around.seat_order[min(nxt, num_seats - 1)]
            deeper = nxt < num_seats and visited <= most_nodes
            if deeper and loss_at[num_turned] + around.seat_loss[index] < best:
                loss_at[num_turned + 1] = loss_at[num_turned] + around.seat_loss[index]
                turned[num_turned] = nxt
                num_turned += 1
                nxt += 1
                around.open[index] = not around.open[index]
            elif num_turned == 0:
                break
            else:
                num_turned -= 1
                index = around.seat_order[turned[num_turned]]
                around.open[index] = not around.open[index]
                nxt = turned[num_turned] + 1
                continue
        fresh = False
        visited += 1
        room, load = memory, 0.0
        for j in range(num_seats):
            if around.open[j]:
                room -= seat_bytes[j]
                load += around.load[j]
        base = loss_at[num_turned]
        if q > 0:
            base += q * room
        if room >= 0 and base < best and visited <= most_nodes:
            best, count, visited = _search_slots(
                around, work, capacity, p, base, load, best, most_nodes, visited, slots
            )
            if count >= 0:
                found_seats, found_slots = num_turned, count
                for position in range(num_turned):
                    seats[position] = around.seat_order[turned[position]]
    return best, found_seats, found_slots, visited


@compiled
def _search_slots(
    around: Deviations,
    work: FloatArray,
    capacity: float,
    p: float,
    base: float,
    load: float,
    best: float,
    most_nodes: int,
    visited: int,
    slots: IntArray,
) -> tuple[float, int, int]:
    """Search the slots of the open seats; return the least loss, how many are turned over, nodes visited."""
    here = np.empty(around.used.size, np.int64)
    count = 0
    for k in around.slot_order:
        if base + around.slot_loss[k] >= best:
            break
        if around.open[around.seat_of_slot[k]]:
            here[count] = k
            count += 1
    turned = np.empty(count, np.int64)
    loss_at, load_at = np.empty(count + 1), np.empty(count + 1)
    loss_at[0], load_at[0] = base, load
    depth, nxt, found = 0, 0, -1
    fresh = True
    while visited <= most_nodes:
        if not fresh:
            if nxt < count and loss_at[depth] + around.slot_loss[here[nxt]] < best:
                k = here[nxt]
                loss_at[depth + 1] = loss_at[depth] + around.slot_loss[k]
                load_at[depth + 1] = load_at[depth] - work[k] if around.used[k] else load_at[depth] + work[k]
                turned[depth] = nxt
                depth += 1
                nxt += 1
                visited += 1
            elif depth == 0:
                break
            else:
                depth -= 1
                nxt = turned[depth] + 1
                continue
        fresh = False
        if load_at[depth] <= capacity:
            loss = loss_at[depth]
            if p > 0:
                loss += p * (capacity - load_at[depth])
            if loss < best:
                best, found = loss, depth
                for position in range(depth):
                    slots[position] = here[turned[position]]
    return best, found, visited


@compiled
def _fill(
    around: Deviations,
    worth: FloatArray,
    work: FloatArray,
    seat_bytes: FloatArray,
    memory: float,
    capacity: float,
    used: IntArray,
) -> None:
    """Fill the node greedily: what the prices want most, then what they refuse least."""
    taken = np.zeros(seat_bytes.size, np.bool_)
    for wanted in (True, False):
        for position in range(seat_bytes.size):
            j = around.seat_order[seat_bytes.size - 1 - position if wanted else position]
            if around.open[j] == wanted and seat_bytes[j] <= memory:
                taken[j] = True
                memory -= seat_bytes[j]
    for wanted in (True, False):
        for position in range(worth.size):
            k = around.slot_order[worth.size - 1 - position if wanted else position]
            fits = taken[around.seat_of_slot[k]] and work[k] <= capacity
            if around.used[k] == wanted and fits and worth[k] > 0:
                used[k] = 1
                capacity -= work[k]
