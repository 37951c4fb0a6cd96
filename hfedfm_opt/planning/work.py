"""What training costs each device and host: operations and activation bits of a round."""

from collections.abc import Mapping
from dataclasses import dataclass

from hfedfm_opt.system.instance import Module
from hfedfm_opt.system.network import Network


@dataclass(frozen=True)
class Load:
    """Work of one module for one device and round.

    Parameters
    ----------
    flops : float
        Operations, forward and, where a gradient must pass, backward.
    out_bits : float
        Bits on the way to a host if the module runs elsewhere: activations and, if the module is trained or
        one before it is, gradients of its results.
    back_bits : float
        Bits on the way back: results and, if a module before it is trained, gradients of what entered it.
    """

    flops: float
    out_bits: float
    back_bits: float


def loads_of(network: Network, device: str) -> Mapping[str, Load]:
    """Return the load of each module that a device runs, summed over its tasks, in the order of execution.

    A gradient must pass a module if the module is trainable or one before it in the task's order is.  Work is
    ``samples * local_epochs * flops per sample``.

    Parameters
    ----------
    network : Network
        The network.
    device : str
        Id of the device.
    """
    key = ("loads", network.profile_of[device])
    if key not in network.memo:
        network.memo[key] = _loads(network, device)
    found: Mapping[str, Load] = network.memo[key]
    return found


def _loads(network: Network, device: str) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    epochs = network.instance.training.local_epochs
    for data in network.nodes[device].data:
        passes = data.samples * epochs
        below = False
        for module in network.modules_of(device, data.task):
            load = _load(module, passes, below=below)
            below = below or module.trainable
            seen = loads.get(module.id, Load(0.0, 0.0, 0.0))
            loads[module.id] = Load(
                seen.flops + load.flops, seen.out_bits + load.out_bits, seen.back_bits + load.back_bits
            )
    return loads


def _load(module: Module, passes: float, *, below: bool) -> Load:
    """Return the load of so many passes; ``below``: a module before this one is trained."""
    gradient = below or module.trainable
    bits = passes * module.activation_bits_per_sample
    return Load(
        flops=passes
        * (module.forward_flops_per_sample + (module.backward_flops_per_sample if gradient else 0.0)),
        out_bits=bits * (2.0 if gradient else 1.0),
        back_bits=bits * (2.0 if below else 1.0),
    )
