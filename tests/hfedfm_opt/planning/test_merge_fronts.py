"""Fronts of clusters merged under one deadline: by hand, and against all combinations."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.planning.merge_fronts import merge_fronts


def test_two_clusters_by_hand():
    """Cluster 0: 1 s 5 J, 3 s 2 J; cluster 1: 2 s 4 J, 4 s 1 J.  Nobody is done before 2 s."""
    front = merge_fronts([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0], [5.0, 2.0, 4.0, 1.0], 2)

    assert front.deadline_s.tolist() == [2.0, 3.0, 4.0]
    assert front.energy_j.tolist() == [9.0, 6.0, 3.0]
    assert [front.chosen(point).tolist() for point in range(3)] == [[0, 2], [1, 2], [1, 3]]


def test_a_deadline_cuts_the_front():
    front = merge_fronts([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0], [5.0, 2.0, 4.0, 1.0], 2, max_deadline_s=3.5)

    assert front.deadline_s.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("latest", [np.inf, 1.5])
def test_a_cluster_without_an_option_in_time_leaves_no_front(latest):
    cluster = [0, 0] if latest == np.inf else [0, 1]

    assert len(merge_fronts(cluster, [1.0, 2.0], [1.0, 1.0], 2, max_deadline_s=latest)) == 0


def test_times_that_differ_by_rounding_are_one_deadline():
    third = 0.1 + 0.2
    front = merge_fronts([0, 0, 1, 1], [0.3, 1.0, third, 1.0], [2.0, 1.0, 2.0, 1.5], 2)

    assert len(front) == 2


options = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=12
)


@given(options)
@settings(max_examples=200, deadline=None)
def test_the_front_is_what_no_combination_dominates(rows):
    rows = [*rows, (0, 5, 5), (1, 5, 5), (2, 5, 5)]
    cluster, seconds, joules = (list(column) for column in zip(*rows, strict=True))
    front = merge_fronts(cluster, np.array(seconds, float), np.array(joules, float), 3)

    own = [[row for row in rows if row[0] == index] for index in range(3)]
    pairs = {(max(r[1] for r in pick), sum(r[2] for r in pick)) for pick in itertools.product(*own)}
    best = sorted(
        (s, j) for s, j in pairs if not any((t <= s and e <= j) and (t, e) != (s, j) for t, e in pairs)
    )
    assert list(zip(front.deadline_s.tolist(), front.energy_j.tolist(), strict=True)) == best
    for point, (latest, energy) in enumerate(best):
        row = front.chosen(point).tolist()
        assert [cluster[index] for index in row] == [0, 1, 2]
        assert max(seconds[index] for index in row) == latest
        assert sum(joules[index] for index in row) == energy


def test_ten_thousand_clusters_add_up_without_loss():
    """Each energy, summed up over 120,000 steps, is the sum of what the clusters chose."""
    generator = np.random.default_rng(0)
    cluster = np.repeat(np.arange(10_000), 20)
    seconds = generator.random(cluster.size)
    joules = 1.0 / seconds * generator.uniform(1.0, 1.3, cluster.size)
    front = merge_fronts(cluster, seconds, joules, 10_000)

    assert len(front) > 1000
    for point in range(0, len(front), len(front) // 5):
        row = front.chosen(point)
        assert seconds[row].max() == front.deadline_s[point]
        assert front.energy_j[point] == pytest.approx(joules[row].sum(), rel=1e-12)
