import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_runtime.quantise import FINER_STEPS, quantise, quantise_rows, restore

PRECISIONS = (1, 2, 3, 4, 8, 16)
VALUES = arrays(
    np.float64, st.integers(0, 40), elements=st.floats(-1e3, 1e3).map(lambda x: x if abs(x) > 1e-6 else 0.0)
)


def arrived(values, bits):
    codes, scale = quantise(values, bits)
    assert codes.dtype == np.uint16
    assert not len(codes) or codes.max() < 2**bits
    return restore(codes, scale, bits)


@given(VALUES, st.sampled_from(PRECISIONS))
def test_the_error_is_that_of_a_projection_and_smaller_than_the_values(values, bits):
    result = arrived(values, bits)
    error, square = values - result, float(values @ values)
    assert error @ error <= square * (1 - 1 / max(1, len(values)) ** 2) + 1e-9 * square
    assert float(error @ result) == pytest.approx(0.0, abs=1e-6 * square)


@given(VALUES, st.sampled_from(PRECISIONS))
def test_what_arrives_has_the_signs_of_what_was_sent(values, bits):
    assert (arrived(values, bits) * values >= 0).all()


@given(VALUES, st.sampled_from(PRECISIONS), st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**10]))
def test_codes_do_not_depend_on_the_unit(values, bits, unit):
    codes, scale = quantise(values, bits)
    scaled_codes, scaled_scale = quantise(unit * values, bits)
    assert scaled_codes.tolist() == codes.tolist()
    assert scaled_scale == pytest.approx(unit * scale, rel=1e-6)


@pytest.mark.parametrize(
    ("bits", "values"),
    [(1, [2.5, -2.5]), (2, [3.0, -1.0, 1.0, -3.0]), (3, [3.0, 0.0, -2.0]), (8, [127.0, 1.0, 0.0, -64.0])],
)
def test_values_that_codes_can_say_arrive_as_they_are(bits, values):
    assert arrived(np.array(values), bits).tolist() == values


def test_one_bit_says_sign_and_mean_size_by_hand():
    assert arrived(np.array([4.0, -1.0, 1.0]), 1).tolist() == [2.0, -2.0, 2.0]


@pytest.mark.parametrize("bits", [3, 4, 8, 16])
def test_with_three_bits_or_more_what_did_not_change_arrives_unchanged(bits):
    values = np.zeros(100)
    values[[3, 50]] = [0.7, -0.2]
    result = arrived(values, bits)
    assert np.flatnonzero(result).tolist() == [3, 50]


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_normal_values_lose_hardly_more_than_with_the_best_step(bits):
    values = np.random.default_rng(0).normal(size=100_000)
    error = values - arrived(values, bits)
    least = _least_error(bits)
    assert 0.98 * least < float(error @ error / len(values)) < 1.08 * least


def _least_error(bits):
    """Return the least error over steps for normal values, by numerical integration."""
    grid = np.linspace(-8, 8, 16_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    most = 2 ** (bits - 1) - 1
    levels = np.arange(-(2**bits) + 1, 2**bits, 2) / 2.0 if bits <= 2 else np.arange(-most, most + 1.0)
    return min(
        float(density @ (np.abs(grid[:, None] - step * levels).min(axis=1) ** 2))
        for step in np.linspace(0.2, 2.0, 181)
    )


def test_nothing_is_sent_as_nothing():
    for bits in PRECISIONS:
        assert arrived(np.zeros(5), bits).tolist() == [0.0] * 5
        assert arrived(np.zeros(0), bits).tolist() == []


@given(VALUES, st.sampled_from(PRECISIONS), st.integers(1, 4))
def test_a_row_does_not_depend_on_the_other_rows(values, bits, count):
    rows = np.array([values * 3.0**place for place in range(count)]).reshape(count, -1)
    codes, scales = quantise_rows(rows, bits)
    for place, row in enumerate(rows):
        alone, scale = quantise(row, bits)
        assert codes[place].tolist() == alone.tolist()
        assert scales[place] == scale


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_step_is_the_best_of_those_tried_one_by_one(bits, seed):
    values = np.random.default_rng(seed).standard_t(4, size=500 + seed)
    largest = 2**bits - 1 if bits == 2 else 2 ** (bits - 1) - 1
    errors = []
    for part in FINER_STEPS:
        scaled = values / (abs(values).max() / largest * part)
        counts = 2 * np.floor(scaled / 2) + 1 if bits == 2 else np.rint(scaled)
        counts = np.clip(counts, -largest, largest)
        rest = values - counts * (values @ counts) / (counts @ counts)
        errors.append(rest @ rest)
    error = values - arrived(values, bits)
    assert error @ error == pytest.approx(min(errors), rel=1e-6)
