"""What of the model is where: modules, their replicas, and which of them serve a device."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module of the model.

    Parameters
    ----------
    id : str
        Unique name.
    kind : str
        ``encoder``, ``prompt``, ``backbone``, ``expert``, ``gate``, ``adapter``, ``lora`` or ``head``.
    update_bits : float
        Bits of one update of it on a link, >= 0.
    trainable : bool
        Whether its replicas are trained and averaged.
    task, modality : str or None
        The task of a head (or prompt or LoRA), the modality of an encoder.
    expert_group : str or None
        The mixture to which an expert belongs, or among whose experts a gate chooses.
    """

    id: str
    kind: str
    update_bits: float
    trainable: bool
    task: str | None = None
    modality: str | None = None
    expert_group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replica:
    """A copy of a module on a host.

    Parameters
    ----------
    module, host : str
        Names of the module and of the node.
    weight : float
        Its weight in averages of its module (the samples that train it), >= 0.
    """

    module: str
    host: str
    weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a device runs for one of its tasks.

    Parameters
    ----------
    device, task : str
        Names.
    samples : int
        Training samples that the device holds of the task, >= 0.
    modalities : tuple of str
        Modalities of these samples.
    hosts : mapping of str to str
        For each module that the task needs: the node whose replica serves.
    """

    device: str
    task: str
    samples: int
    modalities: tuple[str, ...]
    hosts: Mapping[str, str]
