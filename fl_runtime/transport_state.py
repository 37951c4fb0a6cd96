"""What nodes keep of a module that travels packed, and how differences are sent with what was lost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fl_runtime.packing import ByteRows, Packets
from fl_runtime.quantise import quantise_rows, restore
from fl_runtime.server_optimisers import Memory

State = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
_CODED_AT_ONCE = 2**15
"""Parameters quantised in one go: 256 KiB of float64, so that all steps of it find them in the cache."""

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


@dataclass(frozen=True)
class Coding:
    """Differences to be sent through bytes, those of one precision and module, each a row.

    Parameters
    ----------
    values : array of float, shape (senders, size)
        What is to be sent; it is changed.
    bits : int
        Bits a parameter, below 32.
    references : sequence of int
        Of each: number of the model from which it differs.
    weights : sequence of float
        Of each: weight of an update.
    rests : sequence of mapping of str to array
        Of each: where it keeps what was lost, by node; they are changed.
    nodes : sequence of str
        The senders.
    """

    values: FloatArray
    bits: int
    references: Sequence[int]
    weights: Sequence[float]
    rests: Sequence[dict[str, State]]
    nodes: Sequence[str]


def send_coded(coding: Coding) -> tuple[FloatArray, list[float], int]:
    """Send differences through bytes; what rounding loses is kept in ``rests`` and added the next time.

    Returns
    -------
    values : array of float, shape (senders, size)
        What arrives.
    weights : list of float
        The weights that arrive.
    num_bytes : int
        Length of a packet.
    """
    size = coding.values.shape[1]
    arrived, weights, num_bytes = np.empty_like(coding.values), [], 0
    rows = max(1, _CODED_AT_ONCE // max(1, size))
    for start in range(0, len(coding.nodes), rows):
        part = slice(start, start + rows)
        packets = _sent(coding, part)
        num_bytes = len(packets[0])
        back = Packets.from_bytes(packets, size)
        arrived[part] = restore(back.codes, back.scales, back.bits)
        weights += back.weights.tolist()
        lost = (coding.values[part] - arrived[part]).astype(np.float32)
        for rests, node, rest in zip(coding.rests[part], coding.nodes[part], lost, strict=True):
            rests[node] = rest
    return arrived, weights, num_bytes


def _sent(coding: Coding, part: slice) -> ByteRows:
    """Return the packets of some senders; their values become what they wanted to send."""
    wanted = coding.values[part]
    for place, (rests, node) in enumerate(zip(coding.rests[part], coding.nodes[part], strict=True)):
        if node in rests:
            wanted[place] += rests[node]
    if not np.isfinite(wanted.sum()):
        _check_finite(wanted, coding.nodes[part], coding.bits)
    codes, scales = quantise_rows(wanted, coding.bits)
    references = np.array(coding.references[part], dtype=np.int64)
    return Packets(coding.bits, references, scales, np.array(coding.weights[part]), codes).to_bytes()


def _check_finite(wanted: FloatArray, nodes: Sequence[str], bits: int) -> None:
    for row, node in zip(wanted, nodes, strict=True):
        if not np.isfinite(row).all():
            raise ValueError(
                f"node {node!r} has NaN or infinite parameters, which {bits} bits cannot carry: training "
                "diverged; lower learning_rate or the rate of the server optimiser"
            )
