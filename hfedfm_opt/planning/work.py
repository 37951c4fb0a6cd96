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
    activation_bits : float
        Bits each way if the module runs elsewhere: activations there and results back, gradients likewise.
    """

    flops: float
    activation_bits: float


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
    loads: dict[str, Load] = {}
    epochs = network.instance.training.local_epochs
    for data in network.nodes[device].data:
        passes = data.samples * epochs
        gradient = False
        for module in network.modules_of(device, data.task):
            gradient = gradient or module.trainable
            load = _load(module, passes, gradient)
            seen = loads.get(module.id, Load(0.0, 0.0))
            loads[module.id] = Load(seen.flops + load.flops, seen.activation_bits + load.activation_bits)
    return loads


def _load(module: Module, passes: float, gradient: bool) -> Load:
    backward = module.backward_flops_per_sample if gradient else 0.0
    directions = 2.0 if gradient else 1.0
    return Load(
        flops=passes * (module.forward_flops_per_sample + backward),
        activation_bits=passes * directions * module.activation_bits_per_sample,
    )
