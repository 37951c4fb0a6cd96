"""Plays the rounds of a living network.

Where all rounds wait for all, chance alone decides what happens, whatever the times: so what happens is
found first, for all rounds of a kind at once, and the clock then plays steps of known costs as ever, with
those that do not take place taking no time.  Where a round does not wait, what happens depends on times, and
:mod:`fl_runtime.living.closing` plays it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fl_runtime.compiled import CompiledKind
from fl_runtime.link_gains import Link
from fl_runtime.living.closing import play_closing
from fl_runtime.living.costs import Pricing, price_all
from fl_runtime.living.draws import Draws, closes
from fl_runtime.living.flow import Flow, ideal_flows, rounds_by_kind
from fl_runtime.living.flow_plan import FlowPlan
from fl_runtime.living.loads import extra_of_rounds
from fl_runtime.living.record import Record, RoundPlay
from fl_runtime.player import Player
from fl_runtime.schedule import Schedule
from fl_runtime.timeline import Timeline, timeline_of_play


def play_living(
    schedule: Schedule,
    kinds: Sequence[CompiledKind],
    num_resources: int,
    gains: Mapping[Link, Sequence[float]],
    seed: int,
) -> Timeline:
    """Return the timeline of a living network, with the record of what happened.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    kinds : sequence of CompiledKind
        The kind of each round.
    num_resources : int
        How many resources they use.
    gains : mapping of Link to sequence of float
        Factors on the gains of links that change, one per round.
    seed : int
        Keys all draws.
    """
    draws = Draws.of(schedule, seed, len(kinds))
    pricing = {
        key: Pricing(schedule, kind, gains) for key, kind in {id(kind): kind for kind in kinds}.items()
    }
    if closes(schedule):
        return play_closing(schedule, kinds, num_resources, draws, pricing)
    record = follow_all(schedule, draws)
    extra = extra_of_rounds(schedule, kinds, record)
    priced = price_all(kinds, pricing, record, extra)
    costs = [of_round.costs for of_round in priced]
    player = Player(kinds, [of_round[:, 0].tolist() for of_round in costs], num_resources)
    player.play(len(schedule.nodes))
    bits = np.concatenate([of_round.bits for of_round in priced])
    return timeline_of_play(schedule, kinds, costs, player.start_s, player.end_s, bits=bits, record=record)


def follow_all(schedule: Schedule, draws: Draws) -> Record:
    """Return what happens if all rounds wait for all."""
    plays: dict[int, RoundPlay] = {}
    for name, rounds in rounds_by_kind(schedule, draws.num_rounds).items():
        kind = next(kind for kind in schedule.kinds if kind.name == name)
        found = draws.of_kind(kind, rounds)
        flow = Flow.of(FlowPlan(schedule, kind), draws.away[rounds], found.arrives)
        order = range(len(kind.steps))
        for row, index in enumerate(rounds.tolist()):
            chance = found.of_round(row)
            plays[index] = RoundPlay(flow, row, order, frozenset(), chance.attempts, chance.slowness)
    return Record([plays[index] for index in range(draws.num_rounds)], ideal_flows(schedule, draws))
