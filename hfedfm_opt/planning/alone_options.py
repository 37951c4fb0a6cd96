"""What a cluster of one device can do besides asking its server to average: average by itself, at no cost."""

from dataclasses import replace

import numpy as np

from hfedfm_opt.planning.cluster_options import Option, Rhythm, downlink_of, with_uplink
from hfedfm_opt.planning.computing import Computing, computing_of
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.uplink_cell import UplinkCell, uplink_cell
from hfedfm_opt.system.decisions import Cluster, Hop
from hfedfm_opt.system.network import Network


def alone_options(
    network: Network, index: int, server: str, rhythm: Rhythm, ready: Readiness, *, allocate: bool
) -> list[Option]:
    """Return the options in which the only member of a cluster keeps its update until a cloud round.

    With ``allocate`` the uplink's bandwidth and power and the device's CPU frequency are left open.

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
        When the update is ready.
    allocate : bool
        Whether resources are decided.
    """
    (device,) = network.members[server]
    uplink: tuple[Hop, ...] = ()
    downlink: tuple[Hop, ...] | None = ()
    if rhythm.num_cloud_rounds:
        downlink = downlink_of(network, (device,), server)
        try:
            uplink = (nominal_hop(network, device, server, 1),)
        except MissingLink:
            return []
    if downlink is None:
        return []
    plan = Cluster(id=server, members=(device,), aggregator=device, uplink=uplink, downlink=downlink)
    seconds = rhythm.num_rounds * ready.seconds[device]
    joules = rhythm.num_rounds * ready.joules[device]
    options = with_uplink(network, Option(index, plan, seconds, joules), allocate=allocate)
    work = computing_of(network, (device,), ready)
    if allocate and work.scaled:
        cell = _own_cell(network, device, server, rhythm, work)
        if cell is not None:
            options.append(Option(index, plan, 0.0, 0.0, cell, 1.0))
    return options


def _own_cell(
    network: Network, device: str, server: str, rhythm: Rhythm, work: Computing
) -> UplinkCell | None:
    """Return a cell in which a device works for all rounds of a cycle and then sends once, if at all.

    E rounds of c seconds and k C^3 / c^2 joules each are E C cycles in E c seconds: k (E C)^3 / (E c)^2.
    """
    work = replace(work, cycles=rhythm.num_rounds * work.cycles)
    if rhythm.num_cloud_rounds:
        return uplink_cell(network, (device,), server, work)
    one = np.ones(1)
    return UplinkCell(
        senders=(device,),
        server=server,
        bits=np.zeros(1),
        gain=one,
        noise_w_per_hz=one,
        max_power_w=one,
        cycles=work.cycles,
        max_frequency_hz=work.max_frequency_hz,
        min_frequency_hz=work.min_frequency_hz,
        capacitance=work.capacitance,
        band_hz=1.0,
        overhead_w=np.zeros(1),
        scaled=work.scaled,
    )
