"""A network and the trees of a plan as graphs, for GraphML and whatever reads it."""

import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fl_runtime.whole_files import write_whole
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.decisions import Cluster, Hop
from hfedfm_opt.system.network import Network, WirelessEdge

if TYPE_CHECKING:
    import networkx as nx

Role = tuple[str, str]
"""What a hop is for, and the cluster that it serves (empty on a backhaul)."""


def network_graph(network: Network) -> "nx.DiGraph[str]":
    """Return all nodes and links of a network.

    Nodes have ``tier``, ``parent`` (not the root), ``x_m``, ``y_m`` and ``z_m`` (where known); links have
    ``medium`` and its figures: ``band``, ``gain`` and ``noise_w_per_hz``, or ``rate_bps`` (not where it is
    unlimited), ``delay_s`` and ``power_w``.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(name=network.instance.name)
    graph.add_nodes_from(_nodes(network))
    for (source, target), edge in network.edges.items():
        if isinstance(edge, WirelessEdge):
            figures: dict[str, Any] = {
                "medium": "wireless",
                "band": edge.band,
                "gain": edge.gain,
                "noise_w_per_hz": edge.noise_w_per_hz,
            }
        else:
            figures = {"medium": "wired", "delay_s": edge.delay_s, "power_w": edge.power_w}
            if edge.rate_bps is not None:
                figures["rate_bps"] = edge.rate_bps
        graph.add_edge(source, target, **figures)
    return graph


def trees_graph(plan: Plan) -> "nx.MultiDiGraph[str]":
    """Return the hops of a plan: who sends to whom, what for, and with which resources.

    A hop has ``role`` (``gather``, ``gather to cloud``, ``deliver``, ``exchange``, ``uplink``, ``downlink``,
    ``backhaul up`` or ``backhaul down``), ``cluster`` (not on a backhaul), and on a wireless link ``band_hz``
    and ``power_w``.  Nodes have, besides what :func:`network_graph` says, ``aggregates``: the clusters that
    they average.
    """
    import networkx as nx

    decisions = plan.decisions
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=f"{plan.instance.name}: {decisions.planner}")
    graph.add_nodes_from(_nodes(plan.network))
    for cluster in decisions.clusters:
        if cluster.consensus is None:
            node = graph.nodes[cluster.aggregator]
            node["aggregates"] = " ".join([*node.get("aggregates", "").split(), cluster.id])
        for role, hop in _hops(cluster):
            _add(graph, hop, (role, cluster.id))
    for hop in decisions.backhaul_up:
        _add(graph, hop, ("backhaul up", ""))
    for hop in decisions.backhaul_down:
        _add(graph, hop, ("backhaul down", ""))
    return graph


def write_graphml(graph: "nx.Graph[str]", path: str | os.PathLike[str]) -> None:
    """Write a graph as GraphML, whole or not at all; the same graph gives the same bytes."""
    import networkx as nx

    stream = io.BytesIO()
    nx.write_graphml_xml(graph, stream)
    write_whole(path, stream.getvalue())


def _nodes(network: Network) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in network.instance.nodes:
        figures: dict[str, Any] = {"tier": node.tier}
        above = network.nodes[node.id].parent
        if above is not None:
            figures["parent"] = above
        if node.position_m is not None:
            figures |= dict(zip(("x_m", "y_m", "z_m"), node.position_m, strict=True))
        yield node.id, figures


def _hops(cluster: Cluster) -> Iterator[tuple[str, Hop]]:
    exchanges = () if cluster.consensus is None else cluster.consensus.exchanges
    for role, hops in (
        ("gather", cluster.gather),
        ("gather to cloud", cluster.gather_to_cloud or ()),
        ("deliver", cluster.deliver),
        ("exchange", exchanges),
        ("uplink", cluster.uplink),
        ("downlink", cluster.downlink),
    ):
        for hop in hops:
            yield role, hop


def _add(graph: "nx.MultiDiGraph[str]", hop: Hop, role: Role) -> None:
    figures: dict[str, Any] = {"role": role[0]}
    if role[1]:
        figures["cluster"] = role[1]
    if hop.band_hz is not None:
        figures["band_hz"] = hop.band_hz
    if hop.power_w is not None:
        figures["power_w"] = hop.power_w
    graph.add_edge(hop.source, hop.target, **figures)
