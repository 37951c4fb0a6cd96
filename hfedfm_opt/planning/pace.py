"""At which CPU frequency each device trains so that all are ready at one moment.

A device of C cycles at most F Hz, whose modules elsewhere take s seconds, is ready at ``r = s + C / f`` and
spends ``k C f^2`` joules on its own cycles.  The best common moment balances what a second saves on all
devices with its price; ``docs/mathematics/planning.md`` has the formulas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

LONGEST = 1e3
"""Moment, in earliest ones, beyond which nobody is slowed down."""
BISECTIONS = 60
"""Halvings of the interval in which the best moment lies."""

ROUNDING = 1e-12
"""Relative distance of times below which they are one."""


@dataclass(frozen=True)
class Pace:
    """What each of some devices does by itself, (N,) each.

    Parameters
    ----------
    devices : tuple of str
        Devices with a CPU and something to compute.
    own_s, own_j : FloatArray
        Seconds and joules of their own work at full frequency.
    other_s : FloatArray
        Seconds of the rest, which the frequency does not change.
    full_hz : FloatArray
        Full frequency, Hz.
    floor_s : float
        When the last of all devices is ready at the earliest.
    """

    devices: tuple[str, ...]
    own_s: FloatArray
    own_j: FloatArray
    other_s: FloatArray
    full_hz: FloatArray
    floor_s: float

    def parts(self, moment_s: float) -> FloatArray:
        """Return the part of full frequency, in (0, 1], at which each is ready then, or as soon as it can."""
        left_s = np.maximum(moment_s - self.other_s, self.own_s)
        parts: FloatArray = self.own_s / left_s
        return parts

    def joules(self, moment_s: float) -> float:
        """Return the joules of all own work for a moment."""
        return float((self.own_j * self.parts(moment_s) ** 2).sum())

    def saved_w(self, moment_s: float) -> float:
        """Return the joules that one second more saves, at the next moment."""
        parts = self.parts(moment_s)
        waits = self.other_s + self.own_s <= moment_s * (1.0 + ROUNDING)
        return float((2.0 * self.own_j * parts**3 / self.own_s)[waits].sum())


def slowable_devices(network: Network) -> frozenset[str]:
    """Return the devices whose CPU may be slowed down."""
    return frozenset(device for device in network.devices if isinstance(network.nodes[device].processor, Cpu))


def pace_of(network: Network, ready: Readiness) -> Pace:
    """Return how devices could be paced.

    Parameters
    ----------
    network : Network
        The network.
    ready : Readiness
        When they are ready at full frequency.
    """
    rows = []
    devices = []
    for device in network.devices:
        processor = network.nodes[device].processor
        if isinstance(processor, Cpu) and ready.own_flops[device] > 0:
            cycles, full_hz = ready.own_flops[device] / processor.flops_per_cycle, processor.max_frequency_hz
            own_s, own_j = cycles / full_hz, processor.effective_capacitance * cycles * full_hz**2
            devices.append(device)
            rows.append((own_s, own_j, max(ready.seconds[device] - own_s, 0.0), full_hz))
    figures = np.array(rows, dtype=np.float64).reshape(-1, 4)
    floor_s = max(ready.seconds.values(), default=0.0)
    return Pace(tuple(devices), figures[:, 0], figures[:, 1], figures[:, 2], figures[:, 3], floor_s)


def best_moment_s(pace: Pace, second_j: float) -> float:
    """Return the common moment at which own joules and the price of time cost least together.

    Parameters
    ----------
    pace : Pace
        What the devices do.
    second_j : float
        What a second is worth, J.
    """
    low, high = pace.floor_s, LONGEST * pace.floor_s
    if pace.saved_w(low) <= second_j:
        return low
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if pace.saved_w(middle) > second_j else (low, middle)
    return high


def paced(ready: Readiness, pace: Pace, moment_s: float) -> tuple[Readiness, Mapping[str, float]]:
    """Return readiness where all devices that can wait are ready at a moment, and their frequencies, Hz.

    Parameters
    ----------
    ready : Readiness
        At full frequency.
    pace : Pace
        Of these devices.
    moment_s : float
        When to be ready.
    """
    parts = pace.parts(moment_s)
    seconds, joules, frequency_hz = dict(ready.seconds), dict(ready.joules), {}
    for row in np.flatnonzero(parts < 1.0).tolist():
        device, part = pace.devices[row], float(parts[row])
        seconds[device] += float(pace.own_s[row]) * (1.0 / part - 1.0)
        joules[device] += float(pace.own_j[row]) * (part**2 - 1.0)
        frequency_hz[device] = float(pace.full_hz[row]) * part
    return replace(ready, seconds=seconds, joules=joules), frequency_hz


def ready_at(
    network: Network, ready: Readiness, moment_s: float | None
) -> tuple[Readiness, Mapping[str, float]]:
    """Return readiness at a moment and the frequencies of devices that are slowed, as :func:`paced` does.

    Parameters
    ----------
    network : Network
        The network.
    ready : Readiness
        At full frequency.
    moment_s : float or None
        When to be ready; ``None``: as soon as can be.
    """
    return (ready, {}) if moment_s is None else paced(ready, pace_of(network, ready), moment_s)
