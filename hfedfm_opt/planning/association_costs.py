"""What each device costs at least at each server in its reach, by the number of devices there.

All tables are lower bounds on parts of the objective per round, with time priced by device: with weights
``w_d`` that sum to one, ``max_d s_d >= sum_d w_d s_d``.  So the sum over a cell's devices, in the cheapest of
the ways in which it can average, is below what any placement, trees and resources of that cell cost.  The
same tables order the moves of a search.  ``docs/mathematics/planning.md`` has the formulas.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hfedfm_opt.planning.association import reachable_servers, with_association
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.cluster_options import MAX_ENUMERATED_MEMBERS, Rhythm
from hfedfm_opt.planning.device_costs import Ways, link_costs, ways_below
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.system.network import Content, Network, WirelessEdge
from solvers.common.arrays import FloatArray, IntArray

MOST_SIZES = 24
"""Numbers of devices of a cell that are told apart; larger cells cost at least as much a device."""


@dataclass(frozen=True)
class CellCosts:
    """Least costs of devices at servers, in units of the objective per round; L links, N numbers of devices.

    A cell averages at its server, where others help members (``mixed``) or nobody (``pure``: then allocated
    uplinks may pay), over D2D links (``relayed``), or it is one device (``alone``).

    Parameters
    ----------
    devices, servers : tuple of str
        Ids, by number.
    device, server : IntArray
        Numbers of the ends of each link, (L,), device after device, its own server first.
    mixed, pure, relayed : FloatArray
        Cost of the device of a link where n + 1 devices share the server, (L, N); inf where that cannot be.
    relay : FloatArray
        The part of ``relayed`` that the aggregating member does not have, (L, N).
    alone : FloatArray
        Cost of the device of a link where no other shares the server, (L,).
    opening : FloatArray
        Cost of a server that has any device, (S,).
    rest : float
        What is paid in any case.
    """

    devices: tuple[str, ...]
    servers: tuple[str, ...]
    device: IntArray
    server: IntArray
    mixed: FloatArray
    pure: FloatArray
    relayed: FloatArray
    relay: FloatArray
    alone: FloatArray
    opening: FloatArray
    rest: float


@dataclass(frozen=True)
class CellModel:
    """What does not depend on the prices of time; :meth:`costs` adds what does.

    ``fixed`` has, by link, what is added to the training in a mixed, pure and relayed cell, (L, 3, N), and
    ``fixed_alone`` for a device that is alone, (L,).
    """

    network: Network
    settings: SearchSettings
    devices: tuple[str, ...]
    servers: tuple[str, ...]
    device: IntArray
    server: IntArray
    ways: tuple[Ways, ...]
    fixed: FloatArray
    relay: FloatArray
    fixed_alone: FloatArray
    opening: FloatArray
    rest: float

    def costs(self, prices: TimePrices, *, for_bound: bool) -> CellCosts:
        """Return the least costs of all devices at all servers in their reach.

        Parameters
        ----------
        prices : TimePrices
            What a second of training costs on each device; the weights sum to one.
        for_bound : bool
            Whether they must be below every plan; otherwise only devices whose best it is run everything
            themselves, as placements are found that way, and only clusters whose trees are all priced average
            over D2D links.
        """
        cost, settings = self.network.instance.objective, self.settings
        mixed, pure, relayed = np.moveaxis(self.fixed, 1, 0).copy()
        alone = self.fixed_alone.copy()
        for link, (device, ways) in enumerate(zip(self.device.tolist(), self.ways, strict=True)):
            second = cost.time_weight_per_s * prices.device_weight[self.devices[device]]
            training = ways.training(cost.energy_weight_per_j, second, slows=settings.allocate)
            by_itself = training.own
            if not for_bound:
                by_itself = np.where(training.own <= training.best * (1 + 1e-9), by_itself, np.inf)
            mixed[link] += training.best
            pure[link] += by_itself
            relayed[link] += training.best
            alone[link] += training.best[0]
        if not for_bound:
            relayed[:, MAX_ENUMERATED_MEMBERS:] = np.inf
        return CellCosts(
            devices=self.devices,
            servers=self.servers,
            device=self.device,
            server=self.server,
            mixed=mixed,
            pure=pure,
            relayed=relayed,
            relay=self.relay,
            alone=alone,
            opening=self.opening,
            rest=self.rest,
        )


def cell_model(network: Network, reach: Reach, rhythm: Rhythm, settings: SearchSettings) -> CellModel:
    """Return what cells cost whatever the prices of time.

    Parameters
    ----------
    network : Network
        The network.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        What is allocated.
    """
    servers_of = reachable_servers(network)
    links = [(device, server) for device, found in servers_of.items() for server in found]
    devices, servers = network.devices, tuple(dict.fromkeys(server for _, server in links))
    number = {name: place for names in (devices, servers) for place, name in enumerate(names)}
    server = np.array([number[name] for _, name in links], dtype=np.int64)
    sizes = int(min(np.bincount(server).max(), MOST_SIZES))
    ways = dict(_all_ways(network, servers_of, reach, sizes))
    least, near = without_movable(network), _neighbours(network)
    relays_j = {} if settings.joint or settings.counts_joint else _relays_j(least, near, rhythm, sizes)
    alone, never = np.zeros(sizes), np.full(sizes, np.inf)
    relay_j = np.stack([relays_j.get(name, alone) if near[name] else never for name, _ in links])
    rows = [_row(least, link, joules, rhythm, settings) for link, joules in zip(links, relay_j, strict=True)]
    legs = [_leg(least, link, rhythm) for link in links]
    opening = np.full(len(servers), np.inf)
    np.minimum.at(opening, server, [leg[0] for leg in legs])
    price = network.instance.objective.energy_weight_per_j / rhythm.num_rounds
    return CellModel(
        network=network,
        settings=settings,
        devices=devices,
        servers=servers,
        device=np.array([number[name] for name, _ in links], dtype=np.int64),
        server=server,
        ways=tuple(ways[link] for link in links),
        fixed=np.stack([row[0] for row in rows]),
        relay=np.where(np.isfinite(relay_j), price * relay_j, 0.0),
        fixed_alone=np.array([row[1] for row in rows]),
        opening=opening,
        rest=_rest(network, rhythm, links, legs),
    )


def _all_ways(
    network: Network, servers_of: Mapping[str, tuple[str, ...]], reach: Reach, sizes: int
) -> Iterator[tuple[tuple[str, str], Ways]]:
    """Yield how devices can train at their servers: the k-th servers of all are looked at together."""
    for rank in range(max(len(found) for found in servers_of.values())):
        chosen = {device: found[rank] for device, found in servers_of.items() if rank < len(found)}
        ranked = with_association(network, chosen)
        task = formulate_placement(ranked, reach)
        for device, ways in ways_below(ranked, task, sizes):
            if device in chosen:
                yield (device, chosen[device]), ways


def _row(
    network: Network, link: tuple[str, str], relay_j: FloatArray, rhythm: Rhythm, settings: SearchSettings
) -> tuple[FloatArray, float]:
    """Return what one link costs besides training: mixed, pure and relayed, (3, N), and alone."""
    (device, server), sizes = link, len(relay_j)
    price = network.instance.objective.energy_weight_per_j / rhythm.num_rounds
    up, down = _own_bits(network, device)
    up_j = link_costs(network, device, server, up, sizes).joules
    down_j = link_costs(network, server, device, down, sizes).joules
    least_up = _least_up_j(network, device, server, up) if settings.allocate else float(up_j[0])
    from_cloud = price * _repeated(rhythm.num_cloud_rounds, down_j)
    back = price * _repeated(rhythm.num_edge_rounds, down_j)
    mixed = from_cloud + back + price * rhythm.num_rounds * up_j
    pure = from_cloud + back + price * rhythm.num_rounds * (least_up if settings.allocate else up_j)
    relayed = from_cloud + price * relay_j
    relayed[0] = np.inf
    alone = float(from_cloud[0]) + (price * least_up if rhythm.num_cloud_rounds else 0.0)
    return np.stack([mixed, pure, relayed]), alone


def _repeated(number: int, joules: FloatArray) -> FloatArray:
    """Return the joules of so many transfers; those that are not made cost nothing."""
    return number * joules if number else np.zeros(len(joules))


def _least_up_j(network: Network, device: str, server: str, bits: float) -> float:
    """Return the least joules of an update's way up: below ``bits N0 ln 2 / gain`` no allocation comes.

    Circuits and receivers work at least as long as it takes over the whole band at full power.
    """
    edge = network.edges.get((device, server))
    if not isinstance(edge, WirelessEdge):
        return float(link_costs(network, device, server, bits, 1).joules[0])
    radio, receiver = network.nodes[device].radio, network.nodes[server].radio
    assert radio is not None, "a wireless link starts at a radio"
    amplifier_j = bits * edge.noise_w_per_hz * math.log(2.0) / (edge.gain * radio.amplifier_efficiency)
    others_w = radio.circuit_power_w + (receiver.receive_power_w if receiver else 0.0)
    seconds = bits / edge.rate_bps(network.bands[edge.band].band_hz, radio.max_power_w)
    return amplifier_j + others_w * seconds


def _neighbours(network: Network) -> dict[str, list[str]]:
    """Return for each device the devices with a link to or from it."""
    found: dict[str, dict[str, None]] = {device: {} for device in network.devices}
    for source, target in network.edges:
        if source in found and target in found:
            found[source][target] = found[target][source] = None
    return {device: list(others) for device, others in found.items()}


def _own_bits(network: Network, device: str) -> tuple[float, float]:
    """Return the bits of a device's own update and of the models that it gets."""
    modules = network.trained_on[device]
    return network.bits_of(modules, "update"), network.bits_of(modules, "model")


def _relays_j(
    network: Network, near: Mapping[str, list[str]], rhythm: Rhythm, sizes: int
) -> dict[str, FloatArray]:
    """Return the least joules of a cycle with which each device sends to a neighbour and gets the average.

    Of n + 1 devices n share the D2D band.  A device with links one way only can but aggregate: it sends and
    gets nothing.
    """
    found = {}
    for device, neighbours in near.items():
        ways = np.full((2, sizes), np.inf)
        bits = _own_bits(network, device)
        for neighbour in neighbours:
            for way, ends in enumerate(((device, neighbour), (neighbour, device))):
                if ends in network.edges:
                    joules = link_costs(network, *ends, bits[way], sizes).joules
                    ways[way, 1:] = np.minimum(ways[way, 1:], joules[:-1])
        ways[:, 0] = 0.0
        repeats = np.array([[rhythm.num_rounds], [rhythm.num_edge_rounds]])
        total = (ways * repeats).sum(axis=0) if np.isfinite(ways).all() else np.zeros(sizes)
        found[device] = total
    return found


def _leg(network: Network, link: tuple[str, str], rhythm: Rhythm) -> tuple[float, float, float]:
    """Return the least cost of a server's way up and back for a device's modules, and seconds up, down."""
    device, server = link
    if not rhythm.num_cloud_rounds:
        return 0.0, 0.0, 0.0
    modules = frozenset(network.trained_on[device])
    ledger = Ledger()
    phase = Phase(network, ledger, server, "nominal")
    price = network.instance.objective.energy_weight_per_j / rhythm.num_rounds
    seconds: dict[Content, float] = {"update": 0.0, "model": 0.0}
    cost = 0.0
    for place, (low, high) in enumerate(pairwise(network.path_up(server))):
        ways: tuple[tuple[str, str, Content], ...] = ((low, high, "update"), (high, low, "model"))
        for source, target, content in ways if modules else ():
            hop = nominal_hop(network, source, target, 1)
            seconds[content] = phase.send(hop, modules, seconds[content], content)
        if place == 0:  # ways further up are shared
            cost = price * sum(ledger.energy_j.values())
    down = link_costs(network, server, device, network.bits_of(modules, "model"), 1)
    return cost, seconds["update"], seconds["model"] + float(down.seconds[0])


def _rest(
    network: Network,
    rhythm: Rhythm,
    links: list[tuple[str, str]],
    legs: list[tuple[float, float, float]],
) -> float:
    """Return the least time of the cloud leg, priced: the fastest way up, the slowest best way down."""
    down: dict[str, float] = {}
    for (device, _), leg in zip(links, legs, strict=True):
        down[device] = min(down.get(device, math.inf), leg[2])
    seconds = min(leg[1] for leg in legs) + max(down.values())
    return network.instance.objective.time_weight_per_s * seconds / rhythm.num_rounds
