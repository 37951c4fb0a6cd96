"""Merges what each cluster can do into the front of all: who waits for the slowest spends the least.

Clusters work side by side until a common deadline T.  Within it each takes its option of least energy, and
the energies add up: ``E(T) = sum_c min { joules_o : seconds_o <= T, o an option of c }``.  A sum of
staircases is a staircase that steps only where one of them does: looking at those T finds all non-dominated
pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from solvers.common.arrays import FloatArray, IntArray, frozen

SAME = 1e-12
"""Relative difference below which two deadlines, or two energies, are one: some rounding errors of a sum."""


@dataclass(frozen=True)
class MergedFront:
    """All non-dominated pairs of deadline and energy, fastest first, and the steps of the clusters behind.

    Parameters
    ----------
    deadline_s : FloatArray
        (P,), rising.
    energy_j : FloatArray
        (P,), falling.
    steps : tuple of IntArray
        For each cluster its options that no other of it dominates, fastest first, as indices into the options
        that were merged.
    step_s : tuple of FloatArray
        Seconds of each of those.
    """

    deadline_s: FloatArray
    energy_j: FloatArray
    steps: tuple[IntArray, ...]
    step_s: tuple[FloatArray, ...]

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.deadline_s)

    def chosen(self, point: int) -> IntArray:
        """Return the option of each cluster at a point, (C,), as an index into the options merged."""
        latest = float(self.deadline_s[point]) * (1 + SAME)
        pairs = zip(self.steps, self.step_s, strict=True)
        return np.array([own[np.searchsorted(seconds, latest, side="right") - 1] for own, seconds in pairs])


def merge_fronts(
    cluster: Sequence[int] | IntArray,
    seconds: Sequence[float] | FloatArray,
    joules: Sequence[float] | FloatArray,
    num_clusters: int,
    max_deadline_s: float = np.inf,
) -> MergedFront:
    """Return the exact front of clusters that share a deadline and add up their energies.

    Takes the time of sorting all options, and memory for them.

    Parameters
    ----------
    cluster : sequence of int, (O,)
        Whose option it is, 0 to ``num_clusters - 1``.
    seconds, joules : sequence of float, (O,)
        What each option takes.
    num_clusters : int
        C >= 1.
    max_deadline_s : float
        Latest deadline of interest.

    Returns
    -------
    MergedFront
        Without points if some cluster has no option in time.
    """
    of, taken_s, spent_j = np.asarray(cluster), np.asarray(seconds, float), np.asarray(joules, float)
    order = np.lexsort((spent_j, taken_s, of))
    starts = np.searchsorted(of[order], np.arange(num_clusters + 1))
    steps = tuple(_staircase(order[low:high], spent_j) for low, high in pairwise(starts.tolist()))
    step_s = tuple(taken_s[own] for own in steps)
    if any(own.size == 0 for own in steps):
        return MergedFront(frozen(np.zeros(0)), frozen(np.zeros(0)), steps, step_s)
    earliest = max(float(own[0]) for own in step_s)
    when = np.concatenate(step_s)
    change_j = np.concatenate([np.diff(spent_j[own], prepend=0.0) for own in steps])
    sequence = np.argsort(when, kind="stable")
    total_j = np.cumsum(change_j[sequence], dtype=np.longdouble)
    times = np.unique(when)
    times = times[(times >= earliest) & (times <= max_deadline_s * (1 + SAME))]
    last = np.searchsorted(when[sequence], times * (1 + SAME), side="right") - 1
    energy = total_j[last].astype(np.float64)
    keep = falling(energy)
    return MergedFront(frozen(times[keep]), frozen(energy[keep]), steps, step_s)


def _staircase(ordered: IntArray, joules: FloatArray) -> IntArray:
    """Return the options of one cluster that no other of it dominates, from all of it, fastest first."""
    best = np.minimum.accumulate(np.concatenate([[np.inf], joules[ordered]]))[:-1]
    kept: IntArray = ordered[joules[ordered] < best]
    return kept


def falling(energy_j: FloatArray) -> IntArray:
    """Return the places where energy is below all before by more than rounding, (P,)."""
    least, kept = np.inf, []
    for place, joules in enumerate(energy_j.tolist()):
        if not joules >= least - SAME * abs(least):
            least = joules
            kept.append(place)
    return np.array(kept, dtype=np.int64)
