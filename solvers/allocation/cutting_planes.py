"""Cutting planes: linear programs, as Pyomo models, that touch the convex problem from below."""

import time
from typing import Any

import numpy as np

from solvers.allocation.centre import LEAST_SHARE, Centre, centre_of, feasible, joined
from solvers.allocation.dual_bound import dual_bound
from solvers.allocation.equal_bandwidth import equal_bandwidth_optimal
from solvers.allocation.evaluate import cost
from solvers.allocation.fleet import Fleet
from solvers.allocation.prepared import Prepared
from solvers.allocation.snr import shape_at
from solvers.allocation.solution import Prices, Proposal, relative_gaps
from solvers.common.arrays import FloatArray
from solvers.common.errors import BackendFailure
from solvers.common.options import Options

DEFAULT_GAP = 1e-6
"""Relative gap at which a cell ends: below it the tolerances of linear solvers are in the way."""
_ROUNDS = 80
_PATIENCE = 15
"""Rounds without a smaller gap after which a cell ends."""
_NEGLIGIBLE = 1e-8
"""Coefficients below are left out: linear solvers drop them with a warning, and the bound is not theirs."""
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def by_cutting_planes(
    prepared: Prepared, optimiser: Any, options: Options, end: float
) -> tuple[Proposal, Prices, bool]:
    """Return the best point and prices of a single cell, and whether time ran out."""
    problem, fleet = prepared.problem, prepared.fleet
    best = equal_bandwidth_optimal(prepared, options)
    value, bound = cost(problem, best), np.array([-np.inf])
    prices = Prices(bandwidth=np.zeros(1), time=np.zeros(problem.num_devices))
    wanted = DEFAULT_GAP if options.gap is None else options.gap
    scale = centre_of(fleet, best, float(value[0]))
    model = _model(fleet, scale)
    for factor in _FACTORS:
        for other in _FACTORS:
            _cut(model, fleet, scale, scale.b * factor, scale.t * other)
    _cut_computing(model, fleet, scale, [scale.c * factor for factor in _FACTORS])
    waited = 0
    while waited < _PATIENCE and len(model.rounds) < _ROUNDS:
        model.rounds.append(time.perf_counter())
        point, mu, price = _solve_once(model, fleet, scale, optimiser, problem.num_devices)
        proposal = feasible(prepared, point.b)
        before = relative_gaps(value, bound)[0]
        if cost(problem, proposal)[0] < value[0]:
            best, value = proposal, cost(problem, proposal)
        proven = dual_bound(problem, mu, price)
        if proven[0] > bound[0]:
            bound, prices = proven, Prices(bandwidth=np.array([mu]), time=price)
        gap = relative_gaps(value, bound)[0]
        if gap <= wanted or time.perf_counter() > end:
            return best, prices, bool(gap > wanted)
        waited = 0 if gap < 0.9 * before else waited + 1
        index = fleet.transmitters.index
        _cut(model, fleet, scale, point.b, point.t)
        _cut(model, fleet, scale, proposal.bandwidth_hz[index], proposal.transmit_s[index])
        _cut_computing(model, fleet, scale, [point.c])
    return best, prices, False


def _model(fleet: Fleet, scale: Centre) -> Any:
    """Return the linear part; each unknown is a ratio to its scale, and costs are shares of the cost."""
    import pyomo.environ as pyo

    model = pyo.ConcreteModel()
    model.rounds = []
    senders, everybody = range(len(scale.b)), range(len(scale.c))
    c_min, floor = joined(fleet, "c_min") / scale.c, fleet.transmitters.t_floor / scale.t
    c_max = [float(c) if np.isfinite(c) and c > 0 else None for c in joined(fleet, "c_max") / scale.c]
    model.b = pyo.Var(senders, bounds=(0.0, None))
    model.t = pyo.Var(senders, bounds=lambda _, i: (float(floor[i]), None))
    model.c = pyo.Var(everybody, bounds=lambda _, i: (float(c_min[i]), c_max[i]))  # (4) frequency
    model.sending = pyo.Var(senders, bounds=(0.0, None))
    model.computing = pyo.Var(everybody, bounds=(0.0, None))
    model.T = pyo.Var(bounds=(0.0, None))
    if fleet.deadline is not None:
        model.T.fix(float(fleet.deadline[0]) / scale.deadline)
    time_share = float(fleet.time_weight[0]) * scale.deadline / scale.cost
    joules = sum(model.sending[i] for i in senders) + sum(model.computing[i] for i in everybody)
    model.cost = pyo.Objective(expr=joules + time_share * model.T)

    def in_time(_: Any, i: int) -> Any:  # (2) compute, then send, before the deadline
        sending = scale.t[i] / scale.deadline * model.t[i] if i < len(scale.b) else 0.0
        return scale.c[i] / scale.deadline * model.c[i] + sending <= model.T

    model.in_time = pyo.Constraint(everybody, rule=in_time)
    if len(scale.b):  # (3) the band
        model.band = pyo.Constraint(expr=sum(scale.b[i] / fleet.band[0] * model.b[i] for i in senders) <= 1.0)
    model.cuts = pyo.ConstraintList()
    least = fleet.transmitters.energy_price * fleet.transmitters.floor * scale.t / scale.cost
    for i in np.flatnonzero(least > 0):  # (4) least power
        model.cuts.add(model.sending[int(i)] >= float(least[i]) * model.t[int(i)])
    model.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    return model


def _cut(model: Any, fleet: Fleet, scale: Centre, b: FloatArray, t: FloatArray) -> None:
    """Add the tangents of energy and of the least airtime (1) (4) at some bandwidths and airtimes.

    With q = a / (b t): energy A b t x has the slopes -A t chi in b and -A b chi in t, and the airtime at
    full power, a / (b ln(1 + cap / (n b))), the slope -(t / b) (1 - G) in b.  Both are convex.
    """
    group = fleet.transmitters
    b = np.maximum(b, LEAST_SHARE * scale.b)
    with np.errstate(divide="ignore"):
        full = shape_at(np.log(group.cap / (group.n * b)))
    quickest = group.a / (b * full.q)
    steep = -quickest / b * full.one_less_g
    t = np.maximum(t, quickest)
    q = group.a / (b * t)
    shape = shape_at(q + np.log(-np.expm1(-q)))
    A = group.energy_price * group.n / scale.cost
    bend = _kept(steep * scale.b / scale.t)
    by_b, by_t = _kept(A * t * shape.chi * scale.b), _kept(A * b * shape.chi * scale.t)
    energy = A * b * t * shape.x
    for i in range(len(b)):
        ratio_b, ratio_t = model.b[i] - b[i] / scale.b[i], model.t[i] - t[i] / scale.t[i]
        model.cuts.add(model.t[i] >= quickest[i] / scale.t[i] + bend[i] * ratio_b)
        if A[i] > 0:
            model.cuts.add(model.sending[i] >= energy[i] - by_b[i] * ratio_b - by_t[i] * ratio_t)


def _kept(coefficients: FloatArray) -> FloatArray:
    return np.where(np.abs(coefficients) < _NEGLIGIBLE, 0.0, coefficients)


def _cut_computing(model: Any, fleet: Fleet, scale: Centre, points: list[FloatArray]) -> None:
    """Add the tangents of the computing energy K^3 / (2 c^2) at some computing times."""
    K = joined(fleet, "K")
    for c in points:
        near = np.where(c > 0, c, scale.c)
        energy = 0.5 * K**3 / near**2 / scale.cost
        steep = _kept(-2.0 * energy * scale.c / near)
        for i in np.flatnonzero(K > 0):
            model.cuts.add(model.computing[i] >= energy[i] + steep[i] * (model.c[i] - near[i] / scale.c[i]))


def _solve_once(
    model: Any, fleet: Fleet, scale: Centre, optimiser: Any, num_devices: int
) -> tuple[Centre, float, FloatArray]:
    """Return the linear program's point, its bandwidth price, and its deadline prices (N,)."""
    import pyomo.environ as pyo
    from pyomo.common.errors import ApplicationError, PyomoException

    try:
        ended = optimiser.solve(model).solver.termination_condition
    except (ApplicationError, PyomoException, RuntimeError, ValueError) as error:
        raise BackendFailure(f"Pyomo's linear solver failed: {error}") from error
    if ended != pyo.TerminationCondition.optimal:
        raise BackendFailure(f"Pyomo's linear solver found no answer to a cell that has one, but: {ended}")
    senders, everybody = range(len(scale.b)), range(len(scale.c))
    point = Centre(
        b=scale.b * np.array([model.b[i].value for i in senders]),
        t=scale.t * np.array([model.t[i].value for i in senders]),
        c=scale.c * np.array([model.c[i].value for i in everybody]),
        deadline=scale.deadline * float(model.T.value),
        cost=scale.cost * float(pyo.value(model.cost)),
    )
    # a limit `<=` of a minimisation has a multiplier <= 0; rounding may leave it just above
    mu = max(-model.dual[model.band], 0.0) * scale.cost / float(fleet.band[0]) if len(scale.b) else 0.0
    own = [max(-model.dual[model.in_time[i]], 0.0) for i in everybody]
    price = np.zeros(num_devices)
    price[joined(fleet, "index")] = np.array(own) * scale.cost / scale.deadline
    return point, mu, price
