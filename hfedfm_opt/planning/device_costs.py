"""What training and transfers cost a device at a server, by the number of devices that share it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fl_runtime import physics
from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.formulate_placement import PlacementTask
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
    best : FloatArray
        Each module at its best host, as the device's memory allows.
    own : FloatArray
        Everything on the device; inf where its memory is too small.
    """

    best: FloatArray
    own: FloatArray


@dataclass(frozen=True)
class Ways:
    """How a device's M modules can run below a server, whatever time costs.

    Parameters
    ----------
    home_j, home_s : FloatArray
        Joules and seconds on the device, (M,).
    away_j, away_s : FloatArray
        The same on hosts above, (M, H, N), where n + 1 devices share the server.
    home_off, away_off : FloatArray
        inf where a module cannot run at home, (M,), or has no such host, (M, H, 1); otherwise 0.
    fitting : BoolArray
        Which modules stay on the device, (K, M): the largest sets that its memory holds, and smaller ones.
    fits_all : bool
        Whether it holds all.
    scales : bool
        Whether the device has a CPU.
    """

    home_j: FloatArray
    home_s: FloatArray
    away_j: FloatArray
    away_s: FloatArray
    home_off: FloatArray
    away_off: FloatArray
    fitting: BoolArray
    fits_all: bool
    scales: bool

    def training(self, energy: float, second: float, *, slows: bool) -> Training:
        """Return the least cost of training at some prices of a joule and a second.

        If the CPU ``slows`` down, work at home has the frequency that costs least: it is the same for all
        modules, whatever leaves.
        """
        sizes = self.away_j.shape[2]
        joules, seconds = energy * self.home_j, second * self.home_s
        home = (
            _slowed(joules, seconds) if slows and self.scales else joules + seconds
        ) + self.home_off  # (M,)
        away = (energy * self.away_j + second * self.away_s + self.away_off).min(axis=1)  # (M, N)
        low = np.minimum(home[:, None], away)
        free = np.isfinite(home) & np.isfinite(away).all(axis=1)
        total = low[~free].sum(axis=0)
        masks = self.fitting[:, free]
        chosen: FloatArray = masks @ home[free][:, None] + (~masks).astype(np.float64) @ away[free]
        best = total + (chosen.min(axis=0) if len(masks) else low[free].sum(axis=0))
        return Training(best, np.full(sizes, float(home.sum()) if self.fits_all else np.inf))


def link_costs(network: Network, source: str, target: str, bits: float, sizes: int) -> LinkCosts:
    """Return what a transfer takes at nominal resources where 1, 2, ... devices share the band.

    Parameters
    ----------
    network : Network
        The network.
    source, target : str
        Ids of the ends; without a link all takes infinitely long.
    bits : float
        Payload.
    sizes : int
        N.
    """
    edge = network.edges.get((source, target))
    if edge is None:
        never = np.full(sizes, np.inf if bits else 0.0)
        return LinkCosts(never, never)
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


def ways_below(network: Network, task: PlacementTask, sizes: int) -> Iterator[tuple[str, Ways]]:
    """Yield each device with how its modules can run below the server that it has in a network.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what there.
    sizes : int
        Numbers of devices of a server that are told apart, N.
    """
    found: dict[str, dict[str, list[Candidate]]] = {device: {} for device in network.devices}
    for candidate in task.candidates:
        found[candidate.device].setdefault(candidate.module, []).append(candidate)
    for device, choices in found.items():
        yield device, _ways(network, device, choices, sizes)


def _ways(network: Network, device: str, choices: dict[str, list[Candidate]], sizes: int) -> Ways:
    loads, share = loads_of(network, device), _Share(network, device, sizes)
    hosts = max([1, *(len(found) for found in choices.values())])
    home, home_off = np.zeros((2, len(choices))), np.full(len(choices), np.inf)
    away, away_off = np.zeros((2, len(choices), hosts, sizes)), np.full((len(choices), hosts, 1), np.inf)
    for row, (module, candidates) in enumerate(choices.items()):
        for place, candidate in enumerate(candidates):
            if candidate.host == device:
                home[:, row], home_off[row] = (candidate.joules, candidate.host_seconds), 0.0
            else:
                away[:, row, place], away_off[row, place] = share.costs(candidate, loads[module]), 0.0
    size = np.array([network.modules[module].memory_bytes for module in choices])
    memory = network.nodes[device].memory_bytes
    capacity = np.inf if memory is None else memory
    fits = bool(not home_off.any() and size.sum() <= capacity)
    scales = isinstance(network.nodes[device].processor, Cpu)
    elsewhere = (away_off == 0.0).any(axis=(1, 2))
    fitting = _fitting(home_off == 0.0, elsewhere, size, capacity)
    return Ways(
        home_j=home[0],
        home_s=home[1],
        away_j=away[0],
        away_s=away[1],
        home_off=home_off,
        away_off=away_off,
        fitting=fitting,
        fits_all=fits,
        scales=scales,
    )


def _slowed(joules: FloatArray, seconds: FloatArray) -> FloatArray:
    """Return the least of ``J x^2 + S / x`` over the part x in (0, 1] of the full frequency, both priced."""
    free = (joules == 0.0) | (seconds == 0.0)  # at full frequency, or as slow as can be
    ratio = np.where(free, 1.0, seconds) / (2.0 * np.where(free, 1.0, joules))
    part = np.minimum(1.0, ratio ** (1.0 / 3.0))
    slowed = np.where(joules == 0.0, seconds, joules * part**2 + seconds / part)
    least: FloatArray = np.where(seconds == 0.0, 0.0, slowed)
    return least


def _fitting(home: BoolArray, elsewhere: BoolArray, size: FloatArray, capacity: float) -> BoolArray:
    """Return which modules may stay at home at once, (K, M), of those that have the choice.

    There is nothing to choose, (0, M), where all fit, or where there are too many sets to try: a device then
    has room for all of them, which costs no more.
    """
    free = elsewhere & home
    left = capacity - float(size[~elsewhere].sum())
    if int(free.sum()) > MOST_FREE_MODULES or float(size[free].sum()) <= left:
        return np.zeros((0, len(home)), dtype=np.bool_)
    count = int(free.sum())
    masks = (np.arange(2**count)[:, None] >> np.arange(count)) % 2 == 1
    masks = masks[(masks @ size[free] <= left) | ~masks.any(axis=1)]
    whole = np.zeros((len(masks), len(home)), dtype=np.bool_)
    whole[:, free] = masks
    return whole


class _Share:
    """Joules and seconds of ways to hosts above a device, where its server has any number of devices."""

    def __init__(self, network: Network, device: str, sizes: int) -> None:
        server = network.parent(device)
        ends = (device, server), (server, device)
        self.sizes = sizes
        self.changes: list[tuple[FloatArray, FloatArray]] = []
        for way in ends:
            if isinstance(network.edges.get(way), WirelessEdge):
                now = link_costs(network, *way, 1.0, sizes)
                then = link_costs(network, *way, 1.0, len(network.members[server]))
                change = now.joules - then.joules[-1], now.seconds - then.seconds[-1]
            else:
                change = np.zeros(sizes), np.zeros(sizes)
            self.changes.append(change)

    def costs(self, candidate: Candidate, load: Load) -> tuple[FloatArray, FloatArray]:
        """Return the joules and seconds of a candidate, (N,) each: its own but for the link to the server."""
        joules = np.full(self.sizes, candidate.joules)
        seconds = np.full(self.sizes, candidate.link_seconds + candidate.host_seconds)
        for bits, (more_j, more_s) in zip((load.out_bits, load.back_bits), self.changes, strict=True):
            joules += bits * more_j
            seconds += bits * more_s
        return joules, seconds
