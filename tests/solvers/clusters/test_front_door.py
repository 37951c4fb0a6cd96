"""What is refused, what cannot be, and what the parts of an answer say about each other."""

from typing import Any

import numpy as np
import pytest

from solvers.clusters import ClusterProblem, evaluate, solve, violations
from solvers.common import InvalidProblem, Status, StopReason, UnknownMethod


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain": np.ones((2, 3))}, r"gain is 'an array of shape \(2, 3\)'"),
        ({"gain": np.ones((1, 1))}, "N >= 2"),
        ({"gain": -np.ones((2, 3, 3))}, r"gain\[0, 0, 1\] is -1.0"),
        ({"band_hz": 0.0}, "band_hz is 0.0, must be a finite number > 0"),
        ({"time_weight": [1.0, 0.0]}, r"time_weight\[1\] is 0.0"),
        ({"max_power_w": np.ones(3)}, r"of shape \(2, 3\)"),
        ({"efficiency": 1.5}, r"efficiency\[0, 0\] is 1.5, must be above 0 and at most 1"),
        ({"max_frequency_hz": np.inf}, "must be finite where there are cycles"),
        ({"min_frequency_hz": 1e12}, "must be at most max_frequency_hz"),
        ({"num_root_legs": 0.0}, r"num_round_trips\[0\] is 0.0, must be above 0 where num_root_legs is 0"),
        ({"roots": np.zeros((2, 3), dtype=bool)}, "true for at least one node of each cluster"),
        ({"roots": np.ones((2, 3))}, r"roots is 'float64 of shape \(2, 3\)'"),
        ({"node_items": np.ones((2, 3, 2), dtype=bool)}, r"bool of shape \(2, 3, 1\)"),
    ],
)
def test_values_without_a_meaning_are_refused(
    make_clusters: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidProblem, match=message):
        ClusterProblem(**make_clusters(1, 2, 3) | changes)


def test_an_unknown_method_is_named(make_clusters: Any) -> None:
    with pytest.raises(UnknownMethod, match="did you mean 'by_branching'"):
        solve(ClusterProblem(**make_clusters(1, 1, 3)), method="by_branchin")


def test_a_cluster_without_a_tree_is_infeasible_and_the_others_are_solved(make_clusters: Any) -> None:
    values = make_clusters(2, 3, 4)
    values["gain"][1, 2, :] = 0.0
    values["gain"][1, 3, :] = 0.0
    result = solve(ClusterProblem(**values))

    assert result.cluster_status == (Status.OPTIMAL, Status.INFEASIBLE, Status.OPTIMAL)
    assert result.status is Status.FEASIBLE
    assert np.isinf(np.asarray(result.objective)[1])
    assert "1 of 3 clusters, first in 1" in result.explanation
    assert result.solution is not None
    assert np.isnan(result.solution.latency_s[1])
    assert result.solution.plan.parent[1].tolist() == [-1] * 4


def test_one_cluster_without_a_tree_has_no_solution(make_clusters: Any) -> None:
    values = make_clusters(2, 1, 3, gain=np.zeros((1, 3, 3)))
    result = solve(ClusterProblem(**values))
    assert result.status is Status.INFEASIBLE
    assert result.stop_reason is StopReason.PROVEN_INFEASIBLE
    assert result.solution is None


def test_a_way_back_needs_links_too(make_clusters: Any) -> None:
    gain = np.zeros((2, 3, 3))
    gain[:, 1, 0] = gain[:, 2, 0] = 1e-9
    gain[1, 0, 1] = gain[1, 1, 2] = 1e-9
    result = solve(ClusterProblem(**make_clusters(3, 2, 3, gain=gain, num_round_trips=1.0)))
    assert result.cluster_status == (Status.INFEASIBLE, Status.OPTIMAL)
    assert result.solution is not None
    assert result.solution.plan.return_parent[1].tolist() == [-1, 0, 1]


def test_the_clock_of_an_answer_is_consistent(make_clusters: Any, everything: Any) -> None:
    values = make_clusters(4, 40, 5) | everything(4, 40, 5)
    problem = ClusterProblem(**values, half_duplex=True)
    solution = solve(problem).solution
    assert solution is not None
    plan, rows = solution.plan, np.arange(40)
    for node in range(5):
        inner = rows[plan.parent[:, node] >= 0]
        above = plan.parent[inner, node]
        assert np.all(solution.start_s[inner, node] >= solution.compute_s[inner, node])
        later = np.where(above == plan.root[inner], solution.gather_s[inner], solution.start_s[inner, above])
        assert np.all(later >= solution.end_s[inner, node])
        begins = np.where(
            plan.return_parent[inner, node] == plan.root[inner],
            0.0,
            solution.return_end_s[inner, plan.return_parent[inner, node]],
        )
        assert np.all(solution.return_start_s[inner, node] >= begins)
    for first, parent in (("start_s", plan.parent), ("return_start_s", plan.return_parent)):
        begin, end = getattr(solution, first), getattr(solution, first.replace("start", "end"))
        for one in range(5):
            for other in range(one):
                same = (parent[:, one] == parent[:, other]) & (parent[:, one] >= 0)
                apart = (begin[:, one] >= end[:, other]) | (begin[:, other] >= end[:, one])
                assert np.all(apart[same])


def test_broken_limits_are_named(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(5, 2, 3))
    solution = solve(problem).solution
    assert solution is not None
    values = vars(solution.plan) | {
        "bandwidth_hz": 2 * solution.plan.bandwidth_hz,
        "frequency_hz": 3 * problem.max_frequency_hz,
    }
    found = "; ".join(map(str, violations(problem, type(solution.plan)(**values))))
    assert "band of the way up of cluster 1 is exceeded by 8e+06 Hz" in found
    assert "frequency of (cluster, node) 0, 2 is exceeded" in found


def test_a_circle_of_parents_is_refused(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(5, 1, 3))
    solution = solve(problem).solution
    assert solution is not None
    values = vars(solution.plan) | {"root": np.array([2]), "parent": np.array([[1, 0, -1]])}
    with pytest.raises(InvalidProblem, match=r"parent\[0, 0\] is 1, must be on a way to the root 2"):
        evaluate(problem, type(solution.plan)(**values))


def test_clusters_too_large_to_bound_all_trees_are_refused_by_name(make_clusters: Any) -> None:
    with pytest.raises(InvalidProblem, match="at most 6 to bound all trees"):
        solve(ClusterProblem(**make_clusters(6, 1, 7), half_duplex=True), method="by_branching")
