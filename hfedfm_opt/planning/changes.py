"""What changed between two networks: devices that came, went or are not as they were, cluster by cluster."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise

from hfedfm_opt.system.network import Network, WirelessEdge


@dataclass(frozen=True)
class Changes:
    """What differs between an old network and a new one.

    Parameters
    ----------
    gone, new : tuple of str
        Devices that only the old, or only the new network has, in the order of the file.
    changed : tuple of str
        Devices of both whose own fields, or whose links to or from the node above, differ.
    kept : frozenset of str
        Nodes above the clusters of the new network in which nothing differs: the members and their fields,
        all links among them and to the node above, the bands, and the ways from there to the root.  Empty if
        the model, the tasks, the training or the limits differ.
    """

    gone: tuple[str, ...]
    new: tuple[str, ...]
    changed: tuple[str, ...]
    kept: frozenset[str]

    def __bool__(self) -> bool:
        """Return whether any device came, went or changed."""
        return bool(self.gone or self.new or self.changed)


def changes_between(old: Network, new: Network) -> Changes:
    """Return what differs between two networks.

    Positions do not count, only the gains that they make; nor do names, texts, prices and what lives
    in a run.

    Parameters
    ----------
    old, new : Network
        With the same duplex and precisions.
    """
    before, now = set(old.devices), set(new.devices)
    stay = [device for device in new.devices if device in before]
    kept = frozenset[str]()
    if _world(old) == _world(new):
        shared = [server for server in new.members if server in old.members]
        kept = frozenset(server for server in shared if _cluster(old, server) == _cluster(new, server))
    return Changes(
        gone=tuple(device for device in old.devices if device not in now),
        new=tuple(device for device in new.devices if device not in before),
        changed=tuple(device for device in stay if _device(old, device) != _device(new, device)),
        kept=kept,
    )


def _world(network: Network) -> Hashable:
    """Return what concerns all clusters at once."""
    instance = network.instance
    order = tuple(instance.modules), tuple(instance.tasks)
    return order, instance.tiers, instance.training, instance.limits, network.root


def _cluster(network: Network, server: str) -> Hashable:
    """Return all that a cluster's plan depends on, besides what hosts above have to do for others."""
    members, path = network.members[server], network.path_up(server)
    inner = (*members, server)
    pairs = [(source, target) for source in inner for target in inner if source != target]
    pairs += [way for low, high in pairwise(path) for way in ((low, high), (high, low))]
    edges = tuple(network.edges.get(pair) for pair in pairs)
    bands = {edge.band for edge in edges if isinstance(edge, WirelessEdge)}
    nodes = tuple((node, _fields(network, node)) for node in (*members, *path))
    return nodes, edges, tuple(network.bands[band] for band in sorted(bands))


def _device(network: Network, device: str) -> Hashable:
    above = network.parent(device)
    return _fields(network, device), network.edges.get((device, above)), network.edges.get((above, device))


def _fields(network: Network, name: str) -> Hashable:
    """Return all fields of a node but its name and place."""
    node = network.nodes[name]
    return node.tier, node.parent, node.memory_bytes, node.processor, node.radio, node.modalities, node.data
