"""Cells in which energy costs nothing: the least deadline, in closed form once it is known."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.fleet import Fleet
from solvers.allocation.minimum_deadline import full_power_shape
from solvers.common.arrays import FloatArray


@dataclass(frozen=True)
class CellAnswer:
    """Bandwidth, airtime and deadline price of each transmitter; bandwidth price of each cell (M,)."""

    bandwidth: FloatArray
    airtime: FloatArray
    price: FloatArray
    mu: FloatArray


def latency_only(fleet: Fleet, margin: FloatArray) -> CellAnswer:
    """Return full power within the margin (M,), and the prices that prove it the best.

    With e_i = b_i / (t_i (1 - G_i)), the prices lambda_i = mu e_i make (b_i, t_i) the cheapest pair of each
    device; mu is such that they sum to the price of time.  With a deadline given nothing has a price, nor
    has the band where a device without payload is the slowest.
    """
    group, cells = fleet.transmitters, fleet.transmitter_cells
    shape = full_power_shape(group, cells.spread(np.maximum(margin, 0.0)))
    bandwidth = group.cap / (group.n * shape.x)
    airtime = group.t_floor * shape.x / shape.q
    relative = bandwidth / (airtime * shape.one_less_g)
    total = cells.sum(relative)
    priced = (total > 0) & (margin > 0) & (fleet.deadline is None)
    mu = np.where(priced, fleet.time_weight / np.where(priced, total, 1.0), 0.0)
    return CellAnswer(bandwidth, airtime, cells.spread(mu) * relative, mu)
