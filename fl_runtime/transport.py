"""Updates and models as they really travel: packed differences from a state that both ends have.

What nodes keep
---------------
A node keeps the last model of each node whose averages or codes reach it (its own too); until the first one
comes, that is the model with which all start.  Models are numbered as they are made.

What travels below 32 bits
--------------------------
- An **update** is the weighted average of the replicas in it, minus a model.  The *reference* of a gathering
  is, of the models that every averager has, the one that most of the devices have, the latest among equals.
  A node tells its update from the reference, or from a later model if some node further on its way has that
  one as well as the reference: it translates.  Relays add what is told from the same model, and need not
  have it.  A device that has no such model sends its whole state.
- A **model** is coded once, where it is made: the difference from the model that the sender has and most of
  those have whom the codes will reach.  Relays pass the codes on.  A receiver without that reference gets
  the reference first, as it is.  The sender takes what the codes say as its model, so that all have the
  same.
- What rounding loses, the sender adds to what it sends next (error feedback; Seide et al. 2014, Stich et
  al. 2018, arXiv:1809.07599).

At 32 bits nothing is lost: updates travel as exact sums, models as they are.

Where transfers fail
--------------------
Senders choose references as if all would go well among the nodes that are there.  A node whose update comes
into no average has afterwards what rounding had lost before, as if it had not sent.  A model is coded by the
node that averages, and its rest is that node's own: who does not get the codes lacks that model, and is
re-based later.
"""

from collections.abc import Collection
from dataclasses import asdict

import numpy as np

from fl_runtime.itinerary import Moving, is_mixed, itinerary
from fl_runtime.living.record import Happened
from fl_runtime.order import in_order
from fl_runtime.packing import FULL_BITS
from fl_runtime.schedule import Aggregate, Deliver, Merge, RoundKind, Schedule, Step, Transfer
from fl_runtime.server_optimisers import Plain, advance
from fl_runtime.transport_choices import Choices, Memory, fresh_choices
from fl_runtime.transport_models import Models
from fl_runtime.transport_state import FloatArray, Kept, Load, State
from fl_runtime.transport_updates import Updates


def travels_packed(schedule: Schedule, module: str) -> bool:
    """Return whether some transfer of ``module`` is below 32 bits, or some server optimiser moves it."""
    return any(
        (isinstance(step, Transfer) and module in step.modules and step.bits_a_parameter(module) < FULL_BITS)
        or (isinstance(step, Aggregate) and module in step.modules and not isinstance(step.optimiser, Plain))
        for kind in played_kinds(schedule)
        for step in kind.steps
    )


def packed_modules(schedule: Schedule) -> tuple[str, ...]:
    """Return the trainable modules that travel packed, in the order of the schedule."""
    return tuple(
        module.id for module in schedule.modules if module.trainable and travels_packed(schedule, module.id)
    )


def played_kinds(schedule: Schedule) -> tuple[RoundKind, ...]:
    """Return the kinds of round that the cycle names."""
    return tuple(kind for kind in schedule.kinds if kind.name in schedule.cycle)


def way_of_kind(kind: RoundKind, module: str) -> list[list[object]]:
    """Return, as plain data without names of steps, all of a kind that decides what becomes of ``module``."""
    way: list[list[object]] = []
    for step in in_order(kind.steps):
        match step:
            case Transfer() if module in step.modules and step.content != "activation":
                bits = step.bits_a_parameter(module)
                way.append([step.content, step.source, step.target, step.origin or step.source, bits])
            case Merge() if module in step.modules:
                way.append([step.type, step.node])
            case Aggregate() if module in step.modules:
                way.append([step.type, step.node, asdict(step.optimiser)])
            case Deliver() if module in step.modules:
                way.append([step.type, list(step.nodes)])
            case _:
                pass
    return way


class Transport:
    """Carries the updates and models of one module through rounds.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    module : str
        Name of the module; no step mixes it by consensus.
    kept : Kept
        What the nodes have at first; it is changed by rounds.
    """

    def __init__(self, schedule: Schedule, module: str, kept: Kept) -> None:
        kinds = played_kinds(schedule)
        if is_mixed(kinds, module):
            raise ValueError(
                f"module {module!r} is mixed by consensus, which takes models as they are: it must travel "
                "with 32 bits and without a server optimiser"
            )
        self.module = module
        self.kept = kept
        self._schedule = schedule
        self._replicas = [replica for replica in schedule.replicas if replica.module == module]
        self._row_of = {replica.host: row for row, replica in enumerate(self._replicas)}
        self._ways = {kind.name: itinerary(schedule, kind, module) for kind in kinds}
        sources: dict[str, set[str]] = {}
        for ways in self._ways.values():
            for node, makers in ways.sources_of.items():
                sources.setdefault(node, set()).update(makers)
        self._sources = {node: tuple(sorted(makers)) for node, makers in sorted(sources.items())}
        self._memory = Memory(self._sources)

    def round(
        self, kind: str, rows: State, happened: Happened | None = None
    ) -> tuple[State, dict[str, Load]]:
        """Play a round.

        Parameters
        ----------
        kind : str
            Name of the kind of round.
        rows : array of float32, shape (replicas, size)
            Parameters of the replicas after local training, in the order of the schedule.
        happened : Happened or None
            What came of the steps in a living network; ``None``: all went well.

        Returns
        -------
        rows : array of float32, shape (replicas, size)
            After the round; replicas that nothing was delivered to stay as they are.
        loads : dict of str to Load
            What each transfer carried, by its id.
        """
        if happened is not None:
            return self._as_it_happened(rows, happened)
        ways = self._ways[kind]
        choices = self._memory.choices(kind, self.kept)
        updates = Updates(self.module, ways, self.kept, choices, self._replicas, rows)
        models = Models(self.module, ways, self.kept, choices)
        loads: dict[str, Load] = {}
        averages: dict[str, FloatArray] = {}
        for tier in ways.update_tiers:
            loads |= updates.send([step for step in tier if isinstance(step, Transfer)])
            for step in tier:
                if isinstance(step, Merge):
                    updates.merge(step)
                elif isinstance(step, Aggregate):
                    averages[step.id] = updates.average(step, self.last(choices.known[step.node]))
        made = {
            step.id: self.advanced(step, averages[step.id], self.last(choices.known[step.node]))
            for step in ways.steps
            if isinstance(step, Aggregate)
        }
        models.prepare(made)
        result = rows.copy()
        for step in ways.steps:
            match step:
                case Transfer(content="model"):
                    loads[step.id] = models.send(step)
                case Aggregate():
                    models.make(step.node, made[step.id])
                case Deliver():
                    for host in step.nodes:
                        if host in self._row_of:
                            result[self._row_of[host]] = models.held_by(host, step.id).values
                case _:
                    pass
        models.end()
        self.forget()
        return result, loads

    def _as_it_happened(self, rows: State, happened: Happened) -> tuple[State, dict[str, Load]]:
        idle = {host for module, host in happened.idle if module == self.module}
        under_way = self.open(happened.planned, rows, idle)
        for step, arrived in happened.steps:
            under_way.follow(step, arrived)
        under_way.updates.put_back()
        return under_way.close(), under_way.loads

    def open(self, planned: RoundKind, rows: State, idle: Collection[str]) -> "TransportRound":
        """Return a round to be followed step by step, of which senders know the planned steps.

        Replicas on ``idle`` hosts take no part.
        """
        ways = itinerary(self._schedule, planned, self.module)
        choices = fresh_choices(self._sources, self.kept)
        updates = Updates(self.module, ways, self.kept, choices, self._replicas, rows, idle)
        models = Models(self.module, ways, self.kept, choices)
        return TransportRound(self, updates, models, choices, rows.copy())

    def host_row(self, host: str) -> int | None:
        """Return the place of the replica on a host; ``None`` where there is none."""
        return self._row_of.get(host)

    def last(self, numbers: frozenset[int]) -> FloatArray:
        """Return the latest of some models."""
        return self.kept.models[max(numbers)].astype(np.float64)

    def advanced(self, step: Aggregate, average: FloatArray, last: FloatArray) -> State:
        """Return what the server optimiser makes of an average."""
        model, memory = advance(step.optimiser, average, last, self.kept.memories.get(step.node))
        if memory:
            self.kept.memories[step.node] = memory
        return model.astype(np.float32)

    def forget(self) -> None:
        """Drop models that no node has any more."""
        used = {0}
        for node, makers in self._sources.items():
            last = self.kept.number_of.get(node, {})
            used.update(last.get(maker, 0) for maker in makers)
        self.kept.models = {number: self.kept.models[number] for number in sorted(used)}


class TransportRound:
    """A round that is followed step by step.

    Parameters
    ----------
    transport : Transport
        Whose round it is.
    updates, models : Updates, Models
        What travels.
    choices : Choices
        From which models differences are told.
    rows : array of float32, shape (replicas, size)
        Parameters of the replicas; deliveries change them.
    """

    def __init__(
        self, transport: Transport, updates: Updates, models: Models, choices: Choices, rows: State
    ) -> None:
        self._transport, self.updates, self._models = transport, updates, models
        self._known, self._rows = choices.known, rows
        self.loads: dict[str, Load] = {}

    def follow(self, step: Step, arrives: bool = True) -> None:
        """Follow a step; one that does not move the module is passed over."""
        if not isinstance(step, Moving) or self._transport.module not in step.modules:
            return
        match step:
            case Transfer(content="update"):
                self.loads |= self.updates.send([step], arrives)
            case Transfer(content="model"):
                self.loads[step.id] = self._models.send(step, arrives)
            case Merge():
                self.updates.merge(step)
            case Aggregate():
                last = self._transport.last(self._known[step.node])
                average = self.updates.average(step, last)
                self._models.make(step.node, self._transport.advanced(step, average, last))
            case Deliver():
                for host in step.nodes:
                    row = self._transport.host_row(host)
                    if row is not None:
                        self._rows[row] = self._models.held_by(host, step.id).values
            case _:
                pass

    def close(self) -> State:
        """End the round; return the parameters of the replicas."""
        self._models.end()
        self._transport.forget()
        return self._rows
