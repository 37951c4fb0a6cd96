"""Clusters small enough to be worked on paper."""

import numpy as np
import pytest

from solvers.common import Status, StopReason
from solvers.relaying import RelayingProblem, evaluate, pareto_front, solve, violations

EXACT = ["auto", "enumeration", "cp_sat"]


def merging_line(**fields):
    """Node 1 holds item A (4 bit), node 2 A and B (2 bit); 2 > 1 and 1 > 0 at 1 bit/s, 2 > 0 at 0.4 bit/s."""
    data = {
        "num_nodes": 3,
        "link_source": [1, 2, 2],
        "link_target": [0, 1, 0],
        "link_rate_bps": [1.0, 1.0, 0.4],
        "link_power_w": 1.0,
        "item_bits": [4.0, 2.0],
        "node_item_start": [0, 0, 1, 3],
        "node_item": [0, 0, 1],
        "num_round_trips": 0,
        "num_root_legs": 1,
    }
    return RelayingProblem(**(data | fields))


def star_of_two(**fields):
    """Node 0 is the root; node 1 sends for 4 s, node 2 is ready at 1 s and sends for 3 s."""
    data = {
        "num_nodes": 3,
        "link_source": [1, 2],
        "link_target": [0, 0],
        "link_rate_bps": [1.0, 4 / 3],
        "link_power_w": 1.0,
        "item_bits": [4.0],
        "node_item_start": [0, 1, 2, 3],
        "node_item": [0, 0, 0],
        "ready_s": [0.0, 0.0, 1.0],
        "num_round_trips": 0,
        "num_root_legs": 1,
    }
    return RelayingProblem(**(data | fields))


def return_of_three(**fields):
    """From root 0: to 1 in 1 s, from there to 3 in 10 s, to 2 in 5 s; the way up takes no time."""
    data = {
        "num_nodes": 4,
        "link_source": [1, 3, 2],
        "link_target": [0, 1, 0],
        "link_rate_bps": np.inf,
        "link_power_w": 0.0,
        "item_bits": [10.0],
        "node_item_start": [0, 1, 1, 1, 1],
        "node_item": [0],
        "return_link_source": [0, 1, 0],
        "return_link_target": [1, 3, 2],
        "return_link_rate_bps": [10.0, 1.0, 2.0],
        "return_link_power_w": 2.0,
        "energy_weight": 0.0,
    }
    return RelayingProblem(**(data | fields))


@pytest.mark.parametrize("method", EXACT)
def test_relay_sends_the_union_of_the_items_below_it_once(method):
    result = solve(merging_line(), method=method)
    plan = result.solution
    assert result.status is Status.OPTIMAL
    assert plan.parent.tolist() == [-1, 0, 1]
    assert plan.up_bits.tolist() == [0.0, 6.0, 6.0]
    assert (plan.latency_s, plan.energy_j, plan.objective) == (12.0, 12.0, 24.0)
    np.testing.assert_array_equal(plan.up_start_s, [np.nan, 6.0, 0.0])
    np.testing.assert_array_equal(plan.up_end_s, [np.nan, 12.0, 6.0])


def test_front_of_a_line_and_a_star_holds_what_neither_beats():
    front = pareto_front(
        merging_line(link_rate_bps=[1.0, 1.0, 0.6])
    )  # star: 10 s, 4 + 10 J; line: 12 s, 12 J
    assert front.latency_s.tolist() == [10.0, 12.0]
    assert front.energy_j.tolist() == [14.0, 12.0]
    assert front.parent.tolist() == [[-1, 0, 0], [-1, 0, 1]]


def test_receptions_in_parallel_end_with_the_last_of_them():
    assert solve(star_of_two()).solution.latency_s == 4.0


@pytest.mark.parametrize("method", EXACT)
def test_receptions_in_series_are_served_by_readiness(method):
    plan = solve(star_of_two(half_duplex=True), method=method).solution
    assert plan.latency_s == 7.0
    assert plan.up_order.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(plan.up_start_s, [np.nan, 0.0, 4.0])


def test_a_given_order_is_kept():
    plan = evaluate(star_of_two(half_duplex=True), 0, [-1, 0, 0], up_order=[-1, 1, 0])
    assert plan.latency_s == 8.0


@pytest.mark.parametrize("method", EXACT)
def test_the_way_back_serves_the_longest_remaining_way_first(method):
    plan = solve(return_of_three(half_duplex=True), method=method).solution
    assert plan.return_s == 11.0
    assert plan.return_order.tolist() == [-1, 0, 1, 0]
    np.testing.assert_array_equal(plan.return_end_s, [np.nan, 1.0, 6.0, 11.0])
    assert plan.return_j == 2.0 * (1.0 + 10.0 + 5.0)


def test_the_other_order_on_the_way_back_takes_longer():
    trees = ([-1, 0, 0, 1], [-1, 0, 0, 1])
    plan = evaluate(return_of_three(half_duplex=True), 0, *trees, return_order=[-1, 1, 0, 0])
    assert plan.return_s == 16.0


@pytest.mark.parametrize("method", EXACT)
def test_a_pure_sink_is_chosen_as_root_where_that_pays(method):
    problem = RelayingProblem(
        num_nodes=3,
        link_source=[0, 1, 0, 1, 2, 2],
        link_target=[1, 0, 2, 2, 0, 1],
        link_rate_bps=[1.0, 1.0, 4.0, 4.0, 4.0, 4.0],
        link_power_w=1.0,
        item_bits=[4.0],
        node_item_start=[0, 1, 2, 2],
        node_item=[0, 0],
        members=[True, True, False],
        roots=[0, 1, 2],
    )
    plan = solve(problem, method=method).solution  # 4 sendings of 1 s in 2 s against 2 of 4 s in 8 s
    assert (plan.root, plan.latency_s, plan.energy_j) == (2, 2.0, 4.0)
    chosen_member = solve(
        RelayingProblem(**{**vars_of(problem), "root_seconds": [0, 0, 99.0], "num_root_legs": 1}),
        method=method,
    ).solution
    assert chosen_member.root in (0, 1)
    assert chosen_member.parent[2] == -1


def vars_of(problem):
    return {name: getattr(problem, name) for name in problem.__dataclass_fields__}


@pytest.mark.parametrize("method", EXACT)
def test_counts_weigh_the_phases(method):
    problem = merging_line(
        link_source=[1, 2, 2, 0, 1],
        link_target=[0, 1, 0, 1, 2],
        link_rate_bps=[1.0, 1.0, 0.4, 6.0, 3.0],
        roots=[0],
        num_round_trips=3,
        num_root_legs=2,
        root_seconds=[10.0, 0, 0],
        root_joules=[7.0, 0, 0],
    )
    plan = solve(problem, method=method).solution
    assert (plan.gather_s, plan.return_s) == (12.0, 3.0)
    assert plan.latency_s == 3 * (12 + 3) + 2 * (12 + 10)
    assert plan.energy_j == 3 * (12 + 3) + 2 * (12 + 7)


def test_a_leg_tree_of_its_own_fills_the_time_that_the_return_leaves():
    problem = merging_line(
        link_source=[1, 2, 2, 0, 0],
        link_target=[0, 1, 0, 1, 2],
        link_rate_bps=[1.0, 1.0, 0.6, np.inf, np.inf],
        roots=[0],
        num_round_trips=1,
        num_root_legs=1,
        own_leg_tree=True,
    )
    front = pareto_front(problem)
    assert front.latency_s.tolist() == [20.0, 22.0, 24.0]
    assert front.energy_j.tolist() == [28.0, 26.0, 24.0]
    assert not np.array_equal(front.parent[1], front.leg_parent[1])


@pytest.mark.parametrize("method", EXACT)
def test_a_node_without_a_path_is_named(method):
    result = solve(
        merging_line(link_source=[1], link_target=[0], link_rate_bps=[1.0], roots=[0]), method=method
    )
    assert (result.status, result.stop_reason) == (Status.INFEASIBLE, StopReason.PROVEN_INFEASIBLE)
    assert result.solution is None
    assert "node 2 has no path to root 0" in result.explanation


@pytest.mark.parametrize("method", EXACT)
def test_limits_that_no_tree_keeps_are_infeasible(method):
    problem = star_of_two(max_root_children=1)
    assert solve(problem, method=method).status is Status.INFEASIBLE
    assert len(pareto_front(problem)) == 0


def test_broken_limits_are_listed_with_their_amount():
    problem = star_of_two(max_root_children=1)
    found = violations(problem, evaluate(problem, 0, [-1, 0, 0]))
    assert [str(violation) for violation in found] == [
        "max_root_children on the way up is exceeded by 1 children"
    ]


@pytest.mark.parametrize("method", EXACT)
def test_one_node_alone_waits_for_itself(method):
    problem = RelayingProblem(
        num_nodes=1,
        link_source=[],
        link_target=[],
        link_rate_bps=1.0,
        link_power_w=1.0,
        item_bits=[5.0],
        node_item_start=[0, 1],
        node_item=[0],
        ready_s=2.0,
    )
    assert solve(problem, method=method).solution.latency_s == 2.0
