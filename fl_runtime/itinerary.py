"""The ways of one module in a kind of round: which updates end in which averages, and who gets which models.

It is found once per kind, from names alone.  :mod:`fl_runtime.transport` uses it to choose states that
sender and receiver have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fl_runtime.order import in_order
from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule import Aggregate, Deliver, Merge, Mix, RoundKind, Schedule, Transfer

Moving = Transfer | Merge | Aggregate | Deliver
"""Steps that do something with the updates and models of a module."""


@dataclass(frozen=True, eq=False)
class Gathering:
    """Averages that have some transfer or merge in common, and what goes into them; equal only to itself.

    Parameters
    ----------
    averagers : frozenset of str
        Nodes that average.
    ways : mapping of str to tuple of str
        For each host whose replica goes in: the nodes that merge or average it, in order.
    packed : bool
        Whether some of the transfers is below 32 bits.
    branches : bool
        Whether some host's update goes two ways, of which ``ways`` has one.
    """

    averagers: frozenset[str]
    ways: Mapping[str, tuple[str, ...]]
    packed: bool
    branches: bool

    def way_from(self, node: str) -> tuple[str, ...]:
        """Return the nodes that merge or average what a node sends, in order."""
        return self._ways_from.get(node, ())

    @cached_property
    def _ways_from(self) -> Mapping[str, tuple[str, ...]]:
        found = {}
        for way in self.ways.values():
            found.update({node: way[place:] for place, node in enumerate(way, start=1)})
        return found | dict(self.ways)


@dataclass(frozen=True)
class Itinerary:
    """The ways of one module in one kind of round.

    Parameters
    ----------
    steps : tuple
        The steps that move it, in an order in which they may be followed.
    gathering_of : mapping of str to Gathering
        By the id of a merge, an average, or the transfer of an update.
    receivers_of : mapping of str to frozenset of str
        By the id of a transfer of a model below 32 bits: all nodes that its codes reach, passed on or not.
    sources_of : mapping of str to frozenset of str
        For each node: the nodes whose averages or codes reach it, itself included where it makes some.
    update_tiers : tuple of tuple
        The steps that move updates, in tiers: those of a tier may be done together, tier after tier.
    first_codes : mapping of str to str
        By the id of an average: the transfer in which its model first gets codes, where the average comes to
        it as it was made and its node makes codes of that precision once.
    """

    steps: tuple[Moving, ...]
    gathering_of: Mapping[str, Gathering]
    receivers_of: Mapping[str, frozenset[str]]
    sources_of: Mapping[str, frozenset[str]]
    update_tiers: tuple[tuple[Moving, ...], ...]
    first_codes: Mapping[str, str]


def itinerary(schedule: Schedule, kind: RoundKind, module: str) -> Itinerary:
    """Return the ways of ``module`` in a round of ``kind``; consensus (Mix) is not followed."""
    steps = tuple(
        step
        for step in in_order(kind.steps)
        if isinstance(step, Moving) and module in step.modules and not _is_activation(step)
    )
    hosts = {replica.host for replica in schedule.replicas if replica.module == module}
    updates, models = _Updates(module, hosts), _Models()
    for step in steps:
        match step:
            case Transfer(content="update"):
                updates.send(step)
            case Transfer():
                models.send(step, step.bits_a_parameter(module))
            case Merge() | Aggregate():
                updates.merge(step)
                if isinstance(step, Aggregate):
                    models.make(step.node, step.id)
            case _:
                pass
    return Itinerary(
        steps=steps,
        gathering_of=updates.gatherings(),
        receivers_of={name: frozenset(models.receivers[first]) for name, first in models.first_of.items()},
        sources_of={name: frozenset(nodes) for name, nodes in models.sources.items()},
        update_tiers=_tiers(steps),
        first_codes=models.first_codes(),
    )


def _tiers(steps: Sequence[Moving]) -> tuple[tuple[Moving, ...], ...]:
    """Return the steps that move updates in tiers: steps at a common node keep their order.

    Only arrivals at a node may be of one tier, unless they bring the update of the same origin.
    """
    touched: dict[str, int] = {}  # by node: the last tier in which something happens to its updates
    changed: dict[str, int] = {}  # the last one in which something else than an arrival does
    came: dict[tuple[str, str], int] = {}  # the last one in which an origin's update arrives at a node
    tiers: list[list[Moving]] = []
    for step in steps:
        match step:
            case Transfer(content="update"):
                source, target, origin = step.source, step.target, step.origin or step.source
                tier = 1 + max(
                    touched.get(source, -1), changed.get(target, -1), came.get((origin, target), -1)
                )
                touched[source] = changed[source] = came[origin, target] = tier
                touched[target] = max(tier, touched.get(target, -1))
            case Merge() | Aggregate():
                tier = 1 + touched.get(step.node, -1)
                touched[step.node] = changed[step.node] = tier
            case _:
                continue
        tiers += [[] for _ in range(tier + 1 - len(tiers))]
        tiers[tier].append(step)
    return tuple(map(tuple, tiers))


def is_mixed(kinds: Sequence[RoundKind], module: str) -> bool:
    """Return whether some step mixes ``module`` by consensus."""
    return any(isinstance(step, Mix) and module in step.modules for kind in kinds for step in kind.steps)


def _is_activation(step: Moving) -> bool:
    return isinstance(step, Transfer) and step.content == "activation"


@dataclass(frozen=True, eq=False)
class _Update:
    """The hosts whose replicas an update holds with the nodes that merged them, and the steps of its way.

    ``branches`` says whether some host's update goes two ways, of which ``ways`` has one.
    """

    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps: frozenset[str] = frozenset()
    branches: bool = False

    def after(self, step: str) -> "_Update":
        return _Update(self.ways, self.steps | {step}, self.branches)

    def merged_at(self, node: str) -> "_Update":
        ways = {host: (*way, node) for host, way in self.ways.items()}
        return _Update(ways, self.steps, self.branches)


def _joined(updates: Sequence[_Update]) -> _Update:
    """Return updates that meet as one; of two ways of a host the longer."""
    ways: dict[str, tuple[str, ...]] = {}
    branches = any(update.branches for update in updates)
    for update in updates:
        for host, way in update.ways.items():
            shorter, longer = sorted((ways.get(host, ()), way), key=len)
            branches |= longer[: len(shorter)] != shorter
            ways[host] = longer
    return _Update(ways, frozenset().union(*(update.steps for update in updates)), branches)


class _Updates:
    """Follows updates, as :mod:`fl_runtime.aggregation` does, by the names of those in them."""

    def __init__(self, module: str, hosts: set[str]) -> None:
        self._module = module
        self._packed: set[str] = set()
        self._updates = {host: _Update({host: ()}) for host in hosts}
        self._arrived: dict[str, list[_Update]] = {}
        self._passing: dict[tuple[str, str], _Update] = {}
        self._ended: list[tuple[str, _Update]] = []

    def send(self, step: Transfer) -> None:
        origin = step.origin or step.source
        if origin == step.source:
            update = self._updates.get(origin, _Update())
        else:
            update = self._passing.get((origin, step.source), _Update())
            waiting = self._arrived.get(step.source, [])
            self._arrived[step.source] = [other for other in waiting if other is not update]
        update = update.after(step.id)
        if step.bits_a_parameter(self._module) < FULL_BITS:
            self._packed.add(step.id)
        self._arrived.setdefault(step.target, []).append(update)
        self._passing[origin, step.target] = update

    def merge(self, step: Merge | Aggregate) -> None:
        parts = [part.merged_at(step.node) for part in self._arrived.pop(step.node, [])]
        if step.node in self._updates:
            parts = [*parts, self._updates[step.node]]
        merged = _joined(parts).after(step.id)
        self._updates[step.node] = merged
        if isinstance(step, Aggregate):
            self._ended.append((step.node, merged))

    def gatherings(self) -> dict[str, Gathering]:
        """Return the gathering of each step; averages with a step in common are one."""
        groups: list[tuple[set[str], _Update]] = []
        for node, update in self._ended:
            averagers, joined, apart = {node}, update, []
            for others, other in groups:
                if other.steps & joined.steps:
                    averagers |= others
                    joined = _joined((joined, other))
                else:
                    apart.append((others, other))
            groups = [*apart, (averagers, joined)]
        result: dict[str, Gathering] = {}
        for averagers, joined in groups:
            packed = bool(joined.steps & self._packed)
            gathering = Gathering(frozenset(averagers), joined.ways, packed, joined.branches)
            result |= dict.fromkeys(joined.steps, gathering)
        return result


@dataclass(eq=False)
class _Model:
    """A model on its way: who made it, and for each precision who made its codes and in which transfer.

    ``average`` is the step that made it, as long as nothing else was done to it.
    """

    maker: str
    coded: dict[int, tuple[str, str]] = field(default_factory=dict)
    average: str | None = None


class _Models:
    """Follows models: whose they are, and whom the codes of each reach."""

    def __init__(self) -> None:
        self._held: dict[str, _Model] = {}
        self.receivers: dict[str, set[str]] = {}  # by the first transfer of the codes
        self.first_of: dict[str, str] = {}
        self.sources: dict[str, set[str]] = {}
        self._first: dict[str, str] = {}  # transfer by average
        self._codings: dict[tuple[str, int], list[str]] = {}  # transfers by node and precision

    def make(self, node: str, step: str) -> None:
        self._held[node] = _Model(node, average=step)
        self._tell(node, node)

    def send(self, step: Transfer, bits: int) -> None:
        model = self._held.setdefault(step.source, _Model(step.source))
        if bits == FULL_BITS:
            self._held[step.target] = _Model(model.maker)
            self._tell(step.target, model.maker)
            return
        if bits not in model.coded:
            model.coded[bits] = (step.source, step.id)
            self._tell(step.source, step.source)
            self._codings.setdefault((step.source, bits), []).append(step.id)
            if model.average is not None:
                self._first[model.average] = step.id
        model.average = None
        maker, transfer = model.coded[bits]
        self.receivers.setdefault(transfer, set()).add(step.target)
        self.first_of[step.id] = transfer
        self._held[step.target] = _Model(maker, {bits: (maker, transfer)})
        self._tell(step.target, maker)

    def first_codes(self) -> dict[str, str]:
        """Return the transfer by average."""
        only = {transfers[0] for transfers in self._codings.values() if len(transfers) == 1}
        return {average: transfer for average, transfer in self._first.items() if transfer in only}

    def _tell(self, node: str, maker: str) -> None:
        self.sources.setdefault(node, set()).add(maker)
