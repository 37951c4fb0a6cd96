"""Defects of the flow: updates and models that cannot be where a step needs them."""

from collections.abc import Collection, Iterator

from fl_runtime.defects import Defects
from fl_runtime.schedule import (
    Aggregate,
    Deliver,
    Merge,
    Mix,
    RoundKind,
    Schedule,
    Step,
    Transfer,
)

Holding = tuple[str, str]
"""A node and a module of which it holds an update or a model."""


def check_flow(schedule: Schedule, kind: RoundKind, defects: Defects) -> None:
    """Add the steps of ``kind`` that need an update or a model which cannot be there, or that lose one.

    "Before" means: named in ``after``, directly or through other steps.

    - An update of a module leaves a node that hosts the module, or that merged updates of it before.
    - It is merged or averaged at a node that hosts the module or that an update of it reached before.
    - An update that arrives is merged, averaged or mixed at its target by a later step, or passed on.
    - An update is passed on by a node that it reached before.
    - A model leaves, or is delivered at, a node that made it (Aggregate, Mix) or received it before.

    Parameters
    ----------
    schedule : Schedule
        Whose replicas count.
    kind : RoundKind
        The steps.
    defects : Defects
        Takes the lines.
    """
    flow = _Flow(schedule, kind)
    for position, step in enumerate(kind.steps):
        where = f"kind {kind.name!r}: step {step.id!r}"
        match step:
            case Transfer(content="update"):
                _check_update(flow, position, step, where, defects)
            case Transfer(content="model"):
                for node, module in flow.lacking(position, (step.source,), step.modules, flow.models):
                    defects.add(
                        where,
                        f"{node!r} has no model of {module!r} to send; aggregate it there or bring it there,"
                        " and name that step in after",
                    )
            case Merge() | Aggregate():
                wanted = flow.arrivals, flow.hosted
                for node, module in flow.lacking(position, (step.node,), step.modules, *wanted):
                    defects.add(
                        where,
                        f"{node!r} has no update of {module!r}: it hosts no replica and none arrived before;"
                        " name the step that brings it in after",
                    )
            case Mix():
                wanted = flow.values, flow.hosted
                for node, module in flow.lacking(position, step.nodes, step.modules, *wanted):
                    defects.add(where, f"{node!r} has nothing of {module!r} to mix; bring it there before")
            case Deliver():
                for node, module in flow.lacking(position, step.nodes, step.modules, flow.models):
                    if (node, module) in flow.hosted:
                        defects.add(
                            where,
                            f"no model of {module!r} reached {node!r}; send it, and name that step in after",
                        )
            case _:
                pass


def _check_update(flow: "_Flow", position: int, step: Transfer, where: str, defects: Defects) -> None:
    if step.origin in {None, step.source}:
        for node, module in flow.lacking(position, (step.source,), step.modules, flow.merged, flow.hosted):
            defects.add(
                where,
                f"{node!r} has no update of {module!r} to send: it hosts no replica and merged none before;"
                " add a merge there and name it in after",
            )
    else:
        passed = flow.passed(step.origin or step.source)
        for node, module in flow.lacking(position, (step.source,), step.modules, passed):
            defects.add(
                where,
                f"{node!r} has no update of {module!r} from {step.origin!r} to pass on;"
                " bring it there with the same origin, and name that step in after",
            )
    for module in step.modules:
        if (step.target, module) in flow.known and not flow.is_used(position, step, module):
            defects.add(
                where,
                f"the update of {module!r} is lost at {step.target!r}; merge or aggregate it there later",
            )


class _Flow:
    """Who holds what, which step gives what to whom, and which steps stand before which."""

    def __init__(self, schedule: Schedule, kind: RoundKind) -> None:
        self.known = _Known({node.id for node in schedule.nodes}, {module.id for module in schedule.modules})
        self.hosted = {(replica.host, replica.module) for replica in schedule.replicas}
        self._steps = kind.steps
        position_of = {step.id: position for position, step in enumerate(kind.steps)}
        self._before = [
            [position_of[name] for name in step.after if position_of.get(name, position) < position]
            for position, step in enumerate(kind.steps)
        ]
        self.arrivals = [_given_by(step, ("update",)) for step in kind.steps]
        self.merged = [_given_by(step, ("merge", "aggregate")) for step in kind.steps]
        self.models = [_given_by(step, ("model", "aggregate", "mix")) for step in kind.steps]
        self.values = [_given_by(step, ("model", "aggregate", "mix", "merge")) for step in kind.steps]
        self._last_pass = {
            (step.source, step.origin, module): position
            for position, step in enumerate(kind.steps)
            if isinstance(step, Transfer) and step.content == "update" and step.origin is not None
            for module in step.modules
        }
        self.last_use: dict[Holding, int] = {}
        for position, step in enumerate(kind.steps):
            for holding in _given_by(step, ("merge", "aggregate", "mix")):
                self.last_use[holding] = position

    def lacking(
        self,
        position: int,
        nodes: tuple[str, ...],
        modules: tuple[str, ...],
        given: list[frozenset[Holding]],
        owned: Collection[Holding] = (),
    ) -> list[Holding]:
        """Return what of ``nodes`` and ``modules`` is neither owned nor given by a step before this one."""
        missing = {(node, module) for node in nodes for module in modules if (node, module) in self.known}
        missing = {pair for pair in missing if pair not in owned}
        for earlier in self._steps_before(position) if missing else ():
            missing -= given[earlier]
            if not missing:
                break
        return sorted(missing)

    def passed(self, origin: str) -> list[frozenset[Holding]]:
        """Return what of a node's own updates each step brings where, for others to pass on."""
        return [
            _given_by(step, ("update",))
            if isinstance(step, Transfer) and (step.origin or step.source) == origin
            else frozenset()
            for step in self._steps
        ]

    def is_used(self, position: int, step: Transfer, module: str) -> bool:
        """Return whether an update that arrives is merged, averaged or mixed later, or passed on."""
        if self.last_use.get((step.target, module), -1) > position:
            return True
        return self._last_pass.get((step.target, step.origin or step.source, module), -1) > position

    def _steps_before(self, position: int) -> Iterator[int]:
        """Yield the steps that must have ended before this one, the nearest first."""
        seen: set[int] = set()
        front = self._before[position]
        while front:
            following = []
            for earlier in front:
                if earlier not in seen:
                    seen.add(earlier)
                    yield earlier
                    following += self._before[earlier]
            front = following


class _Known:
    """Pairs of a known node and a known module; others are reported as unknown names already."""

    def __init__(self, nodes: set[str], modules: set[str]) -> None:
        self._nodes = nodes
        self._modules = modules

    def __contains__(self, holding: Holding) -> bool:
        return holding[0] in self._nodes and holding[1] in self._modules


def _given_by(step: Step, ways: tuple[str, ...]) -> frozenset[Holding]:
    """Return what ``step`` gives to which node, if it is one of ``ways``: types of steps, or contents."""
    match step:
        case Transfer() if step.content in ways:
            nodes: tuple[str, ...] = (step.target,)
        case Merge() | Aggregate() if step.type in ways:
            nodes = (step.node,)
        case Mix() if step.type in ways:
            nodes = step.nodes
        case _:
            return frozenset()
    return frozenset((node, module) for node in nodes for module in step.modules)
