"""Senders that share a server's uplink band, as the allocation solver takes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.computing import Computing
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
    bits, gain, noise_w_per_hz, max_power_w : FloatArray
        As ``solvers.allocation.AllocationProblem`` takes them; power is drawn: radiated over efficiency.
    cycles, max_frequency_hz, min_frequency_hz, capacitance : FloatArray
        Likewise.
    band_hz : float
        The whole band of the server, Hz.
    overhead_w : FloatArray
        Power besides the amplifier's while a sender is on the air, both ends, W; the solver does not see it.
    scaled : frozenset of str
        Senders whose CPU frequency is decided.
    """

    senders: tuple[str, ...]
    server: str
    bits: FloatArray
    gain: FloatArray
    noise_w_per_hz: FloatArray
    max_power_w: FloatArray
    cycles: FloatArray
    max_frequency_hz: FloatArray
    min_frequency_hz: FloatArray
    capacitance: FloatArray
    band_hz: float
    overhead_w: FloatArray
    scaled: frozenset[str] = frozenset()

    @property
    def least_overhead_j(self) -> float:
        """Joules of that power, at least: each sender alone in the band at full power."""
        snr = self.max_power_w * self.gain / (self.noise_w_per_hz * self.band_hz)
        seconds = self.bits / (self.band_hz * np.log2(1.0 + snr))
        return float((self.overhead_w * seconds).sum())

    @property
    def floor_j(self) -> float:
        """Joules that no allocation undercuts, with all time and band in the world.

        b bits over a gain g at the noise density N0 take more than b N0 ln 2 / g joules (Shannon's limit).
        """
        radiated_j = float((self.bits * self.noise_w_per_hz / self.gain).sum()) * math.log(2)
        return radiated_j + self.least_overhead_j


def uplink_cell(
    network: Network, senders: Sequence[str], server: str, computing: Computing | None
) -> UplinkCell | None:
    """Return the allocation cell of senders to a server, or ``None`` where their links do not fit it.

    Parameters
    ----------
    network : Network
        The network.
    senders : sequence of str
        One sender carries its cluster's merged update; several each carry their own.
    server : str
        Id of the receiver.
    computing : Computing or None
        Training of the senders that is part of the cell; ``None``: one only sends its cluster's update.
    """
    edges = [network.edges.get((sender, server)) for sender in senders]
    wireless = [edge for edge in edges if isinstance(edge, WirelessEdge)]
    if len(wireless) < len(senders) or len({edge.band for edge in wireless}) != 1:
        return None
    figures = np.array([_sender_figures(network, sender, server) for sender in senders]).T
    efficiency, overhead_w, max_power_w = figures
    none = np.zeros(len(senders))
    work = computing or Computing(none, none + 1.0, none, none, frozenset(), 0.0)
    cluster = network.members[server] if computing is None else ()
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
        cycles=work.cycles,
        max_frequency_hz=work.max_frequency_hz,
        min_frequency_hz=work.min_frequency_hz,
        capacitance=work.capacitance,
        band_hz=network.bands[wireless[0].band].band_hz,
        overhead_w=overhead_w,
        scaled=work.scaled,
    )


def _sender_figures(network: Network, sender: str, server: str) -> tuple[float, float, float]:
    radio, receiver = network.nodes[sender].radio, network.nodes[server].radio
    assert radio is not None, "a wireless link starts at a radio"
    assert receiver is not None, "a wireless link ends at a radio"
    overhead_w = radio.circuit_power_w + receiver.receive_power_w
    return radio.amplifier_efficiency, overhead_w, radio.max_power_w
