"""The independent oracle: a convex program in logarithms, solved by Clarabel through CVXPY, cell by cell.

With ln b, ln t, ln c, ln T and q = a / (b t) as unknowns, and the energy of a transmission written as
n a (exp(q) - 1) / q = n a * (integral of exp(q theta) over theta in [0, 1]), everything is a sum of
exponentials of linear functions.  The integral is a Gauss-Legendre sum with enough nodes for rounding.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.allocation.dual_bound import dual_bound
from solvers.allocation.equal_bandwidth import equal_bandwidth_optimal
from solvers.allocation.evaluate import cost
from solvers.allocation.fleet import Fleet
from solvers.allocation.prepared import Prepared, prepare, restricted
from solvers.allocation.quadrature import quadrature
from solvers.allocation.repair import repaired
from solvers.allocation.solution import Prices, Proposal
from solvers.common.arrays import FloatArray
from solvers.common.clarabel import solve_by_clarabel
from solvers.common.errors import BackendFailure
from solvers.common.options import Options

_LADDER: tuple[dict[str, float | bool], ...] = (
    {"max_step_fraction": 0.9, "equilibrate_enable": False},
    {"max_step_fraction": 0.8, "equilibrate_enable": True},
    {"max_step_fraction": 0.5, "equilibrate_enable": False, "max_iter": 500},
    {"tol_gap_abs": 1e-6, "tol_gap_rel": 1e-6, "tol_feas": 1e-6},
)
"""Clarabel's settings, in the order in which they are tried."""
_TIGHT = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12, "max_iter": 200}
_ROUNDS = 2
"""Solves of each cell: the second one is centred at the answer of the first."""
_ACCURATE = 1e-8
"""Gap of Clarabel's prices above which the next settings are tried too: it can say "optimal" far off."""


@dataclass(frozen=True)
class _Centre:
    """A point of one cell: b (Hz), t and c (s) of transmitters, c of computers, the deadline, the cost."""

    b: FloatArray
    t: FloatArray
    c: FloatArray
    work: FloatArray
    deadline: float
    cost: float


def via_cvxpy(prepared: Prepared, options: Options) -> Proposal:
    """Return Clarabel's optimum and its prices; about 1e-8 accurate up to some hundred devices a cell.

    The answer is made feasible, costed and bounded anew from the problem's arrays, so its gap is honest
    whatever Clarabel claims.

    Raises
    ------
    BackendFailure
        If Clarabel finds no answer at all to a cell.
    """
    started = time.perf_counter()
    start = equal_bandwidth_optimal(prepared, options)
    fleet = prepared.fleet
    senders, workers = fleet.transmitters.index, fleet.computers.index
    bandwidth, airtime = start.bandwidth_hz[senders].copy(), start.transmit_s[senders].copy()
    deadline = start.deadline_s.copy()
    mu, price = np.zeros(fleet.count), np.zeros(prepared.problem.num_devices)
    late = False
    for place in range(fleet.count):
        late = options.time_limit_s is not None and time.perf_counter() - started > options.time_limit_s
        mine = fleet.transmitter_cells.cell == place
        working = fleet.computer_cells.cell == place
        if late or not (mine.any() or working.any()):
            continue
        one = prepared
        if fleet.count > 1:
            chosen = np.arange(fleet.count) == place
            one = prepare(restricted(prepared.problem, chosen))
        centre, mu[place], own = _solve_cell(one, options)
        bandwidth[mine], airtime[mine], deadline[place] = centre.b, centre.t, centre.deadline
        price[senders[mine]], price[workers[working]] = own[: mine.sum()], own[mine.sum() :]
    margin = np.maximum(deadline - fleet.base, prepared.margin())
    proposal = repaired(prepared.problem, fleet, bandwidth, airtime, margin, Prices(bandwidth=mu, time=price))
    return Proposal(**{**vars(proposal), "timed_out": late})


def _solve_cell(prepared: Prepared, options: Options) -> tuple[_Centre, float, FloatArray]:
    """Return the optimal point of a single cell, its bandwidth price and its deadline prices."""
    centre = _first_centre(prepared, equal_bandwidth_optimal(prepared, options))
    rungs = [_LADDER] * _ROUNDS + [_LADDER[first:] for first in range(1, len(_LADDER))]
    best, smallest = (centre, 0.0, np.zeros(0)), np.inf
    for number, ladder in enumerate(rungs, start=1):
        try:
            centre, mu, price = _solve_once(prepared.fleet, centre, ladder)
        except BackendFailure:
            if number <= _ROUNDS:
                raise
            continue
        gap = _gap(prepared, centre, mu, price)
        if gap < smallest or number == 1:
            best, smallest = (centre, mu, price), gap
        if number >= _ROUNDS and smallest <= _ACCURATE:
            break
    return best


def _gap(prepared: Prepared, centre: _Centre, mu: float, price: FloatArray) -> float:
    """Return the relative distance of a cost that Clarabel claims from the bound by its prices."""
    fleet = prepared.fleet
    everybody = np.zeros(prepared.problem.num_devices)
    everybody[np.concatenate([fleet.transmitters.index, fleet.computers.index])] = price
    bound = float(dual_bound(prepared.problem, mu, everybody)[0])
    return abs(centre.cost - bound) / centre.cost


def _first_centre(prepared: Prepared, proposal: Proposal) -> _Centre:
    fleet = prepared.fleet
    deadline = float(proposal.deadline_s[0])
    t = proposal.transmit_s[fleet.transmitters.index]
    return _Centre(
        b=proposal.bandwidth_hz[fleet.transmitters.index],
        t=t,
        c=np.maximum(deadline - t, fleet.transmitters.c_min),
        work=np.full(len(fleet.computers.index), deadline),
        deadline=deadline,
        cost=float(cost(prepared.problem, proposal)[0]) or 1.0,
    )


def _solve_once(
    fleet: Fleet, centre: _Centre, ladder: Sequence[dict[str, float | bool]]
) -> tuple[_Centre, float, FloatArray]:
    """Solve the convex program around a centre; all unknowns are logarithms of ratios to it."""
    import cvxpy as cp

    group, workers = fleet.transmitters, fleet.computers
    senders, num = len(group.index), len(group.index) + len(workers.index)
    given = fleet.deadline is not None
    T: Any = cp.Constant(0.0) if given else cp.Variable()
    c_all = np.concatenate([centre.c, centre.work])
    K = np.concatenate([group.K, workers.K])
    c_min, c_max = (
        np.concatenate([getattr(group, name), getattr(workers, name)]) for name in ("c_min", "c_max")
    )
    fixed = (K > 0) & (c_min == c_max)
    free = np.flatnonzero((K > 0) & ~fixed)
    constant = float(np.sum(K[fixed] ** 3 / (2 * c_min[fixed] ** 2))) / centre.cost
    costs: list[Any] = [float(fleet.time_weight[0]) * centre.deadline / centre.cost * cp.exp(T) + constant]
    limits: list[Any] = []
    c = cp.Variable(len(free)) if len(free) else None
    if c is not None:
        # computing energy K^3 / (2 c^2), and the limits of frequency c_min <= c <= c_max
        costs.append(cp.sum(cp.exp(-2 * c + np.log(K[free] ** 3 / (2 * c_all[free] ** 2 * centre.cost)))))
        limits.append(c >= np.log(c_min[free] / c_all[free]))
        slow = np.flatnonzero(np.isfinite(c_max[free]))
        if len(slow):
            limits.append(c[slow] <= np.log(c_max[free][slow] / c_all[free][slow]))
    used: Any = cp.multiply(
        np.where((K > 0) & ~fixed, c_all, c_min) / centre.deadline,
        cp.exp((0.0 if c is None else np.eye(num)[:, free] @ c) - T * np.ones(num)),
    )
    b = t = q = band = None
    if senders:
        b, t, q, energy = (cp.Variable(senders) for _ in range(4))
        share = np.concatenate([centre.t / centre.deadline, np.zeros(num - senders)])
        used = used + cp.multiply(share, cp.exp(np.eye(num)[:, :senders] @ t - T * np.ones(num)))
        band = cp.sum(cp.multiply(centre.b / fleet.band[0], cp.exp(b))) <= 1
        limits += [band, *_sending(cp, fleet, centre, (b, t, q, energy))]
        joules = group.energy_price * _energy(fleet, centre) / centre.cost
        if fleet.energy_weight[0] > 0:
            costs.append(cp.sum(cp.exp(energy + np.log(joules))))
    times = used <= 1
    problem = cp.Problem(cp.Minimize(sum(costs)), [*limits, times])
    solve_by_clarabel(problem, _TIGHT, ladder, "a cell")
    deadline = centre.deadline * float(np.exp(T.value))
    scale = centre.cost
    c_new = c_all.copy()
    if c is not None:
        c_new[free] *= np.exp(c.value)
    found = _Centre(
        b=centre.b * np.exp(b.value) if b is not None else centre.b,
        t=centre.t * np.exp(t.value) if t is not None else centre.t,
        c=np.where(c_new[:senders] > 0, c_new[:senders], 0.0),
        work=c_new[senders:],
        deadline=deadline,
        cost=scale * float(problem.value) if problem.value > 0 else scale,
    )
    mu = max(float(band.dual_value), 0.0) * scale / float(fleet.band[0]) if band is not None else 0.0
    price = np.maximum(times.dual_value, 0.0) * scale / deadline
    return found, mu, price


def _energy(fleet: Fleet, centre: _Centre) -> FloatArray:
    """Return the joules n a (exp(q) - 1) / q of each transmission at the centre."""
    group = fleet.transmitters
    q = group.a / (centre.b * centre.t)
    joules: FloatArray = group.n * group.a * np.expm1(q) / q
    return joules


def _sending(cp: Any, fleet: Fleet, centre: _Centre, unknowns: tuple[Any, Any, Any, Any]) -> list[Any]:
    """Return the limits q >= a / (b t), energy >= n a (exp(q) - 1) / q, and floor <= energy / t <= cap."""
    b, t, q, energy = unknowns
    group = fleet.transmitters
    q0 = group.a / (centre.b * centre.t)
    node, weight = quadrature(float(np.max(q0)) * 1.5)
    at_centre = np.log(np.expm1(q0) / q0)
    offsets = np.log(weight)[None, :] + q0[:, None] * node[None, :] - at_centre[:, None]
    rows = cp.reshape(q, (len(q0), 1), order="C") @ node[None, :]
    rows = rows - cp.reshape(energy, (len(q0), 1), order="C") @ np.ones((1, len(node)))
    share = centre.t / _energy(fleet, centre)
    fixed, varied = np.flatnonzero(group.floor == group.cap), np.flatnonzero(group.floor < group.cap)
    noisy = np.flatnonzero((group.floor > 0) & (group.floor < group.cap))
    power = energy - t
    limits = [
        cp.exp(-b - t) * 1.0 <= 1.0 + cp.multiply(1.0 / q0, q),
        cp.sum(cp.exp(rows + offsets), axis=1) <= 1.0,
    ]
    if not len(fixed):
        limits.append(power <= np.log(group.cap * share))
    elif len(varied):
        limits.append(power[varied] <= np.log(group.cap * share)[varied])
    if len(noisy):
        limits.append(power[noisy] >= np.log(group.floor[noisy] * share[noisy]))
    if len(fixed):
        limits.append(power[fixed] == np.log(group.cap * share)[fixed])
    return limits
