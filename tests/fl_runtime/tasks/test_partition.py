import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_runtime.tasks.partition import draw_batches, draw_held, draw_quantity

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


@given(
    samples=st.integers(0, 300),
    num_shards=st.integers(1, 12),
    seed=st.integers(0, 2**32),
    device=st.text(max_size=5),
)
def test_a_device_holds_its_samples_in_shards_of_one_label_each(samples, num_shards, seed, device):
    chosen = draw_held(LABELS, 10, samples, 0.1, seed, (device, "read"), num_shards)
    assert len(chosen) == samples
    counts = np.bincount(LABELS[chosen], minlength=10)
    assert np.count_nonzero(counts) <= num_shards
    least = samples // num_shards
    for count in counts:  # a class has whole shards, each of the least size or one more
        shards = range(num_shards + 1)
        assert any(n * least <= count <= n * (least + 1) for n in shards)
    again = draw_held(LABELS, 10, samples, None, seed, (device, "read"), num_shards)
    assert again.tobytes() == chosen.tobytes()  # whatever the label skew


def test_shards_have_all_labels_alike_over_many_devices():
    found = np.concatenate(
        [LABELS[draw_held(LABELS, 10, 20, None, 0, (f"d{i}", "read"), 2)] for i in range(500)]
    )
    shares = np.bincount(found, minlength=10) / len(found)
    assert np.abs(shares - 0.1).max() < 3 * np.sqrt(0.1 * 0.9 / 1000)  # 1000 shards


@given(
    samples=st.integers(0, 10**6),
    skew=st.one_of(st.none(), st.floats(0.01, 1e6)),
    seed=st.integers(0, 2**32),
)
def test_whoever_has_data_keeps_some(samples, skew, seed):
    quantity = draw_quantity(samples, skew, seed, ("d0", "read"))
    assert (quantity > 0) == (samples > 0)
    assert quantity == draw_quantity(samples, skew, seed, ("d0", "read"))
    if skew is None:
        assert quantity == samples


@pytest.mark.parametrize("skew", [0.5, 2.0, 50.0])
def test_the_given_number_of_samples_is_the_mean_and_the_skew_sets_the_spread(skew):
    drawn = np.array([draw_quantity(1000, skew, 0, (f"d{i}", "read")) for i in range(4000)]) / 1000
    assert abs(drawn.mean() - 1) < 4 * skew**-0.5 / np.sqrt(4000)
    assert drawn.std() == pytest.approx(skew**-0.5, rel=0.1)


def test_quantities_differ_by_device_task_and_seed():
    owners = [(0, ("d0", "read")), (0, ("d1", "read")), (0, ("d0", "cmp")), (1, ("d0", "read"))]
    assert len({draw_quantity(10**6, 1.0, seed, owner) for seed, owner in owners}) == 4
