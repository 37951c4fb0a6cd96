"""Validation of the arrays at construction."""

import numpy as np
import pytest

from solvers.common import InvalidProblem
from solvers.placement import PlacementProblem

GOOD = {
    "demand_item": [0, 1],
    "pair_demand": [0, 0, 1],
    "pair_node": [0, 1, 1],
    "pair_cost": [1.0, 2.0, 3.0],
    "pair_work": [1.0, 1.0, 1.0],
    "host_item": [0, 0, 1],
    "host_node": [0, 1, 1],
    "host_cost": [5.0, 6.0, 7.0],
    "item_memory": [1.0, 2.0],
    "node_memory": [4.0, np.inf],
    "node_capacity": [3.0, np.inf],
}


def build(**changes):
    return PlacementProblem(**{**GOOD, **changes})


def test_arrays_are_read_only_copies():
    costs = np.array([1.0, 2.0, 3.0])

    problem = build(pair_cost=costs)
    costs[0] = 9.0

    assert problem.pair_cost[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        problem.pair_host[0] = 1


def test_each_pair_knows_its_replica():
    assert build().pair_host.tolist() == [0, 1, 2]


def test_a_scalar_stands_for_equal_values():
    assert build(node_memory=2.5).node_memory.tolist() == [2.5, 2.5]


def test_a_problem_without_demands_is_valid():
    problem = build(demand_item=[], pair_demand=[], pair_node=[], pair_cost=[], pair_work=[])

    assert (problem.num_demands, problem.num_pairs, problem.num_hosts, problem.num_nodes) == (0, 0, 3, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair_demand": [0, 1, 0]}, r"pair_demand\[2\] is 0, must be at least 1, as pairs are sorted"),
        ({"pair_demand": [0, 0, 2]}, r"pair_demand\[2\] is 2, must be a whole number from 0 to 1"),
        ({"pair_node": [0, 1]}, "pair_node is 'an array of length 2', must be of length 3"),
        ({"pair_node": [0, 1, 0]}, r"pair_node\[2\] is 0, must be a node with a host entry for item 1"),
        ({"pair_cost": [1.0, np.nan, 3.0]}, r"pair_cost\[1\] is nan, must be a finite number"),
        ({"pair_work": [1.0, -1.0, 3.0]}, r"pair_work\[1\] is -1.0, must be a finite number >= 0"),
        ({"host_node": [1, 1, 1]}, r"host_node\[1\] is 1, must be a node not listed before for item 0"),
        ({"host_cost": [5.0, -6.0, 7.0]}, r"host_cost\[1\] is -6.0, must be a finite number >= 0"),
        ({"item_memory": [1.0, np.inf]}, r"item_memory\[1\] is inf, must be a finite number >= 0"),
        ({"item_memory": 1.0}, r"item_memory is 'of shape \(\)', must be an array in one dimension"),
        ({"node_memory": [4.0, -np.inf]}, r"node_memory\[1\] is -inf, must be a number >= 0"),
        ({"node_capacity": [np.nan, 1.0]}, r"node_capacity\[0\] is nan, must be a number >= 0"),
        ({"demand_item": [0.0, 1.0]}, "demand_item is .*float64.*, must be whole numbers"),
    ],
)
def test_meaningless_value_is_refused_with_its_place(changes, message):
    with pytest.raises(InvalidProblem, match=message):
        build(**changes)


def test_the_error_carries_field_index_and_value():
    with pytest.raises(InvalidProblem, match="pair_cost") as caught:
        build(pair_cost=[1.0, np.inf, 3.0])

    assert (caught.value.field, caught.value.index, caught.value.value) == ("pair_cost", 1, np.inf)
