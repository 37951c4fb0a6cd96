"""What the clock measured: one row per step and round, and the figures made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from fl_runtime.compiled import CompiledKind, StepCost, nodes_of_step
from fl_runtime.living.record import Record
from fl_runtime.schedule import Compute, Evaluate, Schedule, Step, Transfer

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COLUMNS = (
    "round",
    "step",
    "action",
    "node",
    "peer",
    "modules",
    "bits",
    "start_s",
    "end_s",
    "node_energy_j",
    "peer_energy_j",
)
"""Names of the columns of a timeline, in the order of its files."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Rows over rounds and steps, in the order of rounds and, within a round, of the list of steps.

    Parameters
    ----------
    round : ndarray of int, shape (num_rows,)
        Round of the row, 0-based.
    step, action : tuple of str
        Name and type of the step.
    node, peer : tuple of str
        Who acts (the sender of a transfer), and the receiver of a transfer; empty where a step has
        none, or several.
    modules : tuple of tuple of str
        Modules of the step.
    bits : ndarray, shape (num_rows,)
        Bits on a link, zero for other steps.
    start_s, end_s : ndarray, shape (num_rows,)
        When the step started and ended, s of model time.
    node_energy_j, peer_energy_j : ndarray, shape (num_rows,)
        Energy of ``node`` and of ``peer``, J.
    num_rounds : int
        Number of rounds played.
    cycle_length : int
        Number of rounds of the schedule's cycle.
    node_ids : tuple of str
        All nodes of the schedule.
    record : Record or None
        What happened in a living network (:class:`fl_runtime.living.record.Record`); ``None``: all went as
        planned.
    """

    round: IntArray
    step: tuple[str, ...]
    action: tuple[str, ...]
    node: tuple[str, ...]
    peer: tuple[str, ...]
    modules: tuple[tuple[str, ...], ...]
    bits: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    node_energy_j: FloatArray
    peer_energy_j: FloatArray
    num_rounds: int
    cycle_length: int
    node_ids: tuple[str, ...]
    record: Record | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.step)

    @cached_property
    def round_end_s(self) -> FloatArray:
        """Latest end of all steps of this and earlier rounds, s, shape (num_rounds,)."""
        ends = np.zeros(self.num_rounds)
        np.maximum.at(ends, self.round, self.end_s)
        return np.maximum.accumulate(ends)

    @cached_property
    def energy_j(self) -> FloatArray:
        """Energy of each round, J, shape (num_rounds,)."""
        return self._sum_by_round(self.node_energy_j + self.peer_energy_j)

    @cached_property
    def bits_of_round(self) -> FloatArray:
        """Bits that travelled in each round, shape (num_rounds,)."""
        return self._sum_by_round(self.bits)

    def _sum_by_round(self, values: FloatArray) -> FloatArray:
        sums = np.zeros(self.num_rounds)
        np.add.at(sums, self.round, values)
        return sums

    @cached_property
    def energy_of_node_j(self) -> dict[str, float]:
        """Energy of each node over all rounds, J."""
        number_of = {name: number for number, name in enumerate(self.node_ids)}
        size = len(self.node_ids) + 1  # the last place takes the rows without a node
        totals = np.zeros(size)
        for names, joules in ((self.node, self.node_energy_j), (self.peer, self.peer_energy_j)):
            places = np.array([number_of.get(name, size - 1) for name in names], dtype=np.int64)
            totals += np.bincount(places, joules, minlength=size)
        return {name: float(totals[number]) for name, number in number_of.items()}

    @property
    def makespan_s(self) -> float:
        """When the last step ended, s."""
        return float(self.round_end_s[-1])

    @property
    def latency_s(self) -> float:
        """Makespan over the number of rounds, s."""
        return self.makespan_s / self.num_rounds

    @property
    def energy_per_round_j(self) -> float:
        """Energy over the number of rounds, J."""
        return float(self.energy_j.sum()) / self.num_rounds

    @property
    def num_whole_rounds(self) -> int:
        """Rounds that make whole cycles; all rounds where not even one cycle is complete."""
        return self.num_rounds // self.cycle_length * self.cycle_length or self.num_rounds

    @property
    def cycle_latency_s(self) -> float:
        """Latency per round over the whole cycles, s: a figure that no half-played cycle distorts."""
        return float(self.round_end_s[self.num_whole_rounds - 1]) / self.num_whole_rounds

    @property
    def cycle_energy_j(self) -> float:
        """Energy per round over the whole cycles, J."""
        return float(self.energy_j[: self.num_whole_rounds].sum()) / self.num_whole_rounds


def timeline_of_play(
    schedule: Schedule,
    kinds: Sequence[CompiledKind],
    costs: Sequence[Sequence[StepCost] | FloatArray],
    start_s: Sequence[Sequence[float]],
    end_s: Sequence[Sequence[float]],
    extra_bits: Sequence[Mapping[str, float]] = (),
    bits: FloatArray | None = None,
    record: Record | None = None,
) -> Timeline:
    """Return the rows of a play.

    Parameters
    ----------
    schedule : Schedule
        What was played.
    kinds : sequence of CompiledKind
        The kind of each round.
    costs : sequence of sequence of StepCost, or of array
        For each round, the costs of its steps, as an array (steps, 3).
    start_s, end_s : sequence of sequence of float
        For each round, when its steps started and ended, s.
    extra_bits : sequence of mapping of str to float
        For each round, by step: bits that a transfer carried besides its own; none: nowhere any.
    bits : array or None
        Bits of all rows in place of those of the schedule, (rows,).
    record : Record or None
        What happened in a living network.
    """
    distinct = {id(kind): kind for kind in kinds}
    columns_of_kind = {key: [_words(step) for step in kind.steps] for key, kind in distinct.items()}
    words = [row for kind in kinds for row in columns_of_kind[id(kind)]]
    step_ids, actions, nodes, peers, modules = zip(*words, strict=True)
    distinct_costs = {id(of_round): of_round for of_round in costs}
    array_of_costs = {key: np.array(of_round) for key, of_round in distinct_costs.items()}
    joules = np.concatenate([array_of_costs[id(of_round)] for of_round in costs])
    sizes = [len(kind.steps) for kind in kinds]
    return Timeline(
        round=_frozen_ints(np.repeat(np.arange(len(kinds), dtype=np.int64), sizes)),
        step=step_ids,
        action=actions,
        node=nodes,
        peer=peers,
        modules=modules,
        bits=_frozen(_bits_of_rows(kinds, extra_bits) if bits is None else bits),
        start_s=_frozen(list(chain.from_iterable(start_s))),
        end_s=_frozen(list(chain.from_iterable(end_s))),
        node_energy_j=_frozen(joules[:, 1]),
        peer_energy_j=_frozen(joules[:, 2]),
        num_rounds=len(kinds),
        cycle_length=len(schedule.cycle),
        node_ids=tuple(node.id for node in schedule.nodes),
        record=record,
    )


def _bits_of_rows(kinds: Sequence[CompiledKind], extra_bits: Sequence[Mapping[str, float]]) -> FloatArray:
    distinct = {id(kind): kind for kind in kinds}
    bits_of_kind = {key: np.array([_bits(step) for step in kind.steps]) for key, kind in distinct.items()}
    bits: FloatArray = np.concatenate([bits_of_kind[id(kind)] for kind in kinds])
    if not any(extra_bits):
        return bits
    more = [
        of_round.get(step.id, 0.0)
        for kind, of_round in zip(kinds, extra_bits, strict=True)
        for step in kind.steps
    ]
    return np.asarray(bits + np.array(more))


def _words(step: Step) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Return id, action, node, peer and modules of a step; a step of several nodes or of none names none."""
    modules = () if isinstance(step, Compute | Evaluate) else step.modules
    if isinstance(step, Transfer):
        return step.id, step.type, step.source, step.target, modules
    nodes = nodes_of_step(step)
    return step.id, step.type, nodes[0] if len(nodes) == 1 else "", "", modules


def _bits(step: Step) -> float:
    return step.bits if isinstance(step, Transfer) else 0.0


def _frozen(values: npt.ArrayLike) -> FloatArray:
    column = np.array(values, dtype=np.float64)
    column.setflags(write=False)
    return column


def _frozen_ints(values: IntArray) -> IntArray:
    values.setflags(write=False)
    return values
