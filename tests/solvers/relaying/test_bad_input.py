"""Values without meaning are refused with field, place, value and what was expected."""

import re

import numpy as np
import pytest

from solvers.common import InvalidProblem, UnknownMethod
from solvers.relaying import RelayingProblem, evaluate, pareto_front, solve

GOOD = {
    "num_nodes": 3,
    "link_source": [1, 2, 0, 0],
    "link_target": [0, 0, 1, 2],
    "link_rate_bps": 1e6,
    "link_power_w": 0.5,
    "item_bits": [1e6],
    "node_item_start": [0, 1, 2, 3],
    "node_item": [0, 0, 0],
}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_nodes": 0}, "num_nodes is 0, must be a whole number >= 1"),
        ({"link_source": [1, 2, 0, 3]}, "link_source[3] is 3, must be a whole number from 0 to 2"),
        ({"link_target": [0, 0, 1, 0]}, "link_target[3] is 0, must be another node"),
        ({"link_source": [1, 1, 0, 0]}, "link_source[1] is 'a second link from 1 to 0'"),
        ({"link_rate_bps": [1, 1, 0, 1]}, "link_rate_bps[2] is 0.0, must be a number > 0"),
        ({"link_power_w": -0.2}, "link_power_w is -0.2, must be a finite number >= 0"),
        ({"link_delay_s": np.nan}, "link_delay_s is nan"),
        ({"item_bits": 3.0}, "item_bits is 'an array of shape ()', must be in one dimension"),
        ({"node_item": [0, 0, 1]}, "node_item[2] is 1, must be a whole number from 0 to 0"),
        ({"node_item_start": [0, 2, 1, 3]}, "must be ascending from 0 to 3 (length of node_item)"),
        ({"item_bits": []}, "node_item[0] is 0, must be absent: there are no items"),
        ({"ready_s": [0, np.inf, 0]}, "ready_s[1] is inf, must be a finite number >= 0"),
        ({"members": [True, True, False]}, "members[2] is False, must be true, as the node has items"),
        ({"relays": [False, True, False]}, "relays[1] is True, must be false, as the node is a member"),
        ({"broadcast_power_w": -1.0}, "broadcast_power_w is -1.0, must be a finite number >= 0"),
        ({"receive_power_w": [0, -1, 0]}, "receive_power_w[1] is -1.0, must be a finite number >= 0"),
        ({"members": [1, 1, 1]}, "members is 'int64 of shape (3,)', must be true or false values"),
        (
            {"half_duplex": [True]},
            "half_duplex is 'an array of shape (1,)', must be true, false or of shape (3,)",
        ),
        ({"roots": []}, "roots is 'empty', must be at least one candidate root"),
        ({"roots": [0, 0]}, "roots is [0, 0], must be without repetition"),
        ({"max_hops": 0}, "max_hops is 0, must be a whole number >= 1, or None"),
        ({"max_root_children": 1.5}, "max_root_children is 1.5, must be a whole number >= 1, or None"),
        ({"energy_weight": 0, "time_weight": 0}, "energy_weight is 0.0, must be > 0 where time_weight is 0"),
        ({"num_round_trips": 0}, "num_round_trips is 0.0, must be > 0 where num_root_legs is 0"),
        (
            {"return_link_source": [0, 0]},
            "return_link_target is None, must be given, as return_link_source is",
        ),
    ],
)
def test_a_value_without_meaning_is_refused(fields, message):
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        RelayingProblem(**(GOOD | fields))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ((0, [-1, 0]), "parent is 'an array of shape (2,)', must be of shape (3,)"),
        ((0, [-1, 0, 1], [-1, 0, 0]), "parent[2] is 1, must be the other end of a link of this node"),
        ((0, [1, 0, 0], [-1, 0, 0]), "parent[0] is 1, must be -1 for the root"),
        ((0, [-1, 0, 0]), "return_parent is None, must be given, as num_round_trips > 0"),
    ],
)
def test_a_plan_that_is_no_tree_is_refused(plan, message):
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        evaluate(RelayingProblem(**GOOD), *plan)


def test_a_cycle_is_refused():
    problem = RelayingProblem(**(GOOD | {"link_source": [1, 2, 1], "link_target": [2, 1, 0]}))
    with pytest.raises(InvalidProblem, match=re.escape("parent[1] is 2, must be on a path to the root 0")):
        evaluate(problem, 0, [-1, 2, 1])


def test_a_relay_that_nobody_uses_is_refused():
    fields = GOOD | {"members": [True, True, False], "relays": [False, False, True]}
    fields |= {"node_item_start": [0, 1, 2, 2], "node_item": [0, 0]}
    with pytest.raises(
        InvalidProblem, match=re.escape("parent[2] is 0, must be -1 for a relay that no node")
    ):
        evaluate(RelayingProblem(**fields), 0, [-1, 0, 0], [-1, 0, -1])


def test_a_root_that_is_no_candidate_is_refused():
    with pytest.raises(InvalidProblem, match=re.escape("root is 2, must be one of the candidate roots [0]")):
        evaluate(RelayingProblem(**GOOD, roots=[0]), 2, [-1, 0, 0], [-1, 0, 0])


def test_too_many_nodes_to_enumerate_are_refused():
    problem = RelayingProblem(
        num_nodes=9,
        link_source=range(1, 9),
        link_target=[0] * 8,
        link_rate_bps=1.0,
        link_power_w=1.0,
        item_bits=[],
        node_item_start=[0] * 10,
        node_item=[],
    )
    with pytest.raises(InvalidProblem, match="a tree of 9 nodes', must be at most 8 to price all trees"):
        pareto_front(problem)


def test_a_misspelt_method_is_answered_with_the_nearest():
    with pytest.raises(UnknownMethod, match="relaying has no method 'cpsat', did you mean 'cp_sat'"):
        solve(RelayingProblem(**GOOD), method="cpsat")


def test_arrays_of_a_problem_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        RelayingProblem(**GOOD).link_rate_bps[0] = 1.0
