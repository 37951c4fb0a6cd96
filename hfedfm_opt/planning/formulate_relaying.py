"""From a cluster to a relaying problem: its members, its D2D links and what each member sends."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.relaying import RelayingProblem


def formulate_relaying(
    network: Network,
    members: Sequence[str],
    ready_s: Mapping[str, float],
    *,
    roots: Sequence[str],
    num_round_trips: float,
    num_root_legs: float,
    own_leg_tree: bool = False,
) -> RelayingProblem:
    """Return the relaying problem of a cluster over its D2D links at nominal resources.

    Nodes are the members in their order; items are the trainable modules in the order of the file.  A link's
    power is all that is drawn while it works: the amplifier's, the circuits' and the receiver's.

    Parameters
    ----------
    network : Network
        The network.
    members : sequence of str
        Ids of the cluster's devices.
    ready_s : mapping of str to float
        When each member's own update is ready, s.
    roots : sequence of str
        Members that may aggregate.
    num_round_trips, num_root_legs : float
        How often updates are gathered and brought back, and how often gathered only.
    """
    index_of = {device: index for index, device in enumerate(members)}
    pairs = [
        (source, target)
        for source in members
        for target in members
        if source != target and (source, target) in network.edges
    ]
    rates, powers, delays = _link_figures(network, pairs, members)
    item_of = {module.id: item for item, module in enumerate(network.instance.modules) if module.trainable}
    item_of = {name: item for item, name in enumerate(item_of)}
    items = [sorted(item_of[name] for name in network.trained_on[device]) for device in members]
    return RelayingProblem(
        num_nodes=len(members),
        link_source=np.array([index_of[source] for source, _ in pairs], dtype=np.int64),
        link_target=np.array([index_of[target] for _, target in pairs], dtype=np.int64),
        link_rate_bps=np.array(rates),
        link_power_w=np.array(powers),
        link_delay_s=np.array(delays),
        item_bits=np.array([network.update_bits(name) for name in item_of]),
        node_item_start=np.cumsum([0, *(len(own) for own in items)]),
        node_item=np.array([item for own in items for item in own], dtype=np.int64),
        ready_s=np.array([ready_s[device] for device in members]),
        roots=np.array([index_of[root] for root in roots], dtype=np.int64),
        half_duplex=np.array([network.is_half_duplex(device) for device in members]),
        max_hops=network.instance.limits.max_relay_hops,
        energy_weight=network.instance.objective.energy_weight_per_j,
        time_weight=network.instance.objective.time_weight_per_s,
        num_round_trips=num_round_trips,
        num_root_legs=num_root_legs,
        own_leg_tree=own_leg_tree,
        **_way_back(network, members, pairs, (rates, powers, delays)),
    )


def _way_back(
    network: Network,
    members: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    figures: tuple[list[float], list[float], list[float]],
) -> dict[str, Any]:
    """Return the links of the way back where models travel with other bits than updates.

    On the way back every hop carries the models of the whole union, D bits in place of the U bits that their
    updates take: at U / D times the rate, U bits take as long.
    """
    union = frozenset(name for device in members for name in network.trained_on[device])
    up_bits, down_bits = network.bits_of(union, "update"), network.bits_of(union, "model")
    if up_bits == down_bits:
        return {}
    rates, powers, delays = figures
    index_of = {device: index for index, device in enumerate(members)}
    return {
        "return_link_source": np.array([index_of[source] for source, _ in pairs], dtype=np.int64),
        "return_link_target": np.array([index_of[target] for _, target in pairs], dtype=np.int64),
        "return_link_rate_bps": np.array(rates) * (up_bits / down_bits),
        "return_link_power_w": np.array(powers),
        "return_link_delay_s": np.array(delays),
    }


def _link_figures(
    network: Network, pairs: Sequence[tuple[str, str]], members: Sequence[str]
) -> tuple[list[float], list[float], list[float]]:
    rates, powers, delays = [], [], []
    for source, target in pairs:
        edge = network.edges[source, target]
        if isinstance(edge, WirelessEdge):
            hop = nominal_hop(network, source, target, len(members) - 1)
            sender, receiver = network.nodes[source].radio, network.nodes[target].radio
            assert sender is not None, "a wireless link starts at a radio"
            assert receiver is not None, "a wireless link ends at a radio"
            power_w = hop.power_w or 0.0
            rates.append(edge.rate_bps(hop.band_hz or 0.0, power_w))
            drawn_w = power_w / sender.amplifier_efficiency + sender.circuit_power_w
            powers.append(drawn_w + receiver.receive_power_w)
            delays.append(0.0)
        else:
            rates.append(edge.rate_bps if edge.rate_bps is not None else np.inf)
            powers.append(edge.power_w)
            delays.append(edge.delay_s)
    return rates, powers, delays
