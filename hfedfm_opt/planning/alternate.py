"""Placement and clusters in turn: what the clusters wait for prices the next placement."""

import math
import time
from dataclasses import dataclass, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.deadline_prices import deadline_prices, hulls_of
from hfedfm_opt.planning.deadline_turns import Start, place_by_deadline
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement, price
from hfedfm_opt.planning.hops import MissingLink, OutOfLimits
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.placement_bound import (
    PLACEMENT_PROOF,
    BoundSettings,
    bound_over_placements,
    priced_bound,
    slowable_devices,
)
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.time_prices import TimePrices, even_prices, repriced
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.common import Options, StopReason, relative_gap

MAX_TURNS = 24
"""Most turns of placing and arranging."""
PATIENCE = 8
"""Turns without a better plan after which the alternation ends."""
FIRST_STEP = 4.0
"""How strongly the first turn presses on slow devices; the k-th presses 1 / sqrt(k) as much."""
PART_OF_A_PLACEMENT = 0.04
"""Part of the time limit that one placement may take."""
PART_OF_A_BOUND = 0.15
"""Part of the time limit that a bound may take."""
RELAXED_GAP = 1e-4
"""Relative gap to which a relaxation over all placements is searched: it is not tight anyway."""
PART_OF_THE_START = 0.3
"""Part of the time limit after which the first placement is taken as it is."""
PART_OF_A_GAP = 0.01
"""Part of the gap over all placements to which the clusters of one placement are decided."""
JOINT_TURNS = 5.0
"""Turns in whose time the clusters of the best placement should be decided at once."""


@dataclass(frozen=True)
class _Turn:
    """A placement with its arrangement, what both cost, and how long arranging took.

    Without an arrangement that keeps the limits of a round, the value is inf, and ``refusal`` says why.
    """

    placed: Placed
    arrangement: Arrangement | None
    value: float
    seconds: float
    refusal: str = ""


def alternate(
    network: Network, task: PlacementTask, method: str, rhythm: Rhythm, settings: SearchSettings, seed: int
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found by turns, with a bound over all of them.

    The first turn arranges the placement at the best common deadline of training.  Each further turn places
    under prices of time, arranges the clusters exactly for that placement, and raises the prices of the
    devices that kept the others waiting.  Under a time limit a turn begins only if it should end in time.
    Where modules may be trained elsewhere, a turn before the first leaves all of them on their devices.
    Turns take D2D links at nominal resources; the clusters of the best placement are then decided at once.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    method : str
        Method of ``solvers.placement``.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search; the time limit is for all turns together.
    seed : int
        Seed of the placement method.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no placement, or clusters cannot average, or nothing was found within the limits.
    """
    began = time.monotonic()
    stop_at = began + settings.time_limit_s
    if len(task.candidates) == len(task.demands):
        placed = place(network, task, method, _options(settings.time_limit_s, seed))
        return placed, optimise(with_training(network, placed.servings), placed, rhythm, settings)
    placement_s = settings.time_limit_s * PART_OF_A_PLACEMENT
    start_ends = began + settings.time_limit_s * PART_OF_THE_START
    start = place_by_deadline(network, task, method, placement_s, start_ends, seed)
    bound_gap = max(settings.gap, RELAXED_GAP)
    bounds = replace(settings, time_limit_s=settings.time_limit_s * PART_OF_A_BOUND, gap=bound_gap)
    bound_prices = _bound_prices(network, task, settings, start)
    priced = priced_bound(network, task, rhythm, bounds, bound_prices)
    best, turns = _first(network, start.placed, rhythm, settings, stop_at)
    longest = best
    home = _all_at_home(network, task)
    if home is not None:
        try:
            placed = place(network, home, method, _options(placement_s, seed))
            stays = _arranged(network, placed, rhythm, turns, stop_at)
            best = min(best, stays, key=lambda turn: turn.value)
        except NoPlacement:
            pass  # some modules must leave
    relaxes = stop_at - time.monotonic() > 2.0 * longest.seconds
    known = best.arrangement if home is None else None  # what moves away sends no updates
    relaying_j = 0.0 if known is None else known.relaying_j
    by = BoundSettings(bound_prices, relaying_j, relaxes, priced)
    bound, proof = bound_over_placements(network, task, rhythm, bounds, by)
    reserved = 1.0 + (JOINT_TURNS if settings.joint else 0.0)
    prices, since_best, timed_out = even_prices(network), 0, False
    for number in range(1, MAX_TURNS + 1):
        if since_best >= PATIENCE or relative_gap(best.value, bound) <= settings.gap:
            break
        timed_out = stop_at - time.monotonic() < reserved * longest.seconds + placement_s
        if timed_out:
            break
        placed = place(network, price(network, task, prices), method, _options(placement_s, seed))
        turn = _arranged(network, placed, rhythm, turns, stop_at)
        longest = max(longest, turn, key=lambda turn: turn.seconds)
        best, since_best = (turn, 0) if turn.value < best.value else (best, since_best + 1)
        seconds = readiness(network, placed.servings).seconds
        prices = repriced(prices, seconds, placed.servings, FIRST_STEP / math.sqrt(number))
    time_left = stop_at - time.monotonic() > bounds.time_limit_s or math.isinf(settings.time_limit_s)
    if time_left and relative_gap(best.value, bound) > settings.gap:
        other = bound_over_placements(
            network, task, rhythm, bounds, replace(by, prices=prices, relax_devices=False, priced=None)
        )
        bound, proof = max((bound, proof), other)
    if settings.joint:
        left_open = min(relative_gap(best.value, bound), 1.0)
        finer = replace(settings, gap=max(settings.gap, PART_OF_A_GAP * left_open))
        together = _arranged(network, best.placed, rhythm, finer, stop_at)
        best = together if together.value <= best.value else best
    return best.placed, _bounded(best, timed_out=timed_out, bound=bound, proof=proof)


def _bounded(best: _Turn, *, timed_out: bool, bound: float, proof: str) -> Arrangement:
    """Return the best arrangement with a bound over all placements, and what that leaves open."""
    arrangement = best.arrangement
    if arrangement is None and bound == math.inf:
        raise OutOfLimits(best.refusal)
    if arrangement is None:
        raise NoPlacement(f"of the placements tried: {best.refusal}", StopReason.NO_PROGRESS)
    arrangement = replace(arrangement, timed_out=timed_out or arrangement.timed_out)
    parts = arrangement.gap_parts
    if parts:
        amount = arrangement.bound - bound
        parts = (*parts, GapPart(part="placement", amount=amount, proof=PLACEMENT_PROOF))
    return replace(arrangement, bound=bound, proof=proof, gap_parts=parts)


def _options(limit_s: float, seed: int) -> Options:
    return Options(time_limit_s=None if math.isinf(limit_s) else max(limit_s, 1e-3), seed=seed)


def _arranged(
    network: Network, placed: Placed, rhythm: Rhythm, settings: SearchSettings, stop_at: float
) -> _Turn:
    """Return a placement with its best arrangement, or with none within the limits of a round."""
    began = time.monotonic()
    limited = replace(settings, time_limit_s=max(stop_at - began, 1e-3))
    served = with_training(network, placed.servings)
    try:
        arrangement = optimise(served, placed, rhythm, limited)
    except (OutOfLimits, NoPlacement) as error:
        return _Turn(placed, None, math.inf, time.monotonic() - began, str(error))
    decisions = assemble(served, "alternation", rhythm.period, placed, arrangement)
    cost, weights = predict(served, decisions), network.instance.objective
    value = weights.energy_weight_per_j * cost.energy_j + weights.time_weight_per_s * cost.latency_s
    if settings.joint and check_plan(served, decisions):
        value = math.inf
    return _Turn(placed, arrangement, value, time.monotonic() - began)


def _first(
    network: Network, placed: Placed, rhythm: Rhythm, settings: SearchSettings, stop_at: float
) -> tuple[_Turn, SearchSettings]:
    """Return the first turn and how to search in turns: at nominal D2D links, if the limits allow that."""
    turns = replace(settings, joint=False, counts_joint=settings.joint)
    try:
        first = _arranged(network, placed, rhythm, turns, stop_at)
    except MissingLink:
        if not settings.joint:
            raise
    else:
        if first.arrangement is not None or not settings.joint:
            return first, turns
    return _arranged(network, placed, rhythm, settings, stop_at), settings


def _bound_prices(
    network: Network, task: PlacementTask, settings: SearchSettings, start: Start
) -> TimePrices:
    """Return prices of time for a bound, at the best deadline where devices that may slow down do so."""
    slowable = slowable_devices(network, task, settings) if settings.allocate else set()
    if not slowable:
        return start.bound_prices
    return deadline_prices(network, hulls_of(network, task, {}, slowable), ())[0]


def _all_at_home(network: Network, task: PlacementTask) -> PlacementTask | None:
    """Return the task whose trainable modules stay on their devices; ``None`` if they all do anyway."""
    home = formulate_placement(network)
    return home if len(home.candidates) < len(task.candidates) else None
