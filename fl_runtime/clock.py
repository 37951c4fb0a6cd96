"""Plays a schedule on a timeline: who does what from when to when, and at which energy.

The rule
--------
A step becomes *ready* when all steps that it names in ``after`` have ended and each of its nodes has ended
every step of earlier rounds in which it took part; so clusters run freely side by side until a common step
makes them meet.  An Evaluate has no node: it waits for ``after`` and for all earlier rounds.

A ready step starts when its resources are free, and holds them until it ends:

- the radio of a half-duplex node, for its wireless sends and receptions;
- its share of the band, for a wireless transfer;
- the processor of a :class:`Cpu` node, or the reserved share of a :class:`FixedSpeed` one.

At each moment, in this order: the steps that end now end and free their resources; steps that thereby become
ready and need no resource start, and those among them that take no time end at once, with what follows
from that; then the waiting steps are looked at in the order of (moment when ready, round, place in the
list), and each whose resources are all free starts.  A step that goes on waiting holds and reserves nothing.
Steps that take no time need no resource.  Ends that differ by less than 1e-12 of the time are one moment,
so that rounding decides no contest; a share that exceeds what is free by less than 1e-9 of the capacity fits.
"""

from collections.abc import Mapping, Sequence

from fl_runtime.check import check_schedule
from fl_runtime.compiled import CompiledKind, Resources, StepCost, compile_kind, cost_of_step
from fl_runtime.errors import ScheduleError
from fl_runtime.fading import Fading
from fl_runtime.link_gains import Link, gains_of_links, wireless_links
from fl_runtime.living.draws import is_living
from fl_runtime.living.plays import play_living
from fl_runtime.player import Player
from fl_runtime.rebasing import Extra, extra_bits
from fl_runtime.schedule import LivingNetwork, Node, Schedule
from fl_runtime.timeline import Timeline, timeline_of_play


def play(
    schedule: Schedule, rounds: int | None = None, fading: Fading | None = None, seed: int = 0
) -> Timeline:
    """Return the timeline of ``schedule``.

    Parameters
    ----------
    schedule : Schedule
        What to play; it is checked first.
    rounds : int or None
        Number of rounds, >= 1; ``None`` takes the schedule's own.
    fading : Fading or None
        Law of block fading; ``None`` takes that of the schedule's living network, if it has one.
    seed : int
        Keys the fading and all that chance decides in a living network, >= 0.

    Returns
    -------
    Timeline
        One row per round and step; the same arguments give the same bytes.

    Raises
    ------
    ScheduleError
        With all defects of the schedule.
    ValueError
        For fewer than one round or a negative seed.
    """
    defects = check_schedule(schedule)
    if defects:
        raise ScheduleError(defects, f"schedule {schedule.name!r}")
    num_rounds = schedule.rounds if rounds is None else rounds
    if num_rounds < 1:
        raise ValueError(f"rounds is {num_rounds}, must be >= 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}, must be >= 0")
    resources = Resources(schedule)
    node_of_id = {node.id: node for node in schedule.nodes}
    index_of_node = {node.id: index for index, node in enumerate(schedule.nodes)}
    kind_of_name = {
        kind.name: compile_kind(kind, node_of_id, index_of_node, resources)
        for kind in schedule.kinds
        if kind.name in schedule.cycle
    }
    kinds = [kind_of_name[schedule.cycle[index % len(schedule.cycle)]] for index in range(num_rounds)]
    living = schedule.living or LivingNetwork()
    links = {link for kind in kind_of_name.values() for _, _, link in wireless_links(kind.steps)}
    gains = gains_of_links(living, fading or living.fading, seed, links, num_rounds)
    if is_living(schedule):
        return play_living(schedule, kinds, len(resources), gains, seed)
    extra = extra_bits(schedule, num_rounds)
    costs = _costs(schedule, kinds, extra, gains)
    seconds_of = {id(of_round): [cost.seconds for cost in of_round] for of_round in costs}
    player = Player(kinds, [seconds_of[id(of_round)] for of_round in costs], len(resources))
    player.play(len(schedule.nodes))
    return timeline_of_play(schedule, kinds, costs, player.start_s, player.end_s, extra)


def _costs(
    schedule: Schedule,
    kinds: Sequence[CompiledKind],
    extra: Sequence[Extra],
    gains: Mapping[Link, Sequence[float]],
) -> list[list[StepCost]]:
    """Return the costs of each round's steps, with the gains of each round's links and its extra bits."""
    node_of_id = {node.id: node for node in schedule.nodes}
    if not gains:
        return [_still_costs(kind, more, node_of_id) for kind, more in zip(kinds, extra, strict=True)]
    distinct = {id(kind): kind for kind in kinds}
    links_of_kind = {key: wireless_links(kind.steps) for key, kind in distinct.items()}
    costs = []
    for index, kind in enumerate(kinds):
        of_round = list(_still_costs(kind, extra[index], node_of_id))
        for position, step, link in links_of_kind[id(kind)]:
            if link in gains:
                more = extra[index].get(step.id, 0.0)
                of_round[position] = cost_of_step(step, node_of_id, gains[link][index], more)
        costs.append(of_round)
    return costs


def _still_costs(kind: CompiledKind, extra: Extra, node_of_id: Mapping[str, Node]) -> list[StepCost]:
    """Return the costs of a round on a still channel; rounds without extra bits share one list."""
    if not extra:
        return kind.costs
    return [
        cost_of_step(step, node_of_id, extra_bits=extra[step.id]) if step.id in extra else cost
        for step, cost in zip(kind.steps, kind.costs, strict=True)
    ]
