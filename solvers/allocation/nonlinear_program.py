"""The convex program in logarithms as a Pyomo model, for solvers of nonlinear programs."""

import math
import time
from typing import Any

import numpy as np

from solvers.allocation.centre import Centre, centre_of, feasible, joined
from solvers.allocation.equal_bandwidth import equal_bandwidth_optimal
from solvers.allocation.evaluate import cost
from solvers.allocation.fleet import Fleet
from solvers.allocation.prepared import Prepared
from solvers.allocation.quadrature import quadrature
from solvers.allocation.snr import shape_at
from solvers.allocation.solution import Prices, Proposal
from solvers.common.arrays import FloatArray
from solvers.common.errors import BackendFailure
from solvers.common.options import Options

_FARTHEST = 12.0
"""Logarithm of the largest ratio of an unknown to its value at the start."""
_DENSEST = 200.0
"""Largest nats per second and hertz."""
_AT_LIMIT = 1e-7
"""Relative distance from a limit of power or frequency below which the limit is taken to hold."""


def by_nonlinear_program(
    prepared: Prepared, optimiser: Any, options: Options, end: float
) -> tuple[Proposal, Prices, bool]:
    """Return the best point and prices of a single cell, and whether time ran out.

    The solver's bandwidths are made into a feasible point, and the prices are those at which that point is
    stationary, so that the bound holds whatever the solver's tolerances are.

    Parameters
    ----------
    prepared : Prepared
        One cell.
    optimiser : object
        Pyomo's solver.
    options : Options
        Not used beyond the time limit, which ``end`` states.
    end : float
        Value of :func:`time.perf_counter` at which to end.
    """
    start = equal_bandwidth_optimal(prepared, options)
    value = float(cost(prepared.problem, start)[0])
    centre = centre_of(prepared.fleet, start, value)
    best = start
    if len(centre.b):
        model = nonlinear_model(prepared.fleet, centre)
        bandwidth = _solved(model, centre, optimiser, end)
        found = feasible(prepared, bandwidth)
        best = found if cost(prepared.problem, found)[0] < value else start
    return best, prices_at(prepared.fleet, best), time.perf_counter() > end


def nonlinear_model(fleet: Fleet, centre: Centre) -> Any:
    """Return the convex program of one cell; each unknown is the logarithm of a ratio to the centre.

    With q = a / (b t), the energy of a transmission is n a (exp(q) - 1) / q, a sum of exponentials, and its
    rate is met where q exp(b + t) is at least what it is at the centre: all limits are convex as written.

    Parameters
    ----------
    fleet : Fleet
        One cell's devices, some of which send.
    centre : Centre
        A feasible point.
    """
    import pyomo.environ as pyo

    group = fleet.transmitters
    senders, everybody = range(len(centre.b)), range(len(centre.c))
    K, c_min, c_max = (joined(fleet, name) for name in ("K", "c_min", "c_max"))
    free = [i for i in everybody if K[i] > 0 and c_min[i] < c_max[i]]
    q0 = group.a / (centre.b * centre.t)
    bulk0 = np.expm1(q0) / q0
    joules0 = group.energy_price * group.n * group.a * bulk0 / centre.cost
    share = centre.t / (group.n * group.a * bulk0)
    node, weight = quadrature(1.5 * float(q0.max()))
    around = (-_FARTHEST, _FARTHEST)
    model = pyo.ConcreteModel()
    model.b = pyo.Var(senders, bounds=around, initialize=0.0)
    model.t = pyo.Var(senders, bounds=around, initialize=0.0)
    model.e = pyo.Var(senders, bounds=(-3 * _FARTHEST, 3 * _FARTHEST), initialize=0.0)
    model.q = pyo.Var(senders, bounds=(1e-9, _DENSEST), initialize=lambda _, i: float(q0[i]))
    model.c = pyo.Var(free, bounds=lambda _, i: _logarithms(c_min[i] / centre.c[i], c_max[i] / centre.c[i]))
    model.T = pyo.Var(bounds=around, initialize=0.0)
    if fleet.deadline is not None:
        model.T.fix(math.log(float(fleet.deadline[0]) / centre.deadline))
    model.limits = pyo.ConstraintList()
    for i in senders:
        model.limits.add(float(q0[i]) * pyo.exp(-model.b[i] - model.t[i]) <= model.q[i])  # (1) payload
        terms = zip((weight / bulk0[i]).tolist(), node.tolist(), strict=True)
        model.limits.add(sum(w * pyo.exp(theta * model.q[i] - model.e[i]) for w, theta in terms) <= 1.0)
        model.limits.add(model.e[i] - model.t[i] <= math.log(group.cap[i] * share[i]))  # (4) power
        if group.floor[i] > 0:
            model.limits.add(model.e[i] - model.t[i] >= math.log(group.floor[i] * share[i]))
    model.band = pyo.Constraint(  # (3) the band
        expr=sum(float(centre.b[i] / fleet.band[0]) * pyo.exp(model.b[i]) for i in senders) <= 1.0
    )

    def in_time(_: Any, i: int) -> Any:  # (2) compute, then send, before the deadline
        own = centre.c[i] * pyo.exp(model.c[i] - model.T) if i in model.c else c_min[i] * pyo.exp(-model.T)
        sending = centre.t[i] * pyo.exp(model.t[i] - model.T) if i < len(centre.b) else 0.0
        return (own + sending) / centre.deadline <= 1.0

    model.in_time = pyo.Constraint(everybody, rule=in_time)
    computing = K**3 / (2 * np.maximum(centre.c, 1e-300) ** 2) / centre.cost
    model.cost = pyo.Objective(
        expr=sum(float(joules0[i]) * pyo.exp(model.e[i]) for i in senders if joules0[i] > 0)
        + sum(float(computing[i]) * pyo.exp(-2 * model.c[i]) for i in free)
        + float(fleet.time_weight[0]) * centre.deadline / centre.cost * pyo.exp(model.T)
    )
    return model


def prices_at(fleet: Fleet, point: Proposal) -> Prices:
    """Return prices of the band (1,) and of the deadlines (N,) at which a point is nearly stationary.

    A transmitter within its limits of power has time price A b chi and band price A t chi.  At a limit its
    time price is that of its computing, K^3 / c^3, and its band price (w p + time price) (t / b) (1 - G).
    The band's price is the median of those.  Where frequency too is at a limit, the time price follows from
    the band's, which then is the one at which all time prices sum to the weight of the deadline.

    Parameters
    ----------
    fleet : Fleet
        One cell's devices.
    point : Proposal
        A feasible point of it.
    """
    group, workers = fleet.transmitters, fleet.computers
    time_price = np.zeros(len(point.bandwidth_hz))
    deadline = float(point.deadline_s[0])
    time_price[workers.index] = _computing_price(workers.K, np.full(len(workers.K), deadline), workers.c_min)
    if not len(group.index):
        return Prices(bandwidth=np.zeros(1), time=time_price)
    b, t = point.bandwidth_hz[group.index], point.transmit_s[group.index]
    power = point.power_w[group.index]
    shape = shape_at(np.log(np.expm1(group.a / (b * t))))
    A = group.energy_price * group.n
    elasticity = shape_at(np.log(power / (group.n * b))).one_less_g
    computing = _computing_price(group.K, deadline - t, group.c_min)
    idle = deadline - t > group.c_max * (1 + _AT_LIMIT)  # ends early at its least frequency
    held = (power >= group.cap * (1 - _AT_LIMIT)) | (power <= group.floor * (1 + _AT_LIMIT))
    computing = np.where(idle, 0.0, computing)
    bent = idle | ((deadline - t > group.c_min * (1 + _AT_LIMIT)) & (group.K > 0))
    known = ~held | bent
    band = np.where(held, (group.energy_price * power + computing) * t / b * elasticity, A * t * shape.chi)
    time_price[group.index] = np.where(held, computing, A * b * shape.chi)
    mu = float(np.median(band[known])) if known.any() else float(np.median(band))
    open_ = held & ~bent
    if open_.any():
        ratio, spent = (b / (t * elasticity))[open_], (group.energy_price * power)[open_]
        if fleet.deadline is None:  # all prices of time together are the weight of the deadline
            left = float(fleet.time_weight[0]) - float(
                time_price.sum() - time_price[group.index[open_]].sum()
            )
            mu = max((left + float(spent.sum())) / float(ratio.sum()), 0.0)
        time_price[group.index[open_]] = np.maximum(mu * ratio - spent, 0.0)
    return Prices(bandwidth=np.array([mu]), time=time_price)


def _computing_price(K: FloatArray, c: FloatArray, c_min: FloatArray) -> FloatArray:
    """Return K^3 / c^3, what a second more of computing saves."""
    price: FloatArray = (K / np.maximum(c, np.maximum(c_min, 1e-300))) ** 3
    return price


def _logarithms(least: float, most: float) -> tuple[float, float]:
    low = math.log(least) if least > 0 else -_FARTHEST
    high = math.log(most) if 0 < most < math.inf else _FARTHEST
    return max(low, -_FARTHEST), min(high, _FARTHEST)


def _solved(model: Any, centre: Centre, optimiser: Any, end: float) -> FloatArray:
    """Return the bandwidths (Hz) of the solver's point."""
    from pyomo.common.errors import ApplicationError, PyomoException

    left_s = end - time.perf_counter()
    keywords = {"timelimit": max(left_s, 0.1)} if math.isfinite(left_s) else {}
    try:
        optimiser.solve(model, **keywords)
    except (ApplicationError, PyomoException, RuntimeError, ValueError) as error:
        raise BackendFailure(f"Pyomo's nonlinear solver failed: {error}") from error
    values = [model.b[i].value for i in range(len(centre.b))]
    if any(value is None for value in values):
        raise BackendFailure("Pyomo's nonlinear solver left no point of a cell that has one")
    bandwidth: FloatArray = centre.b * np.exp(np.array(values, dtype=np.float64))
    return bandwidth
