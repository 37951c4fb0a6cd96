"""Which updates and models come where, when nodes are away and transfers fail: many rounds at once.

What a step does
----------------
- A step does not take place for a node that is away; a transfer needs both its ends.
- A transfer carries those of its modules of which the sender has an update or a model, and does not take
  place if it has none.  An update that could not be passed on stays where it is.
- A merge or an average takes what has arrived, and the node's own replica if the node has trained.  An
  average of nothing makes no model.
- A node has trained if it is there, all its activations have arrived and its work was not called off.
  Where an activation has not arrived, what follows of that training does not take place.
- A delivery gives the nodes that are there what has reached them; the others keep what they have.

For each module a node holds nothing (0), an update without weight (1), or one with weight (3).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fl_runtime.compiled import nodes_of_step
from fl_runtime.living.chains import served_devices
from fl_runtime.living.draws import BoolArray
from fl_runtime.schedule import Aggregate, Compute, Deliver, Merge, Mix, RoundKind, Schedule, Step, Transfer

Held = npt.NDArray[np.uint8]
"""What a node holds of each module, (rounds, modules)."""

SOMETHING, WEIGHT = np.uint8(1), np.uint8(2)


@dataclass(eq=False)
class _Arrival:
    """An update that has arrived at a node: what of it is not yet merged there, and all that may go on."""

    held: Held
    whole: Held


class Flow:
    """Follows rounds of one kind, step by step, all of them side by side.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    kind : RoundKind
        The kind of the rounds.
    away : array of bool, shape (rounds, nodes)
        Who is away.
    """

    def __init__(self, schedule: Schedule, kind: RoundKind, away: BoolArray) -> None:
        self.kind, self.num_rounds = kind, len(away)
        self.nodes = tuple(node.id for node in schedule.nodes)
        self.index_of = {name: index for index, name in enumerate(self.nodes)}
        self.away, self.untrained = away, away.copy()
        self._column = {module.id: index for index, module in enumerate(schedule.modules)}
        self._hosted = _hosted(schedule, self._column)
        self._served = served_devices(schedule, kind)
        self._columns = {
            modules: self._of(modules) for modules in {step_modules(step) for step in kind.steps}
        }
        self._updates: dict[str, Held] = {}
        self._models: dict[str, Held] = {}
        self._waiting: dict[str, list[_Arrival]] = {}
        self._passing: dict[tuple[str, str], _Arrival] = {}
        self.takes_place = np.zeros((len(kind.steps), self.num_rounds), dtype=np.bool_)
        self.arrived = np.zeros((len(kind.steps), self.num_rounds), dtype=np.bool_)
        self.carried: list[npt.NDArray[np.uint8]] = [np.zeros((0, 0), dtype=np.uint8)] * len(kind.steps)

    @classmethod
    def of(
        cls, schedule: Schedule, kind: RoundKind, away: BoolArray, arrives: BoolArray | None = None
    ) -> "Flow":
        """Return rounds followed to their end; ``arrives`` (steps, rounds) says what does not fail."""
        flow = cls(schedule, kind, away)
        for position in range(len(kind.steps)):
            flow.begin(position)
            flow.end(position, True if arrives is None else arrives[position])
        return flow

    def begin(self, position: int) -> None:
        """Say in which rounds a step takes place, and what it carries, (rounds, modules of the step).

        Of a delivery and of consensus ``carried`` has (nodes of the step, rounds, modules of the step).
        """
        step = self.kind.steps[position]
        there = ~self.away[:, [self.index_of[name] for name in nodes_of_step(step)]]  # (rounds, nodes)
        if isinstance(step, Deliver | Mix):
            reached = [self._reached(step, name) for name in step.nodes]
            self.carried[position] = np.stack(reached) * there.T[:, :, None]
            self.takes_place[position] = there.any(axis=1)
            return
        taken = there.all(axis=1)
        for device in self._served[position]:
            taken = taken & ~self.untrained[:, self.index_of[device]]
        if isinstance(step, Merge | Aggregate | Transfer):
            carried = self._carried(step) * taken[:, None]
            self.carried[position] = carried
            if not (isinstance(step, Transfer) and step.content == "activation"):
                taken = carried.any(axis=1)
        self.takes_place[position] = taken

    def end(self, position: int, arrives: BoolArray | bool = True) -> None:
        """Let a step have its effect, in the rounds in which it arrives."""
        step, taken = self.kind.steps[position], self.takes_place[position]
        arrived: BoolArray = taken & np.asarray(arrives, dtype=np.bool_)
        self.arrived[position] = arrived
        if isinstance(step, Transfer):
            self._arrive(step, self.carried[position] * arrived[:, None])
            if step.content == "activation":
                for device in self._served[position]:
                    self.untrained[:, self.index_of[device]] |= ~arrived
        elif isinstance(step, Merge | Aggregate):
            self._merge(step, self.carried[position], arrived)
        elif isinstance(step, Mix):
            for name, held in zip(step.nodes, self.carried[position], strict=True):
                self._held(self._models, name)[:, self._columns[step.modules]] |= held

    def call_off(self, position: int, *, begun: bool) -> None:
        """Let a step come to nothing, in all rounds; if it had not begun, it does not take place."""
        step = self.kind.steps[position]
        if not begun:
            self.takes_place[position] = False
        if isinstance(step, Compute) or (isinstance(step, Transfer) and step.content == "activation"):
            own = (step.node,) if isinstance(step, Compute) else ()
            for name in self._served[position] or own:
                self.untrained[:, self.index_of[name]] = True

    def hosts(self, name: str, modules: tuple[str, ...]) -> bool:
        """Return whether a node hosts a replica of one of some modules."""
        return bool(self._hosted_at(name)[self._columns[modules]].any())

    def _carried(self, step: Transfer | Merge | Aggregate) -> Held:
        columns = self._columns[step.modules]
        if isinstance(step, Transfer):
            if step.content == "activation":
                return np.full((self.num_rounds, len(step.modules)), SOMETHING)
            if step.content == "model":
                return self._held(self._models, step.source)[:, columns]
            origin = step.origin or step.source
            if origin == step.source:
                return self._own(origin)[:, columns]
            passed = self._passing.get((origin, step.source))
            return self._nothing()[:, columns] if passed is None else passed.whole[:, columns]
        held = self._own(step.node)[:, columns]
        for arrival in self._waiting.get(step.node, ()):
            held = held | arrival.held[:, columns]
        return held

    def _arrive(self, step: Transfer, got: Held) -> None:
        columns = self._columns[step.modules]
        if step.content == "model":
            self._held(self._models, step.target)[:, columns] |= got
        elif step.content == "update":
            held = self._nothing()
            held[:, columns] = got
            arrival = _Arrival(held, held.copy())
            origin = step.origin or step.source
            if origin != step.source and (origin, step.source) in self._passing:
                passed = self._passing[origin, step.source]
                passed.held[:, columns] = np.where(got > 0, 0, passed.held[:, columns])
            self._waiting.setdefault(step.target, []).append(arrival)
            self._passing[origin, step.target] = arrival

    def _merge(self, step: Merge | Aggregate, merged: Held, done: BoolArray) -> None:
        columns = self._columns[step.modules]
        own, models = self._own(step.node), self._held(self._models, step.node)
        own[:, columns] = np.where(done[:, None], merged, own[:, columns])
        for arrival in self._waiting.get(step.node, ()):
            arrival.held[:, columns] *= ~done[:, None]
        if isinstance(step, Aggregate):
            models[:, columns] |= (merged & WEIGHT) * done[:, None]

    def _reached(self, step: Deliver | Mix, name: str) -> Held:
        columns = self._columns[step.modules]
        held = self._held(self._models, name)[:, columns]
        if isinstance(step, Mix):
            return held | self._own(name)[:, columns]
        return held * (self._hosted_at(name)[columns] > 0)

    def _own(self, name: str) -> Held:
        """Return the update of a node: at first its replicas, if it has trained."""
        if name not in self._updates:
            trained = ~self.untrained[:, self.index_of[name]]
            self._updates[name] = trained[:, None] * self._hosted_at(name)
        return self._updates[name]

    def _held(self, held: dict[str, Held], name: str) -> Held:
        if name not in held:
            held[name] = self._nothing()
        return held[name]

    def _nothing(self) -> Held:
        return np.zeros((self.num_rounds, len(self._column)), dtype=np.uint8)

    def _hosted_at(self, name: str) -> Held:
        return self._hosted.get(name, np.zeros(len(self._column), dtype=np.uint8))

    def _of(self, modules: tuple[str, ...]) -> npt.NDArray[np.int64]:
        return np.array([self._column[name] for name in modules], dtype=np.int64)


def _hosted(schedule: Schedule, column: dict[str, int]) -> dict[str, Held]:
    """Return what each host has of each module, (modules,): with weight, if any of its replicas has one."""
    weighted = {replica.module for replica in schedule.replicas if replica.weight > 0}
    hosted: dict[str, Held] = {}
    for replica in schedule.replicas:
        of_host = hosted.setdefault(replica.host, np.zeros(len(column), dtype=np.uint8))
        heavy = replica.weight > 0 or replica.module not in weighted
        of_host[column[replica.module]] = SOMETHING | WEIGHT if heavy else SOMETHING
    return hosted


def step_modules(step: Step) -> tuple[str, ...]:
    """Return the modules that a step moves or makes; none for work and tests."""
    return step.modules if isinstance(step, Transfer | Merge | Aggregate | Mix | Deliver) else ()
