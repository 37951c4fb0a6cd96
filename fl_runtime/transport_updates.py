"""Updates of one module in one round, from the replicas over relays to the averages."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from fl_runtime.itinerary import Gathering, Itinerary
from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule import Aggregate, Merge, Replica, Transfer
from fl_runtime.transport_choices import Choices
from fl_runtime.transport_parts import Sent, Update, added, coding, load_of
from fl_runtime.transport_state import FloatArray, Kept, Load, State, most_known, send_coded


class Updates:
    """Follows the updates of a round.

    Parameters
    ----------
    module : str
        Name of the module.
    ways : Itinerary
        Its ways in this kind of round.
    kept : Kept
        What the nodes have; what rounding loses is changed.
    choices : Choices
        From which models differences are told.
    replicas : sequence of Replica
        Those of the module.
    rows : array of float32, shape (replicas, size)
        Their parameters.
    idle : collection of str
        Hosts whose replicas take no part, as nobody trained them.
    """

    def __init__(
        self,
        module: str,
        ways: Itinerary,
        kept: Kept,
        choices: Choices,
        replicas: Sequence[Replica],
        rows: State,
        idle: Collection[str] = (),
    ) -> None:
        self._module, self._ways, self._kept, self._rows = module, ways, kept, rows
        self._choices, self._known = choices, choices.known
        self._idle = idle
        self._rests_before: dict[str, State | None] = {}
        self._reached: frozenset[str] = frozenset()
        self._row_of = {replica.host: row for row, replica in enumerate(replicas)}
        self._weight_of = {replica.host: float(replica.weight) for replica in replicas}
        self._references: dict[Gathering, int | None] = {}
        self._merged: dict[str, Update] = {}
        self._order = {step.id: place for place, step in enumerate(ways.steps)}
        self._arrived: dict[str, list[tuple[int, Update]]] = {}  # with the place of the step that brought it
        self._passing: dict[tuple[str, str], Update] = {}

    def send(self, steps: Sequence[Transfer], arrives: bool = True) -> dict[str, Load]:
        """Bring the updates of a tier to their targets: the source's own, or those passed on as they came.

        Where they do not arrive, sources have what rounding lost before, as if they had not sent.
        """
        own = [step for step in steps if step.source == (step.origin or step.source)]
        before = {step.source: self._kept.rest_up.get(step.source) for step in own}
        brought = dict(zip((step.id for step in own), self._travelled(own, self._leaving(own)), strict=True))
        self._rests_before = before | self._rests_before
        if not arrives:
            self._put_back(before)
        for step in steps:
            origin = step.origin or step.source
            passes = step.id not in brought
            if passes:
                brought[step.id] = self._passing[origin, step.source]
            update = brought[step.id]
            if not arrives:
                continue
            if passes:
                waiting = self._arrived.get(step.source, [])
                self._arrived[step.source] = [kept for kept in waiting if kept[1] is not update]
            self._arrived.setdefault(step.target, []).append((self._order[step.id], update))
            self._passing[origin, step.target] = update
        return {step.id: brought[step.id].load for step in steps}

    def put_back(self) -> None:
        """Let nodes whose codes came into no average have what rounding lost before, as if not sent."""
        unreached = self._rests_before.keys() - self._reached
        self._put_back({node: self._rests_before[node] for node in unreached})

    def _put_back(self, rests: Mapping[str, State | None]) -> None:
        for node, rest in rests.items():
            if rest is None:
                self._kept.rest_up.pop(node, None)
            else:
                self._kept.rest_up[node] = rest

    def _trains(self, node: str) -> bool:
        return node in self._row_of and node not in self._idle

    def merge(self, step: Merge | Aggregate) -> Update:
        """Add what arrived at a node to its own update."""
        came = sorted(self._arrived.pop(step.node, []), key=_place)
        arrived = [update for _, update in came]
        has_own = step.node in self._merged or self._trains(step.node)
        whole = [self._own(step.node, step.id), *arrived] if has_own else arrived
        if not whole:
            raise ValueError(f"step {step.id!r}: no update of {self._module!r} has reached {step.node!r}")
        target = self._told_from(step.node, step.id)
        self._merged[step.node] = self._as_one(step.node, added(whole), target)
        return self._merged[step.node]

    def average(self, step: Aggregate, last: FloatArray) -> FloatArray:
        """Return the weighted average at a node; ``last`` if nothing in it has a weight."""
        merged = self.merge(step)
        self._reached |= merged.coders
        ((reference, (weight, whole)),) = merged.parts.items()
        if not weight:
            return last
        return whole / weight if reference is None else self._kept.models[reference] + whole / weight

    def _told_from(self, node: str, step: str) -> int | None:
        """Return from which model a node tells in a step: ``None`` where it can only pass on what it gets."""
        return self._choices.model_for(step, lambda: self._choose(node, step))

    def _choose(self, node: str, step: str) -> int | None:
        """Choose the model for :meth:`_told_from`.

        It is the latest that it has of these: the reference of the gathering, and models that a node further
        on its way has besides the reference, so that it can translate.
        """
        gathering = self._ways.gathering_of.get(step)
        if gathering is None or not gathering.packed:
            return None
        if gathering not in self._references:
            self._references[gathering] = self._reference_of(gathering)
        reference = self._references[gathering]
        translators = [
            self._known[later] for later in _up_to_average(gathering, node) if reference in self._known[later]
        ]
        usable = {reference}.union(*translators) & self._known[node]
        return max((number for number in usable if number is not None), default=None)

    def _reference_of(self, gathering: Gathering) -> int | None:
        """Return which of the models that all averagers have most of the hosts have too."""
        numbers = frozenset.intersection(*(self._known[node] for node in gathering.averagers))
        common = most_known(self._known, numbers, gathering.ways)
        return max(numbers, default=None) if common is None else common

    def _own(self, node: str, step: str) -> Update:
        """Return a node's merged update, or that of its replica."""
        if node in self._merged:
            return self._merged[node]
        return self._of_replicas([node], [step])[0]

    def _leaving(self, steps: Sequence[Transfer]) -> list[Update]:
        """Return what the source of each transfer sends of its own."""
        first = [step for step in steps if step.source not in self._merged]
        found = iter(self._of_replicas([step.source for step in first], [step.id for step in first]))
        return [self._merged[step.source] if step.source in self._merged else next(found) for step in steps]

    def _of_replicas(self, nodes: Sequence[str], steps: Sequence[str]) -> list[Update]:
        """Return the updates of the nodes' replicas in steps, one of each node."""
        for node, step in zip(nodes, steps, strict=True):
            if not self._trains(node):
                raise ValueError(f"step {step!r}: no update of {self._module!r} has reached node {node!r}")
        weights = [self._weight_of[node] for node in nodes]
        references = [self._told_from(node, step) for node, step in zip(nodes, steps, strict=True)]
        whole = self._rows[[self._row_of[node] for node in nodes]].astype(np.float64)  # (nodes, size)
        for reference in {number for number in references if number is not None}:
            same = [place for place, number in enumerate(references) if number == reference]
            if len(same) == len(whole):
                whole -= self._kept.models[reference]
            else:
                whole[same] -= self._kept.models[reference]
        whole *= np.array(weights)[:, None]
        return [
            Update({reference: (weight, row)})
            for reference, weight, row in zip(references, weights, whole, strict=True)
        ]

    def _as_one(self, node: str, update: Update, target: int | None) -> Update:
        """Return the update with all parts that the node can translate told from ``target``."""
        if target is None or update.parts.keys() == {target}:
            return update
        mine = {None, *self._known[node]} - {target}
        if mine.isdisjoint(update.parts):
            return update
        weight, whole = update.parts.get(target, (0.0, 0.0 * next(iter(update.parts.values()))[1]))
        for number, (part_weight, part) in update.parts.items():
            if number in mine:
                base = 0.0 if number is None else self._kept.models[number].astype(np.float64)
                weight, whole = weight + part_weight, whole + part
                whole = whole + part_weight * (base - self._kept.models[target])
        others = {number: part for number, part in update.parts.items() if number not in {*mine, target}}
        return Update({target: (weight, whole), **others}, coders=update.coders)

    def _travelled(self, steps: Sequence[Transfer], updates: Sequence[Update]) -> list[Update]:
        """Return the updates as they arrive, rounded part by part, each precision in one go."""
        coded: dict[int, list[Sent]] = {}
        for place, (step, update) in enumerate(zip(steps, updates, strict=True)):
            bits = step.bits_a_parameter(self._module)
            if bits == FULL_BITS:
                continue
            # what has no weight brings nothing, and only the first part can take up what was lost
            is_first = True
            for number, (weight, whole) in update.parts.items():
                if number is not None:
                    rests = self._kept.rest_up if weight and is_first else {}
                    coded.setdefault(bits, []).append(Sent(place, number, weight, whole, rests))
                    is_first = False
        arrived = [dict(update.parts) for update in updates]
        lengths = [0] * len(updates)
        for bits, sent in coded.items():
            values, weights, num_bytes = send_coded(coding(sent, bits, [step.source for step in steps]))
            values *= np.array(weights)[:, None]
            for part, weight, whole in zip(sent, weights, values, strict=True):
                arrived[part.place][part.number] = (weight, whole)
                lengths[part.place] += num_bytes
        return [
            Update(
                parts,
                load_of(parts, step.bits_a_parameter(self._module), length),
                update.coders | {step.source} if length else update.coders,
            )
            for step, update, parts, length in zip(steps, updates, arrived, lengths, strict=True)
        ]


def _place(arrival: tuple[int, Update]) -> int:
    return arrival[0]


def _up_to_average(gathering: Gathering, node: str) -> tuple[str, ...]:
    """Return the nodes that merge or average what a node sends, to the first that averages.

    Where an update goes two ways, none is sure to lie on both.
    """
    if gathering.branches:
        return ()
    way = gathering.way_from(node)
    ends = [place for place, later in enumerate(way, start=1) if later in gathering.averagers]
    return way[: min(ends, default=len(way))]
