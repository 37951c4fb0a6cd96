"""Bits of a living round that differ from those of the schedule."""

from collections.abc import Sequence

import numpy as np

from fl_runtime.compiled import CompiledKind
from fl_runtime.living.as_it_was import kind_as_it_was, steps_as_they_were
from fl_runtime.living.flow import Flow, step_modules
from fl_runtime.living.record import Record
from fl_runtime.living.round_sets import has, rows_of
from fl_runtime.packing import packed_bits
from fl_runtime.rebasing import packed_modules, surplus_bits
from fl_runtime.schedule import Schedule, Transfer
from fl_runtime.transport import Transport
from fl_runtime.transport_state import Kept, Load

Extra = dict[int, float]
"""Bits by the position of a transfer: what one attempt carries more, or less, than the schedule says."""


def extra_of_rounds(schedule: Schedule, kinds: Sequence[CompiledKind], record: Record) -> list[Extra]:
    """Return what the transfers of each round carry more or less than they say.

    Less where a sender has nothing of some of the modules; more, or less, where someone lacks what others
    have (:mod:`fl_runtime.rebasing`).
    """
    nominal = Nominal(schedule)
    result = _parts(nominal, record)
    packed = packed_modules(schedule)
    if not packed:
        return result
    position_of = {id(kind): {step.id: place for place, step in enumerate(kind.steps)} for kind in kinds}
    trackers = [tracker(schedule, name) for name in packed]
    for index, kind in enumerate(kinds):
        happened = record.happened(index)
        for transport in trackers:
            _, loads = transport.round(happened.kind.name, empty_rows(schedule, transport.module), happened)
            for name, load in loads.items():
                position = position_of[id(kind)][name]
                step = kind.steps[position]
                more = nominal.surplus(step, transport.module, load) if isinstance(step, Transfer) else 0.0
                if more:
                    result[index][position] = result[index].get(position, 0.0) + more
    return result


def tracker(schedule: Schedule, module: str) -> Transport:
    """Return a transport that follows who has which models of a module, without any parameters."""
    return Transport(schedule, module, Kept({0: np.zeros(0, dtype=np.float32)}))


def empty_rows(schedule: Schedule, module: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the parameters of the replicas of a module that has none."""
    return np.zeros((sum(replica.module == module for replica in schedule.replicas), 0), dtype=np.float32)


class Nominal:
    """What of the bits of a transfer belongs to each of its modules."""

    def __init__(self, schedule: Schedule) -> None:
        self._update_bits = {module.id: module.update_bits for module in schedule.modules}

    def shares(self, step: Transfer) -> list[float]:
        """Return the part of each module of the bits of a transfer; equal parts where they have none."""
        sizes = [packed_bits(self._update_bits[name], step.bits_a_parameter(name)) for name in step.modules]
        total = sum(sizes)
        return [size / total for size in sizes] if total else [1.0 / len(sizes)] * len(sizes)

    def without(self, step: Transfer, carried: Sequence[bool]) -> float:
        """Return the (negative) bits of the modules that a transfer does not carry."""
        lacking = [share for share, held in zip(self.shares(step), carried, strict=True) if not held]
        return -step.bits * sum(lacking)

    def surplus(self, step: Transfer, module: str, load: Load) -> float:
        """Return what a load of a module takes more than one packet or state of it."""
        return surplus_bits(load, self._update_bits[module], step.bits_a_parameter(module))


def _parts(nominal: Nominal, record: Record) -> list[Extra]:
    result: list[Extra] = [{} for _ in record.plays]
    rounds_of: dict[int, list[int]] = {}
    flow_of: dict[int, Flow] = {}
    for index, play in enumerate(record.plays):
        rounds_of.setdefault(id(play.flow), []).append(index)
        flow_of[id(play.flow)] = play.flow
    for key, flow in flow_of.items():
        for position, step in enumerate(flow.kind.steps):
            if not isinstance(step, Transfer) or step.content == "activation":
                continue
            parts = flow.takes_place[position]
            whole = parts
            for some, _ in flow.carried[position]:
                whole &= some
            for row in rows_of(parts & ~whole):
                carried = [has(some, row) for some, _ in flow.carried[position]]
                result[rounds_of[key][row]][position] = nominal.without(step, carried)
    return result


class PackedLoads:
    """Follows, step by step, what the transfers of one round carry that nobody could know before.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    trackers : sequence of Transport
        Of each module that travels packed; they go on from round to round.
    ideal : (Flow, int)
        The round if all goes well, and its place in there.
    flow : Flow
        The round as it goes.
    nominal : Nominal
        What of the bits of a transfer belongs to each module.
    """

    def __init__(
        self,
        schedule: Schedule,
        trackers: Sequence[Transport],
        ideal: tuple[Flow, int],
        flow: Flow,
        nominal: Nominal,
    ) -> None:
        self._flow, self._nominal = flow, nominal
        self._idle: dict[str, set[str]] = {each.module: set() for each in trackers}
        planned = kind_as_it_was(*ideal) if trackers else flow.kind
        self._rounds = {
            each.module: each.open(planned, empty_rows(schedule, each.module), self._idle[each.module])
            for each in trackers
        }

    def begin(self, position: int) -> float:
        """Return the bits that a step carries more, or less, than the schedule says."""
        step = self._flow.kind.steps[position]
        if not isinstance(step, Transfer) or step.content == "activation":
            return 0.0
        carried = [has(some, 0) for some, _ in self._flow.carried[position]]
        extra = 0.0 if all(carried) else self._nominal.without(step, carried)
        for module, held in zip(step.modules, carried, strict=True):
            if held and module in self._rounds:
                self._know_the_idle()
                under_way = self._rounds[module]
                under_way.follow(step, arrives=False)  # for its load: so far nothing has arrived
                extra += self._nominal.surplus(step, module, under_way.loads[step.id])
        return extra

    def arrive(self, position: int) -> None:
        """Let a step have its effect."""
        if self._rounds:
            self._know_the_idle()
        for step, arrived in steps_as_they_were(self._flow, 0, (position,)) if self._rounds else ():
            for module in set(step_modules(step)) & self._rounds.keys():
                self._rounds[module].follow(step, arrived)

    def end(self) -> None:
        """End the round."""
        for under_way in self._rounds.values():
            under_way.close()

    def _know_the_idle(self) -> None:
        for module, host in self._flow.idle(0):
            if module in self._idle:
                self._idle[module].add(host)
