"""When each device's own update is ready, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Serving
from hfedfm_opt.system.network import Network


@dataclass(frozen=True)
class Readiness:
    """When each device's own update is ready and what it costs.

    Parameters
    ----------
    seconds, joules : mapping of str to float
        Per device and round, at full CPU frequency.
    own_flops : mapping of str to float
        Operations per round on the device itself.
    helped : frozenset of str
        Devices that do not run all their modules themselves; the CPU of the others may be slowed down.
    busy : frozenset of str
        Devices whose radio carries activations while they train.
    """

    seconds: Mapping[str, float]
    joules: Mapping[str, float]
    own_flops: Mapping[str, float]
    helped: frozenset[str]
    busy: frozenset[str]


def readiness(network: Network, servings: tuple[Serving, ...]) -> Readiness:
    """Return when each device's update is ready at full CPU frequency, and the joules that it takes."""
    of_device: dict[str, list[Serving]] = {}
    for serving in servings:
        of_device.setdefault(serving.device, []).append(serving)
    seconds, joules, own_flops = {}, {}, {}
    for device in network.devices:
        ledger = Ledger()
        helped = of_device.get(device, ())
        seconds[device] = Phase(network, ledger, "", "").train(device, None, helped)
        joules[device] = sum(ledger.energy_j.values())
        remote = {serving.module for serving in helped}
        loads = loads_of(network, device)
        own_flops[device] = sum(load.flops for module, load in loads.items() if module not in remote)
    return Readiness(seconds, joules, own_flops, frozenset(of_device), frozenset(of_device))
