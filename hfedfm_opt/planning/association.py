"""Which server each device belongs to: as the file has it, or as a plan's clusters say."""

from collections.abc import Mapping
from dataclasses import replace

from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import Decisions
from hfedfm_opt.system.network import Network, WirelessEdge


def with_association(network: Network, server_of: Mapping[str, str]) -> Network:
    """Return the network in which devices have other servers above them.

    Parameters
    ----------
    network : Network
        The network.
    server_of : mapping of str to str
        Servers by device; devices that are absent keep theirs.
    """
    changed = {
        device: network.nodes[device].model_copy(update={"parent": server})
        for device, server in server_of.items()
        if network.parent(device) != server
    }
    if not changed:
        return network
    moved = replace(network, nodes={**network.nodes, **changed})
    return replace(moved, clusters_of_band=_clusters_of_band(moved))


def _clusters_of_band(network: Network) -> dict[str, int]:
    """Return how many clusters may send over each band between devices, where they are several."""
    cluster_of = {device: network.parent(device) for device in network.devices}
    found: dict[str, set[str]] = {}
    for (source, target), edge in network.edges.items():
        cluster = cluster_of.get(source)
        if cluster is not None and cluster == cluster_of.get(target) and isinstance(edge, WirelessEdge):
            found.setdefault(edge.band, set()).add(cluster)
    return {band: len(clusters) for band, clusters in found.items() if len(clusters) > 1}


def as_decided(network: Network, decisions: Decisions) -> Network:
    """Return the network with the association of a plan's clusters, and with who trains what.

    Parameters
    ----------
    network : Network
        The network, with the association of the file.
    decisions : Decisions
        The plan.
    """
    return with_training(as_associated(network, decisions), decisions.servings)


def as_associated(network: Network, decisions: Decisions) -> Network:
    """Return the network with the association of a plan's clusters.

    A cluster's id is the server of its members.  Where it is above a member in the file already (its parent,
    the cloud) nothing changes, nor where the member cannot have it as a server: a check then says so.

    Parameters
    ----------
    network : Network
        The network, with the association of the file; devices of the plan may be missing.
    decisions : Decisions
        The plan.
    """
    server_of = {
        member: cluster.id
        for cluster in decisions.clusters
        for member in cluster.members
        if member in network.nodes
        and network.parent(member) != cluster.id
        and cluster.id != member
        and may_serve(network, member, cluster.id)
        and cluster.id not in network.path_up(member)
    }
    return with_association(network, server_of)


def may_serve(network: Network, device: str, server: str) -> bool:
    """Return whether a device may belong to a server: a node between devices and root, links both ways."""
    return (
        server in network.nodes
        and network.nodes[device].tier == network.instance.tiers[-1]
        and network.nodes[server].tier in network.instance.tiers[1:-1]
        and (device, server) in network.edges
        and (server, device) in network.edges
    )


def reachable_servers(network: Network) -> dict[str, tuple[str, ...]]:
    """Return for each device its servers to choose from, its own first, the others in the order of the file.

    They are of the tier of its own server, with links both ways.
    """
    order = {node.id: place for place, node in enumerate(network.instance.nodes)}
    found: dict[str, list[str]] = {device: [] for device in network.devices}
    for device, server in network.edges:
        if device not in found or server not in network.nodes or server == network.parent(device):
            continue
        same_tier = network.nodes[server].tier == network.nodes[network.parent(device)].tier
        if same_tier and may_serve(network, device, server):
            found[device].append(server)
    return {
        device: (network.parent(device), *sorted(others, key=order.__getitem__))
        for device, others in found.items()
    }
