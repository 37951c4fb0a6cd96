"""From multipliers to a first placement: cheapest priced options, then full nodes send demands away."""

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.compiled import compiled
from solvers.placement.choices import Choices
from solvers.placement.loops.moves import State, cheapest, lift, put, saving_of


@compiled
def serve_all(of: Choices, state: State) -> int:
    """Serve each demand by its cheapest option that fits; return how many lack one."""
    missing = 0
    for d in range(state.chosen.size):
        best, _ = cheapest(of, state, d, -1, -1)
        if best < 0:
            missing += 1
        else:
            put(best, of.node, of.seat, of.work, of.seat_bytes, state.users, state.memory, state.capacity)
            state.chosen[d] = best
    return missing


@compiled
def empty_overfull(of: Choices, state: State) -> int:
    """Send demands of overfull nodes away, the cheapest per work first; return how many stay overfull."""
    node, seat, work, seat_bytes = of.node, of.seat, of.work, of.seat_bytes
    overfull = 0
    for n in range(of.memory.size):
        if state.capacity[n] >= 0:
            continue
        begin, last = of.seat_start[of.node_start[n]], of.seat_start[of.node_start[n + 1]]
        loss, inside = np.empty(last - begin), np.empty(last - begin, np.int64)
        count = 0
        for place in range(begin, last):
            k = of.option_of_seat[place]
            if state.chosen[of.demand[k]] == k:
                other, more = cheapest(of, state, of.demand[k], -1, n)
                if other >= 0:
                    loss[count] = (more - _saving(of, state, k)) / max(of.work[k], 1e-300)
                    inside[count] = k
                    count += 1
        for position in np.argsort(loss[:count], kind="mergesort"):
            if state.capacity[n] >= 0:
                break
            k = inside[position]
            other, _ = cheapest(of, state, of.demand[k], -1, n)
            if other >= 0:
                lift(k, node, seat, work, seat_bytes, state.users, state.memory, state.capacity)
                put(other, node, seat, work, seat_bytes, state.users, state.memory, state.capacity)
                state.chosen[of.demand[k]] = other
        overfull += state.capacity[n] < 0
    return overfull


@compiled
def _saving(of: Choices, state: State, k: int) -> float:
    return saving_of(
        k,
        of.node,
        of.seat,
        of.cost,
        of.work,
        of.seat_cost,
        state.users,
        state.capacity,
        state.price,
        state.stiffness[0],
    )


@compiled
def choose_all(of: Choices, state: State, chosen: IntArray) -> None:
    """Serve each demand by the option given."""
    for d in range(chosen.size):
        k = chosen[d]
        put(k, of.node, of.seat, of.work, of.seat_bytes, state.users, state.memory, state.capacity)
        state.chosen[d] = k
