"""Associations of devices to servers by simple rules, each for all planners."""

from typing import Literal, get_args

import numpy as np

from hfedfm_opt.planning.association import reachable_servers, with_association
from hfedfm_opt.planning.cluster_options import MAX_ENUMERATED_MEMBERS
from hfedfm_opt.system.network import Network, WirelessEdge

AssociationRule = Literal["given", "strongest", "balanced", "decided"]
"""``given``: each device's parent in the file; ``decided``: by the optimised planner."""


def by_rule(network: Network, rule: AssociationRule) -> Network:
    """Return the network with the association of a rule; what is to be decided keeps the file's for now.

    ``strongest`` takes the server of the highest rate at the device's full power over the whole band;
    ``balanced`` the servers with which uploads end soonest on the average, with at most seven devices each
    where that is possible.  A device with a server that it has no wireless link to keeps its own.

    Parameters
    ----------
    network : Network
        The network.
    rule : str
        The rule.

    Raises
    ------
    ValueError
        For a rule that there is not.
    """
    if rule not in get_args(AssociationRule):
        known = ", ".join(get_args(AssociationRule))
        raise ValueError(f"association is {rule!r}, must be one of {known}")
    if rule not in ("strongest", "balanced"):
        return network
    from hfedfm_opt.system.geodata.association import balanced_site, strongest_site

    reach = {device: servers for device, servers in reachable_servers(network).items() if len(servers) > 1}
    links = [(device, server) for device, servers in reach.items() for server in servers]
    fixed = {device for device, server in links if not _is_wireless(network, device, server)}
    names = [device for device in network.devices if device in reach and device not in fixed]
    if not names:
        return network
    number = {device: index for index, device in enumerate(names)}
    servers = list(dict.fromkeys(server for device in names for server in reach[device]))
    place = {server: index for index, server in enumerate(servers)}
    links = [(device, server) for device, server in links if device in number]
    device_of = np.array([number[device] for device, _ in links], dtype=np.int64)
    server_at = np.array([place[server] for _, server in links], dtype=np.int64)
    rate_bps = np.array([_whole_band_bps(network, device, server) for device, server in links])
    if rule == "strongest":
        chosen = strongest_site(device_of, server_at, rate_bps, len(names))
    else:
        chosen = balanced_site(device_of, server_at, rate_bps, len(names), MAX_ENUMERATED_MEMBERS)
    picked = zip(names, chosen.tolist(), strict=True)
    return with_association(network, {device: servers[index] for device, index in picked})


def _is_wireless(network: Network, device: str, server: str) -> bool:
    return isinstance(network.edges.get((device, server)), WirelessEdge)


def _whole_band_bps(network: Network, device: str, server: str) -> float:
    edge, radio = network.edges[device, server], network.nodes[device].radio
    assert isinstance(edge, WirelessEdge), "only wireless links are compared"
    assert radio is not None, "a wireless link starts at a radio"
    return edge.rate_bps(network.bands[edge.band].band_hz, radio.max_power_w)
