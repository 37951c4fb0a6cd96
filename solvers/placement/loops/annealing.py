"""Sweeps of simulated annealing: demands drawn anew, demands that push others out, and replicas; compiled."""

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.choices import Choices
from solvers.placement.loops.moves import (
    State,
    cheapest,
    close_seat,
    lift,
    open_seat,
    price_of,
    put,
    saving_of,
    shift_seat,
    undo,
)

_LOOKS = 8
"""Options of a full node that are looked at to find one in use."""


@compiled
def resample(
    of: Choices, state: State, demands: IntArray, gumbel: FloatArray, offset: int, heat: float
) -> None:
    """Draw the option of each demand anew, likelier the cheaper it is now (heat bath).

    The option of least price minus ``heat`` times a standard Gumbel number is one drawn with probabilities
    in proportion to ``exp(-price / heat)`` (Gumbel 1954).

    Parameters
    ----------
    of : Choices
        The problem.
    state : State
        Changed in place; every demand is served, and stays so.
    demands : (A,) int
        The demands, in the order in which they are drawn.
    gumbel : (Z,) float
        Standard Gumbel numbers, more than any demand has options; used in a circle.
    offset : int
        Where in the circle to begin.
    heat : float
        The temperature, in the unit of costs.
    """
    node, seat, cost, work, demand_start = of.node, of.seat, of.cost, of.work, of.demand_start
    seat_cost, seat_bytes, users, chosen = of.seat_cost, of.seat_bytes, state.users, state.chosen
    memory, capacity, price, stiffness = state.memory, state.capacity, state.price, state.stiffness[0]
    half = 0.5 / stiffness
    for d in demands:
        begin, last = demand_start[d], demand_start[d + 1]
        if offset + last - begin > gumbel.size:
            offset = 0
        before = chosen[d]
        lift(before, node, seat, work, seat_bytes, users, memory, capacity)
        best, least = before, np.inf
        for k in range(begin, last):  # as price_of, written out: a call would take longer
            n, s = node[k], seat[k]
            score = cost[k] - heat * gumbel[offset + k - begin]
            if users[s] == 0:
                if seat_bytes[s] > memory[n]:
                    continue
                score += seat_cost[s]
            if price[n] < 0:
                if work[k] > capacity[n]:
                    continue
            else:
                low = price[n] - stiffness * capacity[n]
                high = low + stiffness * work[k]
                if high > 0:
                    low = max(low, 0.0)
                    score += half * (high * high - low * low)
            if score < least:
                best, least = k, score
        offset += last - begin
        put(best, node, seat, work, seat_bytes, users, memory, capacity)
        chosen[d] = best


@compiled
def move_seats(of: Choices, state: State, seats: IntArray, draw: FloatArray, threshold: FloatArray) -> None:
    """Open, close or shift each seat; keep what raises the cost by no more than its threshold.

    Parameters
    ----------
    of : Choices
        The problem.
    state : State
        Changed in place.
    seats : (B,) int
        The seats.
    draw : (3, B) float
        Uniform numbers in [0, 1) that choose.
    threshold : (B,) float
        By how much each move may raise the cost: temperature times an exponential number.
    """
    for turn in range(seats.size):
        s = seats[turn]
        if state.users[s] == 0:
            change, logged = open_seat(of, state, s, draw[0, turn], threshold[turn])
        elif draw[2, turn] < 0.5:
            change, logged = close_seat(of, state, s, 0)
        else:
            change, logged = shift_seat(of, state, s, draw[0, turn], draw[1, turn])
        if change > threshold[turn]:
            undo(of, state, logged)


@compiled
def push_in(of: Choices, state: State, options: IntArray, draw: FloatArray, threshold: FloatArray) -> None:
    """Serve demands by other options; where a capacity is full, another demand of the node makes room.

    Parameters
    ----------
    of : Choices
        The problem.
    state : State
        Changed in place; capacities are hard.
    options : (B,) int
        The options to try.
    draw : (B,) float
        Uniform numbers in [0, 1) that choose who makes room.
    threshold : (B,) float
        By how much each move may raise the cost.
    """
    node, seat, cost, work, demand = of.node, of.seat, of.cost, of.work, of.demand
    seat_cost, seat_bytes, users, chosen = of.seat_cost, of.seat_bytes, state.users, state.chosen
    memory, capacity, price, stiffness = state.memory, state.capacity, state.price, state.stiffness[0]
    for turn in range(options.size):
        k, most = options[turn], threshold[turn]
        d, n = demand[k], node[k]
        before = chosen[d]
        if k == before:
            continue
        saving = saving_of(before, node, seat, cost, work, seat_cost, users, capacity, price, stiffness)
        least = cost[k] if users[seat[k]] > 0 else cost[k] + seat_cost[seat[k]]
        if least - saving > most:
            continue
        lift(before, node, seat, work, seat_bytes, users, memory, capacity)
        now = price_of(
            k, node, seat, cost, work, seat_cost, seat_bytes, users, memory, capacity, price, stiffness
        )
        if now - saving <= most:
            put(k, node, seat, work, seat_bytes, users, memory, capacity)
            chosen[d] = k
            continue
        left = _in_use(of, state, n, draw[turn]) if now == np.inf else -1
        if left >= 0 and demand[left] != d:
            guest = demand[left]
            saving += saving_of(left, node, seat, cost, work, seat_cost, users, capacity, price, stiffness)
            lift(left, node, seat, work, seat_bytes, users, memory, capacity)
            now = price_of(
                k, node, seat, cost, work, seat_cost, seat_bytes, users, memory, capacity, price, stiffness
            )
            if now - saving <= most:
                put(k, node, seat, work, seat_bytes, users, memory, capacity)
                other, more = cheapest(of, state, guest, -1, -1)
                if now + more - saving <= most:
                    put(other, node, seat, work, seat_bytes, users, memory, capacity)
                    chosen[d], chosen[guest] = k, other
                    continue
                lift(k, node, seat, work, seat_bytes, users, memory, capacity)
            put(left, node, seat, work, seat_bytes, users, memory, capacity)
        put(before, node, seat, work, seat_bytes, users, memory, capacity)


@compiled
def _in_use(of: Choices, state: State, n: int, draw: float) -> int:
    """Return an option in use on a node, found by a few looks from where ``draw`` says; -1 for none."""
    begin, last = of.seat_start[of.node_start[n]], of.seat_start[of.node_start[n + 1]]
    length = last - begin
    place = int(draw * length)
    for _ in range(min(_LOOKS, length)):
        k = of.option_of_seat[begin + place]
        if state.chosen[of.demand[k]] == k:
            return k
        place = place + 1 if place + 1 < length else 0
    return -1
