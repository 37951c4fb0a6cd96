"""Plans again after the network changed: what did not change keeps its decisions."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.association import as_associated
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.changes import Changes, changes_between
from hfedfm_opt.planning.cluster_options import Option, Rhythm
from hfedfm_opt.planning.decide import reach_of, search_settings
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.hulls import second_j_of
from hfedfm_opt.planning.joint_cluster import sharers_of
from hfedfm_opt.planning.kept_options import (
    OldCluster,
    as_it_was,
    kept_options,
    new_options,
    old_clusters,
    still_stands,
)
from hfedfm_opt.planning.moves import Moves, moves_between
from hfedfm_opt.planning.near_deadline import search_near
from hfedfm_opt.planning.optimise import (
    SearchSettings,
    assemble_choices,
    nothing_in_time,
    shared_legs,
)
from hfedfm_opt.planning.pace import best_moment_s, pace_of, ready_at
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.place_again import Hold, place_again
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.planner import checked_result, plan, priced_instance
from hfedfm_opt.planning.precision import transport_of
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.recipes import recipe_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import Frequency, precisions_of
from hfedfm_opt.system.instance import Cpu, Instance
from hfedfm_opt.system.network import Network, resolve_network
from solvers.common import Options

NO_BOUND = (
    "no bound: planned again from an old plan, of which clusters that did not change keep trees and hosts"
)
COARSEST_GAP = 1e-4
"""Relative gap to which clusters are decided at a deadline, unless a larger one is asked for."""
Way = Literal["warm", "anew"]
"""How a plan came about: from the old one, or anew, as that gave none."""


@dataclass(frozen=True)
class Replanned:
    """What planning again answers.

    Parameters
    ----------
    result : PlanResult
        As :func:`~hfedfm_opt.planning.planner.plan` gives it.
    way : "warm" or "anew"
        How the plan came about.
    changes : Changes
        What differs from the network of the old plan.
    moves : Moves
        Replicas that must be sent before the new plan can run.
    moving_cost : float
        Their bytes at the price of moving; not part of the objective.
    """

    result: PlanResult
    way: Way
    changes: Changes
    moves: Moves
    moving_cost: float


def replan(
    instance: Instance,
    old: Plan,
    planner: str | None = None,
    options: PlannerOptions | None = None,
    *,
    moving_weight_per_byte: float = 0.0,
    hold: Hold = "nothing",
    **changes: object,
) -> Replanned:
    """Return a checked plan for a network that changed, from a plan for the network before.

    Devices keep the servers of the old plan.  Clusters in which nothing changed keep their trees, aggregators
    and hosts; their resources are allocated anew where that pays.  The devices of the others are placed and
    arranged anew, at a common deadline near the old one; what still stands of the old plan competes with
    that.  Where that gives no plan, everything is planned anew.

    Parameters
    ----------
    instance : Instance
        The network now.
    old : Plan
        The plan for the network before, with its instance.
    planner : str or None
        Name of a planner; ``None``: that of the old plan.  Others than ``optimised`` plan anew.
    options : PlannerOptions or None
        How to plan, but for ``periods``; ``None``: ``changes``, and the old plan's duplex, precisions and
        momentum.
    moving_weight_per_byte : float
        What a byte of a replica costs on a node that does not hold it in the old plan, in the objective's
        unit, >= 0.
    hold : "nothing", "trained" or "all"
        Which modules stay on the hosts that they had, where these are still possible; heeded by plans that
        start from the old one.
    **changes
        Fields of :class:`PlannerOptions`, in place of ``options``.

    Raises
    ------
    UnknownPlanner, UnknownPrecision
        As planning does.
    ValueError
        If the price of moving is negative or not finite.
    """
    if not 0.0 <= moving_weight_per_byte < math.inf:
        raise ValueError(f"moving_weight_per_byte is {moving_weight_per_byte!r}, must be finite and >= 0")
    started = time.monotonic()
    settings = options or options_like(old, PlannerOptions(**changes))  # type: ignore[arg-type]
    name = old.decisions.planner if planner is None else planner
    recipe = recipe_of(name, instance.training.period)
    priced = priced_instance(instance, settings)
    transport = transport_of(priced, settings.transport_bits)
    network, before = (
        as_associated(resolve_network(given, settings.duplex, precisions_of(transport)), old.decisions)
        for given in (priced, old.instance)
    )
    differs = changes_between(before, network)

    def answer(result: PlanResult, way: Way) -> Replanned:
        moves = Moves()
        if result.plan is not None:
            moves = moves_between(network, old.decisions.hosted, result.plan.decisions.hosted)
        return Replanned(result, way, differs, moves, moving_weight_per_byte * moves.bytes)

    if recipe.arrangement == "optimised":
        same_period = {entry.period for entry in old.decisions.periods} <= {recipe.period}
        asked = _Asked(
            Rhythm(recipe.period), reach_of(recipe), search_settings(network, settings),
            differs.kept, same_period, moving_weight_per_byte, hold, settings.seed,
        )  # fmt: skip
        try:
            placed, arrangement = _warm(network, old, asked)
        except (NoPlacement, MissingLink):
            pass  # what is left free of the old plan may be too little: everything is planned anew
        else:
            decisions = assemble(
                network, name, recipe.period, placed, arrangement, transport, settings.cloud_momentum
            )
            seconds = time.monotonic() - started
            result = checked_result(network, decisions, arrangement, settings, seconds)
            if result.plan is not None:
                return answer(result, "warm")
    return answer(plan(instance, name, settings), "anew")


@dataclass(frozen=True)
class _Asked:
    """How to plan again: which clusters keep their trees, and what a moved byte costs."""

    rhythm: Rhythm
    reach: Reach
    search: SearchSettings
    kept: frozenset[str]
    same_period: bool
    moving_weight_per_byte: float
    hold: Hold
    seed: int


def options_like(old: Plan, options: PlannerOptions) -> PlannerOptions:
    """Return options in which the old plan's duplex, precisions and momentum stand in for defaults."""
    decided, default = old.decisions, PlannerOptions()
    bits = {entry.module: (entry.up, entry.down) for entry in decided.transport_bits}
    return replace(
        options,
        duplex=decided.duplex if options.duplex == default.duplex else options.duplex,
        transport_bits=bits if options.transport_bits == default.transport_bits else options.transport_bits,
        cloud_momentum=options.cloud_momentum or decided.cloud_momentum,
    )


def _can_clock(network: Network, frequencies: Sequence[Frequency]) -> bool:
    """Return whether devices can run at the frequencies of an old plan."""
    processors = [(network.nodes[entry.device].processor, entry.frequency_hz) for entry in frequencies]
    return all(
        isinstance(processor, Cpu) and frequency_hz <= processor.max_frequency_hz
        for processor, frequency_hz in processors
    )


def _warm(network: Network, old: Plan, asked: _Asked) -> tuple[Placed, Arrangement]:
    """Return the placement and arrangement that start from an old plan."""
    limit_s = asked.search.time_limit_s
    limited = Options(time_limit_s=None if math.isinf(limit_s) else limit_s, seed=asked.seed)
    stands = {one.id for one in old.decisions.clusters if still_stands(network, one)}
    kept = asked.kept & stands if asked.same_period else set()
    free = {device for server, members in network.members.items() if server not in kept for device in members}
    placed, ready = place_again(
        network,
        old.decisions,
        free,
        asked.reach,
        asked.moving_weight_per_byte,
        limited,
        asked.hold,
        slows=asked.search.allocate,
    )
    network = with_training(network, placed.servings)
    moment_s = None
    if asked.search.allocate:
        moment_s = best_moment_s(pace_of(network, ready), second_j_of(network))
    ready, slowed_hz = ready_at(network, ready, moment_s)
    shared = shared_legs(network, asked.rhythm)
    known = old_clusters(old.decisions, placed.servings) if asked.same_period else {}
    options, unchanged = _options(network, known, kept, ready, asked)
    near_s = max(old.prediction.latency_s * asked.rhythm.num_rounds - shared.down_s, 1e-9)
    prices, search = network.instance.objective, asked.search
    found = search_near(
        options,
        shared.delay_s,
        near_s,
        energy_weight=prices.energy_weight_per_j,
        time_weight=prices.time_weight_per_s,
        gap=max(search.gap, COARSEST_GAP),
        max_deadline_s=search.max_latency_s * asked.rhythm.num_rounds - shared.down_s,
        max_energy_j=search.max_energy_j * asked.rhythm.num_rounds - shared.joules,
        time_limit_s=limit_s,
    )
    if not found.choices:
        raise nothing_in_time(network, options, search.max_latency_s, search.max_energy_j)
    same = [choice.option for choice in found.choices if id(choice.option) in unchanged]
    as_before = [entry for option in same for entry in unchanged[id(option)]]
    stay = {device for option in same for device in option.plan.members}
    paced_hz = {device: hz for device, hz in slowed_hz.items() if device not in stay}
    clusters, frequencies = assemble_choices(network, found.choices, paced_hz)
    return placed, Arrangement(clusters, (*frequencies, *as_before), -math.inf, NO_BOUND)


def _options(
    network: Network,
    known: Mapping[str, OldCluster],
    kept: Collection[str],
    ready: Readiness,
    asked: _Asked,
) -> tuple[list[Option], dict[int, tuple[Frequency, ...]]]:
    """Return options of all clusters, and the frequencies of those that are as they were, by identity."""
    search = asked.search
    sharers = sharers_of(network) if search.joint else {}
    options: list[Option] = []
    unchanged: dict[int, tuple[Frequency, ...]] = {}
    for index, server in enumerate(network.members):
        old = known.get(server)
        if old is not None and still_stands(network, old.cluster) and _can_clock(network, old.frequencies):
            same = as_it_was(network, index, old, asked.rhythm, ready)
            unchanged[id(same)] = old.frequencies
            options.append(same)
        found = (
            kept_options(network, index, old, asked.rhythm, ready, sharers, search)
            if old is not None and server in kept
            else new_options(network, index, asked.rhythm, ready, sharers, search)
        )
        options.extend(found)
    return options, unchanged
