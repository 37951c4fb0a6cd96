import numpy as np
import pytest
from scipy import stats

from fl_runtime.fading import Fading, link_power_gains, rayleigh_power, rician_power

NUM_DRAWS = 200_000


def test_rayleigh_power_is_exponential_with_mean_one():
    gains = rayleigh_power(np.random.default_rng(1), NUM_DRAWS)
    assert gains.mean() == pytest.approx(1.0, abs=0.01)  # four standard errors
    assert stats.kstest(gains, "expon").pvalue > 1e-3


@pytest.mark.parametrize("k_factor", [0.0, 1.0, 10.0])
def test_rician_power_follows_its_law_and_has_mean_one(k_factor):
    gains = rician_power(np.random.default_rng(2), k_factor, NUM_DRAWS)
    # 2 (K + 1) g is noncentral chi-square with two degrees of freedom and noncentrality 2 K
    law = stats.ncx2(2, 2 * k_factor, scale=0.5 / (k_factor + 1)) if k_factor else stats.expon()
    assert gains.mean() == pytest.approx(1.0, abs=0.01)
    assert gains.var() == pytest.approx((1 + 2 * k_factor) / (1 + k_factor) ** 2, rel=0.03)
    assert stats.kstest(gains, law.cdf).pvalue > 1e-3


def test_rician_power_without_scatter_tends_to_one():
    gains = rician_power(np.random.default_rng(3), 1e12, 100)
    assert np.allclose(gains, 1.0, atol=1e-4)


@pytest.mark.parametrize("fading", [Fading(), Fading(model="rician", k_factor=2.0)])
def test_fewer_rounds_draw_a_prefix(fading):
    long = link_power_gains(fading, 7, "d1", "edge", "cell", 50)
    short = link_power_gains(fading, 7, "d1", "edge", "cell", 20)
    assert np.array_equal(long[:20], short)


@pytest.mark.parametrize(
    "other",
    [(8, "d1", "edge", "cell"), (7, "d2", "edge", "cell"), (7, "edge", "d1", "cell"), (7, "d1", "edge", "b")],
)
def test_seed_source_target_and_band_key_the_draws(other):
    gains = link_power_gains(Fading(), 7, "d1", "edge", "cell", 10)
    assert not np.any(gains == link_power_gains(Fading(), *other, 10))


def test_draws_of_different_links_are_uncorrelated():
    one = link_power_gains(Fading(), 0, "d1", "edge", "cell", 20_000)
    other = link_power_gains(Fading(), 0, "d2", "edge", "cell", 20_000)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="fading model is 'nakagami', must be 'rayleigh' or 'rician'"):
        Fading(model="nakagami")


@pytest.mark.parametrize("k_factor", [-1.0, float("nan"), float("inf")])
def test_a_k_factor_without_meaning_is_refused(k_factor):
    with pytest.raises(ValueError, match=r"k_factor is .*, must be a finite number >= 0"):
        Fading(model="rician", k_factor=k_factor)
