"""What training costs a device at a server, and transfers over a link, by the number of devices that share it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fl_runtime import physics
from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.work import Load, loads_of
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.common.arrays import BoolArray, FloatArray

MOST_FREE_MODULES = 10
"""Modules with a choice between device and elsewhere up to which all 2^k ways to fit the memory are tried."""


@dataclass(frozen=True)
class LinkCosts:
    """Seconds and joules of a transfer where n + 1 devices share the link's band, (N,) each."""

    seconds: FloatArray
    joules: FloatArray


@dataclass(frozen=True)
class Training:
    """Least cost of a device's training where n + 1 devices share its server, (N,) each.

    Parameters
    ----------
    full : FloatArray
        Each module at its best host, as the device's memory allows, CPU at full frequency.
    own : FloatArray
        Everything on the device at full frequency; inf where its memory is too small.
    slowed : FloatArray
        The same at the best frequency.
    """

    full: FloatArray
    own: FloatArray
    slowed: FloatArray


def link_costs(network: Network, source: str, target: str, bits: float, sizes: int) -> LinkCosts:
    """Return what a transfer takes at nominal resources where 1, 2, ... devices share the band.

    Parameters
    ----------
    network : Network
        The network.
    source, target : str
        Ids of the ends of a link that there is.
    bits : float
        Payload.
    sizes : int
        N.
    """
    edge = network.edges[source, target]
    if not isinstance(edge, WirelessEdge):
        rate = edge.rate_bps if edge.rate_bps is not None else np.inf
        seconds = physics.transfer_seconds(bits, rate, edge.delay_s) if bits else 0.0
        joules = physics.wired_joules(seconds, edge.power_w)
        return LinkCosts(np.full(sizes, seconds), np.full(sizes, joules))
    band, radio, receiver = network.bands[edge.band], network.nodes[source].radio, network.nodes[target].radio
    assert radio is not None, "a wireless link starts at a radio"
    share_hz = np.minimum(band.channel_hz or band.band_hz, band.band_hz / np.arange(1, sizes + 1))
    power_w = np.full(sizes, radio.max_power_w)
    if network.nodes[source].tier != network.instance.tiers[-1]:
        power_w = power_w * share_hz / band.band_hz
    rate_bps = [edge.rate_bps(hz, w) for hz, w in zip(share_hz.tolist(), power_w.tolist(), strict=True)]
    taken_s = bits / np.array(rate_bps)
    drawn_w = power_w / radio.amplifier_efficiency + radio.circuit_power_w
    drawn_w = drawn_w + (receiver.receive_power_w if receiver is not None else 0.0)
    return LinkCosts(taken_s, drawn_w * taken_s)


def training_at(
    network: Network, task: PlacementTask, prices: TimePrices, sizes: int
) -> Iterator[tuple[str, Training]]:
    """Yield each device with what its training costs below the server that it has in a network.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what there.
    prices : TimePrices
        What a second of training costs on each device.
    sizes : int
        Numbers of devices of a server that are told apart.
    """
    found: dict[str, dict[str, list[Candidate]]] = {device: {} for device in network.devices}
    for candidate in task.candidates:
        found[candidate.device].setdefault(candidate.module, []).append(candidate)
    for device, choices in found.items():
        yield device, _training(network, device, choices, prices.device_weight[device], sizes)


def _training(
    network: Network, device: str, choices: dict[str, list[Candidate]], weight: float, sizes: int
) -> Training:
    if not choices:
        return Training(np.zeros(sizes), np.zeros(sizes), np.zeros(sizes))
    cost = network.instance.objective
    energy, second = cost.energy_weight_per_j, cost.time_weight_per_s * weight
    loads = loads_of(network, device)
    ways = _Ways(network, device, sizes)
    home, away, size = [], [], []
    own: list[Candidate] = []
    for module, candidates in choices.items():
        elsewhere = np.full(sizes, np.inf)
        at_home = np.inf
        for candidate in candidates:
            if candidate.host == device:
                own.append(candidate)
                at_home = energy * candidate.joules + second * candidate.host_seconds
            else:
                elsewhere = np.minimum(elsewhere, ways.cost(candidate, loads[module], energy, second))
        home.append(at_home)
        away.append(elsewhere)
        size.append(network.modules[module].memory_bytes)
    memory = network.nodes[device].memory_bytes
    capacity = np.inf if memory is None else memory
    full = _best(np.array(home), np.stack(away), np.array(size), capacity)
    if len(own) < len(choices) or sum(size) > capacity:
        never = np.full(sizes, np.inf)
        return Training(full, never, never)
    joules, seconds = sum(c.joules for c in own), sum(c.host_seconds for c in own)
    alone = energy * joules + second * seconds
    scales = isinstance(network.nodes[device].processor, Cpu)
    slowed = _slowed(energy * joules, second * seconds) if scales else alone
    return Training(full, np.full(sizes, alone), np.full(sizes, slowed))


def _slowed(joules: float, seconds: float) -> float:
    """Return the least of ``J x^2 + S / x`` over the part x in (0, 1] of the full frequency, both priced."""
    if joules == 0.0:
        return seconds
    part = min(1.0, (seconds / (2.0 * joules)) ** (1.0 / 3.0))
    return joules * part**2 + seconds / part if part > 0.0 else 0.0


def _best(home: FloatArray, away: FloatArray, size: FloatArray, capacity: float) -> FloatArray:
    """Return the least cost, (N,), of modules at home (M,) or elsewhere (M, N), as many as memory holds.

    With many modules that have the choice, the memory holds all of them: that costs no more.
    """
    elsewhere = np.isfinite(away).all(axis=1)
    fixed_home = ~elsewhere
    fixed = float(home[fixed_home].sum())
    free = elsewhere & np.isfinite(home)
    total: FloatArray = fixed + away[elsewhere & ~free].sum(axis=0)
    left = capacity - float(size[fixed_home].sum())
    if int(free.sum()) > MOST_FREE_MODULES:
        return total + np.minimum(home[free, None], away[free]).sum(axis=0)
    masks = _masks(int(free.sum()))
    masks = masks[(masks @ size[free] <= left) | ~masks.any(axis=1)]
    chosen: FloatArray = (masks @ home[free])[:, None] + (~masks).astype(np.float64) @ away[free]
    return total + chosen.min(axis=0)


def _masks(count: int) -> BoolArray:
    return (np.arange(2**count)[:, None] >> np.arange(count)) % 2 == 1


class _Ways:
    """Costs of the ways from a device to hosts above it, where its server has any number of devices."""

    def __init__(self, network: Network, device: str, sizes: int) -> None:
        server = network.parent(device)
        self.sharers = len(network.members[server])
        self.ends = (device, server), (server, device)
        self.network, self.sizes = network, sizes
        self.per_bit: tuple[LinkCosts, LinkCosts] | None = None
        self.then: tuple[LinkCosts, LinkCosts] | None = None

    def cost(self, candidate: Candidate, load: Load, energy: float, second: float) -> FloatArray:
        """Return the priced cost of a candidate, (N,): its own but for the link to the server."""
        total = np.full(self.sizes, energy * candidate.joules)
        total += second * (candidate.link_seconds + candidate.host_seconds)
        if not isinstance(self.network.edges[self.ends[0]], WirelessEdge):
            return total
        if self.per_bit is None or self.then is None:
            up, down = self.ends
            self.per_bit = (
                link_costs(self.network, *up, 1.0, self.sizes),
                link_costs(self.network, *down, 1.0, self.sizes),
            )
            self.then = _last(self.network, up, self.sharers), _last(self.network, down, self.sharers)
        for bits, now, then in zip((load.out_bits, load.back_bits), self.per_bit, self.then, strict=True):
            total += bits * energy * (now.joules - then.joules)
            total += bits * second * (now.seconds - then.seconds)
        return total


def _last(network: Network, ends: tuple[str, str], sharers: int) -> LinkCosts:
    """Return what a bit takes where so many devices share the band, as arrays of one number."""
    costs = link_costs(network, *ends, 1.0, sharers)
    return LinkCosts(costs.seconds[-1:], costs.joules[-1:])
