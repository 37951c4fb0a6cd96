"""Heuristics with an equal share of the band for each device that sends: the usual baselines."""

import numpy as np

from solvers.allocation.fleet import Fleet
from solvers.allocation.minimum_deadline import LEAST_MARGIN, equal_band_margin
from solvers.allocation.prepared import Prepared
from solvers.allocation.repair import margin_room, repaired
from solvers.allocation.respond import computing_price
from solvers.allocation.root import decreasing_root
from solvers.allocation.snr import shape_at
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.options import Options

_ALMOST = 1.0 - 1e-12
"""Share of the longest computing time from which a device counts as not hurried by its deadline."""
_UNHURRIED = -700.0
"""Stands for the logarithm of a price of 0: further below than any price can be above."""
_LONGEST = 60.0
"""Natural logarithm of how far above the least deadline the best one is sought: a factor of 1e26."""


def equal_bandwidth_full_power(prepared: Prepared, options: Options) -> Proposal:
    """Return an equal share of the band each, full power and full frequency, as early as that allows.

    Where a deadline is given that equal shares miss, each device gets the least bandwidth that meets it
    and what is left is shared in proportion to what equal shares would have given above that.
    """
    del options  # nothing is searched
    fleet = prepared.fleet
    bandwidth = _equal_share(fleet)
    return repaired(
        prepared.problem, fleet, bandwidth, np.zeros_like(bandwidth), _margin(prepared), full_speed=True
    )


def equal_bandwidth_optimal(prepared: Prepared, options: Options) -> Proposal:
    """Return an equal share of the band each, with the best power, frequency and deadline for it.

    A deadline given that equal shares miss is met as by :func:`equal_bandwidth_full_power`.
    """
    del options  # one root a device within one root a cell, both to rounding
    fleet, margin = prepared.fleet, _margin(prepared)
    bandwidth = _equal_share(fleet)
    chosen = np.flatnonzero((fleet.energy_weight > 0) & (fleet.base > 0))
    if fleet.deadline is None and len(chosen):
        mine = np.isin(fleet.transmitter_cells.cell, chosen)
        margin = margin.copy()
        margin[chosen] = _best_margin(fleet.of_cells(chosen), bandwidth[mine], margin[chosen])
    airtime, _, _ = _best_airtime(fleet, bandwidth, margin)
    return repaired(prepared.problem, fleet, bandwidth, airtime, margin)


def _equal_share(fleet: Fleet) -> FloatArray:
    """Return the band divided by the number of transmitters, for each transmitter."""
    cells = fleet.transmitter_cells
    number = cells.sum(np.ones_like(fleet.transmitters.a))
    share = cells.spread(fleet.band / np.maximum(number, 1.0))
    return np.array(np.broadcast_to(share, fleet.transmitters.a.shape))


def _margin(prepared: Prepared) -> FloatArray:
    """Return the margin of the deadline given, or of the earliest that equal shares allow (M,)."""
    fleet = prepared.fleet
    if fleet.deadline is not None:
        return prepared.margin()
    sending = fleet.transmitter_cells.sum(np.ones_like(fleet.transmitters.a)) > 0
    margin = np.zeros(fleet.count)
    chosen = np.flatnonzero(sending)
    if len(chosen):
        margin[chosen] = equal_band_margin(fleet.of_cells(chosen))
    return margin


def _best_margin(fleet: Fleet, bandwidth: FloatArray, least: FloatArray) -> FloatArray:
    """Return the margin (M,) at which the deadline prices sum to the price of time, at least ``least``."""
    low = np.log(np.maximum(least, LEAST_MARGIN * fleet.base))

    def balance(z: FloatArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        part = fleet.of_cells(cells)
        mine = np.isin(fleet.transmitter_cells.cell, cells)
        margin = np.exp(z)
        _, price, by_t = _best_airtime(part, bandwidth[mine], margin)
        work, work_by_t = computing_price(part.computers, part.computer_cells.spread(part.base + margin))
        total = part.transmitter_cells.sum(price) + part.computer_cells.sum(work)
        slope = part.transmitter_cells.sum(by_t) + part.computer_cells.sum(work_by_t)
        size = np.where(total > 0, total, 1.0)
        value = np.where(total > 0, np.log(size / part.time_weight), _UNHURRIED)
        return value, slope * margin / size

    z = decreasing_root(balance, low, low, np.maximum(low, np.log(fleet.base)) + _LONGEST)
    return np.where(z > low, np.exp(z), least)


def _best_airtime(
    fleet: Fleet, bandwidth: FloatArray, margin: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the best airtime t (s) at a bandwidth, its deadline price, and that one's derivative by T.

    The price of time in the air, A b chi with A = energy_price n, falls in t; that of computing,
    K^3 / (T - t)^3, rises in t.  They meet, or t is at one of its ends: at a limit of power the price is
    that of computing, at a limit of frequency that of sending.
    """
    group = fleet.transmitters
    room = margin_room(fleet, margin)
    quickest = group.a / (bandwidth * np.log1p(group.cap / (group.n * bandwidth)))
    with np.errstate(divide="ignore"):
        slowest = group.a / (bandwidth * np.log1p(group.floor / (group.n * bandwidth)))
    total = room + group.c_min
    top = np.minimum(room, slowest)
    relaxed = np.minimum(np.where(group.K > 0, total - group.c_max, 0.0), top)  # at the least frequency
    low = np.log(np.maximum(np.minimum(quickest, room), relaxed))
    high = np.log(top)
    worth = group.energy_price * group.n * bandwidth

    def balance(z: FloatArray, mine: IntArray) -> tuple[FloatArray, FloatArray]:
        t = np.exp(z)
        q = group.a[mine] / (bandwidth[mine] * t)
        shape = shape_at(q + np.log(-np.expm1(-q)))
        c = np.maximum(total[mine] - t, np.maximum(group.c_min[mine], 1e-300))
        busy = group.K[mine] > 0
        cost = 3.0 * np.log(np.where(busy, group.K[mine], 1.0) / c)
        value = np.where(busy, np.log(worth[mine] * shape.chi) - cost, 0.0)
        return value, -shape.p / shape.g - 3.0 * t / c

    saving = group.energy_price > 0
    z = high.copy()
    chosen = np.flatnonzero(saving & (group.K > 0))
    if len(chosen):
        z[chosen] = decreasing_root(
            lambda points, mine: balance(points, chosen[mine]), high[chosen], low[chosen], high[chosen]
        )
    t = np.exp(z)
    q = group.a / (bandwidth * t)
    shape = shape_at(q + np.log(-np.expm1(-q)))
    sending = worth * shape.chi
    c = np.maximum(total - t, np.maximum(group.c_min, 1e-300))
    quiet = (z >= high) & (slowest < room)  # at the least power
    eased = (z <= low) & (relaxed > quickest) & ~quiet  # at the least frequency
    steep = shape.p / shape.g / t
    follow = np.where((z < high) & (group.K > 0), 3.0 / c / (steep + 3.0 / c), 1.0)
    follow = np.where(eased, 1.0, follow)
    computing = np.where(c < group.c_max * _ALMOST, (group.K / c) ** 3, 0.0)
    full = (group.K > 0) & (z <= low) & ~eased & ((z < high) | (computing > sending))
    capped = quiet | full
    price = np.where(capped, computing, sending)
    return t, price, np.where(capped, -3.0 * computing / c, -sending * steep * follow)
