"""The runtime's input language: who computes, sends, merges and averages what, and when.

A :class:`Schedule` is plain data.  It is written by a planner, by a baseline or by hand, is kept as JSON,
and needs neither torch nor this project's planners.

Meaning of the steps
--------------------
A round kind is a list of steps; ``after`` names the steps of the same round that must have ended before.
A step whose ``after`` is empty starts when its nodes have ended all their steps of earlier rounds.

- :class:`Compute`: a node works; for a device this is the local training of its trainable replicas.
- :class:`Transfer`: modules travel over one link.  ``content`` says what of them: the ``update`` on its way
  to an average, the averaged ``model`` on its way back, or ``activation`` traffic of split execution.
- :class:`Merge`: a relay adds the updates that arrived to its own, weights carried along.
- :class:`Aggregate`: the node divides the merged updates by their total weight: a new model.
- :class:`Mix`: nodes average with their neighbours by a doubly stochastic matrix, for a number of sweeps.
- :class:`Deliver`: at one common moment the nodes' replicas become the model that reached them.
- :class:`Evaluate`: the models that the devices would use now are tested; costs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from fl_runtime.packing import FULL_BITS
from fl_runtime.server_optimisers import Plain, ServerOptimiser


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """A processor whose frequency can be scaled.

    Parameters
    ----------
    flops_per_cycle : float
        Operations per cycle, > 0.
    max_frequency_hz : float
        Highest frequency, Hz, > 0.
    effective_capacitance : float
        J s^2 / cycle^3, >= 0.
    """

    type: Literal["cpu"] = "cpu"
    flops_per_cycle: float
    max_frequency_hz: float
    effective_capacitance: float


@dataclass(frozen=True, kw_only=True)
class FixedSpeed:
    """A processor of fixed speed (flop/s, > 0) and power (W, >= 0)."""

    type: Literal["fixed"] = "fixed"
    flops_per_s: float
    power_w: float


Processor = Annotated[Cpu | FixedSpeed, Field(discriminator="type")]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A device, an edge server, a fog node or the cloud.

    Parameters
    ----------
    id : str
        Unique name.
    tier : str
        Name of its tier, such as ``"device"``.
    processor : Cpu or FixedSpeed or None
        ``None``: its computing takes no time and no energy.
    half_duplex : bool
        Whether its radio does one thing at a time; otherwise it sends and receives in parallel.
    amplifier_efficiency : float
        In (0, 1].
    circuit_power_w, receive_power_w : float
        Power while sending besides the amplifier's, and while receiving, W, >= 0.
    """

    id: str
    tier: str
    processor: Processor | None = None
    half_duplex: bool = False
    amplifier_efficiency: float = 1.0
    circuit_power_w: float = 0.0
    receive_power_w: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Band:
    """A piece of spectrum, ``band_hz`` wide, that the transfers naming it share."""

    id: str
    band_hz: float


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


@dataclass(frozen=True, kw_only=True)
class Wireless:
    """A share of a band from one node to another.

    Parameters
    ----------
    band : str
        Name of the band.
    band_hz : float
        Share of it, Hz, > 0.
    power_w : float
        Radiated power, W, > 0.
    gain : float
        Power gain, > 0.
    noise_w_per_hz : float
        Noise density at the receiver, W/Hz, > 0.
    """

    type: Literal["wireless"] = "wireless"
    band: str
    band_hz: float
    power_w: float
    gain: float
    noise_w_per_hz: float


@dataclass(frozen=True, kw_only=True)
class Wired:
    """A link of fixed rate.

    Parameters
    ----------
    rate_bps : float or None
        bit/s, > 0; ``None`` means unlimited.
    delay_s, power_w : float
        Constant delay, s, and the power drawn while it works, W, both >= 0.
    """

    type: Literal["wired"] = "wired"
    rate_bps: float | None
    delay_s: float = 0.0
    power_w: float = 0.0


Medium = Annotated[Wireless | Wired, Field(discriminator="type")]
Content = Literal["update", "model", "activation"]


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Work of a node.

    Parameters
    ----------
    flops : float
        Operations, >= 0.
    frequency_hz : float or None
        Frequency of a :class:`Cpu`; ``None`` for another processor or none.
    share : float
        Part of a :class:`FixedSpeed` processor that is reserved for this work, in (0, 1].
    """

    type: Literal["compute"] = "compute"
    id: str
    after: tuple[str, ...] = ()
    node: str
    flops: float
    frequency_hz: float | None = None
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Modules that travel over one link; ``bits`` is all that travels, scales and headers included.

    An update is that of the source, with what it has merged; where ``origin`` names another node, the source
    only passes that node's update on.

    Parameters
    ----------
    precision_bits : mapping of str to int
        Bits a parameter of modules that travel as a quantised difference: 16, 8, 4, 3, 2 or 1.  Modules that
        are not named travel as they are, with 32.  ``bits`` is then the sum of
        :func:`fl_runtime.packing.packed_bits` over the modules.
    """

    type: Literal["transfer"] = "transfer"
    id: str
    after: tuple[str, ...] = ()
    source: str
    target: str
    content: Content
    origin: str | None = None
    modules: tuple[str, ...]
    bits: float
    medium: Medium
    precision_bits: Mapping[str, int] = field(default_factory=dict)

    def bits_a_parameter(self, module: str) -> int:
        """Return the bits with which a parameter of ``module`` travels."""
        return self.precision_bits.get(module, FULL_BITS)


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A relay adds the updates of ``modules`` that arrived to its own."""

    type: Literal["merge"] = "merge"
    id: str
    after: tuple[str, ...] = ()
    node: str
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """A node turns its own and the arrived updates of ``modules`` into their weighted average.

    ``optimiser`` says how the average becomes the node's new model; its state is kept per module and node.
    """

    type: Literal["aggregate"] = "aggregate"
    id: str
    after: tuple[str, ...] = ()
    node: str
    modules: tuple[str, ...]
    optimiser: ServerOptimiser = field(default_factory=Plain)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Consensus sweeps: in each, node i takes ``sum_j weights[i][j] * model_j``.

    Parameters
    ----------
    nodes : tuple of str
        The nodes, in the order of the matrix.
    weights : tuple of tuple of float
        Doubly stochastic matrix: rows and columns sum to one.
    sweeps : int
        How often it is applied, >= 1.
    """

    type: Literal["mix"] = "mix"
    id: str
    after: tuple[str, ...] = ()
    nodes: tuple[str, ...]
    modules: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    sweeps: int = 1


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """The replicas of ``modules`` on ``nodes`` become, at one common moment, the model that reached them."""

    type: Literal["deliver"] = "deliver"
    id: str
    after: tuple[str, ...] = ()
    nodes: tuple[str, ...]
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """The models that the devices would use now are tested."""

    type: Literal["evaluate"] = "evaluate"
    id: str
    after: tuple[str, ...] = ()


Step = Annotated[
    Compute | Transfer | Merge | Aggregate | Mix | Deliver | Evaluate,
    Field(discriminator="type"),
]


@dataclass(frozen=True, kw_only=True)
class RoundKind:
    """One kind of round: its name, its steps, and whether the cloud averages in it."""

    name: str
    steps: tuple[Step, ...]
    reaches_cloud: bool = False


@dataclass(frozen=True, kw_only=True)
class Training:
    """How devices train.

    Parameters
    ----------
    local_steps : int
        Optimiser steps of a device per task and round, >= 1.
    batch_size : int
        Samples per step, >= 1.
    learning_rate : float
        Of AdamW, > 0.
    label_skew : float or None
        Concentration of the Dirichlet distribution that draws each device's labels, > 0; ``None``: even.
    encoder_rate : float
        Learning rate of encoders, as a part of ``learning_rate``, > 0: they are pretrained.
    experts_per_token : int
        To how many of its experts a device sends a token where a gate chooses, >= 1.
    balance_weight : float
        Weight of the loss that keeps the experts evenly used, >= 0.
    """

    local_steps: int = 4
    batch_size: int = 8
    learning_rate: float = 3e-3
    label_skew: float | None = 0.1
    encoder_rate: float = 0.1
    experts_per_token: int = 2
    balance_weight: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Everything that the runtime executes.

    Parameters
    ----------
    name : str
        Where it comes from, such as ``"paper-40: hierarchical:2"``.
    nodes, bands, modules, replicas, routes
        The world and the placement.
    kinds : tuple of RoundKind
        The kinds of round.
    cycle : tuple of str
        Names of kinds, repeated until ``rounds`` are reached.
    rounds : int
        Number of rounds, >= 1.
    training : Training
        Settings of local training.
    """

    name: str
    nodes: tuple[Node, ...]
    bands: tuple[Band, ...]
    modules: tuple[Module, ...]
    replicas: tuple[Replica, ...]
    routes: tuple[Route, ...]
    kinds: tuple[RoundKind, ...]
    cycle: tuple[str, ...]
    rounds: int
    training: Training = field(default_factory=Training)

    def kind_of_round(self, index: int) -> RoundKind:
        """Return the kind of round ``index`` (0-based)."""
        name = self.cycle[index % len(self.cycle)]
        return next(kind for kind in self.kinds if kind.name == name)
