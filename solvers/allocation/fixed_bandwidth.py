"""The least energy of each device at a bandwidth and a deadline, and what a longer deadline would save."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import FloatArray

_HALVINGS = 56
_ALMOST = 1.0 - 1e-12
"""Share of the longest computing time from which a device counts as not hurried by its deadline."""
_SERIES_BELOW = 0.1
"""Below this spectral efficiency (nat), chi is taken from its series: the closed form cancels."""
_SERIES = (1 / 45360, 1 / 5760, 1 / 840, 1 / 144, 1 / 30, 1 / 8, 1 / 3, 1 / 2)


@dataclass(frozen=True)
class Responses:
    """What devices do at given bandwidths and deadlines; all arrays have one shape.

    ``cost`` energy_weight times joules, ``inf`` where the deadline cannot be met; ``price`` minus its
    derivative by the deadline, 1/s; ``airtime`` s.
    """

    cost: FloatArray
    price: FloatArray
    airtime: FloatArray


@dataclass(frozen=True)
class FixedBandwidth:
    """Devices at bandwidths of their own, the deadline still open; arrays broadcast to one shape.

    Parameters
    ----------
    a, n, K, c_min, c_max : FloatArray
        Payload (nat), noise density over gain (W/Hz), cycles (2 energy_weight capacitance)^(1/3), least and
        longest computing time (s).
    energy_weight : float
        1/J.
    bandwidth : FloatArray
        Hz; 0 is no bandwidth.
    quickest, slowest : FloatArray
        Airtime at full and at least power, s; 0 without payload, ``inf`` without bandwidth.
    """

    a: FloatArray
    n: FloatArray
    K: FloatArray
    c_min: FloatArray
    c_max: FloatArray
    energy_weight: float
    bandwidth: FloatArray
    quickest: FloatArray
    slowest: FloatArray

    @property
    def least_deadline(self) -> FloatArray:
        """Seconds that each device needs at full power and frequency."""
        return self.c_min + self.quickest

    def respond(self, deadline: float) -> Responses:
        """Return the best airtime of each device, its cost, and the price of its deadline.

        With c = T - t seconds of computing, the price of airtime, A b chi with A = energy_weight n, falls
        in t, and that of computing, K^3 / c^3, rises in t; they meet, or t is at an end: a limit of power or
        of frequency.
        """
        possible = self.least_deadline <= deadline
        sends = possible & (self.a > 0)
        b = np.where(sends, self.bandwidth, 1.0)
        worth = np.where(sends, self.energy_weight * self.n, 0.0) * b
        quickest = np.where(possible, self.quickest, 0.0)
        latest = np.maximum(np.where(sends, deadline - self.c_min, 0.0), quickest)
        latest = np.where(sends, np.minimum(latest, self.slowest), latest)
        relaxed = np.where(self.K > 0, deadline - self.c_max, 0.0)  # at the least frequency
        earliest = np.clip(relaxed, quickest, latest)
        low, high = earliest, latest
        for _ in range(_HALVINGS):
            t = 0.5 * (low + high)
            longer = worth * chi_at(self._efficiency(b, t)) > self._computing_price(deadline - t)
            low, high = np.where(longer, t, low), np.where(longer, high, t)
        at_end = worth * chi_at(self._efficiency(b, latest)) >= self._computing_price(deadline - latest)
        t = np.where(at_end, latest, np.where(low > earliest, low, earliest))
        q = self._efficiency(b, t)
        computing = self._computing_price(deadline - t)
        c = np.clip(deadline - t, self.c_min, np.maximum(self.c_max, self.c_min))
        energy = 0.5 * self.K * np.divide(self.K, c, out=np.zeros_like(c + self.K), where=self.K > 0) ** 2
        price = np.where(sends, np.maximum(worth * chi_at(q), computing), computing)
        price = np.where(sends & (t >= self.slowest), computing, price)
        cost = worth * t * np.expm1(q) + energy
        return Responses(np.where(possible, cost, np.inf), np.where(possible, price, 0.0), t)

    def _efficiency(self, b: FloatArray, t: FloatArray) -> FloatArray:
        """Return q = a / (b t), 0 without airtime."""
        q: FloatArray = np.divide(self.a, b * t, out=np.zeros_like(t), where=t > 0)
        return q

    def _computing_price(self, c: FloatArray) -> FloatArray:
        c = np.maximum(c, self.c_min)
        priced = (c > 0) & (self.K > 0) & (c < self.c_max * _ALMOST)
        price: FloatArray = np.divide(self.K, c, out=np.zeros_like(c), where=priced) ** 3
        return price


def fixed_bandwidth(problem: AllocationProblem, bandwidth: FloatArray) -> FixedBandwidth:
    """Return the devices of a problem of one cell at bandwidths of shape (N,), or (N, several)."""
    shape = (-1,) + (1,) * (bandwidth.ndim - 1)
    bits, cycles = (cast("FloatArray", values).reshape(shape) for values in (problem.bits, problem.cycles))
    gain, noise, cap, floor, fastest, slow, capacitance = (
        cast("FloatArray", getattr(problem, name)).reshape(shape)
        for name in (
            "gain",
            "noise_w_per_hz",
            "max_power_w",
            "min_power_w",
            "max_frequency_hz",
            "min_frequency_hz",
            "capacitance",
        )
    )
    weight = float(cast("FloatArray", problem.energy_weight).item())
    a = bits * np.log(2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = noise / gain
        rate, least_rate = (
            np.where(bandwidth > 0, bandwidth * np.log1p(power / (n * bandwidth)), 0.0)
            for power in (cap, floor)
        )
        quickest, slowest = (np.where(a > 0, a / speed, 0.0) for speed in (rate, least_rate))
    return FixedBandwidth(
        a=a,
        n=n,
        K=cycles * np.cbrt(2.0 * weight * capacitance),
        c_min=_quotient(cycles, fastest),
        c_max=_quotient(cycles, slow),
        energy_weight=weight,
        bandwidth=bandwidth,
        quickest=quickest,
        slowest=slowest,
    )


def best_deadline(devices: FixedBandwidth, time_weight: float) -> float:
    """Return the deadline (s) at which the prices of all devices sum to the price of time, or the least."""
    from scipy.optimize import brentq

    low = float(np.max(devices.least_deadline, initial=0.0))

    def excess(deadline: float) -> float:
        return float(devices.respond(deadline).price.sum()) - time_weight

    if not np.isfinite(low) or excess(low) <= 0:
        return low
    step = low
    while excess(low + step) > 0:
        step *= 2.0
    return float(brentq(excess, low, low + step, xtol=1e-15 * low, rtol=1e-14))


def _quotient(work: FloatArray, speed: FloatArray) -> FloatArray:
    """Return work / speed, 0 where there is no work and ``inf`` where there is no speed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds: FloatArray = np.where(work > 0, work / speed, 0.0)
    return seconds


def chi_at(q: FloatArray) -> FloatArray:
    """Return chi = exp(q) (q - 1) + 1 = q^2 times the sum of q^k / (k! (k + 2)), without cancellation."""
    low = np.minimum(q, _SERIES_BELOW)
    return np.where(q < _SERIES_BELOW, low * low * np.polyval(_SERIES, low), np.exp(q) * (q - 1.0) + 1.0)
