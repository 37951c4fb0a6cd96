"""The whole schedule: its world, its kinds of round, and how devices train."""

from dataclasses import dataclass, field

from fl_runtime.schedule.living import LivingNetwork, Policy
from fl_runtime.schedule.modules import Module, Replica, Route
from fl_runtime.schedule.nodes import Band, Node
from fl_runtime.schedule.steps import Step


@dataclass(frozen=True, kw_only=True)
class RoundKind:
    """One kind of round: its name, its steps, whether the cloud averages in it, and for whom it waits."""

    name: str
    steps: tuple[Step, ...]
    reaches_cloud: bool = False
    policy: Policy = field(default_factory=Policy)


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
    backbone_rate : float
        Learning rate of the backbone, likewise, > 0; its last block alone is trained, and does best at the
        full rate.
    experts_per_token : int
        To how many of its experts a device sends a token where a gate chooses, >= 1.
    balance_weight : float
        Weight of the loss that keeps the experts evenly used, >= 0.
    num_shards : int or None
        Shards of a device, each of one label and of equal size, >= 1, in place of ``label_skew``.
    quantity_skew : float or None
        Shape of the gamma distribution of mean one by which the ``samples`` of routes are multiplied, > 0;
        weights of replicas follow.  ``None``: devices hold what routes say.
    """

    local_steps: int = 4
    batch_size: int = 8
    learning_rate: float = 3e-3
    label_skew: float | None = 0.1
    encoder_rate: float = 0.1
    backbone_rate: float = 1.0
    experts_per_token: int = 2
    balance_weight: float = 0.01
    num_shards: int | None = None
    quantity_skew: float | None = None


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
    living : LivingNetwork or None
        What changes from round to round; ``None``: nothing.
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
    living: LivingNetwork | None = None

    def kind_of_round(self, index: int) -> RoundKind:
        """Return the kind of round ``index`` (0-based)."""
        name = self.cycle[index % len(self.cycle)]
        return next(kind for kind in self.kinds if kind.name == name)
