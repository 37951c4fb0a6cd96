"""How devices' training is given to solvers: work, limits of the CPU frequency, and capacitance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

_CLOCK_HZ = 1e9
"""Frequency at which the work of a device whose training time is given is counted; any number would do."""


@dataclass(frozen=True)
class Computing:
    """What each of some devices computes in a round, (N,) each.

    Parameters
    ----------
    cycles, max_frequency_hz, min_frequency_hz, capacitance : FloatArray
        As the solvers take them; both frequencies are the same where the time is given.
    scaled : frozenset of str
        Devices whose frequency is decided: with a CPU, and without the help of other nodes.
    fixed_j : float
        Joules of the others.
    """

    cycles: FloatArray
    max_frequency_hz: FloatArray
    min_frequency_hz: FloatArray
    capacitance: FloatArray
    scaled: frozenset[str]
    fixed_j: float

    def soonest_s(self, devices: Sequence[str]) -> dict[str, float]:
        """Return when those of the N devices whose frequency is decided are ready at the earliest, s."""
        seconds = (self.cycles / self.max_frequency_hz).tolist()
        return {device: s for device, s in zip(devices, seconds, strict=True) if device in self.scaled}


def computing_of(network: Network, devices: Sequence[str], ready: Readiness) -> Computing:
    """Return what devices compute in a round.

    A device of C cycles at most F Hz is ready after c >= C/F seconds and spends K/c^2 joules, K = k C^3.
    ``ready`` may say that it could be ready sooner or for less, s seconds and j joules, with the help of
    others: c >= min(C/F, s) and K = min(k C^3, j s^2) are then below both.

    Parameters
    ----------
    network : Network
        The network.
    devices : sequence of str
        Ids.
    ready : Readiness
        When their updates are ready, and for how many joules.
    """
    scaled = frozenset(
        device
        for device in devices
        if isinstance(network.nodes[device].processor, Cpu) and device not in ready.helped
    )
    rows = np.array([_row(network, device, ready, device in scaled) for device in devices]).reshape(-1, 4)
    fixed_j = sum(ready.joules[device] for device in devices if device not in scaled)
    return Computing(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], scaled, fixed_j)


def waiting(work: Computing, earliest_s: float) -> Computing:
    """Return computing in which nobody is ready before a time; who has the choice computes more slowly.

    Parameters
    ----------
    work : Computing
        What there is to do.
    earliest_s : float
        When the first may be ready, s.
    """
    slower = (work.min_frequency_hz < work.max_frequency_hz) & (work.cycles > 0)
    fixed_s = np.maximum(work.cycles / work.max_frequency_hz, earliest_s)
    highest_hz = np.minimum(work.max_frequency_hz, work.cycles / max(earliest_s, 1e-300))
    return replace(
        work,
        cycles=np.where(slower, work.cycles, fixed_s * _CLOCK_HZ),
        max_frequency_hz=np.where(slower, highest_hz, _CLOCK_HZ),
        min_frequency_hz=np.where(slower, np.minimum(work.min_frequency_hz, highest_hz), _CLOCK_HZ),
        capacitance=np.where(slower, work.capacitance, 0.0),
    )


def _row(network: Network, device: str, ready: Readiness, scales: bool) -> tuple[float, float, float, float]:
    seconds, processor = ready.seconds[device], network.nodes[device].processor
    if not isinstance(processor, Cpu) or not scales:
        return seconds * _CLOCK_HZ, _CLOCK_HZ, _CLOCK_HZ, 0.0
    cycles, highest_hz = ready.own_flops[device] / processor.flops_per_cycle, processor.max_frequency_hz
    soonest = min(cycles / highest_hz, seconds)
    if soonest <= 0:
        return 0.0, highest_hz, 0.0, 0.0
    least = min(processor.effective_capacitance * cycles**3, ready.joules[device] * seconds**2)
    return cycles, max(cycles / soonest, highest_hz), 0.0, least / cycles**3
