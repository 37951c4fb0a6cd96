import numpy as np
import pytest

from hfedfm_opt.study.sweeping.candidates import grid
from hfedfm_opt.study.sweeping.surrogate import Measured, Prediction, features, learn_surrogate


@pytest.fixture(scope="module")
def sizes(small):
    return {module.id: float(module.parameters) for module in small.modules}


def truth(candidate):
    period = dict(candidate.periods)["adapter"] or 64
    bits = dict(candidate.bits)["adapter"][0]
    return -1.5 * np.log2(period) - 6.0 * 2.0 ** (1 - bits) + 4.0 * candidate.momentum


@pytest.fixture(scope="module")
def learned(small, sizes):
    everyone = grid(small, (1, 2, 4, 8), ((8, 8), (4, 4), (2, 2), (1, 1)), (0.0, 0.6))
    rng = np.random.default_rng(1)
    order = rng.permutation(len(everyone))
    measured = [
        Measured(everyone[i], truth(everyone[i]) + 0.2 * rng.standard_normal(), 0.04) for i in order[:16]
    ]
    return learn_surrogate(measured, sizes), [everyone[i] for i in order[16:]]


def test_it_predicts_candidates_that_did_not_run_better_than_their_mean(learned):
    surrogate, others = learned
    errors = [surrogate.predict(one).mean - truth(one) for one in others]

    assert np.sqrt(np.mean(np.square(errors))) < 0.3 * surrogate.spread
    assert surrogate.cross_validated_error < 0.3 * surrogate.spread


def test_its_uncertainty_covers_the_errors(learned):
    surrogate, others = learned
    scores = [(surrogate.predict(one).mean - truth(one)) / surrogate.predict(one).sd for one in others]

    assert surrogate.stretch >= 1.0
    assert np.mean(np.abs(scores) <= 2.0) >= 0.8


def test_too_few_candidates_teach_nothing(learned, sizes):
    assert learn_surrogate(learned[0].measured[:5], sizes) is None


def test_wild_values_stretch_the_uncertainty(learned, sizes):
    rng = np.random.default_rng(3)
    wild = [Measured(one.candidate, 10.0 * rng.standard_normal(), 0.01) for one in learned[0].measured]

    surrogate = learn_surrogate(wild, sizes)

    assert surrogate.cross_validated_error > 5.0
    assert surrogate.predict(learned[1][0]).sd > 2.0


def test_features_are_as_worked_by_hand(small, sizes):
    [candidate] = grid(small, (4,), ((2, 4),), (0.6,))

    assert features(candidate, sizes) == pytest.approx([2.0, 2.0, 0.5, 0.125, 0.6, 1.0])
    [full] = grid(small, (None,), ((32, 32),), (0.0,))
    assert features(full, sizes) == pytest.approx([6.0, 6.0, 0.0, 0.0, 0.0, 0.0])


def test_the_probability_is_that_of_the_normal_law():
    prediction = Prediction(1.0, 2.0)

    assert prediction.probability_at_least(1.0) == pytest.approx(0.5)
    assert prediction.probability_at_least(-1.0) == pytest.approx(0.8413447, rel=1e-6)
