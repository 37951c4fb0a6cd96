"""The race of candidates: who is surely behind whom, from few runs with paired seeds.

Two candidates run with the same seeds draw the same data, first modules and batches, so their difference of
accuracy is far steadier than each of them.  Its interval is that of a moderated paired t-test (Smyth 2004,
doi:10.2202/1544-6115.1027): with three seeds a sample variance alone says next to nothing, so it is shrunk
towards the variance that is usual among the candidates of the sweep,

    s^2 = (PRIOR_DF usual + (n - 1) sample) / (PRIOR_DF + n - 1),
    half = t(PRIOR_DF + n - 1) s / sqrt(n).

What we changed: the usual variance is the median over candidates that have run with all seeds, not a fit of
an inverse gamma law.  With one common seed there is no sample variance, and the usual one stands alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

PRIOR_DF = 4.0
"""Degrees of freedom that the usual variance counts for: about that of three candidates with three seeds."""
CONFIDENCE = 0.95
MIN_CANDIDATES = 3
"""Candidates with all seeds from which the usual variance is taken; before, nobody is dropped."""

BySeed = Mapping[int, float]
"""Accuracy in percent, by seed."""


@dataclass(frozen=True)
class Difference:
    """A paired difference of accuracy, in points.

    Parameters
    ----------
    mean : float
        Mean over the common seeds.
    half : float
        Half the width of its interval of ``CONFIDENCE``; ``inf`` if nothing is known.
    sd : float or None
        Sample standard deviation; ``None`` with one common seed.
    """

    mean: float
    half: float
    sd: float | None

    @property
    def lower(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half

    @property
    def upper(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half


def usual_variance(accuracy_of: Iterable[BySeed], reference: BySeed, seeds: Iterable[int]) -> float | None:
    """Return the variance that a paired difference usually has, in points squared.

    Parameters
    ----------
    accuracy_of : iterable of mapping of int to float
        Accuracy of each candidate by seed; those that lack one of the seeds are left out.
    reference : mapping of int to float
        What differences are to.
    seeds : iterable of int
        All seeds.

    Returns
    -------
    float or None
        ``None`` with one seed, or fewer than ``MIN_CANDIDATES`` candidates.
    """
    order = list(seeds)
    complete = [by for by in accuracy_of if all(seed in by for seed in order) and by is not reference]
    if len(order) < 2 or len(complete) < MIN_CANDIDATES:
        return None
    base = np.array([reference[seed] for seed in order])
    differences = np.array([[by[seed] for seed in order] for by in complete]) - base  # (candidates, seeds)
    return float(np.median(differences.var(axis=1, ddof=1)))


def difference(one: BySeed, other: BySeed, usual: float | None) -> Difference:
    """Return by how much ``one`` is ahead of ``other``, over the seeds that both have (at least one)."""
    common = sorted(set(one) & set(other))
    values = np.array([one[seed] - other[seed] for seed in common])
    n, mean = len(values), float(values.mean())
    sample = float(values.var(ddof=1)) if n > 1 else None
    sd = None if sample is None else sample**0.5
    if usual is None:
        half = float("inf") if sd is None else _quantile(n - 1) * sd / n**0.5
        return Difference(mean, half, sd)
    freedom = PRIOR_DF + n - 1
    variance = (PRIOR_DF * usual + (n - 1) * (sample or 0.0)) / freedom
    return Difference(mean, _quantile(freedom) * (variance / n) ** 0.5, sd)


def is_surely_behind(one: BySeed, other: BySeed, usual: float | None) -> bool:
    """Return whether ``one`` is behind ``other`` by more than the interval of their difference."""
    return usual is not None and difference(one, other, usual).upper < 0


def _quantile(freedom: float) -> float:
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))
