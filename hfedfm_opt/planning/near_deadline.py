"""The best choice of options at a few deadlines about a known one: no certificate, and little work."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.cluster_options import Option
from hfedfm_opt.planning.deadline_search import SearchResult
from hfedfm_opt.planning.option_curves import Curves, Point, Prices

STEP = 1.02
"""Factor between the known deadline and those tried with it."""
GROWTH = 4.0
"""How many times the last step the next one is, while the cost still falls that way."""
MOST_DEADLINES = 16
"""Deadlines tried at most."""
GAIN = 1e-3
"""Part of the cost below which what another deadline may gain is not looked for."""
MARGIN = 0.1
"""Part of an interval within which no deadline is tried at its ends."""
CLOSE = 1e-2
"""Part of its joules by which a cluster's option may be dearer than the best for its slope to count: what is
kept as it was has no slope, and the same trees with other resources cost about as much."""
ROUNDING = 1e-12
"""Relative distance by which the known deadline is put off, so that what just meets it still does."""


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
    """Return the best options and deadline found from a known deadline on, without a bound.

    Downhill from the known deadline and its neighbours, then where the tangents of two neighbours meet, until
    they promise no gain: were the cost convex, that would be the best one.

    Parameters
    ----------
    options, delay_s
        As :func:`~hfedfm_opt.planning.deadline_search.search_deadline` takes them.
    near_s : float
        The known deadline of a cycle, > 0.
    energy_weight, time_weight, gap, max_deadline_s, max_energy_j, time_limit_s
        As there.
    """
    stop_at = time.monotonic() + time_limit_s
    prices = Prices(energy_weight, time_weight)
    delays = np.asarray(delay_s, dtype=np.float64)
    curves = Curves(tuple(options), delays, prices, gap, stop_at, max_energy_j, bounded=False)
    earliest = curves.earliest_s()
    if not np.isfinite(earliest) or earliest > max_deadline_s:
        return SearchResult(np.inf, (), np.inf, -np.inf)
    begin = float(np.clip(near_s * (1.0 + ROUNDING), earliest, max_deadline_s))
    first = np.unique(np.clip([begin / STEP, begin, begin * STEP], earliest, max_deadline_s))
    points = curves.price(first)
    while len(points) < MOST_DEADLINES and time.monotonic() < stop_at:
        slopes = (curves.slope_w(point, CLOSE) * energy_weight + time_weight for point in points)
        tried = _next([_Known(*each) for each in zip(points, slopes, strict=True)], earliest, max_deadline_s)
        if tried is None or tried in {point.deadline_s for point in points}:
            break
        points = sorted([*points, *curves.price(np.array([tried]))], key=lambda point: point.deadline_s)
    best = min(points, key=lambda point: point.value)
    if not np.isfinite(best.value):
        return SearchResult(np.inf, (), np.inf, -np.inf)
    return SearchResult(best.deadline_s, curves.choices(best), best.value, -np.inf)


@dataclass(frozen=True)
class _Known:
    """A deadline that was tried, and what a second more would cost there."""

    point: Point
    slope: float

    @property
    def deadline_s(self) -> float:
        return self.point.deadline_s

    @property
    def value(self) -> float:
        return self.point.value


def _next(points: Sequence[_Known], earliest: float, latest: float) -> float | None:
    """Return the deadline to try next, from what is known, in ascending order; ``None`` to stop."""
    place = min(range(len(points)), key=lambda index: points[index].value)
    best = points[place]
    if not np.isfinite(best.value):  # too much energy: more time takes less
        end = points[-1].deadline_s
        return None if end >= latest else min(end * STEP**GROWTH, latest)
    falls = best.slope < 0  # with more time
    other = place + 1 if falls else place - 1
    if 0 <= other < len(points):
        return _meeting(best, points[other])
    behind = points[place - 1 if falls else place + 1].deadline_s if len(points) > 1 else earliest
    step = max(GROWTH * abs(best.deadline_s - behind), (STEP - 1.0) * best.deadline_s)
    ahead = float(np.clip(best.deadline_s + (step if falls else -step), earliest, latest))
    promised = abs(best.slope * (ahead - best.deadline_s))
    return ahead if promised > GAIN * best.value else None


def _meeting(best: _Known, other: _Known) -> float | None:
    """Return where the tangents of two neighbours meet; ``None`` if they promise too little there."""
    width = other.deadline_s - best.deadline_s
    here, there = best.slope, other.slope
    part = 0.5
    if np.isfinite(other.value) and abs((here - there) * width) > ROUNDING * best.value:
        part = float(np.clip((other.value - best.value - there * width) / ((here - there) * width), 0.0, 1.0))
    promised = abs(here * part * width)
    tried = best.deadline_s + float(np.clip(part, MARGIN, 1.0 - MARGIN)) * width
    return tried if promised > GAIN * best.value else None
