"""Merges what each cluster can do into the front of all: who waits for the slowest spends the least.

Clusters work side by side until a common deadline T.  Within it each takes its option of least energy, and
the energies add up: ``E(T) = sum_c min { joules_o : seconds_o <= T, o an option of c }``.  A sum of
staircases is a staircase that steps only where one of them does: looking at those T finds all non-dominated
pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray, IntArray, frozen

SAME = 1e-12
"""Relative difference below which two deadlines, or two energies, are one: some rounding errors of a sum."""


@dataclass(frozen=True)
class MergedFront:
    """All non-dominated pairs of deadline and energy, fastest first, with the options behind them.

    Parameters
    ----------
    deadline_s : FloatArray
        (P,), rising.
    energy_j : FloatArray
        (P,), falling.
    chosen : IntArray
        (P, C): the option of each cluster, as an index into the options that were merged.
    """

    deadline_s: FloatArray
    energy_j: FloatArray
    chosen: IntArray

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.deadline_s)


def merge_fronts(
    cluster: Sequence[int] | IntArray,
    seconds: Sequence[float] | FloatArray,
    joules: Sequence[float] | FloatArray,
    num_clusters: int,
    max_deadline_s: float = np.inf,
) -> MergedFront:
    """Return the exact front of clusters that share a deadline and add up their energies.

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
    steps = [_staircase(np.flatnonzero(of == index), taken_s, spent_j) for index in range(num_clusters)]
    if any(own.size == 0 for own in steps):
        return _front(np.zeros(0), np.zeros(0), np.zeros((0, num_clusters), dtype=np.int64))
    earliest = max(float(taken_s[own[0]]) for own in steps)
    times = np.unique(np.concatenate([taken_s[own] for own in steps]))
    times = times[(times >= earliest) & (times <= max_deadline_s * (1 + SAME))]
    chosen = np.empty((times.size, num_clusters), dtype=np.int64)
    for column, own in enumerate(steps):
        chosen[:, column] = own[np.searchsorted(taken_s[own], times * (1 + SAME), side="right") - 1]
    energy = spent_j[chosen].sum(axis=1)
    keep = falling(energy)
    return _front(times[keep], energy[keep], chosen[keep])


def _staircase(own: IntArray, seconds: FloatArray, joules: FloatArray) -> IntArray:
    """Return the options of one cluster that no other of it dominates, fastest first."""
    ordered = own[np.lexsort((joules[own], seconds[own]))]
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


def _front(deadline_s: FloatArray, energy_j: FloatArray, chosen: IntArray) -> MergedFront:
    return MergedFront(frozen(deadline_s), frozen(energy_j), frozen(chosen))
