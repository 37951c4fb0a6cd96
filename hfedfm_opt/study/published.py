"""The accounting of the published scenario, kept apart from the physical model.

Source: "Hierarchical Federated Foundation Models over Wireless Networks", IEEE Communications Magazine 64(4),
66-72.  Its figures are reproduced here to the last digit printed, with all of its quirks, so that they can be
compared with the printed ones.  **Nothing else in the project counts like this**:

1. Compute takes no time and no energy, servers' downlinks and the cloud's are free.
2. Energy is radiated power times seconds; the printed unit 'kJ' is J.  In the source rates belong to 1 W and
   0.2 W and energies to 0.6 W, and its noise is 30 dB below thermal noise, because a density per Hz meets
   a bandwidth in kHz; instances made for it carry gains and noise with the same effect.
3. All receptions are parallel: a way up, a way down or a cluster's uplink lasts as long as its slowest part.
4. D2D: a random member aggregates.  Relays forward every update and merge nothing: the way up costs the
   joules of each path.  The way down costs each link once.  A cycle's last round has no way down.
5. The mean uplink of a cluster's members stands for the uplink of its aggregator, in seconds and joules.
6. Edge-only is a period of 200 rounds: its latency counts 1/200 of the cloud leg, its energy does not; with
   D2D both count 1/200 of an uplink, and 199/200 of a way down.
7. Latency is the largest over clusters of each one's cycle, divided by the period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from hfedfm_opt.planning.baselines import published_graph
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.study.spread import Spread, spread_of_maximum, spread_of_sum
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Network, WirelessEdge, resolve_network

TITLE = "Published accounting (not physical: see docs/report.md)"
EDGE_ONLY_PERIOD = 200
"""The period that stands for 'never' in the source."""
PERIODS = (2, 8)
"""The periods of the source's table."""


@dataclass(frozen=True)
class PrintedRow:
    """A row as printed in the article: s, J (printed as kJ) and % of test samples."""

    method: str
    latency_s: float
    energy_j: float
    accuracy_percent: float


PRINTED = (
    PrintedRow("star", 12.1, 387.2, 37.89),
    PrintedRow("edge-only", 3.59, 59.25, 27.48),
    PrintedRow("edge-only+d2d", 2.0, 14.75, 27.48),
    PrintedRow("hierarchical:2", 9.58, 107.65, 38.65),
    PrintedRow("hierarchical:8", 5.04, 71.35, 36.25),
    PrintedRow("hierarchical+d2d:2", 8.86, 67.57, 38.65),
    PrintedRow("hierarchical+d2d:8", 3.66, 27.92, 36.25),
)
"""The table of IEEE Communications Magazine 64(4), 66-72; its D2D rows are one random draw each."""


@dataclass(frozen=True)
class PublishedRow:
    """A method in the published accounting; not comparable with the physical accounting.

    Parameters
    ----------
    method : str
        Name as of the planner that does the same.
    published_latency_s, published_energy_j : Spread
        Per round; three equal values where nothing is random.
    """

    method: str
    published_latency_s: Spread
    published_energy_j: Spread


class NotPublishedShape(ValueError):
    """An instance that the published accounting does not describe."""


@dataclass(frozen=True)
class _Leg:
    seconds: float
    joules: float


@dataclass(frozen=True)
class _Cluster:
    """Cloud leg, members' uplinks, and for each aggregator the ways up and down over D2D links."""

    cloud: _Leg
    uplinks: tuple[_Leg, ...]
    ways_up: tuple[_Leg, ...]
    ways_down: tuple[_Leg, ...]

    @property
    def mean_uplink(self) -> _Leg:
        count = len(self.uplinks)
        return _Leg(
            sum(leg.seconds for leg in self.uplinks) / count, sum(leg.joules for leg in self.uplinks) / count
        )


def published_rows(instance: Instance, periods: Sequence[int] = PERIODS) -> tuple[PublishedRow, ...]:
    """Return the table of the published accounting on an instance's own links.

    Parameters
    ----------
    instance : Instance
        Devices below servers below a cloud; links from each device to its server, to the cloud and, over D2D
        links, to the other members of its cluster; no compute.
    periods : sequence of int
        Periods of the hierarchical rows.

    Raises
    ------
    NotPublishedShape
        If the instance has more tiers, processors, or lacks such links.
    """
    if len(instance.tiers) != 3:
        raise NotPublishedShape(f"the published accounting knows 3 tiers, the instance has {instance.tiers}")
    if any(node.processor is not None for node in instance.nodes):
        raise NotPublishedShape("the published accounting knows no compute, the instance has processors")
    network = resolve_network(instance)
    try:
        star = [_leg(network, device, network.root) for device in network.devices]
        clusters = [_cluster(network, server, members) for server, members in network.members.items()]
    except (MissingLink, nx.NetworkXNoPath) as error:
        raise NotPublishedShape(f"the published accounting needs a link: {error}") from error
    star_s, star_j = max(leg.seconds for leg in star), sum(leg.joules for leg in star)
    return (
        PublishedRow("star", Spread(star_s, star_s, star_s), Spread(star_j, star_j, star_j)),
        _server_row("edge-only", clusters, EDGE_ONLY_PERIOD, to_cloud=False),
        _relay_row("edge-only+d2d", clusters, EDGE_ONLY_PERIOD, to_cloud=False),
        *(_server_row(f"hierarchical:{period}", clusters, period, to_cloud=True) for period in periods),
        *(_relay_row(f"hierarchical+d2d:{period}", clusters, period, to_cloud=True) for period in periods),
    )


def printed_rows(instance: Instance) -> tuple[PrintedRow, ...]:
    """Return the printed table if the instance has the published network, else nothing."""
    from hfedfm_opt.system.generate.paper import paper_instance

    published = paper_instance()
    same = all(
        getattr(instance, part) == getattr(published, part)
        for part in ("nodes", "bands", "wireless_links", "wired_links")
    )
    return PRINTED if same else ()


def _server_row(name: str, clusters: Sequence[_Cluster], period: int, *, to_cloud: bool) -> PublishedRow:
    latencies = [
        [(cluster.cloud.seconds + period * max(leg.seconds for leg in cluster.uplinks)) / period]
        for cluster in clusters
    ]
    energies = [
        [sum(leg.joules for leg in cluster.uplinks) + (cluster.cloud.joules / period if to_cloud else 0.0)]
        for cluster in clusters
    ]
    return PublishedRow(name, spread_of_maximum(latencies), spread_of_sum(energies))


def _relay_row(name: str, clusters: Sequence[_Cluster], period: int, *, to_cloud: bool) -> PublishedRow:
    latencies, energies = [], []
    for cluster in clusters:
        mean, ways = cluster.mean_uplink, list(zip(cluster.ways_up, cluster.ways_down, strict=True))
        legs_s = cluster.cloud.seconds + mean.seconds
        legs_j = mean.joules + (cluster.cloud.joules if to_cloud else 0.0)
        latencies.append(
            [(period * up.seconds + (period - 1) * down.seconds + legs_s) / period for up, down in ways]
        )
        energies.append(
            [(period * up.joules + (period - 1) * down.joules + legs_j) / period for up, down in ways]
        )
    return PublishedRow(name, spread_of_maximum(latencies), spread_of_sum(energies))


def _cluster(network: Network, server: str, members: Sequence[str]) -> _Cluster:
    ways = [_ways(network, members, aggregator) for aggregator in members]
    return _Cluster(
        cloud=_leg(network, server, network.root, like=members[0]),
        uplinks=tuple(_leg(network, device, server) for device in members),
        ways_up=tuple(up for up, _ in ways),
        ways_down=tuple(down for _, down in ways),
    )


def _ways(network: Network, members: Sequence[str], aggregator: str) -> tuple[_Leg, _Leg]:
    """Return the way up to an aggregator, each path on its own, and the way down, each link once."""
    graph = published_graph(network, members)
    up = nx.single_source_dijkstra_path(graph.reverse(copy=True), aggregator, weight="seconds")
    down = nx.single_source_dijkstra_path(graph, aggregator, weight="seconds")
    lost = [device for device in members if device not in up or device not in down]
    if lost:
        raise MissingLink(f"D2D links do not connect {lost[0]!r} with {aggregator!r}")
    paths_up = [_hops_of(list(reversed(up[device]))) for device in members]
    paths_down = [_hops_of(down[device]) for device in members]
    legs = {pair: _leg(network, *pair) for path in (*paths_up, *paths_down) for pair in path}
    links_down = dict.fromkeys(pair for path in paths_down for pair in path)
    return (
        _Leg(_slowest(paths_up, legs), sum(legs[pair].joules for path in paths_up for pair in path)),
        _Leg(_slowest(paths_down, legs), sum(legs[pair].joules for pair in links_down)),
    )


def _hops_of(path: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(path))


def _slowest(paths: Sequence[Sequence[tuple[str, str]]], legs: dict[tuple[str, str], _Leg]) -> float:
    return max(sum(legs[pair].seconds for pair in path) for path in paths)


def _leg(network: Network, source: str, target: str, like: str | None = None) -> _Leg:
    """Return seconds and joules of an update over a link at nominal channel and power.

    ``like`` names the device whose update it is, if not the sender's own.
    """
    bits = sum(network.update_bits(module) for module in sorted(network.trained_on[like or source]))
    hop = nominal_hop(network, source, target, 1)
    edge = network.edges[source, target]
    if isinstance(edge, WirelessEdge):
        seconds = bits / edge.rate_bps(hop.band_hz or 0.0, hop.power_w or 0.0)
        return _Leg(seconds, (hop.power_w or 0.0) * seconds)
    seconds = edge.delay_s + (bits / edge.rate_bps if edge.rate_bps is not None else 0.0)
    return _Leg(seconds, edge.power_w * seconds)
