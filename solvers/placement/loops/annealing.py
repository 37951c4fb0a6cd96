"""One block of simulated annealing over demands, replicas and whole nodes; compiled."""

from typing import NamedTuple

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.moves import (
    State,
    best_slot,
    choose,
    close_seat,
    fits,
    open_seat,
    price_of,
    rechoose_node,
    release,
    saving_of,
    undo,
)


class Mix(NamedTuple):
    """What the moves are about, and how often each kind comes.

    Parameters
    ----------
    demands : (A,) int
        Demands with a choice.
    seats : (B,) int
        All seats.
    nodes : (C,) int
        Nodes large enough to choose anew.
    seat_every, node_every : int
        Moves from one move of a seat, or of a node, to the next.
    most_nodes : int
        Size at which the search for a node's choice is given up.
    """

    demands: IntArray
    seats: IntArray
    nodes: IntArray
    seat_every: int
    node_every: int
    most_nodes: int


@compiled
def anneal(
    at: Arrangement,
    state: State,
    mix: Mix,
    draw: FloatArray,
    threshold: FloatArray,
    noise: FloatArray,
    heat: float,
    price: FloatArray,
) -> None:
    """Try one move for each column of ``draw``; keep those that raise the cost by no more than the threshold.

    Parameters
    ----------
    at : Arrangement
        The problem.
    state : State
        Changed in place; every demand is served.
    mix : Mix
        What to try.
    draw : (3, B) float
        Uniform numbers in [0, 1) that choose.
    threshold : (B,) float
        By how much each move may raise the cost: temperature times an exponential number.
    noise : (Z,) float
        Standard normal numbers, more than any node has slots.
    heat : float
        The temperature, which scales the noise.
    price : (N,) float
        Where the search for the price of each node's capacity begins; changed in place.
    """
    for turn in range(threshold.size):
        first, second = draw[0, turn], draw[1, turn]
        if turn % mix.node_every == 0 and mix.nodes.size:
            n = mix.nodes[int(first * mix.nodes.size)]
            slots = at.seat_start[at.node_start[n + 1]] - at.seat_start[at.node_start[n]]
            offset = int(second * (noise.size - slots))
            shaken = heat * noise[offset : offset + slots]
            change, logged, price[n] = rechoose_node(at, state, n, price[n], mix.most_nodes, shaken)
        elif turn % mix.seat_every == 1:
            seat = mix.seats[int(first * mix.seats.size)]
            if state.users[seat] > 0:
                change, logged = close_seat(at, state, seat, 0)
            else:
                change, logged = open_seat(at, state, seat, second)
        else:
            d = mix.demands[int(first * mix.demands.size)]
            begin = at.demand_start[d]
            k = at.slot_of_demand[begin + int(second * (at.demand_start[d + 1] - begin))]
            _try_slot(at, state, k, draw[2, turn], threshold[turn])
            continue
        if change > threshold[turn]:
            undo(at, state, logged)


@compiled
def _try_slot(at: Arrangement, state: State, k: int, draw: float, threshold: float) -> None:
    """Move the slot's demand to it; if its node is full, send one of its guests elsewhere to make room."""
    d, n = at.demand[k], at.node[k]
    before = state.chosen[d]
    if k == before:
        return
    saving = saving_of(at, state, d)
    if price_of(at, state, k) - saving > threshold:
        return
    release(at, state, d)
    if fits(at, state, k):
        change = price_of(at, state, k) - saving
        choose(at, state, k)
        if change > threshold:
            release(at, state, d)
            choose(at, state, before)
        return
    if at.work[k] <= state.capacity[n] or state.num_guests[n] == 0:
        choose(at, state, before)
        return
    guest = state.guest[state.guest_start[n] + int(draw * state.num_guests[n])]
    saving += saving_of(at, state, guest)
    left = release(at, state, guest)
    if fits(at, state, k):
        price = price_of(at, state, k)
        choose(at, state, k)
        other = best_slot(at, state, guest, -1, -1)
        if other >= 0 and price + price_of(at, state, other) - saving <= threshold:
            choose(at, state, other)
            return
        release(at, state, d)
    choose(at, state, left)
    choose(at, state, before)
