"""The best choice of options at a few deadlines about a known one: no certificate, and little work."""

import time
from collections.abc import Sequence

import numpy as np

from hfedfm_opt.planning.cluster_options import Option
from hfedfm_opt.planning.deadline_search import SearchResult
from hfedfm_opt.planning.option_curves import Curves, Prices

PARTS = (0.9, 1.0, 1.12)
"""Deadlines tried first, as parts of the known one."""
STEP = 1.12
"""Factor to the next deadline while the best is the first or the last that was tried."""
MOST_STEPS = 24
"""Deadlines tried beyond the first at most."""
CLOSENESS = 0.01
"""Relative distance of neighbouring deadlines at which no more are tried between them."""


def search_near(
    options: Sequence[Option],
    delay_s: Sequence[float],
    near_s: float,
    *,
    energy_weight: float,
    time_weight: float,
    gap: float,
    max_deadline_s: float = np.inf,
    max_energy_j: float = np.inf,
    time_limit_s: float = np.inf,
) -> SearchResult:
    """Return the best options and deadline found about a deadline, without a bound.

    The parameters are those of :func:`~hfedfm_opt.planning.deadline_search.search_deadline`.

    Parameters
    ----------
    options, delay_s
        As there.
    near_s : float
        The known deadline of a cycle, > 0.
    energy_weight, time_weight, gap, max_deadline_s, max_energy_j, time_limit_s
        As there.
    """
    stop_at = time.monotonic() + time_limit_s
    prices = Prices(energy_weight, time_weight)
    curves = Curves(tuple(options), np.asarray(delay_s, dtype=np.float64), prices, gap, stop_at, max_energy_j)
    earliest = curves.earliest_s()
    if not np.isfinite(earliest) or earliest > max_deadline_s:
        return SearchResult(np.inf, (), np.inf, -np.inf)
    wanted = np.clip(near_s * np.array(PARTS), earliest, max_deadline_s)
    points = sorted(curves.price(np.unique(wanted)), key=lambda point: point.deadline_s)
    for _ in range(MOST_STEPS):
        if time.monotonic() >= stop_at:
            break
        place = min(range(len(points)), key=lambda index: points[index].value)
        tried = _next(
            [point.deadline_s for point in points], place, earliest, max_deadline_s
        )
        if not tried:
            break
        points = sorted([*points, *curves.price(np.array(tried))], key=lambda point: point.deadline_s)
    best = min(points, key=lambda point: point.value)
    if not np.isfinite(best.value):
        return SearchResult(np.inf, (), np.inf, -np.inf)
    return SearchResult(best.deadline_s, curves.choices(best), best.value, -np.inf)


def _next(deadlines: list[float], place: int, earliest: float, latest: float) -> list[float]:
    """Return the deadlines to try about the best one: beyond the ends, or half way to its neighbours."""
    here = deadlines[place]
    below = max(here / STEP, earliest) if place == 0 else 0.5 * (deadlines[place - 1] + here)
    last = place == len(deadlines) - 1
    above = min(here * STEP, latest) if last else 0.5 * (here + deadlines[place + 1])
    return [tried for tried in (below, above) if abs(tried - here) > CLOSENESS * here]
