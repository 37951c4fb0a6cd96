"""Models of one module in one round, from the averages over relays to the replicas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fl_runtime.itinerary import Itinerary
from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule import Transfer
from fl_runtime.transport_choices import Choices
from fl_runtime.transport_state import Coding, FloatArray, Kept, Load, State, most_known, send_coded


@dataclass(frozen=True)
class Coded:
    """A model as its codes say it; ``reference`` ``None``: nobody has one, and it travels as it is."""

    maker: str
    values: State
    number: int
    reference: int | None
    num_bytes: int


@dataclass(eq=False)
class Model:
    """A model that a node has: its number once it has one, and its codes by precision."""

    maker: str
    values: State
    number: int | None = None
    coded: dict[int, Coded] = field(default_factory=dict)


class Models:
    """Follows the models of a round.

    Parameters
    ----------
    module : str
        Name of the module.
    ways : Itinerary
        Its ways in this kind of round.
    kept : Kept
        What the nodes have; new models and what rounding loses are added.
    choices : Choices
        From which models differences are told.
    """

    def __init__(self, module: str, ways: Itinerary, kept: Kept, choices: Choices) -> None:
        self._module, self._ways, self._kept, self._choices = module, ways, kept, choices
        self._held: dict[str, Model] = {}
        self._ready: dict[str, tuple[FloatArray, int]] = {}

    def prepare(self, averages: Mapping[str, State]) -> None:
        """Make at one go the codes that averages, by the ids of their steps, will be sent in first."""
        steps = {step.id: step for step in self._ways.steps if step.id in self._ways.receivers_of}
        waiting: dict[int, list[tuple[str, str, int, State]]] = {}
        for average, transfer in self._ways.first_codes.items():
            step = steps[transfer]
            assert isinstance(step, Transfer)
            reference = self._reference(step)
            if reference is not None:
                bits = step.bits_a_parameter(self._module)
                waiting.setdefault(bits, []).append((transfer, step.source, reference, averages[average]))
        for bits, found in waiting.items():
            transfers, nodes, references, models = zip(*found, strict=True)
            values = np.stack(models).astype(np.float64)
            values -= np.stack([self._kept.models[number] for number in references])
            moved, num_bytes = self._sent(values, bits, references, nodes)
            self._ready.update({name: (row, num_bytes) for name, row in zip(transfers, moved, strict=True)})

    def make(self, node: str, values: State) -> None:
        """Let a node have a new average."""
        self._held[node] = Model(node, values)

    def held_by(self, node: str, step: str) -> Model:
        """Return the model that a node has in a step."""
        if node not in self._held:
            raise ValueError(f"step {step!r}: no model of {self._module!r} has reached node {node!r}")
        return self._held[node]

    def send(self, step: Transfer, arrives: bool = True) -> Load:
        """Bring a model to the target: as it is, in new codes, or in those in which it came.

        If it does not arrive, its codes are made all the same, and the target keeps what it has.
        """
        model = self.held_by(step.source, step.id)
        bits = step.bits_a_parameter(self._module)
        if bits == FULL_BITS:
            number = self._number(step.source, model)
            if arrives:
                self._held[step.target] = Model(model.maker, model.values, number)
                self._kept.take(step.target, model.maker, number)
            return Load(1, 0)
        if bits not in model.coded:
            model.coded[bits] = self._code(step, model, bits)
        coded = model.coded[bits]
        if arrives:
            self._held[step.target] = Model(coded.maker, coded.values, coded.number, {bits: coded})
            self._kept.take(step.target, coded.maker, coded.number)
        if coded.reference is None:
            return Load(1, 0)
        is_lacking = self._choices.is_lacking(step.id, step.target, coded.reference)
        return Load(int(is_lacking), 1, coded.num_bytes)

    def end(self) -> None:
        """Keep the averages that were not sent too."""
        for node, model in self._held.items():
            self._number(node, model)

    def _code(self, step: Transfer, model: Model, bits: int) -> Coded:
        """Make the codes of a model; a new average becomes what they say."""
        source, reference = step.source, self._reference(step)
        if reference is None:
            return Coded(model.maker, model.values, self._number(source, model), None, 0)
        base = self._kept.models[reference].astype(np.float64)
        if step.id in self._ready:
            moved, num_bytes = self._ready[step.id]
        else:
            rows, num_bytes = self._sent((model.values - base)[None], bits, [reference], [source])
            moved = rows[0]
        values = (base + moved).astype(np.float32)
        number = self._kept.add(source, source, values)
        if model.number is None:
            model.values, model.number = values, number
        return Coded(source, values, number, reference, num_bytes)

    def _reference(self, step: Transfer) -> int | None:
        known, receivers = self._choices.known, self._ways.receivers_of[step.id]
        return self._choices.model_for(step.id, lambda: most_known(known, known[step.source], receivers))

    def _sent(
        self, values: FloatArray, bits: int, references: Sequence[int], nodes: Sequence[str]
    ) -> tuple[FloatArray, int]:
        """Return what arrives of models' differences (models, size), and the length of a packet."""
        rests = self._kept.rest_down.setdefault(bits, {})
        weights = [0.0] * len(nodes)
        coding = Coding(values, bits, references, weights, [rests] * len(nodes), nodes)
        moved, _, num_bytes = send_coded(coding)
        return moved, num_bytes

    def _number(self, node: str, model: Model) -> int:
        """Return the number of a model, a new one for a new average."""
        if model.number is None:
            model.number = self._kept.add(node, model.maker, model.values)
        return model.number
