"""A run whose plan is made again every few rounds, as devices move: one schedule of several plans.

The kinds of round of each plan stand beside each other in one schedule, and its cycle names all rounds one by
one.  So whatever a run keeps from round to round (models, optimisers, random streams, checkpoints) goes on
from plan to plan, and the clock plays all of it on one time line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fl_runtime import Schedule
from fl_runtime import schedule as runtime
from hfedfm_opt.planning.compile import compile_schedule
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.moves import BITS_PER_BYTE, Moves
from hfedfm_opt.planning.place_again import Hold
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.replan import replan
from hfedfm_opt.planning.steps import StepWriter
from hfedfm_opt.system.instance import Instance, Replanning, WirelessLink
from hfedfm_opt.system.mobility import Tracks, moved
from hfedfm_opt.system.network import Network, WirelessEdge
from hfedfm_opt.system.propagation import gains_of_pairs, groups_of_links

BEFORE, THERE = "before moves", "replicas are there"
"""Steps between which replicas are sent to new hosts, while all devices wait."""


@dataclass(frozen=True)
class Segment:
    """Some rounds of a run with one plan.

    Parameters
    ----------
    first_round : int
        From which round on.
    plan : Plan
        The plan, for the gains at the begin of that round.
    moves : Moves
        Replicas that are sent before it.
    is_new : bool
        Whether the plan differs from the one before.
    """

    first_round: int
    plan: Plan
    moves: Moves
    is_new: bool


def segments_of(plan: Plan, rounds: int, replanning: Replanning, tracks: Tracks, hold: Hold) -> list[Segment]:
    """Return the plans of a run, one after the other, each from the gains of its moment.

    Where planning again gives no plan, or one that costs more than going on as before, or one that trains
    modules elsewhere than before, the run goes on as before.

    Parameters
    ----------
    plan : Plan
        The first plan.
    rounds : int
        Rounds of the run.
    replanning : Replanning
        How often to plan again, and the price of moving.
    tracks : Tracks
        Where devices are in each round.
    hold : "trained" or "all"
        Which modules must stay on their hosts.
    """
    nothing = Moves()
    segments = [Segment(0, plan, nothing, is_new=True)]
    before = plan if not tracks else _at_moment(plan, plan, tracks, 0)
    for first in range(replanning.every_rounds, rounds, replanning.every_rounds):
        stays = _at_moment(plan, before, tracks, first)
        again = replan(
            stays.instance,
            before,
            hold=hold,
            moving_weight_per_byte=replanning.moving_weight_per_byte,
        )
        after = again.result.plan
        as_before = not stays.violations
        is_better = after is not None and (
            not as_before or again.result.objective + again.moving_cost < stays.objective
        )
        if after is None or not is_better or _trained(after) != _trained(plan):
            segments.append(Segment(first, stays, nothing, is_new=False))
            before = stays
            continue
        if hold == "all" and _hosts(after) != _hosts(plan):
            segments.append(Segment(first, stays, nothing, is_new=False))
            before = stays
            continue
        segments.append(Segment(first, after, again.moves, is_new=True))
        before = after
    return segments


def schedule_of_segments(plan: Plan, rounds: int, segments: Sequence[Segment]) -> Schedule:
    """Return the schedule of all segments.

    Gains of links are those of the first plan's instance; what changes them by rounds comes on top.  Replicas
    that must be sent go before all else in the first round of their segment, as activations do: they change
    no parameters.

    Parameters
    ----------
    plan : Plan
        The first plan.
    rounds : int
        Rounds of the run.
    segments : sequence of Segment
        As :func:`segments_of` gives them.
    """
    network, first = plan.network, plan.compile(rounds)
    kinds: dict[str, runtime.RoundKind] = {}
    cycle: list[str] = []
    replicas = {(replica.module, replica.host): replica for replica in first.replicas}
    number = 0
    whole = first
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        if segment.is_new:
            number += 1
            whole = compile_schedule(network, segment.plan.decisions, rounds)
            replicas = {(each.module, each.host): each for each in whole.replicas} | replicas
        end = rounds if following is None else following.first_round
        for index in range(segment.first_round, end):
            kind = whole.kind_of_round(index)
            name = kind.name if number == 1 else f"{kind.name} of plan {number}"
            steps = kind.steps
            if index == segment.first_round and segment.moves.moves:
                name += " after moves"
                steps = _after_moves(network, segment.moves, steps)
            kinds.setdefault(name, replace(kind, name=name, steps=steps))
            cycle.append(name)
    if number == 1:
        return first
    return replace(
        first,
        name=f"{first.name}, {number} plans",
        replicas=tuple(replicas.values()),
        kinds=tuple(kinds.values()),
        cycle=tuple(cycle),
    )


def _at_moment(plan: Plan, decided: Plan, tracks: Tracks, index: int) -> Plan:
    """Return a plan on the first plan's instance with the gains of a round, all links by their gains."""
    instance = _instance_at(plan, tracks, index)
    changes = {"instance_sha256": instance_digest(instance), "claim": None, "instance_file": None}
    return Plan(instance, decided.decisions.model_copy(update=changes))


def _instance_at(plan: Plan, tracks: Tracks, index: int) -> Instance:
    """Return the instance with the same links, whose gains are those at the places of a round."""
    instance, network = plan.instance, plan.network
    nodes = moved(network.nodes, tracks, index)
    gain = {pair: edge.gain for pair, edge in network.edges.items() if isinstance(edge, WirelessEdge)}
    pairs_of: dict[int, list[tuple[str, str]]] = {}
    for (source, target, _), number in groups_of_links(instance, network.nodes).items():
        if {source, target} & tracks.keys():
            pairs_of.setdefault(number, []).append((source, target))
    for number, pairs in pairs_of.items():
        found = gains_of_pairs(instance.wireless_groups[number], nodes, network.bands, pairs)
        gain |= dict(zip(pairs, found.tolist(), strict=True))
    links = tuple(
        WirelessLink(source=edge.source, target=edge.target, band=edge.band, gain=gain[pair])
        for pair, edge in network.edges.items()
        if isinstance(edge, WirelessEdge)
    )
    return instance.model_copy(update={"wireless_links": links, "wireless_groups": ()})


def _hosts(plan: Plan) -> set[tuple[str, str, str]]:
    return {(entry.device, entry.module, entry.host) for entry in plan.decisions.servings}


def _trained(plan: Plan) -> set[tuple[str, str, str]]:
    return {hosted for hosted in _hosts(plan) if plan.network.modules[hosted[1]].trainable}


def _after_moves(network: Network, moves: Moves, steps: tuple[runtime.Step, ...]) -> tuple[runtime.Step, ...]:
    """Return a round's steps after the transfers of replicas, each link one at a time."""
    writer = StepWriter(network)
    devices = tuple(network.devices)
    begin = writer.add(runtime.Deliver(id=BEFORE, nodes=devices, modules=()))
    last_on: dict[tuple[str, str], str] = {}
    ends: list[str] = []
    for move in moves.moves:
        before: tuple[str, ...] = (begin,)
        for hop in move.hops:
            link = hop.source, hop.target
            after = tuple(dict.fromkeys((*before, *((last_on[link],) if link in last_on else ()))))
            name = f"move {move.module} to {move.target}: {hop.source} -> {hop.target}"
            bits = BITS_PER_BYTE * move.bytes
            before = (writer.transfer(name, hop, "activation", {move.module}, bits, after),)
            last_on[link] = before[0]
        ends.extend(before)
    there = writer.add(runtime.Deliver(id=THERE, after=tuple(dict.fromkeys(ends)), nodes=devices, modules=()))
    wait = (step if step.after else replace(step, after=(there,)) for step in steps)
    return (*writer.steps, *wait)
