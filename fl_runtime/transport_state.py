"""What nodes keep of a module that travels packed, and how differences are sent with what was lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fl_runtime.packing import Packet
from fl_runtime.quantise import quantise, restore
from fl_runtime.server_optimisers import Memory

State = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
Known = Mapping[str, frozenset[int]]
"""Numbers of the models that each node has."""


@dataclass(frozen=True)
class Load:
    """What of one module a transfer carried: states of 32 bits a parameter, and packets."""

    states: int
    packets: int
    packet_bytes: int = 0


@dataclass
class Kept:
    """What the nodes keep of one module from round to round; plain data, for checkpoints.

    Parameters
    ----------
    models : dict of int to array
        Models by number that some node has, (size,); 0 is the one with which all start.
    number_of : dict of str to dict of str to int
        For each node, by the node that made it: the number of the last model that it has.
    rest_up : dict of str to array
        By node: what rounding lost of its updates, (size,).
    rest_down : dict of int to dict of str to array
        By precision and node: what rounding lost of its models, (size,).
    memories : dict of str to tuple of array
        By node: state of its server optimiser.
    num_models : int
        How many were made.
    """

    models: dict[int, State]
    number_of: dict[str, dict[str, int]] = field(default_factory=dict)
    rest_up: dict[str, State] = field(default_factory=dict)
    rest_down: dict[int, dict[str, State]] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    num_models: int = 1

    def add(self, node: str, maker: str, values: State) -> int:
        """Keep a new model of ``maker`` at a node; return its number."""
        number = self.num_models
        self.num_models += 1
        self.models[number] = values
        self.take(node, maker, number)
        return number

    def take(self, node: str, maker: str, number: int) -> None:
        """Let a node have a model, in place of the last one of the same maker."""
        self.number_of.setdefault(node, {})[maker] = number


def most_known(known: Known, numbers: Iterable[int], nodes: Iterable[str]) -> int | None:
    """Return which model most of ``nodes`` have, the latest among equals; ``None`` if none has any."""
    nodes = tuple(nodes)
    counts = [(sum(number in known[node] for node in nodes), number) for number in numbers]
    count, number = max(counts, default=(0, 0))
    return number if count else None


def send_coded(
    values: FloatArray, bits: int, reference: int, weight: float, rests: dict[str, State], node: str
) -> tuple[FloatArray, float, int]:
    """Send a difference through bytes; what rounding loses is kept in ``rests`` and added the next time.

    Parameters
    ----------
    values : array of float, shape (size,)
        What is to be sent.
    bits : int
        Bits a parameter, below 32.
    reference : int
        Number of the model from which it differs.
    weight : float
        Weight of an update.
    rests : dict of str to array
        What was lost by node; it is changed.
    node : str
        The sender.

    Returns
    -------
    values : array of float, shape (size,)
        What arrives.
    weight : float
        The weight that arrives.
    num_bytes : int
        Length of the packet.
    """
    wanted = values + rests[node] if node in rests else values
    if not np.isfinite(wanted).all():
        raise ValueError(
            f"node {node!r} has NaN or infinite parameters, which {bits} bits cannot carry: training "
            "diverged; lower learning_rate or the rate of the server optimiser"
        )
    codes, scale = quantise(wanted, bits)
    content = Packet(bits, reference, scale, weight, codes).to_bytes()
    packet = Packet.from_bytes(content, len(values))
    arrived = restore(packet.codes, packet.scale, packet.bits)
    rests[node] = (wanted - arrived).astype(np.float32)
    return arrived, packet.weight, len(content)
