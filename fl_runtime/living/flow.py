"""Which updates and models come where, when nodes are away and transfers fail: many rounds at once.

What a step does
----------------
- A step does not take place for a node that is away; a transfer needs both its ends.
- A transfer carries those of its modules of which the sender has an update or a model, and does not take
  place if it has none.  An update that could not be passed on stays where it is.
- A merge or an average takes what has arrived, and the node's own replica if it is trained.  An
  average of nothing makes no model.
- A device has trained if it is there, all its activations have arrived and its work was not called off; a
  replica is trained if one of its devices has, and its host is there.
  Where an activation has not arrived, what follows of that training does not take place.
- A delivery gives the nodes that are there what has reached them; the others keep what they have.

All is said by sets of rounds (:mod:`fl_runtime.living.round_sets`).
"""

from dataclasses import dataclass

import numpy as np

from fl_runtime.living.draws import BoolArray, Draws, IntArray
from fl_runtime.living.flow_plan import FlowPlan
from fl_runtime.living.round_sets import Rounds, as_array, as_rounds, has
from fl_runtime.schedule import Aggregate, Compute, Deliver, Merge, Mix, Schedule, Step, Transfer

Held = tuple[Rounds, Rounds]
"""Of one module: where a node has something of it, and where that has weight in an average."""

NOTHING: Held = (0, 0)


@dataclass(eq=False)
class _Arrival:
    """An update at a node: what of each module is not yet merged there, and all that may be passed on."""

    held: dict[str, Held]
    whole: dict[str, Held]


class Flow:
    """Follows rounds of one kind, step by step, all of them side by side.

    Parameters
    ----------
    plan : FlowPlan
        The kind of the rounds.
    away : array of bool, shape (rounds, nodes)
        Who is away.

    Attributes
    ----------
    untrained : dict of str to Rounds
        Where each node has not trained.
    takes_place, arrived : list of Rounds
        For each step: where it takes place, and where it also arrives.
    carried : list of tuple of Held
        For each step, by its modules: what it carries; not of deliveries and consensus.
    reached : dict of int to tuple of tuple of Rounds
        For each delivery and consensus, by its nodes and modules: where a node has a model for it.
    """

    def __init__(self, plan: FlowPlan, away: BoolArray) -> None:
        kind = plan.kind
        self.kind, self._plan, self._num_rounds = kind, plan, len(away)
        self._all = (1 << len(away)) - 1
        self.away = _rounds_of_nodes(plan.nodes, away)
        self.untrained = dict(self.away)
        self._updates: dict[str, dict[str, Held]] = {}
        self._models: dict[tuple[str, str], Rounds] = {}
        self._waiting: dict[str, list[_Arrival]] = {}
        self._passing: dict[tuple[str, str], _Arrival] = {}
        self.takes_place: list[Rounds] = [0] * len(kind.steps)
        self.arrived: list[Rounds] = [0] * len(kind.steps)
        self.carried: list[tuple[Held, ...]] = [()] * len(kind.steps)
        self.reached: dict[int, tuple[tuple[Rounds, ...], ...]] = {}

    @classmethod
    def of(cls, plan: FlowPlan, away: BoolArray, arrives: BoolArray | None = None) -> "Flow":
        """Return rounds followed to their end; ``arrives`` (steps, rounds) says what does not fail."""
        flow = cls(plan, away)
        for position in range(len(plan.kind.steps)):
            flow.begin(position)
            flow.end(position, flow._all if arrives is None else as_rounds(arrives[position]))
        return flow

    def begin(self, position: int) -> None:
        """Say where a step takes place, and what it carries."""
        step = self.kind.steps[position]
        if isinstance(step, Deliver | Mix):
            self.reached[position] = tuple(
                tuple(self._reached(step, name, module) & ~self.away[name] for module in step.modules)
                for name in step.nodes
            )
            absent = self._all
            for name in step.nodes:
                absent &= self.away[name]
            self.takes_place[position] = self._all & ~absent
            return
        taken = self._all
        for name in self._plan.nodes_of[position]:
            taken &= ~self.away[name]
        for device in self._plan.served[position]:
            taken &= ~self.untrained[device]
        if isinstance(step, Merge | Aggregate | Transfer):
            carried = [self._carried(step, module) for module in step.modules]
            self.carried[position] = tuple((some & taken, heavy & taken) for some, heavy in carried)
            if not (isinstance(step, Transfer) and step.content == "activation"):
                any_module = 0
                for some, _ in carried:
                    any_module |= some
                taken &= any_module
        self.takes_place[position] = taken

    def end(self, position: int, arrives: Rounds) -> None:
        """Let a step have its effect, where it arrives."""
        step, taken = self.kind.steps[position], self.takes_place[position]
        arrived = taken & arrives
        self.arrived[position] = arrived
        match step:
            case Transfer(content="activation"):
                for device in self._plan.served[position]:
                    self._did_not_train(device, self._all & ~arrived)
            case Transfer(content="model"):
                for module, (some, _) in zip(step.modules, self.carried[position], strict=True):
                    self._add_model(step.target, module, some & arrived)
            case Transfer():
                self._bring(step, self.carried[position], arrived)
            case Merge() | Aggregate():
                self._merge(step, self.carried[position], arrived)
            case Mix():
                for name, reached in zip(step.nodes, self.reached[position], strict=True):
                    for module, rounds in zip(step.modules, reached, strict=True):
                        self._add_model(name, module, rounds)
            case _:
                pass

    def call_off(self, position: int, *, begun: bool) -> None:
        """Let a step come to nothing, in all rounds; if it had not begun, it does not take place."""
        step = self.kind.steps[position]
        if not begun:
            self.takes_place[position] = 0
        if isinstance(step, Compute) or (isinstance(step, Transfer) and step.content == "activation"):
            own = (step.node,) if isinstance(step, Compute) else ()
            for name in self._plan.served[position] or own:
                self._did_not_train(name, self._all)

    def taken(self) -> BoolArray:
        """Return where each step takes place, (steps, rounds)."""
        return np.stack([as_array(rounds, self._num_rounds) for rounds in self.takes_place])

    def hosts(self, name: str, modules: tuple[str, ...]) -> bool:
        """Return whether a node hosts a replica of one of some modules."""
        return not self._plan.hosted.get(name, {}).keys().isdisjoint(modules)

    def _carried(self, step: Transfer | Merge | Aggregate, module: str) -> Held:
        if not isinstance(step, Transfer):
            some, heavy = self._own(step.node).get(module, NOTHING)
            for arrival in self._waiting.get(step.node, ()):
                also, also_heavy = arrival.held.get(module, NOTHING)
                some, heavy = some | also, heavy | also_heavy
            return some, heavy
        if step.content == "activation":
            return self._all, 0
        if step.content == "model":
            return self._models.get((step.source, module), 0), 0
        origin = step.origin or step.source
        if origin == step.source:
            return self._own(origin).get(module, NOTHING)
        passed = self._passing.get((origin, step.source))
        return NOTHING if passed is None else passed.whole.get(module, NOTHING)

    def _bring(self, step: Transfer, carried: tuple[Held, ...], arrived: Rounds) -> None:
        """Let an update arrive; one that was passed on is no longer merged at the source."""
        got = {
            module: (some & arrived, heavy & arrived)
            for module, (some, heavy) in zip(step.modules, carried, strict=True)
        }
        origin = step.origin or step.source
        passed = self._passing.get((origin, step.source))
        if origin != step.source and passed is not None:
            for module, (gone, _) in got.items():
                some, heavy = passed.held.get(module, NOTHING)
                passed.held[module] = (some & ~gone, heavy & ~gone)
        arrival = _Arrival(got, dict(got))
        self._waiting.setdefault(step.target, []).append(arrival)
        self._passing[origin, step.target] = arrival

    def _merge(self, step: Merge | Aggregate, merged: tuple[Held, ...], done: Rounds) -> None:
        own = self._own(step.node)
        for module, (some, heavy) in zip(step.modules, merged, strict=True):
            before, before_heavy = own.get(module, NOTHING)
            own[module] = (some & done) | (before & ~done), (heavy & done) | (before_heavy & ~done)
            for arrival in self._waiting.get(step.node, ()):
                waiting, waiting_heavy = arrival.held.get(module, NOTHING)
                arrival.held[module] = waiting & ~done, waiting_heavy & ~done
            if isinstance(step, Aggregate):
                self._add_model(step.node, module, heavy & done)

    def _reached(self, step: Deliver | Mix, name: str, module: str) -> Rounds:
        held = self._models.get((name, module), 0)
        if isinstance(step, Mix):
            return held | self._own(name).get(module, NOTHING)[0]
        return held if module in self._plan.hosted.get(name, {}) else 0

    def _own(self, name: str) -> dict[str, Held]:
        """Return the update of a node: at first its replicas, where it has trained."""
        if name not in self._updates:
            found: dict[str, Held] = {}
            for module, heavy in self._plan.hosted.get(name, {}).items():
                trained = self._all & ~self._idle(name, module)
                found[module] = trained, trained if heavy else 0
            self._updates[name] = found
        return self._updates[name]

    def idle(self, row: int) -> frozenset[tuple[str, str]]:
        """Return the replicas (module, host) that nobody has trained in a round."""
        return frozenset(
            (module, name)
            for name, modules in self._plan.hosted.items()
            for module in modules
            if has(self._idle(name, module), row)
        )

    def _idle(self, name: str, module: str) -> Rounds:
        """Return where nobody trains a replica: its node is away, or all devices that use it do not train."""
        idle = self._all
        for device in self._plan.users.get((name, module), (name,)):
            idle &= self.untrained[device]
        return idle | self.away[name]

    def _did_not_train(self, name: str, rounds: Rounds) -> None:
        """Say where a node has not trained; what comes after its update was taken does not count."""
        if name not in self._updates:
            self.untrained[name] |= rounds

    def _add_model(self, name: str, module: str, rounds: Rounds) -> None:
        self._models[name, module] = self._models.get((name, module), 0) | rounds


def ideal_flows(schedule: Schedule, draws: Draws) -> list[tuple[Flow, int]]:
    """Return for each round the flow in which nothing fails nor is called off, and its place in there."""
    found: dict[int, tuple[Flow, int]] = {}
    for name, rounds in rounds_by_kind(schedule, draws.num_rounds).items():
        kind = next(kind for kind in schedule.kinds if kind.name == name)
        flow = Flow.of(FlowPlan(schedule, kind), draws.away[rounds])
        found |= {index: (flow, row) for row, index in enumerate(rounds.tolist())}
    return [found[index] for index in range(draws.num_rounds)]


def rounds_by_kind(schedule: Schedule, num_rounds: int) -> dict[str, IntArray]:
    """Return the rounds of each kind that is played."""
    names = [schedule.cycle[index % len(schedule.cycle)] for index in range(num_rounds)]
    return {
        name: np.array([index for index, other in enumerate(names) if other == name])
        for name in dict.fromkeys(names)
    }


def step_modules(step: Step) -> tuple[str, ...]:
    """Return the modules that a step moves or makes; none for work and tests."""
    return step.modules if isinstance(step, Transfer | Merge | Aggregate | Mix | Deliver) else ()


def _rounds_of_nodes(nodes: tuple[str, ...], away: BoolArray) -> dict[str, Rounds]:
    if len(away) == 1:
        return dict(zip(nodes, map(int, away[0].tolist()), strict=True))
    return {name: as_rounds(away[:, place]) for place, name in enumerate(nodes)}
