"""Fixed arrangements of clusters: what people do without optimising."""

import math
from collections.abc import Sequence

import networkx as nx
import numpy as np

from hfedfm_opt.planning.hops import (
    MissingLink,
    from_server,
    nominal_hop,
    to_server,
    tree_hops,
)
from hfedfm_opt.system.decisions import Cluster, Hop
from hfedfm_opt.system.network import Network, WirelessEdge

D2D_REACH_M = 30.0
"""Links up to this length are always used by the published D2D scheme."""


def star(network: Network) -> tuple[Cluster, ...]:
    """Return one cluster of all devices around the root, each over its direct link.

    Raises
    ------
    MissingLink
        If a device has no direct link to the root or back.
    """
    up = to_server(network, network.devices, network.root)
    down = from_server(network, network.devices, network.root)
    return (
        Cluster(
            id=network.root,
            members=network.devices,
            aggregator=network.root,
            gather=up,
            deliver=down,
            downlink=down,
        ),
    )


def around_servers(network: Network) -> tuple[Cluster, ...]:
    """Return a cluster around each server, every member over its own uplink.

    Raises
    ------
    MissingLink
        If a device has no direct link to its server or back.
    """
    clusters = []
    for server, members in network.members.items():
        down = from_server(network, members, server)
        clusters.append(
            Cluster(
                id=server,
                members=members,
                aggregator=server,
                gather=to_server(network, members, server),
                deliver=down,
                downlink=down,
            )
        )
    return tuple(clusters)


def alone(network: Network) -> tuple[Cluster, ...]:
    """Return a cluster of its own for each device: nobody averages."""
    return tuple(Cluster(id=device, members=(device,), aggregator=device) for device in network.devices)


def published_d2d(network: Network, aggregators: Sequence[str], *, to_cloud: bool) -> tuple[Cluster, ...]:
    """Return the published D2D scheme with the given aggregator of each cluster.

    Links up to 30 m are used, patched by the minimum spanning tree of the lesser latency of both directions;
    updates and results take shortest paths over them, and relays pass each update on without merging.

    Parameters
    ----------
    network : Network
        The network.
    aggregators : sequence of str
        One member of each cluster, in the order of ``network.members``.
    to_cloud : bool
        Whether some rounds go to the cloud, so that an uplink and a way down are needed.

    Raises
    ------
    MissingLink
        If a cluster's D2D links do not connect it, or its aggregator does not reach the server.
    """
    return tuple(
        relayed_cluster(
            network,
            server,
            aggregator,
            published_tree(network, members, aggregator),
            to_cloud=to_cloud,
        ).model_copy(update={"relays": "forward"})
        for (server, members), aggregator in zip(network.members.items(), aggregators, strict=True)
    )


def random_aggregators(network: Network, seed: int) -> tuple[str, ...]:
    """Return a random member of each cluster, in the order of ``network.members``."""
    generator = np.random.default_rng(seed)
    return tuple(members[int(generator.integers(len(members)))] for members in network.members.values())


def relayed_cluster(
    network: Network,
    server: str,
    aggregator: str,
    trees: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]],
    *,
    to_cloud: bool,
) -> Cluster:
    """Return a cluster that averages at one of its members, at nominal resources.

    Parameters
    ----------
    network : Network
        The network.
    server, aggregator : str
        Ids.
    trees : pair of sequences of (str, str)
        The (sender, receiver) pairs of the way up and of the way down.
    to_cloud : bool
        Whether some rounds go to the cloud.
    """
    members = network.members[server]
    uplink: tuple[Hop, ...] = ()
    downlink: tuple[Hop, ...] = ()
    if to_cloud:
        uplink = (nominal_hop(network, aggregator, server, len(members)),)
        downlink = from_server(network, members, server)
    return Cluster(
        id=server,
        members=members,
        aggregator=aggregator,
        gather=tree_hops(network, trees[0], members),
        deliver=tree_hops(network, trees[1], members),
        uplink=uplink,
        downlink=downlink,
    )


def published_tree(
    network: Network, members: Sequence[str], aggregator: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the published ways up to an aggregator and down from it, as (sender, receiver) pairs.

    Raises
    ------
    MissingLink
        If the D2D links do not connect the members.
    """
    graph = published_graph(network, members)
    try:
        up = nx.single_source_dijkstra_path(graph.reverse(copy=True), aggregator, weight="seconds")
        down = nx.single_source_dijkstra_path(graph, aggregator, weight="seconds")
        pairs_up = [(device, up[device][-2]) for device in members if device != aggregator]
        pairs_down = [(down[device][-2], device) for device in members if device != aggregator]
    except KeyError as lost:
        raise MissingLink(f"D2D links do not connect {lost.args[0]!r} with {aggregator!r}") from lost
    return pairs_up, pairs_down


def published_graph(network: Network, members: Sequence[str]) -> "nx.DiGraph[str]":
    """Return the links that the published scheme uses, with the seconds of a whole update as weight."""
    seconds = {pair: _update_seconds(network, *pair, len(members)) for pair in _d2d_pairs(network, members)}
    both: nx.Graph[str] = nx.Graph()
    both.add_nodes_from(members)
    for (source, target), weight in seconds.items():
        lesser = min(weight, seconds.get((target, source), math.inf))
        both.add_edge(source, target, seconds=lesser)
    kept = {frozenset(edge) for edge in nx.minimum_spanning_edges(both, weight="seconds", data=False)}
    kept |= {frozenset(pair) for pair in seconds if _distance_m(network, *pair) <= D2D_REACH_M}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(members)
    for pair, weight in seconds.items():
        if frozenset(pair) in kept:
            graph.add_edge(*pair, seconds=weight)
    return graph


def _d2d_pairs(network: Network, members: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for a in members for b in members if a != b and (a, b) in network.edges]


def _update_seconds(network: Network, source: str, target: str, num_members: int) -> float:
    """Return the seconds of one update of all modules that the sender trains."""
    bits = sum(network.update_bits(name) for name in sorted(network.trained_on[source]))
    edge = network.edges[source, target]
    if isinstance(edge, WirelessEdge):
        hop = nominal_hop(network, source, target, num_members - 1)
        rate_bps = edge.rate_bps(hop.band_hz or 0.0, hop.power_w or 0.0)
        return bits / rate_bps if rate_bps > 0 else math.inf
    return edge.delay_s + (bits / edge.rate_bps if edge.rate_bps else 0.0)


def _distance_m(network: Network, a: str, b: str) -> float:
    first, second = network.nodes[a].position_m, network.nodes[b].position_m
    return math.dist(first, second) if first is not None and second is not None else math.inf
