"""The published heuristic that improves two blocks of unknowns in turn, and where it stalls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from solvers.allocation.cells import Cells
from solvers.allocation.equal_bandwidth import equal_bandwidth_optimal
from solvers.allocation.evaluate import cost
from solvers.allocation.fixed_bandwidth import chi_at
from solvers.allocation.fleet import cells_of
from solvers.allocation.prepared import Prepared
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.snr import inverse_capped_price, inverse_chi, inverse_excess, shape_at
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray
from solvers.common.options import Options

_ROUNDS = 100
"""Rounds at most; as airtimes do not move, two or three are what it takes."""
_PROGRESS = 1e-12
"""Relative fall of a cell's cost below which a round has changed nothing."""
_HALVINGS = 90


def block_alternation(prepared: Prepared, options: Options) -> Proposal:
    """Return where two blocks of unknowns, each optimised with the other one fixed, come to rest.

    Block 1 fixes bandwidth and power and decides frequency and deadline; block 2 fixes frequency and
    deadline and decides bandwidth and power; and so on until no cell gets cheaper.  Both steps are exact, so
    the cost never rises, yet the end is not the optimum: with bandwidth and power fixed the airtime t =
    bits / rate is, and block 1 slows each CPU until it ends just in time; so block 2 finds the same airtime
    left, and only trades bandwidth for power.  Airtimes stay as they were at the start (the best power,
    frequency and deadline for equal shares of the band), save those of devices whose computing is free.
    """
    problem = prepared.problem
    best = equal_bandwidth_optimal(prepared, options)
    value = cost(problem, best)
    cells = Cells(cells_of(problem), problem.num_cells)
    for _ in range(_ROUNDS):
        proposal = _share_band(problem, cells, _set_deadline(problem, cells, best))
        reached = cost(problem, proposal)
        if not np.any(reached < value * (1.0 - _PROGRESS)):
            break
        best, value = proposal, reached
    return best


@dataclass(frozen=True)
class _Device:
    """Letters of the derivation for every device (N,): c_min, c_max (s), K, payload (nat), n, cap, floor."""

    c_min: FloatArray
    c_max: FloatArray
    K: FloatArray
    a: FloatArray
    n: FloatArray
    cap: FloatArray
    floor: FloatArray
    energy_price: FloatArray


def _device(problem: AllocationProblem, cells: Cells) -> _Device:
    cycles, frequency, slowest = (
        _f(values) for values in (problem.cycles, problem.max_frequency_hz, problem.min_frequency_hz)
    )
    price = np.broadcast_to(cells.spread(np.atleast_1d(_f(problem.energy_weight))), cycles.shape)
    with np.errstate(divide="ignore"):
        n = _f(problem.noise_w_per_hz) / _f(problem.gain)
        c_max = np.divide(cycles, slowest, out=np.zeros_like(cycles), where=cycles > 0)
    return _Device(
        c_min=np.divide(cycles, frequency, out=np.zeros_like(cycles), where=cycles > 0),
        c_max=c_max,
        K=cycles * np.cbrt(2.0 * price * _f(problem.capacitance)),
        a=_f(problem.bits) * np.log(2.0),
        n=n,
        cap=_f(problem.max_power_w),
        floor=_f(problem.min_power_w),
        energy_price=price,
    )


def _set_deadline(problem: AllocationProblem, cells: Cells, at: Proposal) -> Proposal:
    """Return the proposal with the best deadline and frequencies for its airtimes (block 1).

    sum_i (K_i / (T - t_i))^3 = w_T, or T as early as the slowest device at full frequency allows.
    """
    device = _device(problem, cells)
    t = at.transmit_s
    if problem.deadline_s is not None:
        deadline = np.atleast_1d(_f(problem.deadline_s))
    else:
        weight = np.atleast_1d(_f(problem.time_weight))
        least = cells.max(t + device.c_min)

        def worth(margin: FloatArray) -> FloatArray:
            c = np.maximum(cells.spread(least + margin) - t, device.c_min)
            hurried = (device.K > 0) & (c < device.c_max)
            price = np.divide(device.K, c, out=np.zeros_like(c), where=hurried) ** 3
            total: FloatArray = cells.sum(price) - weight
            return total

        longest = np.cbrt(cells.sum(device.K**3) / weight)  # no price is above (K / margin)^3 there
        deadline = least + _root(worth, np.zeros_like(least), longest)
    cycles, fastest = _f(problem.cycles), _f(problem.max_frequency_hz)
    busy = cycles > 0
    c = np.maximum(cells.spread(deadline) - t, device.c_min)
    slow = np.divide(cycles, c, out=np.zeros_like(c), where=busy)
    slow = np.where(busy, np.clip(slow, _f(problem.min_frequency_hz), fastest), 0.0)
    frequency = np.where((_f(problem.capacitance) == 0) & busy, fastest, slow)
    return replace(at, frequency_hz=frequency, deadline_s=deadline)


def _share_band(problem: AllocationProblem, cells: Cells, at: Proposal) -> Proposal:
    """Return the proposal with the best bandwidths and powers for its deadline and frequencies (block 2).

    Each device sends for all the time r that it has; A r chi(x) = mu, the same for all whose power is within
    its limits.  At the cap the bandwidth is the least one; at the least power sending ends before r where
    bandwidth is cheap.
    """
    device = _device(problem, cells)
    busy = _f(problem.cycles) > 0
    computing = np.divide(_f(problem.cycles), at.frequency_hz, out=np.zeros_like(device.a), where=busy)
    sends = (device.a > 0) & (device.energy_price > 0)
    if not sends.any():
        return at
    mine = np.flatnonzero(sends)
    a, n, cap, floor = device.a[mine], device.n[mine], device.cap[mine], device.floor[mine]
    group = Cells(cells_of(problem)[mine], problem.num_cells)
    own = np.broadcast_to(cells.spread(at.deadline_s), device.a.shape)
    r = np.maximum(own - computing, at.transmit_s)[mine]
    before = at.bandwidth_hz[mine]
    excess = np.maximum(r * cap / (n * a) - 1.0, 1e-300)
    least = np.minimum(cap / (n * np.exp(inverse_excess(np.log(excess)))), before)
    quiet = _Quiet.of(a, n, floor, device.energy_price[mine] * floor, r)
    ln_worth = np.log(device.energy_price[mine] * n * r)
    band = group.sum(before)

    def wanted(ln_mu: FloatArray) -> FloatArray:
        q = np.log1p(np.exp(inverse_chi(group.spread(ln_mu) - ln_worth)))
        width: FloatArray = np.maximum(quiet.widened(a / (q * r), group.spread(ln_mu)), least)
        return width

    here = quiet.ln_price(before, ln_worth + np.log(chi_at(a / (before * r))))
    high = _largest(group, here)
    low = -_largest(group, -here)
    b = wanted(_root(lambda ln_mu: group.sum(wanted(ln_mu)) - band, low, high))
    spare, left = group.sum(b - least), np.maximum(band - group.sum(least), 0.0)
    b = least + (b - least) * group.spread(np.where(spare > 0, left / np.where(spare > 0, spare, 1.0), 0.0))
    bandwidth, power, airtime = at.bandwidth_hz.copy(), at.power_w.copy(), at.transmit_s.copy()
    with np.errstate(divide="ignore"):
        t = np.minimum(r, a / (b * np.log1p(floor / (n * b))))
    bandwidth[mine], airtime[mine] = b, t
    power[mine] = np.clip(n * b * np.expm1(a / (b * t)), floor, cap)
    return replace(at, bandwidth_hz=bandwidth, power_w=power, transmit_s=airtime)


@dataclass(frozen=True)
class _Quiet:
    """Devices that may send at their least power: ``spend`` 1/s of airtime, ``kink`` Hz.

    With more bandwidth than ``kink`` a device at its least power is done before its time is over.
    """

    a: FloatArray
    noisy: FloatArray
    spend: FloatArray
    kink: FloatArray

    @classmethod
    def of(
        cls, a: FloatArray, n: FloatArray, floor: FloatArray, spend: FloatArray, r: FloatArray
    ) -> "_Quiet":
        """Return the devices of payload ``a`` nat that have ``r`` s to send."""
        noisy = floor / n
        excess = noisy * r / a - 1.0
        enough = excess > 0
        x = np.exp(inverse_excess(np.log(np.where(enough, excess, 1.0))))
        return cls(a, noisy, spend, np.where(enough, noisy / x, np.inf))

    def widened(self, width: FloatArray, ln_mu: FloatArray) -> FloatArray:
        """Return the bandwidth wanted at a price, from what is wanted without a least power."""
        beyond = width > self.kink
        if not beyond.any():
            return width
        own = np.broadcast_to(ln_mu, width.shape)[beyond] + 2.0 * np.log(self.noisy[beyond])
        x = np.exp(inverse_capped_price(own - np.log(self.a[beyond] * self.spend[beyond])))
        result = width.copy()
        result[beyond] = np.maximum(self.noisy[beyond] / x, self.kink[beyond])
        return result

    def ln_price(self, width: FloatArray, ln_price: FloatArray) -> FloatArray:
        """Return the logarithm of what a hertz more saves, from what it saves without a least power."""
        beyond = width > self.kink
        if not beyond.any():
            return ln_price
        shape = shape_at(np.log(self.noisy[beyond] / width[beyond]))
        t = self.a[beyond] / (width[beyond] * shape.q)
        result = ln_price.copy()
        result[beyond] = np.log(self.spend[beyond] * t * shape.one_less_g / width[beyond])
        return result


def _largest(cells: Cells, values: FloatArray) -> FloatArray:
    """Return the largest of any values (N,) in each cell (M,); of a cell without values, 0."""
    floor = float(values.min())
    return np.where(cells.sum(np.ones_like(values)) > 0, cells.max(values - floor) + floor, 0.0)


def _root(falling: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return where a falling function of each cell crosses 0 in [low, high]; ``low`` if it starts below."""
    stay = falling(low) <= 0
    first = low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = falling(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(stay, first, high)


def _f(values: object) -> FloatArray:
    return cast("FloatArray", values)
