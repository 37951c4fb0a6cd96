"""A surrogate of accuracy: what candidates that did not run would reach, with an honest uncertainty.

A Gaussian process (scikit-learn) over a few features of a candidate predicts its paired difference of
accuracy to the reference. Its uncertainty is not taken on trust: each measured candidate is predicted from
the others, and where these errors are larger than the process says, its standard deviations are stretched to
fit.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hfedfm_opt.study.sweeping.candidates import Candidate

FloatArray = npt.NDArray[np.float64]
MIN_MEASURED = 6
"""Measured candidates from which a surrogate is learned."""
NEVER_ROUNDS = 64
"""Period that stands for never."""
LEAST_VARIANCE = 0.01
"""Points squared: least variance of a measured difference, of rounding to whole answers of the test set."""


@dataclass(frozen=True)
class Measured:
    """A measured candidate: mean paired difference to the reference, in points, and its variance."""

    candidate: Candidate
    difference: float
    variance: float


@dataclass(frozen=True)
class Prediction:
    """Predicted difference to the reference, points: mean and standard deviation."""

    mean: float
    sd: float

    def probability_at_least(self, difference: float) -> float:
        """Return the probability of at least that difference."""
        return 0.5 * math.erfc((difference - self.mean) / (self.sd * math.sqrt(2.0)))


@dataclass(frozen=True)
class Surrogate:
    """What was learned.

    Parameters
    ----------
    measured : tuple of Measured
        From what.
    cross_validated_error : float
        Root mean square of the errors of each candidate predicted from the others, points.
    spread : float
        Root mean square of the measured differences about their mean, points: the error of knowing nothing.
    stretch : float
        Factor on the standard deviations, >= 1.
    least_sd : float
        Least standard deviation of a prediction, points: what is left of ``cross_validated_error`` when the
        noise of the measured differences is taken out.
    process : object
        The fitted ``GaussianProcessRegressor``.
    scale : tuple of array
        Mean and scale of the features.
    parameters_of : mapping of str to float
        Parameters of each module.
    """

    measured: tuple[Measured, ...]
    cross_validated_error: float
    spread: float
    stretch: float
    least_sd: float
    process: Any
    scale: tuple[FloatArray, FloatArray]
    parameters_of: Mapping[str, float]

    def predict(self, candidate: Candidate) -> Prediction:
        """Return what a candidate would reach."""
        mean, sd = _predicted(self.process, self.scale, features(candidate, self.parameters_of)[None])
        return Prediction(float(mean[0]), max(self.stretch * float(sd[0]), self.least_sd))


def learn_surrogate(measured: Sequence[Measured], parameters_of: Mapping[str, float]) -> Surrogate | None:
    """Return a surrogate of the measured candidates; ``None`` if they are fewer than ``MIN_MEASURED``.

    Parameters
    ----------
    measured : sequence of Measured
        Each candidate once; the reference too, with difference 0.
    parameters_of : mapping of str to float
        Parameters of each trainable module: how much it weighs in the features.
    """
    if len(measured) < MIN_MEASURED:
        return None
    rows = np.array([features(one.candidate, parameters_of) for one in measured])  # (candidates, features)
    scale = (rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9))
    values = np.array([one.difference for one in measured])
    variances = np.maximum([one.variance for one in measured], LEAST_VARIANCE)
    errors, deviations = np.zeros(len(rows)), np.zeros(len(rows))
    for left in range(len(rows)):
        others = np.arange(len(rows)) != left
        process = _fitted(rows[others], values[others], variances[others], scale)
        mean, sd = _predicted(process, scale, rows[left : left + 1])
        errors[left] = values[left] - mean[0]
        deviations[left] = np.hypot(sd[0], np.sqrt(variances[left]))
    return Surrogate(
        measured=tuple(measured),
        cross_validated_error=float(np.sqrt((errors**2).mean())),
        spread=float(values.std()),
        least_sd=float(np.sqrt(max((errors**2).mean() - variances.mean(), 0.0))),
        stretch=max(1.0, float(np.sqrt(((errors / deviations) ** 2).mean()))),
        process=_fitted(rows, values, variances, scale),
        scale=scale,
        parameters_of=parameters_of,
    )


def features(candidate: Candidate, parameters_of: Mapping[str, float]) -> FloatArray:
    """Return a candidate as numbers, (6,).

    Mean logarithm of the period, weighted by parameters and not weighted; relative rounding ``2^(1 - bits)``
    of updates and of models, weighted by parameters (at 32 bits 0); momentum; and the product of the first
    and the third, because long periods send what many rounds gathered at once.
    """
    period_of, bits_of = dict(candidate.periods), dict(candidate.bits)
    names = list(period_of)
    weights = np.array([max(float(parameters_of[name]), 1.0) for name in names])
    weights = weights / weights.sum()
    logs = np.array([math.log2(period_of[name] or NEVER_ROUNDS) for name in names])
    up = np.array([_rounding(bits_of[name][0]) for name in names])
    down = np.array([_rounding(bits_of[name][1]) for name in names])
    period, rough = float(weights @ logs), float(weights @ up)
    values = [period, float(logs.mean()), rough, float(weights @ down), candidate.momentum, period * rough]
    return np.array(values)


def _rounding(bits: int) -> float:
    return 2.0 ** (1 - bits) if bits < 32 else 0.0


def _fitted(
    rows: FloatArray, values: FloatArray, variances: FloatArray, scale: tuple[FloatArray, ...]
) -> Any:
    """Return a process with a linear trend and a smooth rest; its few scales are those of most likelihood."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

    rest = ConstantKernel(4.0, (0.01, 400.0)) * Matern(2.0, (0.3, 20.0), nu=1.5)
    trend = ConstantKernel(1.0, (0.01, 100.0)) * DotProduct(1.0, "fixed")
    process = GaussianProcessRegressor(trend + rest, alpha=variances, normalize_y=False, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its limit is an answer
        return process.fit((rows - scale[0]) / scale[1], values)


def _predicted(
    process: Any, scale: tuple[FloatArray, ...], rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    mean, sd = process.predict((rows - scale[0]) / scale[1], return_std=True)
    return np.asarray(mean), np.maximum(np.asarray(sd), 1e-6)
