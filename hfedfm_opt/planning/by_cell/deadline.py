"""The best common deadline of a placement whose devices may slow down, and the prices of time it sets."""

from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.by_cell.prices import Taken
from hfedfm_opt.system.instance import Objective
from solvers.common.arrays import FloatArray

HALVINGS = 60
"""Halvings of an interval of deadlines, to rounding."""


@dataclass(frozen=True)
class Deadline:
    """The deadline of training and sending at which a placement costs least.

    Parameters
    ----------
    seconds : float
        The deadline T.
    joules : (devices,) float
        What each device's training takes where those with slack are just in time.
    slope : (devices,) float
        What each device that may slow down would save by a second more, in units of the objective; of others,
        what they would if they ran everything themselves.
    cost : float
        Weighted energy of training and time.
    """

    seconds: float
    joules: FloatArray
    slope: FloatArray
    cost: float


def best_deadline(weights: Objective, taken: Taken, sends_s: FloatArray) -> Deadline:
    """Return the deadline of least cost: ``sum of J (S / (T - s))^2`` and ``T``, weighted.

    A device of S seconds and J joules at full CPU frequency, which then sends for s seconds, is just in time
    for a deadline T where it computes for T - s.

    Parameters
    ----------
    weights : Objective
        Prices of joules and seconds.
    taken : Taken
        What the placement takes.
    sends_s : (devices,) float
        How long each device sends after its training.
    """
    earliest = float((taken.seconds + sends_s).max())
    work_s, work_j, after_s = taken.seconds[taken.slack], taken.joules[taken.slack], sends_s[taken.slack]
    joule, second = weights.energy_weight_per_j, weights.time_weight_per_s

    def pull(deadline_s: float) -> float:
        return joule * float((2.0 * work_j * work_s**2 / (deadline_s - after_s) ** 3).sum())

    low = high = earliest
    if work_s.any() and second > 0:
        while pull(high) > second and high < 1e6 * earliest:
            low, high = high, 2.0 * high
        for _ in range(HALVINGS if high > low else 0):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if pull(middle) > second else (low, middle)
    joules = taken.joules.copy()
    joules[taken.slack] *= (work_s / np.maximum(high - after_s, work_s)) ** 2 if work_s.size else 1.0
    cost = joule * float(joules.sum()) + second * high
    return Deadline(high, joules, _slopes(joule, taken, high - sends_s), cost)


def _slopes(joule: float, taken: Taken, budget_s: FloatArray) -> FloatArray:
    """Return the slopes ``2 J S^2 / c^3`` of devices that compute for c seconds; zero without slack."""
    seconds = np.maximum(budget_s, taken.seconds)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = 2.0 * joule * taken.joules * taken.seconds**2 / seconds**3
    return np.where(taken.slack & (taken.seconds > 0), slope, 0.0)
