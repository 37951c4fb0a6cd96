"""What averaging takes at least in a cluster, whatever the placement, the trees and the resources.

A transfer of D bits over a link of gain g takes at least ``D N0 ln 2 / (g eta)`` joules at the amplifier of
efficiency eta, as no bandwidth and power take less, and at least the seconds of the whole band at full power,
in which circuits and receivers draw their power.  Every member but the aggregator sends its own update once
in each round, and gets the whole average back where the round stays in the cluster.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.hops import MissingLink, from_server
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.system.network import Content, Network, WirelessEdge


@dataclass(frozen=True)
class Floor:
    """Seconds and joules in a cycle, at least; the seconds follow the last training of any member."""

    seconds: float
    joules: float


NOTHING = Floor(0.0, 0.0)
NEVER = Floor(math.inf, math.inf)


def floor_at_member(network: Network, server: str, rhythm: Rhythm) -> Floor:
    """Return what a cluster's cycle takes at least if it averages at a member; inf if it cannot.

    Parameters
    ----------
    network : Network
        The network.
    server : str
        Of the cluster.
    rhythm : Rhythm
        How often the cloud averages.
    """
    members = network.members[server]
    union = frozenset(name for device in members for name in network.trained_on[device])
    sends = {device: frozenset(network.trained_on[device]) for device in members}
    up = {d: _least(network, [(d, v) for v in members if v != d], sends[d], "update") for d in members}
    back = {d: _least(network, [(v, d) for v in members if v != d], union, "model") for d in members}
    floors = []
    for root in members:
        leg = _least(network, [(root, server)], union, "update") if rhythm.num_cloud_rounds else NOTHING
        others = [device for device in members if device != root]
        seconds = rhythm.num_edge_rounds * max((back[d].seconds for d in others), default=0.0)
        joules = rhythm.num_rounds * sum(up[d].joules for d in others)
        if rhythm.num_edge_rounds:
            joules += rhythm.num_edge_rounds * sum(back[d].joules for d in others)
        floors.append(Floor(_or_zero(seconds) + leg.seconds, joules + leg.joules))
    return Floor(min(floor.seconds for floor in floors), min(floor.joules for floor in floors))


def floor_at_server(network: Network, server: str, rhythm: Rhythm) -> Floor:
    """Return what a cluster's cycle takes at least if its server averages; inf if it cannot.

    Members send as well as any bandwidth and power let them; what comes back is at nominal resources.

    Parameters
    ----------
    network : Network
        The network.
    server : str
        Of the cluster.
    rhythm : Rhythm
        How often the cloud averages.
    """
    members = network.members[server]
    try:
        down = from_server(network, members, server)
    except MissingLink:
        return NEVER
    own = {device: frozenset(network.trained_on[device]) for device in members}
    sent_j = sum(_least(network, [(device, server)], own[device], "update").joules for device in members)
    ledger = Ledger()
    deliver_s = Phase(network, ledger, server, "nominal").deliver(down, server, 0.0, own)
    back_j = rhythm.num_edge_rounds * sum(ledger.energy_j.values())
    return Floor(rhythm.num_edge_rounds * deliver_s, rhythm.num_rounds * sent_j + back_j)


def floor_seconds(network: Network, server: str, rhythm: Rhythm) -> float:
    """Return the seconds that follow the last training of a cluster in a cycle at least, over all options.

    Parameters
    ----------
    network : Network
        The network.
    server : str
        Of the cluster.
    rhythm : Rhythm
        How often the cloud averages.
    """
    seconds = min(find(network, server, rhythm).seconds for find in (floor_at_member, floor_at_server))
    return seconds if math.isfinite(seconds) else 0.0


def _least(
    network: Network, pairs: Iterable[tuple[str, str]], modules: frozenset[str], content: Content
) -> Floor:
    """Return the least seconds and joules of sending modules over one of some links."""
    bits = network.bits_of(modules, content)
    if bits == 0:
        return NOTHING
    floors = [_of_link(network, pair, bits) for pair in pairs if pair in network.edges]
    if not floors:
        return NEVER
    return Floor(min(floor.seconds for floor in floors), min(floor.joules for floor in floors))


def _of_link(network: Network, pair: tuple[str, str], bits: float) -> Floor:
    edge = network.edges[pair]
    if not isinstance(edge, WirelessEdge):
        seconds = edge.delay_s + (bits / edge.rate_bps if edge.rate_bps is not None else 0.0)
        return Floor(seconds, edge.power_w * seconds)
    sender, receiver = network.nodes[pair[0]].radio, network.nodes[pair[1]].radio
    assert sender is not None, "a wireless link starts at a radio"
    seconds = bits / edge.rate_bps(network.bands[edge.band].band_hz, sender.max_power_w)
    radiated_j = bits * edge.noise_w_per_hz * math.log(2) / (edge.gain * sender.amplifier_efficiency)
    overhead_w = sender.circuit_power_w + (receiver.receive_power_w if receiver else 0.0)
    return Floor(seconds, radiated_j + overhead_w * seconds)


def _or_zero(seconds: float) -> float:
    """Return zero for what comes of zero rounds that can never be."""
    return 0.0 if math.isnan(seconds) else seconds
