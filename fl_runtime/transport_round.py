"""One round of one module's transport: updates to their averages, models to their receivers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fl_runtime.itinerary import Gathering, Itinerary
from fl_runtime.packing import FULL_BITS, Packet
from fl_runtime.quantise import quantise, restore
from fl_runtime.schedule import Aggregate, Deliver, Merge, Replica, Transfer
from fl_runtime.server_optimisers import Memory, advance

State = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


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


@dataclass(frozen=True)
class _Update:
    """A weighted sum on its way: of differences from the gathering's reference, and of whole states.

    ``load`` is how it travelled last.
    """

    weight: float
    difference: FloatArray | None
    state_weight: float = 0.0
    state: FloatArray | None = None
    load: Load = Load(0, 0)


@dataclass(eq=False)
class _Model:
    """A model that a node has: its number once it has one, and how its codes were made, by precision."""

    maker: str
    values: State
    number: int | None = None
    coded: dict[int, "_Coded"] = field(default_factory=dict)


@dataclass(frozen=True)
class _Coded:
    """A model as its codes say it; ``reference`` ``None``: nobody has one, and it travels as it is."""

    maker: str
    values: State
    number: int
    reference: int | None
    num_bytes: int


class TransportRound:
    """One round of one module."""

    def __init__(
        self,
        module: str,
        ways: Itinerary,
        kept: Kept,
        known: Mapping[str, frozenset[int]],
        replicas: Sequence[Replica],
        rows: State,
    ) -> None:
        self._module, self._ways, self._kept, self._known = module, ways, kept, known
        self._rows = rows
        self._row_of = {replica.host: row for row, replica in enumerate(replicas)}
        self._weight_of = {replica.host: float(replica.weight) for replica in replicas}
        self._references: dict[Gathering, int | None] = {}
        self._merged: dict[str, _Update] = {}
        self._arrived: dict[str, list[_Update]] = {}
        self._passing: dict[tuple[str, str], _Update] = {}
        self._models: dict[str, _Model] = {}
        self.loads: dict[str, Load] = {}

    def play(self) -> State:
        """Follow all steps; return the replicas' parameters after the round, (replicas, size)."""
        result = self._rows.copy()
        for step in self._ways.steps:
            match step:
                case Transfer(content="update"):
                    self._send_update(step)
                case Transfer():
                    self._send_model(step)
                case Merge():
                    self._merge(step)
                case Aggregate():
                    self._average(step)
                case Deliver():
                    for host in step.nodes:
                        if host in self._row_of:
                            result[self._row_of[host]] = self._held_model(host, step.id).values
        for node, model in self._models.items():
            self._number(node, model)
        return result

    # updates

    def _reference(self, step: str) -> int | None:
        """Return the number of the reference of the gathering that a step belongs to."""
        gathering = self._ways.gathering_of.get(step)
        if gathering is None:  # ends in no average: it changes nothing
            return 0
        if not gathering.packed:
            return None
        if gathering not in self._references:
            common = frozenset.intersection(*(self._known[node] for node in gathering.averagers))
            self._references[gathering] = self._most_known(common, gathering.hosts)
        return self._references[gathering]

    def _most_known(self, numbers: Iterable[int], nodes: Iterable[str]) -> int | None:
        """Return which model most of ``nodes`` have, the latest among equals; ``None`` if none has any."""
        nodes = tuple(nodes)
        counts = [(sum(number in self._known[node] for node in nodes), number) for number in numbers]
        count, number = max(counts, default=(0, 0))
        return number if count else None

    def _own(self, node: str, reference: int | None) -> _Update:
        """Return a node's merged update, or that of its replica, with what can be a difference as one."""
        if node in self._merged:
            return self._as_difference(node, self._merged[node], reference)
        if node not in self._row_of:
            raise ValueError(f"no update of {self._module!r} has reached node {node!r}")
        weight = self._weight_of[node]
        state = self._rows[self._row_of[node]].astype(np.float64)
        return self._as_difference(node, _Update(0.0, None, weight, weight * state), reference)

    def _as_difference(self, node: str, update: _Update, reference: int | None) -> _Update:
        if update.state is None or reference is None or reference not in self._known[node]:
            return update
        moved = update.state - update.state_weight * self._kept.models[reference]
        whole = moved if update.difference is None else update.difference + moved
        return _Update(update.weight + update.state_weight, whole, load=update.load)

    def _send_update(self, step: Transfer) -> None:
        origin = step.origin or step.source
        reference = self._reference(step.id)
        if origin == step.source:
            update = self._packed(step, self._own(origin, reference), reference)
        else:
            update = self._passing[origin, step.source]
            waiting = self._arrived.get(step.source, [])
            self._arrived[step.source] = [other for other in waiting if other is not update]
        self._arrived.setdefault(step.target, []).append(update)
        self._passing[origin, step.target] = update
        self.loads[step.id] = update.load

    def _packed(self, step: Transfer, update: _Update, reference: int | None) -> _Update:
        """Return the update as it arrives."""
        bits = step.bits_a_parameter(self._module)
        states = 0 if update.state is None else 1
        if update.difference is None:
            return _Update(0.0, None, update.state_weight, update.state, Load(states, 0))
        if bits == FULL_BITS:
            load = Load(states + 1, 0)
            return _Update(update.weight, update.difference, update.state_weight, update.state, load)
        average = update.difference / (update.weight or 1.0)
        rests = self._kept.rest_up if update.weight else {}  # what has no weight brings nothing
        sent, packet = self._coded(average, bits, rests, step.source, reference or 0, update.weight)
        load = Load(states, 1, len(packet.to_bytes()))
        return _Update(packet.weight, packet.weight * sent, update.state_weight, update.state, load)

    def _coded(
        self, values: FloatArray, bits: int, rests: dict[str, State], node: str, reference: int, weight: float
    ) -> tuple[FloatArray, Packet]:
        """Return what arrives of ``values``, through bytes and back, and the packet; the rest is kept."""
        wanted = values + rests[node] if node in rests else values
        if not np.isfinite(wanted).all():
            raise ValueError(
                f"module {self._module!r} at node {node!r} has NaN or infinite parameters, which {bits} bits "
                "cannot carry: training diverged; lower learning_rate or the rate of the server optimiser"
            )
        codes, scale = quantise(wanted, bits)
        content = Packet(bits, reference, scale, weight, codes).to_bytes()
        packet = Packet.from_bytes(content, len(values))
        arrived = restore(packet.codes, packet.scale, packet.bits)
        rests[node] = (wanted - arrived).astype(np.float32)
        return arrived, packet

    def _merge(self, step: Merge | Aggregate) -> _Update:
        reference = self._reference(step.id)
        parts = self._arrived.pop(step.node, [])
        if step.node in self._merged or step.node in self._row_of:
            parts = [self._own(step.node, reference), *parts]
        if not parts:
            raise ValueError(f"step {step.id!r}: no update of {self._module!r} has reached {step.node!r}")
        merged = _Update(
            sum(part.weight for part in parts),
            _sum([part.difference for part in parts]),
            sum(part.state_weight for part in parts),
            _sum([part.state for part in parts]),
        )
        self._merged[step.node] = self._as_difference(step.node, merged, reference)
        return self._merged[step.node]

    def _average(self, step: Aggregate) -> None:
        merged, reference = self._merge(step), self._reference(step.id)
        last = self._kept.models[max(self._known[step.node])].astype(np.float64)
        if merged.difference is None:
            total, whole = merged.state_weight, merged.state
            average = last if whole is None or not total else whole / total
        else:
            base = self._kept.models[reference or 0]
            average = base + merged.difference / merged.weight if merged.weight else last
        model, memory = advance(step.optimiser, average, last, self._kept.memories.get(step.node))
        if memory:
            self._kept.memories[step.node] = memory
        self._models[step.node] = _Model(step.node, model.astype(np.float32))

    # models

    def _held_model(self, node: str, step: str) -> _Model:
        if node not in self._models:
            raise ValueError(f"step {step!r}: no model of {self._module!r} has reached node {node!r}")
        return self._models[node]

    def _send_model(self, step: Transfer) -> None:
        model = self._held_model(step.source, step.id)
        bits = step.bits_a_parameter(self._module)
        if bits == FULL_BITS:
            number = self._number(step.source, model)
            self._models[step.target] = _Model(model.maker, model.values, number)
            self._take(step.target, model.maker, number)
            self.loads[step.id] = Load(1, 0)
            return
        if bits not in model.coded:
            model.coded[bits] = self._code(step, model, bits)
        coded = model.coded[bits]
        self._models[step.target] = _Model(coded.maker, coded.values, coded.number, {bits: coded})
        has = coded.reference is not None and coded.reference in self._known[step.target]
        packets = 0 if coded.reference is None else 1
        self.loads[step.id] = Load(0 if has else 1, packets, packets * coded.num_bytes)
        self._take(step.target, coded.maker, coded.number)

    def _code(self, step: Transfer, model: _Model, bits: int) -> _Coded:
        """Make the codes of a model; a new average becomes what they say."""
        source = step.source
        reference = self._most_known(self._known[source], self._ways.receivers_of[step.id])
        if reference is None:
            return _Coded(model.maker, model.values, self._number(source, model), None, 0)
        base = self._kept.models[reference].astype(np.float64)
        rests = self._kept.rest_down.setdefault(bits, {})
        moved, packet = self._coded(model.values - base, bits, rests, source, reference, 0.0)
        values = (base + moved).astype(np.float32)
        number = self._new_number(source, source, values)
        if model.number is None:
            model.values, model.number = values, number
        return _Coded(source, values, number, reference, len(packet.to_bytes()))

    def _number(self, node: str, model: _Model) -> int:
        """Return the number of a model, a new one for a new average."""
        if model.number is None:
            model.number = self._new_number(node, model.maker, model.values)
        return model.number

    def _new_number(self, node: str, maker: str, values: State) -> int:
        number = self._kept.num_models
        self._kept.num_models += 1
        self._kept.models[number] = values
        self._take(node, maker, number)
        return number

    def _take(self, node: str, maker: str, number: int) -> None:
        self._kept.number_of.setdefault(node, {})[maker] = number


def _sum(parts: Sequence[FloatArray | None]) -> FloatArray | None:
    present = [part for part in parts if part is not None]
    return sum(present[1:], start=present[0]) if present else None
