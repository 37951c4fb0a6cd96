"""Hops at nominal resources: what a link gets where nothing better has been planned."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from hfedfm_opt.system.decisions import Hop
from hfedfm_opt.system.network import Network, WirelessEdge


class MissingLink(ValueError):
    """A plan of the kind asked for needs a link that the network does not have."""


class OutOfLimits(MissingLink):
    """No arrangement of the clusters keeps the limits of a round, for the placement that was given."""


def nominal_hop(network: Network, source: str, target: str, sharers: int) -> Hop:
    """Return a hop with the link's channel, or an equal share of its band if that is less, at full power.

    A device sends each transfer at its full power.  A server serves many at once and spreads its power evenly
    over its band, so that a share gets the same part of the power as of the band.  Where several clusters
    may send between devices over the band, each has an even part of it.

    Parameters
    ----------
    network : Network
        The network.
    source, target : str
        Ids of the ends.
    sharers : int
        How many links share the band, >= 1.

    Raises
    ------
    MissingLink
        If the network has no such link.
    """
    key = ("nominal hop", source, target, sharers)
    if key not in network.memo:
        network.memo[key] = _nominal_hop(network, source, target, sharers)
    hop: Hop = network.memo[key]
    return hop


def _nominal_hop(network: Network, source: str, target: str, sharers: int) -> Hop:
    edge = network.edges.get((source, target))
    if edge is None:
        raise MissingLink(f"there is no link from {source!r} to {target!r}")
    if not isinstance(edge, WirelessEdge):
        return Hop(source=source, target=target)
    band = network.bands[edge.band]
    is_device = network.nodes[source].tier == network.instance.tiers[-1]
    if is_device and network.nodes[target].tier == network.instance.tiers[-1]:
        sharers = max(sharers, 1) * network.clusters_of_band.get(edge.band, 1)
    share_hz = min(band.channel_hz or band.band_hz, band.band_hz / max(sharers, 1))
    radio = network.nodes[source].radio
    assert radio is not None, "a wireless link starts at a radio"
    power_w = radio.max_power_w * (1.0 if is_device else share_hz / band.band_hz)
    return Hop(source=source, target=target, band_hz=share_hz, power_w=power_w)


def to_server(network: Network, members: Sequence[str], server: str) -> tuple[Hop, ...]:
    """Return a nominal hop from each member straight to the server."""
    return tuple(nominal_hop(network, device, server, len(members)) for device in members)


def from_server(network: Network, members: Sequence[str], server: str) -> tuple[Hop, ...]:
    """Return a nominal hop from the server straight to each member."""
    return tuple(nominal_hop(network, server, device, len(members)) for device in members)


def tree_hops(network: Network, pairs: Iterable[tuple[str, str]], members: Sequence[str]) -> tuple[Hop, ...]:
    """Return nominal hops of D2D links, (sender, receiver) each; all members but one may send at a time."""
    return tuple(nominal_hop(network, source, target, len(members) - 1) for source, target in pairs)


def backhaul(network: Network, servers: Iterable[str]) -> tuple[tuple[Hop, ...], tuple[Hop, ...]]:
    """Return the hops from the servers up to the root, each once, and those back down."""
    pairs = {(low, high): None for server in servers for low, high in pairwise(network.path_up(server))}
    up = tuple(nominal_hop(network, low, high, 1) for low, high in pairs)
    down = tuple(nominal_hop(network, high, low, 1) for low, high in pairs)
    return up, down
