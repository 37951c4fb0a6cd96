"""Where a module may run for a device: on the device, or on a node above it, with the cost of each."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.trained_elsewhere import may_leave
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
    update_seconds, update_joules : float
        Of sending the device's update to the node above and getting the model back, at nominal resources;
        zero where every placement does.
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
    update_seconds: float = 0.0
    update_joules: float = 0.0


Reach = Literal["device", "server", "above"]
"""Where trainable modules may be trained: on their devices alone, on the servers of the devices too, or on
any node above them."""


def candidates_of(
    network: Network, device: str, module: str, load: Load, reach: Reach = "device"
) -> list[Candidate]:
    """Return every way to run a module for a device.

    A module may run on the device if ``may_run_on`` is empty or names the devices' tier, and on a node above
    it whose tier is named and whose processor is not a CPU; a trainable one only within reach, and always on
    the device where nothing else is.

    Parameters
    ----------
    network : Network
        The network.
    device, module : str
        Ids.
    load : Load
        Work of the module for the device.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    """
    spec = network.modules[module]
    found: list[Candidate] = []
    path = network.path_up(device)
    last = {"device": 0, "server": 1, "above": len(path)}[reach] if spec.trainable else len(path)
    for depth, host in enumerate(path[1 : last + 1], start=1):
        runs = not isinstance(network.nodes[host].processor, Cpu)
        if network.nodes[host].tier in spec.may_run_on and runs:
            candidate = _remote(network, device, module, path[: depth + 1], load)
            if candidate is not None:
                found.append(candidate)
    at_home = not spec.may_run_on or network.instance.tiers[-1] in spec.may_run_on
    if at_home or (spec.trainable and not found):
        found.insert(0, _own(network, device, module, load))
    return found


def _own(network: Network, device: str, module: str, load: Load) -> Candidate:
    ledger = Ledger()
    seconds = Phase(network, ledger, device, "nominal").compute(device, load.flops, None, 1.0, 0.0)
    joules = sum(ledger.energy_j.values())
    own = Candidate(device, module, device, (), (), 0.0, seconds, joules, load.flops)
    return _with_update(network, own) if may_leave(network, module) else own


def _with_update(network: Network, own: Candidate) -> Candidate:
    """Return a device's own training with what its update costs, which others would not send."""
    server = network.parent(own.device)
    sharers = len(network.members[server])
    ledger = Ledger()
    phase = Phase(network, ledger, own.device, "nominal")
    try:
        up = nominal_hop(network, own.device, server, sharers)
        down = nominal_hop(network, server, own.device, sharers)
    except MissingLink:
        return own
    modules = frozenset((own.module,))
    seconds = phase.send(down, modules, phase.send(up, modules, 0.0), "model")
    return replace(own, update_seconds=seconds, update_joules=sum(ledger.energy_j.values()))


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
    for hop in out:
        seconds = phase.transfer(hop, load.out_bits, seconds)
    for hop in back:
        seconds = phase.transfer(hop, load.back_bits, seconds)
    link_seconds = seconds
    seconds = phase.compute(host, load.flops, None, 1.0, link_seconds)
    joules = sum(ledger.energy_j.values())
    return Candidate(
        device, module, host, out, back, link_seconds, seconds - link_seconds, joules, load.flops
    )
