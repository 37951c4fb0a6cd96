"""Placements and bounds of all cells in turns of prices: each turn is exact for its prices."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.by_cell.deadline import Deadline, best_deadline
from hfedfm_opt.planning.by_cell.place_cells import place_cells
from hfedfm_opt.planning.by_cell.prices import SecondPrices, Taken, costs_of, served_pairs, taken_by
from hfedfm_opt.planning.by_cell.ways import Ways
from hfedfm_opt.system.instance import Objective
from solvers.common.arrays import FloatArray, IntArray

PLACING_TURNS = 6
"""Placements tried at most."""
BOUNDING_TURNS = 8
"""Prices tried at most for a bound."""
STEP = 4.0
"""How strongly the first change of prices presses on what is late; the k-th 1 / sqrt(k) as much."""
SHARPNESS = 100.0
"""How sharply the first prices of a bound tell the latest from those who are nearly as late."""
GAIN = 1e-4
"""Relative gain of a turn below which the turns end."""
SAFETY = 1e-9
"""Part of a bound that is given up for rounding."""


@dataclass(frozen=True)
class Found:
    """The best placement, by groups as in :class:`PlacedCells`, and a bound on all.

    Parameters
    ----------
    way : tuple of (D, m) int
        The placement.
    cost : float
        Energy and time of its training at the best deadline, weighted.
    bound : float
        No placement's training costs less in a round, even with the best CPU frequencies.
    """

    way: tuple[IntArray, ...]
    cost: float
    bound: float


def search_cells(
    ways: Ways, weights: Objective, sends_s: FloatArray, surely_s: FloatArray, stop_at: float
) -> Found | None:
    """Return the best placement of some turns and a bound on all; ``None`` if nothing fits.

    Parameters
    ----------
    ways : Ways
        Who may run what.
    weights : Objective
        Prices of joules and seconds.
    sends_s : (devices,) float
        How long each device sends its update.
    surely_s : (devices,) float
        How long it does so in any plan that the bound is of.
    stop_at : float
        On the monotonic clock, when to end at the latest, after a first placement and a first bound.
    """
    prices = even(ways, weights.time_weight_per_s)
    late = np.ones(ways.num_devices)
    best: tuple[float, tuple[IntArray, ...]] | None = None
    bound_prices, longest_s = prices, 0.0
    for number in range(1, PLACING_TURNS + 1):
        placed = place_cells(ways, costs_of(ways, weights, prices, updates=True))
        if not np.isfinite(placed.cost).all():
            return None
        taken = taken_by(ways, placed.way)
        deadline = best_deadline(weights, taken, sends_s)
        gained = best is None or deadline.cost < best[0] * (1.0 - GAIN)
        if best is None or deadline.cost < best[0]:
            best = (deadline.cost, placed.way)
            longest_s = deadline.seconds
            bound_prices = _bounding(weights, taken, deadline, surely_s)
        if (number > 2 and not gained) or time.monotonic() >= stop_at:
            break
        late, prices = _repriced(
            ways, weights, placed.way, (taken, deadline), (late, STEP / np.sqrt(number)), sends_s
        )
    assert best is not None, "the first turn gives a placement or returns"
    return Found(best[1], best[0], bound_of(ways, weights, bound_prices, (longest_s, surely_s), stop_at))


def even(ways: Ways, second: float) -> SecondPrices:
    """Return prices of equal devices, each host pressed by all below it."""
    device = np.full(ways.num_devices, second / ways.num_devices)
    host = np.zeros(len(ways.names))
    members = np.bincount(ways.cell, minlength=len(ways.hosts))
    for column in ways.hosts.T:
        np.add.at(host, column[column >= 0], (members * second / ways.num_devices)[column >= 0])
    return SecondPrices(device, host)


def bound_of(
    ways: Ways, weights: Objective, prices: SecondPrices, known: tuple[float, FloatArray], stop_at: float
) -> float:
    """Return a lower bound on energy of training, and on time of it and of sending, over all placements.

    With prices of devices and hosts that sum to the price of a second, the time of a round costs no less than
    what the devices' and the hosts' seconds cost: it is as long as each device trains, and as each host works
    for all that it serves, whose shares of it sum to one.  The turns raise the prices of what was late
    (exponentiated subgradients).

    Parameters
    ----------
    ways : Ways
        Who may run what.
    weights : Objective
        Prices of joules and seconds.
    prices : SecondPrices
        Prices to begin with.
    known : tuple of float and (devices,) float
        How long training and sending of a good plan take, what takes longer is late; and how long each device
        surely sends after its training.
    stop_at : float
        On the monotonic clock, when to end at the latest, after a first bound.
    """
    best, surely_s = -np.inf, known[1]
    prices = _summing_to(weights.time_weight_per_s, prices)
    for number in range(1, BOUNDING_TURNS + 1):
        costs = costs_of(ways, weights, prices, updates=False, own_too=True)
        placed = place_cells(ways, costs)
        total = float(placed.cost.sum()) + float(prices.device @ surely_s)
        best = max(best, total - SAFETY * abs(total))
        if time.monotonic() >= stop_at:
            break
        prices = _pressed(ways, weights, prices, placed.way, known, STEP / np.sqrt(number))
    return best


def _bounding(weights: Objective, taken: Taken, deadline: Deadline, surely_s: FloatArray) -> SecondPrices:
    """Return prices for a bound at the deadline of a plan: of devices that slow down, the rest of hosts."""
    second = weights.time_weight_per_s
    device = deadline.slope * min(1.0, second / max(float(deadline.slope.sum()), 1e-300))
    rest = max(second - float(device.sum()), 0.0)
    longest = max(deadline.seconds, 1e-300)
    late = np.where(taken.slack, 0.0, np.exp(SHARPNESS * ((taken.seconds + surely_s) / longest - 1.0)))
    busy = np.exp(SHARPNESS * (taken.busy_s / longest - 1.0))
    share = rest / (float(late.sum()) + float(busy.sum()))
    return SecondPrices(device + share * late, share * busy)


def _pressed(
    ways: Ways,
    weights: Objective,
    prices: SecondPrices,
    way: Sequence[IntArray],
    known: tuple[float, FloatArray],
    step: float,
) -> SecondPrices:
    """Return prices that press more on devices and hosts that are late under these."""
    taken = taken_by(ways, way)
    joule = weights.energy_weight_per_j
    seconds = taken.seconds.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.cbrt(prices.device * taken.seconds / (2.0 * joule * taken.joules))
    slowed = taken.slack & (taken.seconds > 0)
    seconds[slowed] /= np.clip(part[slowed], 1e-9, 1.0)
    longest_s, surely_s = max(known[0], 1e-300), known[1]
    device = prices.device * np.exp(step * np.clip((seconds + surely_s) / longest_s - 1.0, -1.0, 1.0))
    host = prices.host * np.exp(step * np.clip(taken.busy_s / longest_s - 1.0, -1.0, 1.0))
    return _summing_to(weights.time_weight_per_s, SecondPrices(device, host))


def _summing_to(second: float, prices: SecondPrices) -> SecondPrices:
    """Return prices in the same proportions that sum to the price of a second."""
    scale = second / max(float(prices.device.sum() + prices.host.sum()), 1e-300)
    return SecondPrices(prices.device * scale, prices.host * scale)


def _repriced(
    ways: Ways,
    weights: Objective,
    way: Sequence[IntArray],
    found: tuple[Taken, Deadline],
    before: tuple[FloatArray, float],
    sends_s: FloatArray,
) -> tuple[FloatArray, SecondPrices]:
    """Return how late devices were so far, and prices at the deadline that a placement set."""
    taken, deadline = found
    late, step = before
    late = late * np.exp(step * ((taken.seconds + sends_s) / deadline.seconds - 1.0))
    rest = max(weights.time_weight_per_s - float(deadline.slope.sum()), 0.0)
    others = np.where(taken.slack, 0.0, late)
    device = deadline.slope + rest * others / max(float(others.sum()), 1e-300)
    host = np.zeros(len(ways.names))
    for devices, hosts in served_pairs(ways, way):
        np.add.at(host, hosts, device[devices])
    idle = host == 0.0
    host[idle] = even(ways, weights.time_weight_per_s).host[idle] / ways.num_devices
    return late, SecondPrices(device, host)
