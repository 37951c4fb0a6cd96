"""The least energy that a device needs in a round, whatever is decided: what makes a limit impossible."""

import math
from dataclasses import dataclass

from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.instance import Cpu, FixedSpeed
from hfedfm_opt.system.network import Network, WirelessEdge


@dataclass(frozen=True)
class LeastEnergy:
    """Joules per round that a device needs at least for its training and for sending its update."""

    training_j: float
    sending_j: float

    @property
    def joules(self) -> float:
        """Both."""
        return self.training_j + self.sending_j


def least_energy(
    network: Network, device: str, rhythm: Rhythm, max_latency_s: float, *, allocate: bool
) -> LeastEnergy:
    """Return a lower bound on the joules per round of a device over all plans.

    It trains what may run nowhere else, C cycles in at most the longest round, hence with at least
    ``k C^3 / T^2`` joules where its frequency is decided.  Once in a cycle that reaches the cloud it sends
    its own update, to an aggregator or as one, with at least ``bits N0 ln 2 / gain`` radiated joules, and
    for at least the time that the whole band takes at full power.

    Parameters
    ----------
    network : Network
        The network.
    device : str
        Id of the device.
    rhythm : Rhythm
        How often the cloud averages.
    max_latency_s : float
        Longest round, s; inf: any.
    allocate : bool
        Whether CPU frequencies are decided; otherwise they are the highest.
    """
    highest = network.instance.tiers[-1]
    flops = sum(
        load.flops
        for module, load in loads_of(network, device).items()
        if set(network.modules[module].may_run_on) <= {highest}
    )
    bits = network.bits_of(without_movable(network).trained_on[device], "update")
    sends = rhythm.num_cloud_rounds / rhythm.num_rounds
    return LeastEnergy(
        _training_j(network, device, flops, max_latency_s if allocate else 0.0),
        sends * _sending_j(network, device, bits) if sends and bits else 0.0,
    )


def _training_j(network: Network, device: str, flops: float, within_s: float) -> float:
    processor = network.nodes[device].processor
    if isinstance(processor, FixedSpeed):
        return processor.power_w * flops / processor.flops_per_s
    if not isinstance(processor, Cpu):
        return 0.0
    cycles = flops / processor.flops_per_cycle
    frequency_hz = cycles / within_s if within_s > 0 else processor.max_frequency_hz
    return processor.effective_capacitance * cycles * min(frequency_hz, processor.max_frequency_hz) ** 2


def _sending_j(network: Network, device: str, bits: float) -> float:
    radio, least = network.nodes[device].radio, math.inf
    server = network.parent(device)
    for target in (server, *network.members[server]):
        edge = network.edges.get((device, target))
        if edge is None or target == device:
            continue
        if not isinstance(edge, WirelessEdge):
            seconds = edge.delay_s + (0.0 if edge.rate_bps is None else bits / edge.rate_bps)
            least = min(least, seconds * edge.power_w)
            continue
        assert radio is not None, "a wireless link starts at a radio"
        radiated_j = bits * edge.noise_w_per_hz * math.log(2) / edge.gain
        seconds = bits / edge.rate_bps(network.bands[edge.band].band_hz, radio.max_power_w)
        least = min(least, radiated_j / radio.amplifier_efficiency + radio.circuit_power_w * seconds)
    return least if math.isfinite(least) else 0.0
