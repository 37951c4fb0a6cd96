"""What happens in a round, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule.nodes import Medium
from fl_runtime.server_optimisers import Plain, ServerOptimiser

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
