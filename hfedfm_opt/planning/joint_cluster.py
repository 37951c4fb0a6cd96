"""From a cluster to the problem in which its trees, bands, powers and CPU frequencies are decided at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hfedfm_opt.planning.cluster_options import (
    MAX_ENUMERATED_MEMBERS,
    Option,
    Rhythm,
    downlink_of,
    is_reached,
)
from hfedfm_opt.planning.computing import Computing, computing_of, waiting
from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.system.decisions import Cluster
from hfedfm_opt.system.network import Network, WiredEdge, WirelessEdge
from solvers.clusters import ClusterProblem
from solvers.common.arrays import BoolArray, FloatArray

MAX_SEARCHED_MEMBERS = 60
"""Largest cluster whose trees are searched: the limit of ``solvers.clusters``."""
MAX_MEMBERS_IN_ALL = 400
"""Most members of all larger clusters together: searching their trees takes seconds each."""
Sharers = Mapping[str, frozenset[str]]
"""The clusters, by server, that may send over each band."""


@dataclass(frozen=True)
class Joint:
    """The joint options of a cluster, or why there are none.

    ``replaces_nominal`` says that every D2D option at nominal resources is among those that are searched.
    """

    options: tuple[Option, ...] = ()
    refusal: str = ""
    replaces_nominal: bool = False


def joint_options(
    network: Network, index: int, server: str, rhythm: Rhythm, ready: Readiness, sharers: Sharers
) -> Joint:
    """Return the options in which a cluster averages at a member with everything decided together.

    There is one for the members whose uplink is wireless and one for those whose uplink is wired.

    Parameters
    ----------
    network : Network
        The network.
    index : int
        Index of the cluster.
    server : str
        Id of its server.
    rhythm : Rhythm
        How often the cloud averages.
    ready : Readiness
        When updates are ready; devices that others help, and those without a CPU, keep these times.
    sharers : mapping of str to frozenset of str
        Clusters by band, as :func:`sharers_of` gives them.
    """
    members = network.members[server]
    refusal = refusal_of(network, members)
    if refusal:
        return Joint(refusal=refusal)
    downlink = downlink_of(network, members, server) if rhythm.num_cloud_rounds else ()
    if downlink is None:
        return Joint()
    band = _d2d_bands(network, members)[0]
    work = computing_of(network, members, ready)
    inner = _within_cluster(network, members, rhythm, work, band)
    plan = Cluster(id=server, members=members, aggregator=members[0], downlink=downlink)
    late = _late(network, members, ready, work)
    options = []
    for legs in _legs(network, members, server, rhythm):
        relaxed = ClusterProblem(**inner, **legs)
        shares = {"band_hz": np.array(network.bands[band].band_hz / len(sharers[band]))}
        if "leg_band_hz" in legs:
            shares["leg_band_hz"] = legs["leg_band_hz"] / _leg_sharers(network, members, server, sharers)
        changes: dict[str, Any] = shares | late
        differs = any(np.any(value != getattr(relaxed, name)) for name, value in changes.items())
        problem = replace(relaxed, **changes) if differs else relaxed
        uplink_hz = {
            device: float(problem.leg_band_hz[place])
            for place, device in enumerate(members)
            if isinstance(network.edges.get((device, server)), WirelessEdge)
        }
        cluster = JointCluster(problem, relaxed, uplink_hz, work.scaled)
        options.append(Option(index, plan, 0.0, rhythm.num_rounds * work.fixed_j, repeat=1.0, joint=cluster))
    return Joint(tuple(options), "", replaces_nominal=len(sharers[band]) == 1)


def _late(
    network: Network, members: Sequence[str], ready: Readiness, work: Computing
) -> dict[str, FloatArray]:
    """Return what changes where half-duplex members end their own activations before they listen.

    In the plan everybody then waits for the last of these members; the bound knows nothing of it.
    """
    busy = ready.busy & set(members)
    if not busy or not network.is_half_duplex(members[0]):
        return {}
    late = waiting(work, max(ready.seconds[device] for device in busy))
    names = ("cycles", "max_frequency_hz", "min_frequency_hz", "capacitance")
    return {name: getattr(late, name) for name in names}


def sharers_of(network: Network) -> Sharers:
    """Return for each band the clusters, by server, whose devices or server may send over it."""
    cluster_of = {device: server for server, members in network.members.items() for device in members}
    found: dict[str, set[str]] = {band: set() for band in network.bands}
    for edge in network.edges.values():
        if isinstance(edge, WirelessEdge):
            near = {cluster_of.get(edge.source, edge.source), cluster_of.get(edge.target, edge.target)}
            if len(near) == 1 and near <= set(network.members):
                found[edge.band] |= near
    return {band: frozenset(servers) for band, servers in found.items()}


def refusal_of(network: Network, members: Sequence[str]) -> str:
    """Return why the trees of a cluster cannot be decided together with its resources; empty if they can."""
    if len(members) < 2:
        return "one member"
    if len(members) > MAX_SEARCHED_MEMBERS:
        return f"more than {MAX_SEARCHED_MEMBERS} members"
    large = len(members) > MAX_ENUMERATED_MEMBERS
    if large and _members_of_large(network) > MAX_MEMBERS_IN_ALL:
        return f"larger clusters with more than {MAX_MEMBERS_IN_ALL} members in all"
    bands = _d2d_bands(network, members)
    if not bands:
        return "no D2D links"
    if len(bands) > 1:
        return "D2D links over several bands"
    if any(isinstance(network.edges.get(pair), WiredEdge) for pair in _pairs(members)):
        return "wired links between devices"
    if len({network.is_half_duplex(device) for device in members}) > 1:
        return "radios of both kinds of duplex"
    most_hops = network.instance.limits.max_relay_hops
    if most_hops is not None and most_hops < len(members) - 1:
        return "a limit on hops"
    names = {name for device in members for name in network.trained_on[device]}
    if any(network.update_bits(name) != network.update_bits(name, "model") for name in names):
        return "different precisions up and down"
    if not is_reached(network, members).any():
        return "D2D links that do not connect all members"
    return ""


def averages_at_a_member(network: Network, members: Sequence[str]) -> bool:
    """Return whether links between members lead from all of them to one, which could average."""
    key = ("averages at a member", tuple(members))
    if key not in network.memo:
        network.memo[key] = len(members) > 1 and _is_connected(network, members)
    return bool(network.memo[key])


def _members_of_large(network: Network) -> int:
    key = "members of large clusters"
    if key not in network.memo:
        sizes = (len(members) for members in network.members.values())
        network.memo[key] = sum(size for size in sizes if size > MAX_ENUMERATED_MEMBERS)
    return int(network.memo[key])


def _is_connected(network: Network, members: Sequence[str]) -> bool:
    """Return whether all members reach some member over D2D links."""
    place_of = {device: place for place, device in enumerate(members)}
    links = [(place_of[source], place_of[target]) for source, target in network.links_among(members)]
    if not _holds_together(len(members), links):
        return False
    reaches = np.eye(len(members), dtype=np.bool_)
    for row, column in links:
        reaches[row, column] = True
    for _ in range(len(members).bit_length()):
        reaches = reaches @ reaches
    return bool(reaches.all(axis=0).any())


def _holds_together(num_nodes: int, links: Sequence[tuple[int, int]]) -> bool:
    """Return whether links, whatever their direction, connect all nodes."""
    near: list[list[int]] = [[] for _ in range(num_nodes)]
    for source, target in links:
        near[source].append(target)
        near[target].append(source)
    seen, frontier = {0}, [0]
    while frontier:
        new = {other for node in frontier for other in near[node]} - seen
        seen |= new
        frontier = list(new)
    return len(seen) == num_nodes


def _pairs(members: Sequence[str]) -> list[tuple[str, str]]:
    return [(source, target) for source in members for target in members if source != target]


def _d2d_bands(network: Network, members: Sequence[str]) -> list[str]:
    edges = (network.edges.get(pair) for pair in _pairs(members))
    return sorted({edge.band for edge in edges if isinstance(edge, WirelessEdge)})


def _within_cluster(
    network: Network, members: Sequence[str], rhythm: Rhythm, work: Computing, band: str
) -> dict[str, Any]:
    """Return the fields of the problem that say what happens between the members."""
    modules = sorted({name for device in members for name in network.trained_on[device]})
    radios = [network.nodes[device].radio for device in members]
    held = [[name in network.trained_on[device] for name in modules] for device in members]
    gain, noise_w_per_hz = _gains(network, members)
    return {
        "gain": gain,
        "noise_w_per_hz": noise_w_per_hz,
        "band_hz": network.bands[band].band_hz,
        "item_bits": np.array([network.update_bits(name) for name in modules] or [0.0]),
        "node_items": np.array(held, dtype=np.bool_) if modules else np.zeros((len(members), 1), np.bool_),
        "max_power_w": np.array([radio.max_power_w if radio else 1.0 for radio in radios]),
        "efficiency": np.array([radio.amplifier_efficiency if radio else 1.0 for radio in radios]),
        "circuit_power_w": np.array([radio.circuit_power_w if radio else 0.0 for radio in radios]),
        "receive_power_w": np.array([radio.receive_power_w if radio else 0.0 for radio in radios]),
        "cycles": work.cycles,
        "max_frequency_hz": work.max_frequency_hz,
        "min_frequency_hz": work.min_frequency_hz,
        "capacitance": work.capacitance,
        "energy_weight": 1.0,
        "time_weight": 1.0,
        "num_round_trips": float(rhythm.num_edge_rounds),
        "num_root_legs": float(rhythm.num_cloud_rounds),
        "half_duplex": network.is_half_duplex(members[0]),
    }


def _gains(network: Network, members: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Return gains between members, and the noise at each.

    Only gain over noise matters: where a receiver's links differ in noise, gains are scaled to the largest.
    """
    gain, noise = np.zeros((2, len(members), len(members)))
    for row, source in enumerate(members):
        for column, target in enumerate(members):
            edge = network.edges.get((source, target))
            if row != column and isinstance(edge, WirelessEdge):
                gain[row, column], noise[row, column] = edge.gain, edge.noise_w_per_hz
    largest = noise.max(axis=0)
    largest = np.where(largest > 0, largest, 1.0)
    scaled = gain * largest / np.where(noise > 0, noise, largest)
    return scaled, largest


def _legs(network: Network, members: Sequence[str], server: str, rhythm: Rhythm) -> list[dict[str, Any]]:
    """Return the fields that say what follows a gather at the aggregator, for each kind of uplink."""
    if not rhythm.num_cloud_rounds:
        return [{}]
    edges = [network.edges.get((device, server)) for device in members]
    wireless = np.array([isinstance(edge, WirelessEdge) for edge in edges])
    wired = np.array([isinstance(edge, WiredEdge) for edge in edges])
    found = []
    if wireless.any():
        found.append(_wireless_legs(network, members, server, wireless))
    if wired.any():
        seconds, joules = _wired_legs(network, members, server, wired)
        found.append({"roots": wired, "root_seconds": seconds, "root_joules": joules})
    return found


def _wireless_legs(network: Network, members: Sequence[str], server: str, has: BoolArray) -> dict[str, Any]:
    receiver = network.nodes[server].radio
    gain, noise, band_hz, power_w = np.zeros(len(members)), *np.ones((3, len(members)))
    for place in np.flatnonzero(has).tolist():
        edge, radio = network.edges[members[place], server], network.nodes[members[place]].radio
        assert isinstance(edge, WirelessEdge), "only wireless uplinks are asked for"
        assert radio is not None, "a wireless link starts at a radio"
        gain[place], noise[place] = edge.gain, edge.noise_w_per_hz
        band_hz[place], power_w[place] = network.bands[edge.band].band_hz, radio.max_power_w
    return {
        "roots": has,
        "leg_gain": gain,
        "leg_noise_w_per_hz": noise,
        "leg_band_hz": band_hz,
        "leg_max_power_w": power_w,
        "leg_receive_power_w": receiver.receive_power_w if receiver else 0.0,
    }


def _wired_legs(
    network: Network, members: Sequence[str], server: str, has: BoolArray
) -> tuple[FloatArray, FloatArray]:
    union = frozenset(name for device in members for name in network.trained_on[device])
    seconds, joules = np.zeros((2, len(members)))
    for place in np.flatnonzero(has).tolist():
        ledger = Ledger()
        hop = nominal_hop(network, members[place], server, 1)
        seconds[place] = Phase(network, ledger, server, "nominal").send(hop, union, 0.0)
        joules[place] = sum(ledger.energy_j.values())
    return seconds, joules


def _leg_sharers(network: Network, members: Sequence[str], server: str, sharers: Sharers) -> FloatArray:
    """Return how many clusters share the band of each member's uplink."""
    edges = [network.edges.get((device, server)) for device in members]
    return np.array([len(sharers[e.band]) if isinstance(e, WirelessEdge) else 1.0 for e in edges])
