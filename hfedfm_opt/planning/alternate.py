"""Placement and clusters in turn: what the clusters wait for prices the next placement."""

import math
import time
from dataclasses import replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm, readiness
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.placement_bound import PLACEMENT_PROOF, bound_over_placements
from hfedfm_opt.planning.time_prices import even_prices, repriced
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.common import Options

MAX_TURNS = 24
"""Most turns of placing and arranging."""
PATIENCE = 8
"""Turns without a better plan after which the alternation ends."""
FIRST_STEP = 4.0
"""How strongly the first turn presses on slow devices; the k-th presses 1 / sqrt(k) as much."""


def alternate(
    network: Network, task: PlacementTask, method: str, rhythm: Rhythm, settings: SearchSettings, seed: int
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found by turns, with a bound over all of them.

    Each turn places under prices of time, arranges the clusters exactly for that placement, and raises the
    prices of the devices that kept the others waiting.  Turns take D2D links at nominal resources; these are
    decided together with the trees for the placement that survives.

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
        If there is no placement, or clusters cannot average.
    """
    stop_at = time.monotonic() + settings.time_limit_s
    forced = len(task.candidates) == len(task.demands)
    turns = settings if forced else replace(settings, joint=False)
    prices = even_prices(network)
    best: tuple[Placed, Arrangement] | None = None
    best_value, since_best = math.inf, 0
    timed_out = False
    for turn in range(1, 2 if forced else MAX_TURNS + 1):
        left = stop_at - time.monotonic()
        timed_out = best is not None and left <= 0
        if timed_out or since_best >= PATIENCE:
            break
        limit = max(left, 1e-3)
        options = Options(time_limit_s=None if math.isinf(limit) else limit, seed=seed)
        placed = place(network, price(network, task, prices), method, options)
        try:
            arrangement = optimise(network, placed, rhythm, replace(turns, time_limit_s=limit))
        except (MissingLink, NoPlacement):
            if turns.joint or not settings.joint:
                raise
            turns = settings  # the limits of a round ask for all that can be decided
            arrangement = optimise(network, placed, rhythm, replace(turns, time_limit_s=limit))
        value = _value(network, rhythm, placed, arrangement)
        since_best += 1
        if best is None or value < best_value:
            best, best_value, since_best = (placed, arrangement), value, 0
        seconds = readiness(network, placed.servings).seconds
        prices = repriced(prices, seconds, placed.servings, FIRST_STEP / math.sqrt(turn))
    assert best is not None, "the first turn gives a plan or raises"
    if forced:
        return best
    placed, arrangement = best
    if settings.joint:
        left = max(stop_at - time.monotonic(), 1e-3)
        together = optimise(network, placed, rhythm, replace(settings, time_limit_s=left))
        if _value(network, rhythm, placed, together) <= best_value:
            arrangement = together
    bound, proof = bound_over_placements(network, task, rhythm, settings, prices)
    parts = arrangement.gap_parts
    if parts:
        amount = arrangement.bound - bound
        parts = (*parts, GapPart(part="placement", amount=amount, proof=PLACEMENT_PROOF))
    timed_out = timed_out or arrangement.timed_out
    return placed, replace(arrangement, bound=bound, proof=proof, timed_out=timed_out, gap_parts=parts)


def _value(network: Network, rhythm: Rhythm, placed: Placed, arrangement: Arrangement) -> float:
    """Return the objective of a round; inf where the plan breaks a limit."""
    decisions = assemble(network, "alternation", rhythm.period, placed, arrangement)
    if check_plan(network, decisions):
        return math.inf
    cost, weights = predict(network, decisions), network.instance.objective
    return weights.energy_weight_per_j * cost.energy_j + weights.time_weight_per_s * cost.latency_s
