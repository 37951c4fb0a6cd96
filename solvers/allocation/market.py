"""Prices and deadlines at which each cell's band is used up and its deadline prices sum to its time price."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.fleet import Fleet
from solvers.allocation.minimum_deadline import LEAST_MARGIN
from solvers.allocation.respond import computing_price, respond
from solvers.allocation.root import decreasing_root
from solvers.allocation.snr import shape_at
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_NEWTON_STEPS = 60
_LAST_NORM = 1e-9
"""Imbalance from which one more Newton step, not looked at again, ends: it leaves about its square."""
_SMALL_ENOUGH = 1e-9
_LONGEST_STEP = 3.0
_NOTHING = 1e-300
"""Sum of deadline prices that stands for none, where the deadline is later than anybody needs."""


@dataclass(frozen=True)
class State:
    """Logarithms of each cell's (M,) bandwidth price (``ln_mu``) and margin (``z``)."""

    ln_mu: FloatArray
    z: FloatArray

    def of_cells(self, chosen: IntArray) -> "State":
        """Return the state of some cells."""
        return State(self.ln_mu[chosen], self.z[chosen])


@dataclass(frozen=True)
class Imbalance:
    """``band`` = ln(bandwidth asked / band), ``time`` = ln(sum of deadline prices / time price), (M,) each.

    The other four are their derivatives by ``ln_mu`` and ``z``.  A balance that is not asked for (of the band
    without a transmitter, of time where the deadline is held) is 0 with the derivatives of a constant.
    """

    band: FloatArray
    time: FloatArray
    band_by_mu: FloatArray
    band_by_z: FloatArray
    time_by_mu: FloatArray
    time_by_z: FloatArray


def imbalance(fleet: Fleet, state: State, held: BoolArray) -> Imbalance:
    """Return how far each cell is from balance; ``held`` (M,) tells whose deadline is not to be decided."""
    margin = np.exp(state.z)
    totals = _totals(fleet, np.exp(state.ln_mu), margin)
    asked, price, asked_by_mu, asked_by_t, price_by_mu, price_by_t = totals
    occupied = asked > 0
    used = np.where(occupied, asked, 1.0)
    work, work_by_t = computing_price(fleet.computers, fleet.computer_cells.spread(fleet.base + margin))
    total = price + fleet.computer_cells.sum(work)
    free = ~held
    price = np.where(free, np.maximum(total, _NOTHING), 1.0)
    by_z = (price_by_t + fleet.computer_cells.sum(work_by_t)) * margin
    return Imbalance(
        band=np.where(occupied, np.log(used / np.where(occupied, fleet.band, 1.0)), 0.0),
        time=np.where(free, np.log(price / np.where(free, fleet.time_weight, 1.0)), 0.0),
        band_by_mu=np.where(occupied, asked_by_mu / used, -1.0),
        band_by_z=np.where(free, asked_by_t * margin / used, 0.0),
        time_by_mu=np.where(free, price_by_mu / price, 0.0),
        time_by_z=np.where(free, by_z / price, -1.0),
    )


def _totals(fleet: Fleet, mu: FloatArray, margin: FloatArray) -> FloatArray:
    """Return the sums over each cell of bandwidth, price and their four derivatives, shape (6, M)."""
    totals = np.zeros((6, fleet.count))
    for block in fleet.blocks:
        spread, total = block.cells.spread, block.cells.sum
        answer = respond(block.group, spread(mu[block.rows]), spread(margin[block.rows]), block.near)
        mine = totals[:, block.rows]
        mine[0] += total(answer.bandwidth)
        mine[1] += total(answer.price)
        mine[2] += total(answer.bandwidth_by_mu)
        mine[3] += total(answer.bandwidth_by_t)
        mine[4] += total(answer.price_by_mu)
        mine[5] += total(answer.price_by_t)
    return totals


def sum_of_prices(fleet: Fleet, state: State) -> FloatArray:
    """Return the sum of the deadline prices of each cell (M,) in a state."""
    margin = np.exp(state.z)
    work, _ = computing_price(fleet.computers, fleet.computer_cells.spread(fleet.base + margin))
    total: FloatArray = _totals(fleet, np.exp(state.ln_mu), margin)[1] + fleet.computer_cells.sum(work)
    return total


def starting_state(fleet: Fleet, margin: FloatArray) -> State:
    """Return prices as if everybody had an equal share of the band, half above the least margin (M,)."""
    if fleet.deadline is not None:
        margin = np.maximum(margin, fleet.deadline - fleet.base)
    else:
        margin = np.where(margin > 0, 1.5 * margin, np.maximum(fleet.base, 1e-300))
    cells, group = fleet.transmitter_cells, fleet.transmitters
    number = np.maximum(cells.sum(np.ones_like(group.a)), 1.0)
    share = cells.spread(fleet.band / number)
    room = cells.spread(margin) + group.slack + group.t_floor
    loudest = np.log(group.cap) - np.log(group.n * share)
    q = group.a / (share * room)
    w = np.minimum(q + np.log(-np.expm1(-q)), loudest)
    price = np.log(group.energy_price * group.n * room * shape_at(np.clip(w, -300.0, 300.0)).chi)
    return State(cells.sum(price) / number, np.log(np.maximum(margin, 1e-300)))


def newton(fleet: Fleet, start: State, held: BoolArray) -> State:
    """Return where damped Newton steps in both logarithms lead; some cells may not be in balance there."""
    ln_mu, z = start.ln_mu.copy(), start.z.copy()
    low = _lowest(fleet)
    best = State(ln_mu.copy(), z.copy())
    best_norm = np.full(fleet.count, np.inf)
    step_mu, step_z = np.zeros(fleet.count), np.zeros(fleet.count)
    active = np.arange(fleet.count)
    part = fleet
    for _ in range(_NEWTON_STEPS):
        here = imbalance(part, State(ln_mu[active], z[active]), held[active])
        norm = np.maximum(np.abs(here.band), np.abs(here.time))
        worse = ~(norm < best_norm[active])
        better = active[~worse]
        best.ln_mu[better], best.z[better], best_norm[better] = ln_mu[better], z[better], norm[~worse]
        done = (norm <= _LAST_NORM) | (worse & (best_norm[active] <= _SMALL_ENOUGH))
        by_mu, by_z = _newton_step(here)
        step_mu[active] = np.where(worse, 0.5 * step_mu[active], by_mu)
        step_z[active] = np.where(worse, 0.5 * step_z[active], by_z)
        ln_mu[active] = best.ln_mu[active] + step_mu[active]
        z[active] = np.where(
            held[active], z[active], np.maximum(best.z[active] + step_z[active], low[active])
        )
        if done.any():
            last = active[done & ~worse]
            best.ln_mu[last], best.z[last] = ln_mu[last], z[last]
            active = active[~done]
            if not len(active):
                break
            part = fleet.of_cells(active)
    return best


def _newton_step(here: Imbalance) -> tuple[FloatArray, FloatArray]:
    """Solve the two equations of each cell; no part of a step is longer than ``_LONGEST_STEP``."""
    determinant = here.band_by_mu * here.time_by_z - here.band_by_z * here.time_by_mu
    with np.errstate(all="ignore"):
        by_mu = (here.band_by_z * here.time - here.time_by_z * here.band) / determinant
        by_z = (here.time_by_mu * here.band - here.band_by_mu * here.time) / determinant
        longest = np.maximum(np.abs(by_mu), np.abs(by_z))
        shrink = np.minimum(1.0, _LONGEST_STEP / longest)
    usable: BoolArray = np.isfinite(longest)
    by_mu = np.where(usable, by_mu * shrink, np.clip(here.band, -_LONGEST_STEP, _LONGEST_STEP))
    by_z = np.where(usable, by_z * shrink, np.clip(here.time, -_LONGEST_STEP, _LONGEST_STEP))
    return by_mu, by_z


def bracketed(fleet: Fleet, start: State, held: BoolArray) -> State:
    """Return the balance of each cell by brackets alone: the deadline within, the bandwidth price outside.

    The sum of deadline prices falls in the deadline at any bandwidth price; with the deadline so chosen,
    the bandwidth asked falls in its price.  (The other order fails where the deadline is at its least.)
    """
    z = start.z.copy()

    def band_balance(ln_mu: FloatArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        part = fleet.of_cells(cells)
        z[cells] = _deadline_at(part, ln_mu, z[cells], held[cells])
        here = imbalance(part, State(ln_mu, z[cells]), held[cells])
        return here.band, here.band_by_mu - here.band_by_z * here.time_by_mu / here.time_by_z

    ln_mu = decreasing_root(band_balance, start.ln_mu, start.ln_mu - 200.0, start.ln_mu + 200.0)
    band_balance(ln_mu, np.arange(fleet.count))
    return State(ln_mu, z)


def _deadline_at(fleet: Fleet, ln_mu: FloatArray, start: FloatArray, held: BoolArray) -> FloatArray:
    def time_balance(z: FloatArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        here = imbalance(fleet.of_cells(cells), State(ln_mu[cells], z), held[cells])
        return here.time, here.time_by_z

    low = np.where(held, start, _lowest(fleet))
    return decreasing_root(time_balance, start, low, np.where(held, start, np.maximum(start, low) + 100.0))


def _lowest(fleet: Fleet) -> FloatArray:
    """Return the logarithm of the least margin looked at (M,)."""
    return np.log(LEAST_MARGIN * np.maximum(fleet.base, 1e-270))
