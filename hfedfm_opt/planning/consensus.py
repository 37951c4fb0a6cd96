"""Clusters whose members average with their neighbours: the fastest consensus over their D2D links."""

from collections.abc import Iterable, Sequence

import networkx as nx
import numpy as np

from hfedfm_opt.planning.baselines import published_graph, published_tree, relayed_cluster
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.system.decisions import Cluster, Consensus, Hop, Mixing, Neighbours
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.consensus import ConsensusProblem, evaluate, solve

ACCURACY = 0.1
"""Part of the members' distance from their mean that may be left after the sweeps of a round."""
NEGLIGIBLE = 1e-6
"""Weights up to this are left out, and so are their exchanges."""


def consensus_clusters(
    network: Network, aggregators: Sequence[str], *, to_cloud: bool
) -> tuple[Cluster, ...]:
    """Return clusters whose members mix with their D2D neighbours, with the least spectral factors.

    Each set of modules that the same members train has weights of its own; where links do not connect its
    members, each connected part agrees by itself.  The sweeps leave at most a tenth of the distance from the
    mean.  Exchanges take equal shares of a cluster's part of the band, or a channel if that is less.  In
    rounds that go to the cloud the given aggregators gather over the published trees.

    Parameters
    ----------
    network : Network
        The network.
    aggregators : sequence of str
        One member of each cluster, in the order of ``network.members``.
    to_cloud : bool
        Whether some rounds go to the cloud.

    Raises
    ------
    MissingLink
        If some rounds go to the cloud and links do not connect a cluster, or its aggregator and the server.
    """
    return tuple(
        _cluster(network, server, aggregator, to_cloud=to_cloud)
        for server, aggregator in zip(network.members, aggregators, strict=True)
    )


def _cluster(network: Network, server: str, aggregator: str, *, to_cloud: bool) -> Cluster:
    members = network.members[server]
    if not _module_sets(network, members):  # all is trained elsewhere: there is nothing to mix
        tree = published_tree(network, members, aggregator)
        return relayed_cluster(network, server, aggregator, tree, to_cloud=to_cloud)
    consensus = consensus_of(network, members)
    if not to_cloud:
        return Cluster(id=server, members=members, aggregator=aggregator, consensus=consensus)
    tree = published_tree(network, members, aggregator)
    cluster = relayed_cluster(network, server, aggregator, tree, to_cloud=True)
    return cluster.model_copy(update={"deliver": (), "consensus": consensus})


def consensus_of(network: Network, members: Sequence[str]) -> Consensus:
    """Return the consensus of a cluster's members over the links of the published scheme."""
    graph = _both_ways(network, members)
    mixings: list[Mixing] = []
    num_sweeps = 1
    for modules, nodes in _module_sets(network, members):
        for part in nx.connected_components(graph.subgraph(nodes)):
            mixing, sweeps = _mixing(graph, modules, [node for node in members if node in part])
            mixings.append(mixing)
            num_sweeps = max(num_sweeps, sweeps)
    pairs = {frozenset((pair.first, pair.second)) for mixing in mixings for pair in mixing.neighbours}
    ordered = [(a, b) for a in members for b in members if a != b and {a, b} in pairs]
    return Consensus(sweeps=num_sweeps, exchanges=_hops(network, ordered), mixings=tuple(mixings))


def _both_ways(network: Network, members: Sequence[str]) -> "nx.Graph[str]":
    """Return the published scheme's links that exist in both directions."""
    try:
        directed = published_graph(network, members)
    except MissingLink:
        directed = nx.DiGraph()
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(members)
    graph.add_edges_from((a, b) for a, b in directed.edges if directed.has_edge(b, a))
    return graph


def _module_sets(network: Network, members: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return modules that the same members train, with these members; each in the order of the file."""
    modules_of: dict[tuple[str, ...], list[str]] = {}
    for module in network.instance.modules:
        nodes = tuple(device for device in members if module.id in network.trained_on[device])
        if nodes:
            modules_of.setdefault(nodes, []).append(module.id)
    return [(tuple(modules), nodes) for nodes, modules in modules_of.items()]


def _mixing(graph: "nx.Graph[str]", modules: tuple[str, ...], nodes: Sequence[str]) -> tuple[Mixing, int]:
    """Return the fastest mixing of connected nodes, and the sweeps that it needs."""
    if len(nodes) == 1:
        return Mixing(modules=modules, nodes=tuple(nodes)), 1
    index_of = {node: index for index, node in enumerate(nodes)}
    edges = [(index_of[a], index_of[b]) for a, b in graph.subgraph(nodes).edges]
    problem = ConsensusProblem(
        num_nodes=len(nodes),
        edge_source=np.array([a for a, _ in edges]),
        edge_target=np.array([b for _, b in edges]),
        nonnegative=True,
        accuracy=ACCURACY,
    )
    fastest = solve(problem).solution
    assert fastest is not None, "connected nodes can agree"
    kept = evaluate(problem, np.where(fastest.weight > NEGLIGIBLE, fastest.weight, 0.0))
    neighbours = tuple(
        Neighbours(first=nodes[a], second=nodes[b], weight=weight)
        for (a, b), weight in zip(edges, kept.weight.tolist(), strict=True)
        if weight > 0
    )
    return Mixing(modules=modules, nodes=tuple(nodes), neighbours=neighbours), kept.num_sweeps


def _hops(network: Network, pairs: Iterable[tuple[str, str]]) -> tuple[Hop, ...]:
    """Return nominal hops that may all be used at once."""
    hops = [nominal_hop(network, source, target, 1) for source, target in pairs]
    edges = [network.edges[hop.source, hop.target] for hop in hops]
    names = [edge.band if isinstance(edge, WirelessEdge) else "" for edge in edges]
    return tuple(
        _narrow(hop, network.bands[name].band_hz / (names.count(name) * _sharers(network, name)))
        if name
        else hop
        for hop, name in zip(hops, names, strict=True)
    )


def _narrow(hop: Hop, share_hz: float) -> Hop:
    return hop.model_copy(update={"band_hz": min(hop.band_hz or share_hz, share_hz)})


def _sharers(network: Network, band: str) -> int:
    """Return how many clusters have links between members in a band."""
    parent = {device: server for server, members in network.members.items() for device in members}
    return len(
        {
            parent[source]
            for (source, target), edge in network.edges.items()
            if isinstance(edge, WirelessEdge)
            and edge.band == band
            and source in parent
            and parent.get(target) == parent[source]
        }
    )
