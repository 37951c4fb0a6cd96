"""All ways in which one device can train: each of its modules at one of its hosts, within its memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray, IntArray

MOST_WAYS = 8192
"""Ways that are kept, module after module; beyond, every second one is dropped, or pairs become one."""


@dataclass(frozen=True)
class Ways:
    """Ways to train, (n,) each.

    The modules that stay run first, at any part x of the CPU's full frequency: ``own_s / x`` seconds and
    ``full_w * own_s * x^2`` joules; a device without a CPU, or one that may not slow down, has x = 1.

    Parameters
    ----------
    found : sequence of sequence of Candidate
        For each module of the device, its candidates.
    choice : IntArray
        (n, modules) which of them each way takes.
    seconds, joules : FloatArray
        Of what is not the device's own work.
    own_s : FloatArray
        Of the device's own work at full frequency.
    full_w : float
        Power of the CPU at full frequency, W.
    slows : bool
        Whether the device may slow down.
    """

    found: Sequence[Sequence[Candidate]]
    choice: IntArray
    seconds: FloatArray
    joules: FloatArray
    own_s: FloatArray
    full_w: float
    slows: bool

    def within(self, moments_s: FloatArray) -> FloatArray:
        """Return the joules of each way that is ready at each moment, (n, moments); inf where it is late."""
        left_s = moments_s[None] - self.seconds[:, None]
        own_s = self.own_s[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(own_s > 0, own_s / left_s, 0.0) if self.slows else np.ones_like(left_s)
        joules = self.joules[:, None] + self.full_w * own_s * part**2
        return np.where(left_s >= own_s * (1.0 - 1e-12), joules, np.inf)

    def of(self, way: int) -> list[Candidate]:
        """Return the candidates of a way."""
        return [found[index] for found, index in zip(self.found, self.choice[way].tolist(), strict=True)]


def ways_of(
    network: Network,
    device: str,
    found: Sequence[Sequence[Candidate]],
    busy_s: Mapping[str, float],
    *,
    slows: bool,
    optimistic: bool = False,
) -> Ways:
    """Return the ways of a device; all of them if no way fits its memory.

    Parameters
    ----------
    network : Network
        The network.
    device : str
        Its id.
    found : sequence of sequence of Candidate
        For each of its modules, where it may run.
    busy_s : mapping of str to float
        How long a host takes for all that it was given; a module that runs there waits as long.
    slows : bool
        Whether its CPU, if it has one, may be slowed down.
    optimistic : bool
        Whether no real way may be better than all of these, for lower bounds: updates then count nothing, and
        two ways that become one have the better of each figure.
    """
    memory = network.nodes[device].memory_bytes
    figures = np.zeros((1, 4))  # (ways, bytes seconds joules own_s)
    choice = np.zeros((1, 0), dtype=np.int64)  # (ways, modules)
    for candidates in found:
        steps = np.array(
            [_figures(network, candidate, busy_s, updates=not optimistic) for candidate in candidates]
        )
        figures = (figures[:, None] + steps[None]).reshape(-1, 4)
        index = np.tile(np.arange(len(candidates)), len(choice))
        choice = np.column_stack([np.repeat(choice, len(candidates), axis=0), index])
        if memory is not None and (figures[:, 0] <= memory).any():
            fits = figures[:, 0] <= memory
            figures, choice = figures[fits], choice[fits]
        while len(figures) > MOST_WAYS:
            figures, choice = _halved(figures, optimistic=optimistic), choice[::2]
    cpu = isinstance(network.nodes[device].processor, Cpu)
    own = (c for candidates in found for c in candidates if c.host == device and c.host_seconds > 0)
    full_w = max((candidate.joules / candidate.host_seconds for candidate in own), default=0.0)
    _, seconds, joules, own_s = figures.T
    return Ways(found, choice, seconds, joules, own_s, full_w, slows and cpu)


def choices_of(candidates: Sequence[Candidate]) -> dict[str, list[list[Candidate]]]:
    """Return for each device the candidates of each of its modules."""
    grouped: dict[str, dict[str, list[Candidate]]] = {}
    for candidate in candidates:
        grouped.setdefault(candidate.device, {}).setdefault(candidate.module, []).append(candidate)
    return {device: list(modules.values()) for device, modules in grouped.items()}


def _halved(figures: FloatArray, *, optimistic: bool) -> FloatArray:
    """Return every second way; if optimistic, with the better of its figures and those of the next."""
    if not optimistic:
        return figures[::2]
    following = np.append(figures[1::2], figures[-1:], axis=0) if len(figures) % 2 else figures[1::2]
    halved: FloatArray = np.minimum(figures[::2], following)
    return halved


def _figures(
    network: Network, candidate: Candidate, busy_s: Mapping[str, float], *, updates: bool
) -> tuple[float, float, float, float]:
    """Return bytes on the device, seconds and joules elsewhere and of updates, and seconds of own work."""
    if candidate.host == candidate.device:
        size = network.modules[candidate.module].memory_bytes
        sent = (candidate.update_seconds, candidate.update_joules) if updates else (0.0, 0.0)
        return size, *sent, candidate.host_seconds
    waits_s = max(candidate.host_seconds, busy_s.get(candidate.host, 0.0))
    return 0.0, candidate.link_seconds + waits_s, candidate.joules, 0.0
