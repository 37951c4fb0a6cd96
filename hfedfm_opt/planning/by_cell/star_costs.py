"""What averaging at their servers costs clusters in any case: those that can average nowhere else."""

import math
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.by_cell.ways import HOME, Ways
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.hops import MissingLink, from_server, to_server
from hfedfm_opt.planning.joint_cluster import averages_at_a_member
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.planning.uplink_cell import uplink_cell
from hfedfm_opt.system.network import Network
from solvers.common.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class StarCosts:
    """What updates of clusters that average at their servers take at least, whatever the placement.

    Parameters
    ----------
    sends_s : (devices,) float
        How long each device sends its update after its training; zero where it could send faster.
    joules : float
        Of all updates and models of a cycle, without the cloud leg.
    """

    sends_s: FloatArray
    joules: float


def star_costs(network: Network, ways: Ways, rhythm: Rhythm, *, allocate: bool) -> StarCosts:
    """Return what averaging at servers takes at least in clusters that no member could average.

    Where some member cannot train without others in any placement, activations need the band, so that uplinks
    are nominal; elsewhere an allocated uplink needs at least ``bits N0 ln 2 / gain``.

    Parameters
    ----------
    network : Network
        The network.
    ways : Ways
        Who may run what.
    rhythm : Rhythm
        How often a cycle gathers.
    allocate : bool
        Whether uplinks are allocated where activations do not need the band.
    """
    least = without_movable(network)
    helped = _helped(ways)
    place_of = {device: place for place, device in enumerate(network.devices)}
    sends_s, joules = np.zeros(len(network.devices)), 0.0
    for server, members in network.members.items():
        if averages_at_a_member(network, members):
            continue
        places = [place_of[device] for device in members]
        nominal = not allocate or bool(helped[places].any())
        try:
            cost = _star(least, server, members, nominal=nominal)
        except MissingLink:
            continue
        sends_s[places] = cost.sends_s
        joules += rhythm.num_rounds * cost.up_j + rhythm.num_edge_rounds * cost.down_j
    return StarCosts(sends_s, joules)


@dataclass(frozen=True)
class _Star:
    sends_s: list[float]
    up_j: float
    down_j: float


def _star(network: Network, server: str, members: tuple[str, ...], *, nominal: bool) -> _Star:
    """Return what one way up and one way down of a star take at least."""
    own = {device: frozenset(network.trained_on[device]) for device in members}
    ledger = Ledger()
    phase = Phase(network, ledger, server, "")
    phase.deliver(from_server(network, members, server), server, 0.0, own)
    down_j = sum(ledger.energy_j.values())
    ledger.energy_j.clear()
    hops = to_server(network, members, server)
    sends_s = [phase.send(hop, own[hop.source], 0.0) if own[hop.source] else 0.0 for hop in hops]
    up_j = sum(ledger.energy_j.values())
    if nominal:
        return _Star(sends_s, up_j, down_j)
    cell = uplink_cell(network, members, server, None)
    if cell is None:
        return _Star(sends_s, up_j, down_j)
    bits = np.array([network.bits_of(own[device], "update") for device in members])
    least_j = math.log(2) * float((bits * cell.noise_w_per_hz / cell.gain).sum())
    return _Star([0.0] * len(members), min(least_j, up_j), down_j)


def _helped(ways: Ways) -> BoolArray:
    """Return which devices cannot run all their modules themselves, (devices,)."""
    helped = np.zeros(ways.num_devices, dtype=np.bool_)
    for group in ways.groups:
        at_home = np.isfinite(group.link_s[:, :, HOME]).all(axis=1)
        helped[group.devices] = ~at_home | (group.bytes_of.sum() > group.free_bytes)
    return helped
