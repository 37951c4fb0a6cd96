"""What happened in a living network, round by round: for the training, for people, and for files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from fl_runtime.living.as_it_was import kind_as_it_was, steps_as_they_were
from fl_runtime.living.draws import FloatArray, IntArray
from fl_runtime.living.flow import Flow
from fl_runtime.living.round_sets import has
from fl_runtime.schedule import Aggregate, Compute, Deliver, Merge, RoundKind, Schedule, Step, Transfer


class Event(NamedTuple):
    """Something that chance, or a policy, did to a step of a round.

    ``event`` is one of ``EVENTS``; ``value`` is the factor of slow work and the number of attempts of a
    transfer, and one otherwise.
    """

    round: int
    event: str
    node: str
    peer: str
    step: str
    value: float


EVENTS = {
    "away": "the node was not there",
    "slow": "its work took so many times as long",
    "repeated": "the transfer arrived after so many attempts",
    "lost": "the transfer did not arrive after so many attempts",
    "not sent": "the transfer did not take place: an end was away, or there was nothing to send",
    "called off": "the step was cut off, or not begun, as a round did not wait for it",
    "nothing to average": "no update had come, and no model was made",
    "no model": "no model reached the node at a delivery, so that it kept its own",
}
"""What can happen, and what it means."""


@dataclass(frozen=True, eq=False)
class RoundPlay:
    """What one round made of its steps.

    Parameters
    ----------
    flow : Flow
        Of the rounds of its kind.
    row : int
        Its place among them.
    order : sequence of int
        Positions of the steps in the order in which they ended.
    called_off : frozenset of int
        Positions of the steps that were called off.
    attempts : array of int, shape (steps,)
        How often each transfer was sent.
    slowness : array of float, shape (steps,)
        Factor on the time of each computation.
    """

    flow: Flow
    row: int
    order: Sequence[int]
    called_off: frozenset[int]
    attempts: IntArray
    slowness: FloatArray


@dataclass(frozen=True, eq=False)
class Happened:
    """What the training takes from a round.

    Parameters
    ----------
    kind : RoundKind
        The steps that moved updates and models, in the order in which they ended, as they happened.
    steps : tuple of (Step, bool)
        The same, with the transfers that did not arrive: whether each did.
    untrained : frozenset of str
        Devices that did not train.
    idle : frozenset of (str, str)
        Replicas, by module and host, that nobody trained.
    planned : RoundKind
        The same for the same nodes, if all had gone well: what senders go by.
    """

    kind: RoundKind
    steps: tuple[tuple[Step, bool], ...]
    untrained: frozenset[str]
    idle: frozenset[tuple[str, str]]
    planned: RoundKind

    def without_untrained(self, schedule: Schedule) -> Schedule:
        """Return the schedule with weight 0 for replicas that nobody trained."""
        if not self.idle:
            return schedule
        replicas = tuple(
            replace(replica, weight=0.0) if (replica.module, replica.host) in self.idle else replica
            for replica in schedule.replicas
        )
        return replace(schedule, replicas=replicas)


@dataclass(frozen=True, eq=False)
class Record:
    """All rounds of a play.

    Parameters
    ----------
    plays : sequence of RoundPlay
        What happened.
    ideal : sequence of (Flow, int)
        For each round: the flow of the same nodes if no transfer fails and nothing is called off.
    """

    plays: Sequence[RoundPlay]
    ideal: Sequence[tuple[Flow, int]]

    def happened(self, index: int) -> Happened:
        """Return what the training takes from round ``index``."""
        play = self.plays[index]
        steps = tuple(steps_as_they_were(play.flow, play.row, play.order))
        kind = play.flow.kind
        return Happened(
            kind=replace(kind, steps=tuple(step for step, arrived in steps if arrived)),
            steps=steps,
            untrained=frozenset(
                name for name, rounds in play.flow.untrained.items() if has(rounds, play.row)
            ),
            idle=play.flow.idle(play.row),
            planned=kind_as_it_was(*self.ideal[index]),
        )

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What happened besides the plan, by round and, within a round, by nodes and steps."""
        return tuple(event for index, play in enumerate(self.plays) for event in _events(index, play))

    def summary(self) -> dict[str, Any]:
        """Return how often what happened; keys as in ``EVENTS``, and the largest factor of slow work."""
        counts = Counter(event.event for event in self.events)
        slowest = max((event.value for event in self.events if event.event == "slow"), default=1.0)
        return {name: counts[name] for name in EVENTS} | {"slowest": slowest}


def _events(index: int, play: RoundPlay) -> Iterator[Event]:
    flow, row = play.flow, play.row
    for name, rounds in flow.away.items():
        if has(rounds, row):
            yield Event(index, "away", name, "", "", 1.0)
    for position, step in enumerate(flow.kind.steps):
        taken = has(flow.takes_place[position], row)
        if position in play.called_off:
            yield Event(index, "called off", *_ends(step), step.id, 1.0)
        elif isinstance(step, Compute):
            if taken and play.slowness[position] != 1.0:
                yield Event(index, "slow", step.node, "", step.id, float(play.slowness[position]))
        elif isinstance(step, Transfer):
            what = "not sent" if not taken else "repeated" if has(flow.arrived[position], row) else "lost"
            attempts = float(play.attempts[position])
            if what != "repeated" or attempts > 1.0:
                yield Event(index, what, step.source, step.target, step.id, attempts if taken else 1.0)
        elif isinstance(step, Aggregate):
            if not taken or not any(has(heavy, row) for _, heavy in flow.carried[position]):
                yield Event(index, "nothing to average", step.node, "", step.id, 1.0)
        elif isinstance(step, Deliver):
            yield from _left_out(index, flow, row, position, step)


def _left_out(index: int, flow: Flow, row: int, position: int, step: Deliver) -> Iterator[Event]:
    for name, reached in zip(step.nodes, flow.reached[position], strict=True):
        if has(flow.away[name], row) or not flow.hosts(name, step.modules):
            continue
        if not any(has(rounds, row) for rounds in reached):
            yield Event(index, "no model", name, "", step.id, 1.0)


def _ends(step: Step) -> tuple[str, str]:
    if isinstance(step, Transfer):
        return step.source, step.target
    return (step.node if isinstance(step, Compute | Merge | Aggregate) else ""), ""
