"""From multipliers to a first placement: cheapest priced slots, then full nodes send guests away."""

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.compiled import compiled
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.moves import State, best_slot, choose, fits, price_of, release, saving_of


@compiled
def serve_all(at: Arrangement, state: State, paid: IntArray) -> int:
    """Serve each demand by its cheapest slot that fits, ``paid`` seats for free; return how many lack one."""
    missing = 0
    for d in range(state.chosen.size):
        best, best_price = -1, np.inf
        for position in range(at.demand_start[d], at.demand_start[d + 1]):
            k = at.slot_of_demand[position]
            price = at.cost[k] if paid[at.seat[k]] else price_of(at, state, k)
            if price < best_price and fits(at, state, k):
                best, best_price = k, price
        if best < 0:
            missing += 1
        else:
            choose(at, state, best)
    return missing


@compiled
def empty_overfull(at: Arrangement, state: State) -> int:
    """Send guests of overfull nodes away, the cheapest per work first; return how many stay overfull."""
    overfull = 0
    for n in range(at.memory.size):
        if state.capacity[n] >= 0:
            continue
        begin, count = state.guest_start[n], state.num_guests[n]
        guests = state.guest[begin : begin + count].copy()
        loss = np.empty(count)
        for position in range(count):
            d = guests[position]
            other = best_slot(at, state, d, -1, n)
            loss[position] = np.inf
            if other >= 0:
                more = price_of(at, state, other) - saving_of(at, state, d)
                loss[position] = more / max(at.work[state.chosen[d]], 1e-300)
        for position in np.argsort(loss, kind="mergesort"):
            if state.capacity[n] >= 0 or loss[position] == np.inf:
                break
            d = guests[position]
            other = best_slot(at, state, d, -1, n)
            if other >= 0:
                release(at, state, d)
                choose(at, state, other)
        overfull += state.capacity[n] < 0
    return overfull


@compiled
def choose_all(at: Arrangement, state: State, chosen: IntArray) -> None:
    """Serve each demand by the slot given."""
    for k in chosen:
        choose(at, state, k)
