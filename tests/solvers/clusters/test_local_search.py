"""Larger clusters: trees that no move makes cheaper, and bounds of all trees."""

from typing import Any

import numpy as np
import pytest

from solvers.clusters import ClusterProblem, relaxed, solve, violations
from solvers.clusters.loops.search import raise_bounds
from solvers.clusters.loops.shape import capped_table, free_table
from solvers.clusters.loops.subsets import bound_by_subsets
from solvers.clusters.phases import phases_of
from solvers.clusters.trees import all_trees
from solvers.common import InvalidProblem, Options, Status, StopReason


@pytest.mark.parametrize("num_nodes", [2, 4, 6])
def test_small_clusters_end_at_the_proven_optimum(
    make_clusters: Any, everything: Any, num_nodes: int
) -> None:
    values = make_clusters(31, 12, num_nodes) | everything(32, 12, num_nodes)
    problem = ClusterProblem(**values)
    found, proven = solve(problem, method="local_search"), solve(problem)

    assert found.objective == pytest.approx(np.asarray(proven.objective), rel=1e-6)
    assert np.all(np.asarray(found.bound) <= np.asarray(proven.objective))
    assert np.all(np.asarray(found.bound) > 0.5 * np.asarray(proven.objective))


def test_moves_alone_find_the_same_trees_and_prove_nothing(make_clusters: Any, everything: Any) -> None:
    problem = ClusterProblem(**make_clusters(31, 4, 8) | everything(32, 4, 8))
    found, bounded = solve(problem, method="moves"), solve(problem, method="local_search")

    assert np.asarray(found.objective).tolist() == np.asarray(bounded.objective).tolist()
    assert np.all(np.isneginf(np.asarray(found.bound)))
    assert found.status is Status.FEASIBLE


def test_receptions_in_series_end_near_the_proven_optimum(make_clusters: Any, everything: Any) -> None:
    problem = ClusterProblem(**make_clusters(33, 12, 5) | everything(34, 12, 5), half_duplex=True)
    found, proven = solve(problem, method="local_search"), solve(problem)

    excess = np.asarray(found.objective) / np.asarray(proven.objective)
    assert excess.min() > 1 - 1e-6
    assert excess.mean() < 1.02
    assert np.all(np.asarray(found.bound) <= np.asarray(proven.objective))


@pytest.mark.parametrize("half_duplex", [False, True])
@pytest.mark.parametrize("has_unions", [False, True])
def test_sets_of_nodes_give_the_least_lagrangian_of_all_trees(
    make_clusters: Any, everything: Any, half_duplex: bool, has_unions: bool
) -> None:
    num = 5
    values = make_clusters(35, 3, num) | (everything(36, 3, num) if has_unions else {})
    problem = ClusterProblem(**values)
    trees, phases = all_trees(num, half_duplex), phases_of(problem)
    rng = np.random.default_rng(37)
    for m, row in enumerate(phases.up):
        alpha = rng.dirichlet(np.ones(num)) * problem.time_weight[m]
        mu = 10.0 ** rng.uniform(-9, -6)
        bound, parent, order = np.empty(num), np.empty(num, np.int64), np.empty(num, np.int64)
        nats = row[4 * num * num + 3 * num + 2 :]
        bound_by_subsets(
            num, row, free_table(), capped_table(), nats, half_duplex, alpha, mu, 2, bound, parent, order
        )
        lower, alive = np.full(len(trees.root), -np.inf), np.arange(len(trees.root))
        raise_bounds(
            num, row, free_table(), capped_table(), trees.pair, trees.payload, trees.flow, trees.transfer,
            trees.root, np.zeros(num), alpha, mu, 0, np.inf, alive, len(alive), lower,
            np.empty(len(trees.pair)), np.full(len(trees.pair), -1),
        )  # fmt: skip
        least = [lower[trees.first[root] : trees.first[root + 1]].min() for root in range(num)]
        assert bound == pytest.approx(least, rel=1e-12)
        same = (trees.parent == parent).all(axis=1)
        if half_duplex:
            same &= (trees.order == np.where(parent >= 0, order, -1)).all(axis=1)
        assert lower[same] == pytest.approx(least[2], rel=1e-12)


def test_arborescences_bound_too(
    make_clusters: Any, everything: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaxed, "MAX_SUBSET_NODES", 0)
    for half_duplex in (False, True):
        problem = ClusterProblem(**make_clusters(38, 6, 5) | everything(39, 6, 5), half_duplex=half_duplex)
        bound = np.asarray(solve(problem, method="local_search").bound)
        assert np.all(bound <= np.asarray(solve(problem).objective))
        assert np.isfinite(bound).all()


def test_fourteen_nodes_get_a_plan_within_all_limits_and_a_bound(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(40, 1, 14, num_round_trips=0.5))
    result = solve(problem)

    assert result.method == "local_search"
    assert result.status is Status.FEASIBLE
    assert 0 < float(result.gap[0]) < 0.6
    assert result.solution is not None
    assert violations(problem, result.solution.plan) == ()


def test_the_same_seed_gives_the_same_bytes(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(41, 4, 7), half_duplex=True)
    one, two = (solve(problem, options=Options(seed=5, threads=threads)) for threads in (1, 2))
    assert np.asarray(one.objective).tobytes() == np.asarray(two.objective).tobytes()


def test_after_the_time_limit_first_trees_are_handed_out(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(42, 3, 9))
    result = solve(problem, options=Options(time_limit_s=1e-9))
    assert result.stop_reason is StopReason.TIME_LIMIT
    assert np.isfinite(result.objective).all()
    assert np.isinf(result.gap).all()


def test_a_cluster_without_a_tree_is_infeasible_here_too(make_clusters: Any) -> None:
    values = make_clusters(43, 2, 9)
    values["gain"][0, :5, 5:] = values["gain"][0, 5:, :5] = 0.0
    result = solve(ClusterProblem(**values))
    assert result.cluster_status[0] is Status.INFEASIBLE
    assert result.cluster_status[1] is Status.FEASIBLE


def test_more_nodes_than_bits_are_refused(make_clusters: Any) -> None:
    with pytest.raises(InvalidProblem, match="at most 60"):
        solve(ClusterProblem(**make_clusters(44, 1, 61)))
