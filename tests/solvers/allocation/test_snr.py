"""The functions of the signal-to-noise ratio against extended precision and their own inverses."""

import numpy as np
import pytest

from solvers.allocation import snr
from solvers.allocation.fleet import fleet_of
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.respond import respond


def test_chi_and_excess_keep_their_digits_across_the_series_border() -> None:
    x = np.geomspace(0.01, 0.1, 50)
    long = x.astype(np.longdouble)
    q = np.log1p(long)
    shape = snr.shape_at(np.log(x))
    assert np.max(np.abs(shape.chi / ((1 + long) * q - long) - 1)) < 2e-14
    assert np.max(np.abs(snr.excess(shape) / (long / q - 1) - 1)) < 2e-14


@pytest.mark.parametrize(
    ("inverse", "value"),
    [
        (snr.inverse_chi, lambda s: np.log(s.chi)),
        (snr.inverse_chi2_over_q, lambda s: 2 * np.log(s.chi) - np.log(s.q)),
        (snr.inverse_excess, lambda s: np.log(snr.excess(s))),
        (snr.inverse_capped_price, lambda s: np.log(s.x**2 * s.chi / ((1 + s.x) * s.q**2))),
    ],
)
def test_inverses_return_where_they_came_from(inverse: object, value: object) -> None:
    w = np.linspace(-80.0, 80.0, 3201)
    assert inverse(value(snr.shape_at(w))) == pytest.approx(w, abs=1e-11)


@pytest.mark.parametrize("cap", [10.0, 1e-3])
@pytest.mark.parametrize("frequency", [1e10, 2e8])
def test_responses_have_the_derivatives_they_state(cap: float, frequency: float) -> None:
    problem = AllocationProblem(
        bits=[1e6, 3e7],
        gain=[1e-12, 3e-11],
        noise_w_per_hz=4e-21,
        max_power_w=cap,
        cycles=[1e8, 3e8],
        max_frequency_hz=frequency,
        capacitance=1e-27,
        band_hz=1e6,
        energy_weight=1.0,
        time_weight=1.0,
    )
    group = fleet_of(problem).transmitters
    margin, mu, h = np.array([5.0]), np.array([1e-7]), 1e-6
    here = respond(group, mu, margin)
    up, down = respond(group, mu * np.exp(h), margin), respond(group, mu * np.exp(-h), margin)
    late, early = respond(group, mu, margin + h), respond(group, mu, margin - h)
    for name in ("bandwidth", "price"):
        by_mu = (getattr(up, name) - getattr(down, name)) / (2 * h)
        by_t = (getattr(late, name) - getattr(early, name)) / (2 * h)
        assert getattr(here, f"{name}_by_mu") == pytest.approx(by_mu, rel=1e-5, abs=1e-9 * here.price.max())
        assert getattr(here, f"{name}_by_t") == pytest.approx(by_t, rel=1e-5)
    # both are derivatives of one cost: d bandwidth / d deadline = - d price / d mu
    assert here.bandwidth_by_t * mu == pytest.approx(-here.price_by_mu, rel=1e-9)
