"""The least deadline that a cell can meet: everybody at full power and frequency, the band split to fit."""

import numpy as np

from solvers.allocation.fleet import Fleet, Transmitters
from solvers.allocation.root import decreasing_root
from solvers.allocation.snr import Shape, excess, inverse_excess, shape_at
from solvers.common.arrays import FloatArray, IntArray

LEAST_MARGIN = 1e-60
"""Least margin above ``base`` that is looked at, as a share of it."""


def least_margin(fleet: Fleet) -> FloatArray:
    """Return by how many seconds the least deadline of each cell (M,) exceeds ``fleet.base``.

    At full power, device i with t seconds of airtime needs the bandwidth cap / (n x) with
    x / q = t / t_floor.  The sum of these falls as the deadline grows, and the least deadline is where it
    meets the band.  ``inf`` where no deadline is enough; 0 where ``base`` itself is (only a device without
    payload can be the slowest then).
    """
    margin = np.zeros(fleet.count)
    occupied = fleet.senders > 0
    hopeless = ~np.isfinite(fleet.base) | (occupied & (fleet.band <= 0))
    margin[hopeless] = np.inf
    chosen = np.flatnonzero(occupied & ~hopeless)
    if not len(chosen):
        return margin
    part = fleet.of_cells(chosen)
    high = np.log(equal_band_margin(part))
    low = np.minimum(np.log(part.base * LEAST_MARGIN), high)

    def crowding(z: FloatArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        return _crowding(part.of_cells(cells), np.exp(z))

    sample = part.sample
    start = high if sample is None else np.log(least_margin(sample))
    found = np.exp(decreasing_root(crowding, start, low, high))
    sender_is_slowest = part.transmitter_cells.max((part.transmitters.slack == 0).astype(float)) > 0
    at_base = (found <= 2.0 * LEAST_MARGIN * part.base) & ~sender_is_slowest
    margin[chosen] = np.where(at_base, 0.0, found)
    return margin


def full_power_shape(transmitters: Transmitters, margin: FloatArray) -> Shape:
    """Return the functions of the signal-to-noise ratio x at which full power just meets the deadline.

    Parameters
    ----------
    transmitters : Transmitters
        The devices.
    margin : FloatArray
        Seconds of the deadline above ``base``, for each device (or one for all), > 0.
    """
    share = (margin + transmitters.slack) / transmitters.t_floor
    return shape_at(inverse_excess(np.log(share)))


def _crowding(fleet: Fleet, margin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ln(bandwidth needed / band) and its slope in ln(margin)."""
    total, falling = np.zeros(fleet.count), np.zeros(fleet.count)
    for block in fleet.blocks:
        group, cells, rows = block.group, block.cells, block.rows
        own = cells.spread(margin[rows])
        shape = full_power_shape(group, own)
        need = group.cap / (group.n * shape.x)
        gap = excess(shape)
        fall = need * own / (own + group.slack) * gap / (shape.one_less_g * (1.0 + gap))
        total[rows] += cells.sum(need)
        falling[rows] += cells.sum(fall)
    return np.log(total / fleet.band), -falling / total


def equal_band_margin(fleet: Fleet) -> FloatArray:
    """Return the margin at which an equal share of the band is enough for everybody."""
    each = fleet.band / fleet.senders
    margin = fleet.base * LEAST_MARGIN
    for block in fleet.blocks:
        group, cells, rows = block.group, block.cells, block.rows
        with np.errstate(divide="ignore"):
            shape = shape_at(np.log(group.cap / (group.n * cells.spread(each[rows]))))
        needed = np.maximum(group.t_floor * excess(shape) - group.slack, 0.0)
        margin[rows] = np.maximum(margin[rows], cells.max(needed))
    return margin
