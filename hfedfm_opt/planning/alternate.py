"""Placement and clusters in turn: what the clusters wait for prices the next placement."""

import math
import time
from dataclasses import replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.cluster_options import Rhythm, readiness
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement, price
from hfedfm_opt.planning.optimise import SearchSettings, bound_over_placements, optimise
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.time_prices import even_prices, repriced
from hfedfm_opt.planning.trained_elsewhere import with_training
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
    prices of the devices that kept the others waiting.  Where modules may be trained elsewhere, a turn before
    the first leaves all of them on their devices.

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
    weights = network.instance.objective
    prices = even_prices(network)
    best: tuple[Placed, Arrangement] | None = None
    best_value, since_best = math.inf, 0
    timed_out = False
    home = _all_at_home(network, task)
    for turn in range(0 if home else 1, 2 if forced else MAX_TURNS + 1):
        left = stop_at - time.monotonic()
        timed_out = best is not None and left <= 0
        if timed_out or since_best >= PATIENCE:
            break
        limit = max(left, 1e-3)
        options = Options(time_limit_s=None if math.isinf(limit) else limit, seed=seed)
        try:
            placed = place(
                network, price(network, home if home and not turn else task, prices), method, options
            )
        except NoPlacement:
            if turn:
                raise
            continue
        served = with_training(network, placed.servings)
        arrangement = optimise(served, placed, rhythm, replace(settings, time_limit_s=limit))
        cost = predict(served, assemble(served, "alternation", rhythm.period, placed, arrangement))
        value = weights.energy_weight_per_j * cost.energy_j + weights.time_weight_per_s * cost.latency_s
        since_best += 1
        if value < best_value:
            best, best_value, since_best = (placed, arrangement), value, 0
        seconds = readiness(network, placed.servings).seconds
        prices = repriced(prices, seconds, placed.servings, FIRST_STEP / math.sqrt(max(turn, 1)))
    assert best is not None, "the first turn gives a plan or raises"
    if forced:
        return best
    bound, proof = bound_over_placements(network, task, rhythm, settings, prices)
    return best[0], replace(best[1], bound=bound, proof=proof, timed_out=timed_out)


def _all_at_home(network: Network, task: PlacementTask) -> PlacementTask | None:
    """Return the task whose trainable modules stay on their devices; ``None`` if they all do anyway."""
    home = formulate_placement(network)
    return home if len(home.candidates) < len(task.candidates) else None
