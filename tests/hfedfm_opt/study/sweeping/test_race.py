import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hfedfm_opt.study.sweeping.race import difference, is_surely_behind, usual_variance

percents = st.lists(st.floats(0, 100), min_size=3, max_size=3).map(lambda v: dict(enumerate(v)))


def test_the_interval_of_three_seeds_is_as_worked_by_hand():
    found = difference({0: 72.0, 1: 75.0, 2: 71.0}, {0: 71.0, 1: 73.0, 2: 68.0}, usual=0.25)

    # differences 1, 2, 3: mean 2, sample variance 1; (4 * 0.25 + 2 * 1) / 6 = 0.5; t(6) = 2.446912
    assert found.mean == pytest.approx(2.0)
    assert found.sd == pytest.approx(1.0)
    assert found.half == pytest.approx(2.446912 * math.sqrt(0.5 / 3), rel=1e-6)


def test_one_common_seed_has_the_usual_variance_alone():
    found = difference({0: 70.0}, {0: 71.0, 1: 60.0}, usual=0.09)

    assert (found.mean, found.sd) == (pytest.approx(-1.0), None)
    assert found.half == pytest.approx(2.776445 * 0.3, rel=1e-6)  # t(4)


def test_nothing_is_known_of_one_seed_without_a_usual_variance():
    assert difference({0: 70.0}, {0: 90.0}, usual=None).half == math.inf
    assert not is_surely_behind({0: 70.0}, {0: 90.0}, usual=None)


@given(one=percents, other=percents)
def test_without_a_usual_variance_it_is_the_paired_t_interval(one, other):
    found = difference(one, other, usual=None)

    values = [one[seed] - other[seed] for seed in one]
    if np.std(values) > 1e-6:
        low, high = stats.ttest_rel(list(one.values()), list(other.values())).confidence_interval(0.95)
        assert (found.lower, found.upper) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


@given(one=percents, other=percents, effect=percents, usual=st.floats(0.01, 100))
def test_effects_of_seeds_cancel_and_the_difference_turns_round(one, other, effect, usual):
    found = difference(one, other, usual)
    shifted = difference(
        {seed: one[seed] + effect[seed] for seed in one},
        {seed: other[seed] + effect[seed] for seed in other},
        usual,
    )
    turned = difference(other, one, usual)

    assert shifted.mean == pytest.approx(found.mean, abs=1e-9)
    assert shifted.half == pytest.approx(found.half, rel=1e-6)
    assert (turned.mean, turned.half) == (pytest.approx(-found.mean), pytest.approx(found.half))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(2000):
        values = 1.0 + 0.5 * rng.standard_normal(3)
        found = difference(dict(enumerate(values)), {0: 0.0, 1: 0.0, 2: 0.0}, usual=0.25)
        hits += found.lower <= 1.0 <= found.upper

    assert 0.94 <= hits / 2000 <= 0.99  # a true usual variance makes it a little wider than it need be


def test_the_usual_variance_is_the_median_over_candidates_with_all_seeds():
    reference = {0: 70.0, 1: 70.0}
    candidates = [{0: 70.0, 1: 71.0}, {0: 70.0, 1: 72.0}, {0: 70.0, 1: 80.0}, {0: 1.0}]

    assert usual_variance(candidates, reference, (0, 1)) == pytest.approx(2.0)  # of 0.5, 2 and 50
    assert usual_variance(candidates[2:], reference, (0, 1)) is None
    assert usual_variance([{0: 1.0}] * 5, {0: 2.0}, (0,)) is None
