"""A lower bound on the optimum from any prices: the Lagrangian dual, valid whoever proposes the prices."""

import numpy as np
import numpy.typing as npt

from solvers.allocation.cells import Cells
from solvers.allocation.fleet import Computers, Fleet, Transmitters, fleet_of
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.snr import inverse_capped_price, inverse_chi2_over_q, shape_at
from solvers.common.arrays import FloatArray, float_array

ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Share of the terms' sizes that rounding may add to their sum: a few units in the last place of each."""


def dual_bound(
    problem: AllocationProblem, bandwidth_price: npt.ArrayLike, time_price: npt.ArrayLike
) -> FloatArray:
    """Return a lower bound on the optimum of each cell, from prices of bandwidth and of time.

    The prices mu >= 0 of the band and lambda_i >= 0 of each device's deadline turn the limits (2) and (3)
    of :class:`AllocationProblem` into costs.  The least cost over what is left, ::

        sum_i min_c (w_E k_i C_i^3 / c^2 + lambda_i c)
          + sum_i min_{b,t} (w_E n_i b t x + mu b + lambda_i t)  - mu B + (w_T - sum_i lambda_i) T

    is below the cost of every feasible point (weak duality), and equal to the least at the right prices.
    Where T is decided too, prices of time that sum to more than w_T are first scaled down to it, and T is
    replaced by the least computing and sending time of the slowest device, which no deadline undercuts.

    Parameters
    ----------
    problem : AllocationProblem
        The problem.
    bandwidth_price : array_like, shape (M,)
        mu, in units of the objective per Hz, >= 0; a number without cells.
    time_price : array_like, shape (N,)
        lambda, in units of the objective per s, >= 0.

    Returns
    -------
    FloatArray, shape (M,)
        The bounds, lowered by what rounding may have added.

    Raises
    ------
    InvalidProblem
        If a price is negative or not finite.
    """
    value, size = dual_value(problem, bandwidth_price, time_price)
    return value - ROUNDING * size


def dual_value(
    problem: AllocationProblem,
    bandwidth_price: npt.ArrayLike,
    time_price: npt.ArrayLike,
    fleet: Fleet | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the dual value of :func:`dual_bound` as computed, and the sum of its terms' sizes, (M,) each.

    ``fleet`` may be given where ``fleet_of(problem)`` is at hand.
    """
    fleet = fleet_of(problem) if fleet is None else fleet
    mu = float_array("bandwidth_price", np.atleast_1d(bandwidth_price), (fleet.count,))
    prices = float_array("time_price", time_price, (problem.num_devices,))
    senders, workers = prices[fleet.transmitters.index], prices[fleet.computers.index]
    asked = fleet.transmitter_cells.sum(senders) + fleet.computer_cells.sum(workers)
    if fleet.deadline is None:
        over = asked > fleet.time_weight
        scale = np.where(over, fleet.time_weight / np.where(over, asked, 1.0), 1.0)
        senders = senders * fleet.transmitter_cells.spread(scale)
        workers = workers * fleet.computer_cells.spread(scale)
        rest = np.where(over, 0.0, fleet.time_weight - asked)
        waiting = rest * np.where(np.isfinite(fleet.base), fleet.base, 0.0)
        size = waiting
    else:
        waiting = (fleet.time_weight - asked) * fleet.deadline
        size = (fleet.time_weight + asked) * fleet.deadline
    least = _least_cost(fleet, mu, senders, workers)
    rent = mu * fleet.band
    return least + waiting - rent, least + size + rent


def _least_cost(fleet: Fleet, mu: FloatArray, senders: FloatArray, workers: FloatArray) -> FloatArray:
    total = fleet.computer_cells.sum(_least_computing_cost(fleet.computers, workers))
    for block in fleet.blocks:
        group, cells, price = block.group, block.cells, senders[block.mine]
        cost = least_sending_cost(group, cells, mu[block.rows], price) + _least_computing_cost(group, price)
        total[block.rows] += cells.sum(cost)
    return total


def _least_computing_cost(group: Transmitters | Computers, price: FloatArray) -> FloatArray:
    """Return min over c in [c_min, c_max] of K^3 / (2 c^2) + lambda c, where w_E k C^3 = K^3 / 2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        c = np.where(group.K > 0, np.minimum(group.K / np.cbrt(price), group.c_max), 0.0)
        c = np.maximum(c, group.c_min)
        cost = np.where(group.K > 0, 0.5 * group.K * (group.K / c) ** 2, 0.0)
    return cost + np.where(price > 0, price * np.where(price > 0, c, 0.0), 0.0)


def least_sending_cost(group: Transmitters, cells: Cells, mu: FloatArray, price: FloatArray) -> FloatArray:
    """Return min over (b, t) with power below its cap of energy_price n b t x + mu b + lambda t.

    Without limits the least has chi^2 / q = mu lambda / (a A^2), A = energy_price n, where b and t
    share u = b t = a / q as b = sqrt(lambda u / mu); at a limit of power x solves
    mu b / (t (1 - G)) = lambda + energy_price power.  A free band or a free deadline has its limit.
    """
    own = np.broadcast_to(cells.spread(mu), price.shape)
    spend = group.energy_price * group.cap
    cost = group.energy_price * group.n * group.a  # the limit of endless airtime
    free_band = (own == 0) & (price > 0)
    cost[free_band] = ((spend + price) * group.t_floor)[free_band]
    free_time = np.flatnonzero((own > 0) & (price == 0) & (group.floor > 0))
    if len(free_time):
        part = Transmitters(**{name: values[free_time] for name, values in vars(group).items()})
        spend_least = part.energy_price * part.floor
        cost[free_time] = _cost_at_power(part, part.floor, own[free_time], spend_least)
    usual = (own > 0) & (price > 0) & np.isfinite(group.t_floor)
    if usual.all():
        return _sharing_cost(group, own, price)
    normal = np.flatnonzero(usual)
    group = Transmitters(**{name: values[normal] for name, values in vars(group).items()})
    cost[normal] = _sharing_cost(group, own[normal], price[normal])
    return cost


def _sharing_cost(group: Transmitters, own: FloatArray, price: FloatArray) -> FloatArray:
    """Return the least sending cost where band and deadline both have a price, ``own`` and ``price``."""
    A = group.energy_price * group.n
    with np.errstate(divide="ignore"):
        w = inverse_chi2_over_q(np.log(own) + np.log(price) - np.log(group.a) - 2.0 * np.log(A))
    shape = shape_at(w)
    u = group.a / shape.q
    b = np.sqrt(price * u / own)
    value = A * u * shape.x + 2.0 * np.sqrt(own * price * u)
    power = group.n * b * shape.x
    high = (A == 0) | (power > group.cap)
    for limit, beyond in ((group.cap, high), (group.floor, ~high & (power < group.floor))):
        at = np.flatnonzero(beyond)
        if len(at):
            part = Transmitters(**{name: values[at] for name, values in vars(group).items()})
            whole = price[at] + part.energy_price * limit[at]
            value[at] = _cost_at_power(part, limit[at], own[at], whole)
    return value


def _cost_at_power(group: Transmitters, power: FloatArray, own: FloatArray, whole: FloatArray) -> FloatArray:
    """Return min over b of ``whole`` t + ``own`` b at a power, ``whole`` being the price of airtime, 1/s."""
    noisy = power / group.n
    w = inverse_capped_price(np.log(own * noisy * noisy / group.a / whole))
    shape = shape_at(w)
    cost: FloatArray = whole * (group.a / noisy) * shape.x / shape.q + own * noisy / shape.x
    return cost
