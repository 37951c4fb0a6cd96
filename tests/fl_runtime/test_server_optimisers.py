import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl_runtime.server_optimisers import Adam, Momentum, Plain, advance

VALUES = arrays(np.float64, 4, elements=st.floats(-10, 10))


@given(VALUES, VALUES)
def test_plain_takes_the_average(average, last):
    model, memory = advance(Plain(), average, last, None)
    assert model.tolist() == average.tolist()
    assert memory == ()


@given(VALUES, VALUES)
def test_no_momentum_at_rate_one_is_plain(average, last):
    model, _ = advance(Momentum(momentum=0.0), average, last, None)
    np.testing.assert_allclose(model, average, atol=1e-12)


def test_momentum_by_hand():
    first, memory = advance(Momentum(momentum=0.5, rate=2.0), np.array([1.0]), np.array([0.0]), None)
    assert (first.item(), memory[0].item()) == (2.0, 1.0)
    second, memory = advance(Momentum(momentum=0.5, rate=2.0), np.array([5.0]), first, memory)
    assert (second.item(), memory[0].item()) == (9.0, 3.5)  # v = 0.5 + (5 - 2), 2 + 2 x 3.5


def test_adam_by_hand():
    optimiser = Adam(rate=0.1, first=0.5, second=0.75, floor=1.0)
    model, memory = advance(optimiser, np.array([3.0]), np.array([1.0]), None)
    # d = 2: m = 1, v = 0.25 x 4 = 1, step 0.1 x 1 / (1 + 1)
    assert model.item() == pytest.approx(1.05)
    assert [part.item() for part in memory] == [1.0, 1.0]
    model, memory = advance(optimiser, np.array([1.05]), model, memory)
    # d = 0: m = 0.5, v = 0.75
    assert model.item() == pytest.approx(1.05 + 0.05 / (np.sqrt(0.75) + 1))


@given(VALUES, st.floats(0.01, 100))
def test_steps_of_adam_hardly_depend_on_the_size_of_updates(average, unit):
    """Far above the floor a step has the rate times (1 - first) / sqrt(1 - second)."""
    optimiser = Adam(rate=0.01, floor=1e-12)
    large = np.abs(average) > 1e-3
    for scale in (1.0, unit):
        model, _ = advance(optimiser, scale * average, np.zeros(4), None)
        np.testing.assert_allclose(np.abs(model[large]), 0.01 * 0.1 / np.sqrt(0.01), rtol=1e-6)
