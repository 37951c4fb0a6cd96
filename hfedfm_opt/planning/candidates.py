"""Where a module may run for a device: on the device, or on a node above it, with the cost of each."""

from dataclasses import dataclass
from itertools import pairwise

from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.work import Load
from hfedfm_opt.system.decisions import Hop
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network


@dataclass(frozen=True)
class Candidate:
    """One way to run a module for a device.

    Parameters
    ----------
    device, module, host : str
        Ids; the host is the device itself or a node above it.
    out, back : tuple of Hop
        Ways of the activations, empty on the device itself.
    link_seconds, host_seconds : float
        Time on the way there and back at nominal resources, and on the host with its whole processor.
    joules : float
        Energy of both.
    flops : float
        Work put on the host.
    """

    device: str
    module: str
    host: str
    out: tuple[Hop, ...]
    back: tuple[Hop, ...]
    link_seconds: float
    host_seconds: float
    joules: float
    flops: float


def candidates_of(network: Network, device: str, module: str, load: Load) -> list[Candidate]:
    """Return every way to run a module for a device.

    Trainable modules stay on their devices.  A frozen module may run on the device if ``may_run_on`` is empty
    or names the devices' tier, and on a node above it whose tier is named and whose processor is not a CPU.
    """
    spec = network.modules[module]
    device_tier = network.instance.tiers[-1]
    found: list[Candidate] = []
    if not spec.may_run_on or device_tier in spec.may_run_on or spec.trainable:
        ledger = Ledger()
        seconds = Phase(network, ledger, device, "nominal").compute(device, load.flops, None, 1.0, 0.0)
        joules = sum(ledger.energy_j.values())
        found.append(Candidate(device, module, device, (), (), 0.0, seconds, joules, load.flops))
    if spec.trainable:
        return found
    path = network.path_up(device)
    for depth, host in enumerate(path[1:], start=1):
        runs = not isinstance(network.nodes[host].processor, Cpu)
        if network.nodes[host].tier in spec.may_run_on and runs:
            candidate = _remote(network, device, module, path[: depth + 1], load)
            if candidate is not None:
                found.append(candidate)
    return found


def _remote(
    network: Network, device: str, module: str, path: tuple[str, ...], load: Load
) -> Candidate | None:
    sharers = len(network.members[path[1]])
    steps = list(pairwise(path))
    try:
        out = tuple(nominal_hop(network, low, high, sharers) for low, high in steps)
        back = tuple(nominal_hop(network, high, low, sharers) for low, high in reversed(steps))
    except MissingLink:
        return None
    host = path[-1]
    ledger = Ledger()
    phase = Phase(network, ledger, device, "nominal")
    seconds = 0.0
    for hop in (*out, *back):
        seconds = phase.transfer(hop, load.activation_bits, seconds)
    link_seconds = seconds
    seconds = phase.compute(host, load.flops, None, 1.0, link_seconds)
    joules = sum(ledger.energy_j.values())
    return Candidate(
        device, module, host, out, back, link_seconds, seconds - link_seconds, joules, load.flops
    )
