import numpy as np
import pytest

from fl_runtime.tasks.partition import draw_batches, draw_held

LABELS = np.repeat(np.arange(10), 50)


def held(samples=200, skew=0.1, seed=0, owner=("d0", "read")):
    return draw_held(LABELS, 10, samples, skew, seed, owner)


@pytest.mark.parametrize("skew", [0.1, 10.0, None])
@pytest.mark.parametrize("samples", [0, 1, 7, 200])
def test_a_device_holds_as_many_samples_as_its_route_says(samples, skew):
    assert held(samples, skew).shape == (samples,)


def test_the_draw_depends_on_seed_device_and_task_only():
    assert held().tobytes() == held().tobytes()
    others = [held(seed=1), held(owner=("d1", "read")), held(owner=("d0", "cmp"))]
    assert all(other.tobytes() != held().tobytes() for other in others)


def test_a_small_concentration_gives_each_device_few_labels():
    def largest_share(skew):
        shares = [
            np.bincount(LABELS[held(100, skew, owner=(f"d{i}", "read"))], minlength=10).max() / 100
            for i in range(60)
        ]
        return np.mean(shares)

    assert largest_share(0.1) > 0.5  # the mean largest part of Dirichlet(0.1) over ten classes is about 0.66
    assert largest_share(100.0) < 0.25
    assert largest_share(None) < 0.25


def test_a_sample_repeats_only_when_its_class_runs_out():
    chosen = held(400, 0.1)
    counts = np.bincount(LABELS[chosen], minlength=10)
    for label in range(10):
        of_class = chosen[LABELS[chosen] == label]
        assert len(np.unique(of_class)) == min(counts[label], 50)


def test_batches_use_every_sample_before_any_again():
    indices = np.arange(100, 120)
    batches = draw_batches(indices, 3, 8, 0, ("d0", "read"), 4)
    assert batches.shape == (3, 8)
    assert set(batches.ravel()[:20]) == set(indices)


def test_batches_change_with_the_round_and_not_with_the_order_of_calls():
    indices = np.arange(40)
    first = [draw_batches(indices, 2, 8, 0, ("d0", "read"), index) for index in (0, 1)]
    again = [draw_batches(indices, 2, 8, 0, ("d0", "read"), index) for index in (1, 0)]
    assert first[0].tobytes() == again[1].tobytes()
    assert first[0].tobytes() != first[1].tobytes()
