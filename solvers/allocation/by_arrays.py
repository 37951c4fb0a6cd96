"""The balance of all cells at once with arrays alone, and by brackets where Newton's method misses it."""

from collections.abc import Callable

import numpy as np

from solvers.allocation.fleet import Fleet
from solvers.allocation.judge import judge
from solvers.allocation.latency_only import CellAnswer, latency_only
from solvers.allocation.market import State, bracketed, newton, starting_state, sum_of_prices
from solvers.allocation.prepared import Prepared
from solvers.allocation.repair import repaired
from solvers.allocation.respond import computing_price, respond
from solvers.allocation.solution import Prices, Proposal, relative_gaps
from solvers.common.arrays import BoolArray, FloatArray

Solver = Callable[[Fleet, State, BoolArray], State]

_BRACKET_ABOVE = 1e-10
"""Relative gap above which brackets are used."""
_LOWER_PRICES = 60
"""Steps down, of a factor e each, in search of a bandwidth price whose bound suffers less from rounding."""
_HELD = 1e-12
"""Margin, as a share of the deadline, at which a deadline held at ``base`` is looked at."""


def newton_answer(prepared: Prepared) -> Proposal:
    """Return the answer of Newton's method, with the prices that prove it; some cells may be off balance."""
    asked = _asked(prepared.fleet)
    state, held = _balanced(prepared, asked)
    return _proposal(prepared, state, held, asked)


def bracketed_answer(prepared: Prepared) -> Proposal:
    """Return the answer by brackets in cells for which Newton's proof is not tight: sure, but slower."""
    asked = _asked(prepared.fleet)
    state, held = _balanced(prepared, asked)
    gap = _gap(prepared, state, held, asked)
    weak = asked & (gap > _BRACKET_ABOVE)
    state, gap = _better(prepared, state, gap, _on(prepared.fleet, weak, state, held, bracketed), held, asked)
    steep = weak & held & (gap > _BRACKET_ABOVE)
    for _ in range(_LOWER_PRICES if steep.any() else 0):
        lower = State(state.ln_mu - steep, state.z)
        kept = state
        state, gap = _better(prepared, state, gap, lower, held, asked)
        steep &= state.ln_mu < kept.ln_mu
    return _proposal(prepared, state, held, asked)


def _balanced(prepared: Prepared, asked: BoolArray) -> tuple[State, BoolArray]:
    """Return where Newton's method leads, and whose deadline is held."""
    fleet = prepared.fleet
    start, held = _hold(prepared, _start(prepared, asked), asked)
    return _on(fleet, asked & ~(held & (fleet.deadline is None)), start, held, newton), held


def _better(
    prepared: Prepared, state: State, gap: FloatArray, other: State, held: BoolArray, asked: BoolArray
) -> tuple[State, FloatArray]:
    """Return for each cell the state with the smaller proven gap, and that gap (M,)."""
    other_gap = _gap(prepared, other, held, asked)
    keep = gap <= other_gap
    chosen = State(np.where(keep, state.ln_mu, other.ln_mu), np.where(keep, state.z, other.z))
    return chosen, np.minimum(gap, other_gap)


def _asked(fleet: Fleet) -> BoolArray:
    """Return which cells (M,) have a balance to find: energy costs, and somebody can save some."""
    savers = fleet.computer_cells.sum((fleet.computers.K > 0).astype(float))
    asked: BoolArray = (fleet.energy_weight > 0) & (fleet.senders + savers > 0)
    return asked


def _start(prepared: Prepared, asked: BoolArray) -> State:
    fleet, margin = prepared.fleet, prepared.margin()
    least = np.maximum(_HELD * fleet.base, 1e-300)
    state = State(np.zeros(fleet.count), np.log(np.maximum(margin, least)))
    chosen = np.flatnonzero(asked)
    part = starting_state(fleet.of_cells(chosen), np.maximum(margin, least)[chosen])
    sample = fleet.sample
    if sample is not None and len(chosen):
        part = newton(sample, part, np.full(1, fleet.deadline is not None))
    state.ln_mu[chosen] = part.ln_mu
    if fleet.deadline is None:
        state.z[chosen] = part.z
    return state


def _hold(prepared: Prepared, start: State, asked: BoolArray) -> tuple[State, BoolArray]:
    """Return whose deadline (M,) is not to be decided, and the state with these cells in balance.

    A deadline given is held.  So is one at ``base``, if the band would allow it and the deadline prices
    there sum to less than the price of time: nobody gains as much from waiting as waiting costs.
    """
    fleet = prepared.fleet
    if fleet.deadline is not None:
        return start, np.ones(fleet.count, dtype=bool)
    candidate = asked & (prepared.least == 0)
    chosen = np.flatnonzero(candidate)
    held = np.zeros(fleet.count, dtype=bool)
    if not len(chosen):
        return start, held
    at_base = State(start.ln_mu, np.where(candidate, np.log(_HELD * np.maximum(fleet.base, 1e-280)), start.z))
    at_base = _on(fleet, candidate, at_base, candidate, newton)
    part = fleet.of_cells(chosen)
    held[chosen] = sum_of_prices(part, at_base.of_cells(chosen)) <= part.time_weight
    state = State(np.where(held, at_base.ln_mu, start.ln_mu), np.where(held, at_base.z, start.z))
    return state, held


def _on(fleet: Fleet, cells: BoolArray, state: State, held: BoolArray, solver: Solver) -> State:
    """Apply a solver to some cells and keep the others as they are."""
    chosen = np.flatnonzero(cells)
    if not len(chosen):
        return state
    result = State(state.ln_mu.copy(), state.z.copy())
    part = solver(fleet.of_cells(chosen), state.of_cells(chosen), held[chosen])
    result.ln_mu[chosen], result.z[chosen] = part.ln_mu, part.z
    return result


def _proposal(prepared: Prepared, state: State, held: BoolArray, asked: BoolArray) -> Proposal:
    """Return the feasible proposal of a state."""
    fleet, problem = prepared.fleet, prepared.problem
    margin = prepared.margin()
    if fleet.deadline is None:
        margin = np.where(asked & ~held, np.maximum(np.exp(state.z), prepared.least), margin)
    answer = _answer(fleet, state, margin, asked)
    prices = _prices(fleet, answer, fleet.base + margin, problem.num_devices)
    return repaired(problem, fleet, answer.bandwidth, answer.airtime, margin, prices)


def _gap(prepared: Prepared, state: State, held: BoolArray, asked: BoolArray) -> FloatArray:
    """Return the proven relative gap of each cell (M,) in a state."""
    verdict = judge(prepared, _proposal(prepared, state, held, asked))
    return relative_gaps(verdict.objective, verdict.bound)


def _answer(fleet: Fleet, state: State, margin: FloatArray, asked: BoolArray) -> CellAnswer:
    """Return each transmitter's answer in cells with a balance, and in cells where only latency counts."""
    latency = np.flatnonzero(~asked)
    balanced = np.flatnonzero(asked)
    cell = fleet.transmitter_cells.cell
    bandwidth, airtime, price = (np.zeros(len(cell)) for _ in range(3))
    mu = np.zeros(fleet.count)
    if len(latency):
        part = latency_only(fleet.of_cells(latency), margin[latency])
        mine = ~asked[cell]
        bandwidth[mine], airtime[mine], price[mine] = part.bandwidth, part.airtime, part.price
        mu[latency] = part.mu
    if len(balanced):
        some, there = fleet.of_cells(balanced), state.of_cells(balanced)
        places = np.flatnonzero(asked[cell])
        price_of_band, room, used = np.exp(there.ln_mu), np.exp(there.z), np.zeros(len(balanced))
        for block in some.blocks:
            spread, rows = block.cells.spread, block.rows
            reply = respond(block.group, spread(price_of_band[rows]), spread(room[rows]), block.near)
            own = places[block.mine]
            bandwidth[own], airtime[own], price[own] = reply.bandwidth, reply.airtime, reply.price
            used[rows] += block.cells.sum(reply.bandwidth)
        mu[balanced] = np.where(used > 0, price_of_band, 0.0)
    return CellAnswer(bandwidth, airtime, price, mu)


def _prices(fleet: Fleet, answer: CellAnswer, deadline: FloatArray, num_devices: int) -> Prices:
    """Return the prices of an answer; with a deadline to decide they sum to the price of time.

    Where they sum to less because a device that only computes holds the deadline at its least, that device
    takes the rest; else rounding made the difference, and they are scaled.
    """
    cells, workers = fleet.computer_cells, fleet.computers
    own = cells.spread(deadline)
    work = computing_price(workers, np.maximum(own, workers.c_min))[0]
    price = answer.price
    if fleet.deadline is None:
        holds = (workers.c_min >= own).astype(float)
        holders = cells.sum(holds)
        total = fleet.transmitter_cells.sum(price) + cells.sum(work)
        rest = np.where(holders > 0, np.maximum(fleet.time_weight - total, 0.0), 0.0)
        work = work + holds * cells.spread(rest / np.maximum(holders, 1.0))
        scale = np.where(
            (holders == 0) & (total > 0), fleet.time_weight / np.where(total > 0, total, 1.0), 1.0
        )
        work, price = work * cells.spread(scale), price * fleet.transmitter_cells.spread(scale)
    prices = np.zeros(num_devices)
    prices[fleet.transmitters.index], prices[workers.index] = price, work
    return Prices(bandwidth=answer.mu, time=prices)
