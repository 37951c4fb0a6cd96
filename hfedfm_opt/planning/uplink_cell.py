"""Senders that share a server's uplink band, as the allocation solver takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.common.arrays import FloatArray


@dataclass(frozen=True)
class UplinkCell:
    """Senders of one cluster that share its uplink band, for the allocation solver.

    Parameters
    ----------
    senders : tuple of str
        Ids; arrays below have one value for each.
    server : str
        Id of the receiver.
    bits, gain, noise_w_per_hz, max_power_w, cycles, max_frequency_hz, capacitance : FloatArray
        As ``solvers.allocation.AllocationProblem`` takes them; power is drawn: radiated over efficiency.
    band_hz : float
        The whole band of the server, Hz.
    overhead_w : FloatArray
        Power besides the amplifier's while a sender is on the air, both ends, W; the solver does not see it.
    """

    senders: tuple[str, ...]
    server: str
    bits: FloatArray
    gain: FloatArray
    noise_w_per_hz: FloatArray
    max_power_w: FloatArray
    cycles: FloatArray
    max_frequency_hz: FloatArray
    capacitance: FloatArray
    band_hz: float
    overhead_w: FloatArray


def uplink_cell(
    network: Network, senders: Sequence[str], server: str, flops: Mapping[str, float] | None
) -> UplinkCell | None:
    """Return the allocation cell of senders to a server, or ``None`` where links or processors do not fit it.

    Parameters
    ----------
    network : Network
        The network.
    senders : sequence of str
        One sender carries its cluster's merged update; several each carry their own.
    server : str
        Id of the receiver.
    flops : mapping of str to float or None
        Training of each sender that is part of the cell; ``None``: it only sends its cluster's update.
    """
    edges = [network.edges.get((sender, server)) for sender in senders]
    wireless = [edge for edge in edges if isinstance(edge, WirelessEdge)]
    if len(wireless) < len(senders) or len({edge.band for edge in wireless}) != 1:
        return None
    rows = [_sender_figures(network, sender, server, flops[sender] if flops else 0.0) for sender in senders]
    if any(row is None for row in rows):
        return None
    figures = np.array([row for row in rows if row is not None]).T
    efficiency, overhead_w, max_power_w, cycles, max_frequency_hz, capacitance = figures
    cluster = network.members[server] if flops is None else ()
    union = {name for device in cluster for name in network.trained_on[device]}
    return UplinkCell(
        senders=tuple(senders),
        server=server,
        bits=np.array(
            [
                sum(network.update_bits(name) for name in sorted(union or network.trained_on[sender]))
                for sender in senders
            ]
        ),
        gain=np.array([edge.gain for edge in wireless]) * efficiency,
        noise_w_per_hz=np.array([edge.noise_w_per_hz for edge in wireless]),
        max_power_w=max_power_w / efficiency,
        cycles=cycles,
        max_frequency_hz=max_frequency_hz,
        capacitance=capacitance,
        band_hz=network.bands[wireless[0].band].band_hz,
        overhead_w=overhead_w,
    )


def _sender_figures(network: Network, sender: str, server: str, flops: float) -> tuple[float, ...] | None:
    node, radio, receiver = network.nodes[sender], network.nodes[sender].radio, network.nodes[server].radio
    assert radio is not None, "a wireless link starts at a radio"
    assert receiver is not None, "a wireless link ends at a radio"
    overhead_w = radio.circuit_power_w + receiver.receive_power_w
    if not isinstance(node.processor, Cpu):
        if flops > 0 and node.processor is not None:
            return None
        return radio.amplifier_efficiency, overhead_w, radio.max_power_w, 0.0, 1.0, 0.0
    return (
        radio.amplifier_efficiency,
        overhead_w,
        radio.max_power_w,
        flops / node.processor.flops_per_cycle,
        node.processor.max_frequency_hz,
        node.processor.effective_capacitance,
    )
