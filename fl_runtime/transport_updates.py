"""Updates of one module in one round, from the replicas over relays to the averages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fl_runtime.itinerary import Gathering, Itinerary
from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule import Aggregate, Merge, Replica, Transfer
from fl_runtime.transport_state import FloatArray, Kept, Known, Load, State, most_known, send_coded

Part = tuple[float, FloatArray]
"""A weight, and the weighted sum of differences (or of states) that it belongs to."""


@dataclass(frozen=True)
class Update:
    """A weighted sum on its way, in parts: by the number of the model from which they differ.

    The part ``None`` is a sum of whole states.  ``load`` is how it travelled last, ``coders`` are the nodes
    whose codes are in it.
    """

    parts: Mapping[int | None, Part]
    load: Load = field(default_factory=lambda: Load(0, 0))
    coders: frozenset[str] = frozenset()


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
    known : mapping of str to frozenset of int
        Numbers of the models that each node has at the start of the round.
    replicas : sequence of Replica
        Those of the module.
    rows : array of float32, shape (replicas, size)
        Their parameters.
    untrained : collection of str
        Nodes whose replicas take no part.
    """

    def __init__(
        self,
        module: str,
        ways: Itinerary,
        kept: Kept,
        known: Known,
        replicas: Sequence[Replica],
        rows: State,
        untrained: Collection[str] = (),
    ) -> None:
        self._module, self._ways, self._kept, self._known, self._rows = module, ways, kept, known, rows
        self._untrained = untrained
        self._rests_before: dict[str, State | None] = {}
        self._reached: frozenset[str] = frozenset()
        self._row_of = {replica.host: row for row, replica in enumerate(replicas)}
        self._weight_of = {replica.host: float(replica.weight) for replica in replicas}
        self._references: dict[Gathering, int | None] = {}
        self._merged: dict[str, Update] = {}
        self._arrived: dict[str, list[Update]] = {}
        self._passing: dict[tuple[str, str], Update] = {}

    def send(self, step: Transfer, arrives: bool = True) -> Load:
        """Bring an update to the target: the source's own, or one that it passes on as it came.

        If it does not arrive, the source has what rounding lost before, as if it had not sent.
        """
        origin = step.origin or step.source
        if origin == step.source:
            before = self._kept.rest_up.get(origin)
            update = self._travelled(step, self._own(origin, step.id))
            if origin in update.coders:
                self._rests_before.setdefault(origin, before)
            if not arrives and origin in update.coders:
                self._put_back(origin, before)
        else:
            update = self._passing[origin, step.source]
            if arrives:
                waiting = self._arrived.get(step.source, [])
                self._arrived[step.source] = [other for other in waiting if other is not update]
        if arrives:
            self._arrived.setdefault(step.target, []).append(update)
            self._passing[origin, step.target] = update
        return update.load

    def put_back(self) -> None:
        """Let nodes whose codes came into no average have what rounding lost before, as if not sent."""
        for node, before in self._rests_before.items():
            if node not in self._reached:
                self._put_back(node, before)

    def _put_back(self, node: str, rest: State | None) -> None:
        if rest is None:
            self._kept.rest_up.pop(node, None)
        else:
            self._kept.rest_up[node] = rest

    def merge(self, step: Merge | Aggregate) -> Update:
        """Add what arrived at a node to its own update."""
        arrived = self._arrived.pop(step.node, [])
        has_own = step.node in self._merged or self._trains(step.node)
        whole = [self._own(step.node, step.id), *arrived] if has_own else arrived
        if not whole:
            raise ValueError(f"step {step.id!r}: no update of {self._module!r} has reached {step.node!r}")
        target = self._told_from(step.node, step.id)
        self._merged[step.node] = self._as_one(step.node, _added(whole), target)
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
        """Return from which model a node tells in a step: ``None`` where it can only pass on what it gets.

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
        if not self._trains(node):
            raise ValueError(f"step {step!r}: no update of {self._module!r} has reached node {node!r}")
        weight, state = self._weight_of[node], self._rows[self._row_of[node]].astype(np.float64)
        reference = self._told_from(node, step)
        base = 0.0 if reference is None else self._kept.models[reference]
        return Update({reference: (weight, weight * (state - base))})

    def _trains(self, node: str) -> bool:
        return node in self._row_of and node not in self._untrained

    def _as_one(self, node: str, update: Update, target: int | None) -> Update:
        """Return the update with all parts that the node can translate told from ``target``."""
        mine = {None, *self._known[node]} - {target}
        if target is None or mine.isdisjoint(update.parts):
            return update
        weight, whole = update.parts.get(target, (0.0, 0.0 * next(iter(update.parts.values()))[1]))
        for number, (part_weight, part) in update.parts.items():
            if number in mine:
                base = 0.0 if number is None else self._kept.models[number].astype(np.float64)
                weight, whole = weight + part_weight, whole + part
                whole = whole + part_weight * (base - self._kept.models[target])
        others = {number: part for number, part in update.parts.items() if number not in {*mine, target}}
        return Update({target: (weight, whole), **others}, coders=update.coders)

    def _travelled(self, step: Transfer, update: Update) -> Update:
        """Return the update as it arrives, rounded part by part."""
        bits = step.bits_a_parameter(self._module)
        if bits == FULL_BITS:
            return Update(update.parts, Load(len(update.parts), 0), update.coders)
        arrived: dict[int | None, Part] = {}
        num_bytes = packets = 0
        for number, (weight, whole) in update.parts.items():
            if number is None:
                arrived[None] = (weight, whole)
                continue
            # what has no weight brings nothing, and only the first part can take up what was lost
            rests = self._kept.rest_up if weight and not packets else {}
            mean = whole / (weight or 1.0)
            sent, weight_sent, length = send_coded(mean, bits, number, weight, rests, step.source)
            arrived[number] = (weight_sent, weight_sent * sent)
            num_bytes, packets = num_bytes + length, packets + 1
        coders = update.coders | {step.source} if packets else update.coders
        return Update(arrived, Load(len(arrived) - packets, packets, num_bytes), coders)


def _up_to_average(gathering: Gathering, node: str) -> tuple[str, ...]:
    """Return the nodes that merge or average what a node sends, to the first that averages.

    Where an update goes two ways, none is sure to lie on both.
    """
    if gathering.branches:
        return ()
    way = gathering.way_from(node)
    ends = [place for place, later in enumerate(way, start=1) if later in gathering.averagers]
    return way[: min(ends, default=len(way))]


def _added(updates: Iterable[Update]) -> Update:
    parts: dict[int | None, Part] = {}
    coders: frozenset[str] = frozenset()
    for update in updates:
        coders |= update.coders
        for number, (weight, whole) in update.parts.items():
            if number in parts:
                parts[number] = (parts[number][0] + weight, parts[number][1] + whole)
            else:
                parts[number] = (weight, whole)
    return Update(parts, coders=coders)
