"""An instance's living network in the runtime's words, with gains that follow where devices are."""

import os
from dataclasses import replace

import numpy as np

from fl_runtime import (
    DropOut,
    LinkGains,
    LivingNetwork,
    Losses,
    Policy,
    Schedule,
    Straggling,
    Transfer,
    Wireless,
)
from hfedfm_opt.planning.place_again import Hold
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.measure import fading_of
from hfedfm_opt.study.replanning import schedule_of_segments, segments_of
from hfedfm_opt.system.instance import Living
from hfedfm_opt.system.mobility import Tracks, moved, tracks_by_waypoints, tracks_from_trace
from hfedfm_opt.system.propagation import gains_of_pairs, groups_of_links


def living_schedule(
    plan: Plan,
    rounds: int | None,
    living: Living | None,
    seed: int = 0,
    trace: str | os.PathLike[str] | None = None,
) -> Schedule:
    """Return the schedule of a plan in a living network.

    Parameters
    ----------
    plan : Plan
        What to run; it was made for a still network.
    rounds : int or None
        Number of rounds; ``None``: the instance's.
    living : Living or None
        What changes from round to round, besides the instance's fading; ``None``: nothing else.
    seed : int
        Keys the walks of devices, >= 0; the seed of the run keys all else.
    trace : str or path-like or None
        A CSV file of positions, in place of walks.

    Raises
    ------
    ValueError
        If devices move but no link of the plan has a channel model, or the numbers of a walk make no sense.
    TraceError
        If the file of positions is none.
    """
    instance = plan.instance
    living = living or Living()
    num_rounds = rounds or instance.training.rounds
    moves = living.mobility is not None or trace is not None
    tracks = tracks_of(plan, living, seed, trace, num_rounds) if moves else {}
    schedule = _still_schedule(plan, num_rounds, living, tracks)
    gains = gains_of_moves(plan, schedule, tracks) if moves else ()
    network = LivingNetwork(
        fading=fading_of(instance),
        drop_out=None if living.drop_out is None else DropOut(**living.drop_out.model_dump()),
        straggling=None if living.straggling is None else Straggling(**living.straggling.model_dump()),
        losses=None if living.losses is None else Losses(**living.losses.model_dump()),
        gains=gains,
    )
    if network != LivingNetwork():
        schedule = replace(schedule, living=network)
    if living.policy is None:
        return schedule
    policy = Policy(**living.policy.model_dump())
    return replace(schedule, kinds=tuple(replace(kind, policy=policy) for kind in schedule.kinds))


def _still_schedule(plan: Plan, rounds: int, living: Living, tracks: Tracks) -> Schedule:
    """Return the schedule of one plan for all rounds, or of several where plans are made again."""
    if living.replanning is None:
        return plan.compile(rounds)
    if not tracks:
        raise ValueError(
            "living.replanning plans again as devices move, and none does: give living.mobility or a trace, "
            "or leave out replanning"
        )
    parts = (living.drop_out, living.straggling, living.losses, living.policy)
    hold: Hold = "trained" if all(part is None for part in parts) else "all"
    segments = segments_of(plan, rounds, living.replanning, tracks, hold)
    return schedule_of_segments(plan, rounds, segments)


def tracks_of(
    plan: Plan, living: Living, seed: int, trace: str | os.PathLike[str] | None, rounds: int
) -> Tracks:
    """Return where devices are when each round is taken to begin: at equal times, as the plan foresees."""
    given_s = None if living.mobility is None else living.mobility.round_s
    round_s = plan.prediction.latency_s if given_s is None else given_s
    times_s = round_s * np.arange(rounds, dtype=np.float64)
    if trace is not None:
        return tracks_from_trace(trace, plan.instance, times_s)
    if living.mobility is None:
        return {}
    return tracks_by_waypoints(plan.instance, living.mobility, seed, times_s)


def gains_of_moves(plan: Plan, schedule: Schedule, tracks: Tracks) -> tuple[LinkGains, ...]:
    """Return the factors on the gains of the links that a schedule uses and a channel model makes.

    A factor is the gain at the places of the round over that at the instance's places, by the same model and
    the same draws of line of sight and shadowing.  Links whose gains the instance states keep them, and so do
    those of which no end moves.
    """
    instance, network = plan.instance, plan.network
    used = {
        (step.source, step.target, step.medium.band): None
        for kind in schedule.kinds
        for step in kind.steps
        if isinstance(step, Transfer)
        and isinstance(step.medium, Wireless)
        and {step.source, step.target} & tracks.keys()
    }
    links_of: dict[int, list[tuple[str, str, str]]] = {}
    groups = groups_of_links(instance, network.nodes)
    for link in used:
        number = groups.get(link)
        if number is not None:
            links_of.setdefault(number, []).append(link)
    if not links_of:
        raise ValueError(
            "devices move, but no link that the plan uses gets its gain from a channel model: give the "
            "instance wireless_groups in place of wireless_links, or leave out mobility"
        )
    found = []
    for number, links in links_of.items():
        group, pairs = instance.wireless_groups[number], [(source, target) for source, target, _ in links]
        first = gains_of_pairs(group, network.nodes, network.bands, pairs)
        rounds = len(next(iter(tracks.values())))
        by_round = [
            gains_of_pairs(group, moved(network.nodes, tracks, index), network.bands, pairs) / first
            for index in range(rounds)
        ]
        for (source, target, band), factors in zip(links, np.array(by_round).T.tolist(), strict=True):
            found.append(LinkGains(source=source, target=target, band=band, factors=tuple(factors)))
    return tuple(found)
