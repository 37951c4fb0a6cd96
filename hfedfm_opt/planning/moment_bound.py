"""A bound over all placements: each device its least energy within the best common moment, exactly.

Let ``e_d(t)`` be the least energy with which device d trains within t seconds, over all hosts of its modules
that fit its own memory, and over all its frequencies.  All e_d fall, so a plan whose rounds have from a to b
seconds costs at least ``w_T a + w_E sum_d e_d(b)``.  Short intervals leave nothing of what convex hulls, or
any prices of time, lose where devices choose between few ways.
"""

import math
import time
from collections.abc import Callable, Mapping

import numpy as np

from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.ways import Ways, choices_of, ways_of
from hfedfm_opt.system.instance import Objective
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

NUM_MOMENTS = 40
"""Moments that intervals begin with."""
SPLITS_AT_ONCE = 16
"""Intervals split at once."""
MOST_STEPS = 40
"""Steps of splitting at most."""


def moment_bound(
    network: Network,
    task: PlacementTask,
    later_s: Mapping[str, float],
    *,
    slows: bool,
    gap: float,
    limit_s: float = math.inf,
) -> float:
    """Return a lower bound on the price of training in a round, and of a round's time, over all placements.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    later_s : mapping of str to float
        For each device, seconds by which its training ends before the round at least.
    slows : bool
        Whether devices may slow down their CPUs.
    gap : float
        Relative length of the bound's uncertainty at which intervals are short enough.
    limit_s : float
        Wall seconds after which intervals are left as they are; ``-inf`` is returned if there are none yet.
    """
    stop_at = time.monotonic() + limit_s
    ways: dict[str, Ways] = {}
    for device, found in choices_of(task.candidates).items():
        if time.monotonic() >= stop_at:
            return -math.inf
        ways[device] = ways_of(network, device, found, {}, slows=slows, optimistic=True)
    weights = network.instance.objective
    energy, second = weights.energy_weight_per_j, weights.time_weight_per_s
    if not ways:
        return 0.0
    if second == 0.0:
        return energy * sum(float(_joules(one, np.array([math.inf]))[0]) for one in ways.values())

    def joules_at(moments_s: FloatArray) -> FloatArray:
        total = np.zeros(len(moments_s))
        for device, one in ways.items():
            total += _joules(one, moments_s - later_s.get(device, 0.0))
        return total

    first_s = max(
        float((one.seconds + one.own_s).min()) + later_s.get(device, 0.0) for device, one in ways.items()
    )
    floor_s, first_s = max(first_s, 0.0), first_s * (1.0 + 1e-12)
    last_s = first_s + energy * float(joules_at(np.array([first_s]))[0]) / second
    moments_s = np.unique(np.geomspace(max(first_s, 1e-12), max(last_s, 1e-12), NUM_MOMENTS))
    before = second * floor_s + energy * float(joules_at(moments_s[:1])[0])  # until the first of the moments
    return min(before, _least(moments_s, joules_at, weights, gap, stop_at))


def _least(
    moments_s: FloatArray,
    joules_at: Callable[[FloatArray], FloatArray],
    weights: Objective,
    gap: float,
    stop_at: float,
) -> float:
    """Return a bound on the price of joules and moment over all moments from the first."""
    energy, second = weights.energy_weight_per_j, weights.time_weight_per_s
    joules = joules_at(moments_s)
    for _ in range(MOST_STEPS):
        value = float((energy * joules + second * moments_s).min())
        bounds = second * moments_s[:-1] + energy * joules[1:]
        open_ones = np.flatnonzero(bounds < value * (1.0 - gap))
        if not len(open_ones) or time.monotonic() >= stop_at:
            break
        worst = np.sort(open_ones[np.argsort(bounds[open_ones])][:SPLITS_AT_ONCE])
        middles = np.sqrt(moments_s[worst] * moments_s[worst + 1])
        moments_s = np.insert(moments_s, worst + 1, middles)
        joules = np.insert(joules, worst + 1, joules_at(middles))
    value = float((energy * joules + second * moments_s).min())
    bounds = second * moments_s[:-1] + energy * joules[1:]
    return min(value, float(bounds.min())) if len(bounds) else value


def _joules(ways: Ways, moments_s: FloatArray) -> FloatArray:
    """Return the least joules of a device within each moment, (moments,)."""
    least: FloatArray = ways.within(moments_s).min(axis=0)
    return least
