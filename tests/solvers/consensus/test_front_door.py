"""Refused input, graphs that never mix, and what a sweep takes."""

import re

import numpy as np
import pytest

from solvers.common import InvalidProblem, Options, Status, StopReason, UnknownMethod
from solvers.consensus import METHODS, ConsensusProblem, evaluate, solve, violations

GOOD = {"num_nodes": 3, "edge_source": [0, 1], "edge_target": [1, 2]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_nodes": 0}, "num_nodes is 0, must be a whole number >= 1"),
        ({"edge_source": [0, 3]}, "edge_source[1] is 3, must be a whole number from 0 to 2"),
        ({"edge_target": [1, 1]}, "edge_target[1] is 1, must be another node"),
        ({"edge_target": [1, 0], "edge_source": [0, 1]}, "edge_source[1] is 'a second edge between 1 and 0'"),
        ({"bits": -1.0}, "bits is -1.0, must be a finite number >= 0"),
        ({"rate_bps": [[1, 1], [1, 0]]}, "rate_bps[1, 1] is 0.0, must be a number > 0"),
        ({"power_w": [1, 1]}, "power_w is 'an array of shape (2,)', must be a number or of shape (2, 2)"),
        ({"delay_s": np.nan}, "delay_s is nan"),
        ({"half_duplex": [1, 0, 1]}, "half_duplex is 'int64 of shape (3,)'"),
        ({"accuracy": 1.0}, "accuracy is 1.0, must be above 0 and below 1"),
    ],
)
def test_a_value_without_meaning_is_refused(fields, message):
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        ConsensusProblem(**(GOOD | fields))


def test_weights_that_do_not_mix_are_refused():
    with pytest.raises(InvalidProblem, match="must be such that the factor is < 1"):
        evaluate(ConsensusProblem(**GOOD), [0.0, 0.5])


def test_a_misspelt_method_is_answered_with_the_nearest():
    with pytest.raises(
        UnknownMethod, match="consensus has no method 'metropolos', did you mean 'metropolis'"
    ):
        solve(ConsensusProblem(**GOOD), method="metropolos")


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_a_graph_in_two_parts_is_infeasible_and_the_parts_are_named(make_graph, method):
    result = solve(make_graph(4, [(0, 1), (2, 3)]), method=method)
    assert (result.status, result.stop_reason) == (Status.INFEASIBLE, StopReason.PROVEN_INFEASIBLE)
    assert result.solution is None
    assert "no path of edges leads from node 0 to node 2" in result.explanation


def test_a_negative_entry_is_a_violation_where_it_may_not_be(make_graph):
    weight = [0.4, 0.4, 0.4]
    star = [(0, 1), (0, 2), (0, 3)]
    allowed, forbidden = make_graph(4, star), make_graph(4, star, nonnegative=True)
    assert violations(allowed, evaluate(allowed, weight)) == ()
    found = violations(forbidden, evaluate(forbidden, weight))
    assert [str(one) for one in found] == ["nonnegativity of entry (0, 0) is exceeded by 0.2"]


def test_a_sweep_in_full_duplex_lasts_as_long_as_its_longest_transfer(make_graph):
    problem = make_graph(
        3, [(0, 1), (1, 2)], bits=6.0, rate_bps=[[1, 2], [3, 6]], power_w=2.0, delay_s=1.0, accuracy=0.1
    )
    solution = evaluate(problem, [0.5, 0.5])
    assert (solution.sweep_s, solution.sweep_j) == (7.0, 2.0 * (7 + 4 + 3 + 2))
    assert solution.num_sweeps == 4  # a factor of 1/2: 1/16 is below a tenth, 1/8 is not
    assert (solution.latency_s, solution.energy_j) == (28.0, 128.0)


def test_a_half_duplex_node_exchanges_in_series(make_graph):
    problem = make_graph(3, [(0, 1), (1, 2)], bits=1.0, rate_bps=1.0, half_duplex=[False, True, False])
    assert evaluate(problem, [0.5, 0.5]).sweep_s == 4.0


def test_an_edge_of_weight_zero_carries_nothing(make_graph):
    problem = make_graph(3, [(0, 1), (1, 2), (0, 2)], bits=1.0, rate_bps=[[1, 1], [1, 1], [0.1, 0.1]])
    solution = evaluate(problem, [0.5, 0.5, 0.0])
    assert solution.sweep_s == 1.0
    assert np.isnan(solution.start_s[2]).all()


def test_the_same_call_gives_the_same_bytes(make_connected):
    problem = make_connected(np.random.default_rng(3), 15)
    first, second = solve(problem), solve(problem)
    assert first.solution.weight.tobytes() == second.solution.weight.tobytes()
    assert first.bound == second.bound


def test_a_gap_that_baselines_do_not_reach_leaves_them_feasible(make_connected):
    problem = make_connected(np.random.default_rng(4), 10)
    result = solve(problem, method="metropolis", options=Options(gap=0.5))
    assert (result.status, result.bound) == (Status.FEASIBLE, 0.0)


def test_a_large_graph_is_given_its_best_single_weight(make_connected):
    result = solve(make_connected(np.random.default_rng(5), 80))
    assert result.method == "best_constant"
    assert result.solution is not None
