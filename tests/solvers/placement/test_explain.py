"""Which limits to relax when nothing fits."""

import math

import numpy as np
import pytest

from solvers.common import Status
from solvers.placement import LimitKind, PlacementProblem, Relaxation, explain_infeasible, solve


def crowded(**changes):
    """Two items of 3 and 2 byte whose only node has 4 byte and bears 1 of 1.5 work."""
    data = {
        "demand_item": [0, 1],
        "pair_demand": [0, 1],
        "pair_node": [0, 0],
        "pair_cost": 1.0,
        "pair_work": [1.0, 0.5],
        "host_item": [0, 1],
        "host_node": [0, 0],
        "host_cost": 1.0,
        "item_memory": [3.0, 2.0],
        "node_memory": [4.0],
        "node_capacity": [1.0],
    }
    return PlacementProblem(**{**data, **changes})


def test_both_limits_in_conflict_are_named_with_amounts():
    conflict = explain_infeasible(crowded())

    assert conflict.relaxations == (
        Relaxation(0, LimitKind.MEMORY, 1.0),
        Relaxation(0, LimitKind.CAPACITY, 0.5),
    )
    assert conflict.proven_least
    assert str(conflict) == "the least relaxation: memory of node 0 by 1 byte; capacity of node 0 by 0.5"


def test_the_cheapest_of_two_ways_is_chosen():
    problem = crowded(
        pair_demand=[0, 1, 1],
        pair_node=[0, 0, 1],
        pair_work=[1.0, 0.0, 0.0],
        host_item=[0, 1, 1],
        host_node=[0, 0, 1],
        node_memory=[4.0, 1.9],
        node_capacity=[1.0, 1.0],
    )

    (relaxation,) = explain_infeasible(problem).relaxations

    assert (relaxation.node, relaxation.kind) == (1, "memory")
    assert relaxation.amount == pytest.approx(0.1)


def test_demand_without_pair_is_named():
    problem = crowded(pair_demand=[1], pair_node=[0], pair_work=[0.5], host_item=[1], host_node=[0])

    result = solve(problem)

    assert result.status is Status.INFEASIBLE
    assert "no candidate pair: demand 0" in result.explanation
    assert explain_infeasible(problem).demands_without_pair == (0,)


def test_feasible_problem_has_nothing_to_explain():
    assert not explain_infeasible(crowded(node_memory=[5.0], node_capacity=[2.0]))


@pytest.mark.parametrize("method", ["via_highs", "via_cp_sat"])
def test_infeasible_result_says_what_to_relax(method):
    result = solve(crowded(node_capacity=[2.0]), method)

    assert (result.status, result.bound, result.solution) == (Status.INFEASIBLE, math.inf, None)
    assert result.explanation == "infeasible; the least relaxation: memory of node 0 by 1 byte"


@pytest.mark.parametrize("split", [False, True])
def test_relaxing_as_told_makes_the_problem_feasible(make_problem, split):
    num_infeasible = 0
    for seed in range(80):
        problem = make_problem(seed, "whole numbers", split=split)
        conflict = explain_infeasible(problem)
        infeasible = solve(problem).status is Status.INFEASIBLE
        assert bool(conflict) == infeasible, seed
        if infeasible:
            num_infeasible += 1
            assert solve(relaxed(problem, conflict)).solution is not None, seed
    assert num_infeasible > 5


def relaxed(problem, conflict):
    limits = {
        LimitKind.MEMORY: np.array(problem.node_memory),
        LimitKind.CAPACITY: np.array(problem.node_capacity),
    }
    for relaxation in conflict.relaxations:
        limits[relaxation.kind][relaxation.node] += relaxation.amount * (1 + 1e-6)
    return PlacementProblem(
        demand_item=problem.demand_item,
        pair_demand=problem.pair_demand,
        pair_node=problem.pair_node,
        pair_cost=problem.pair_cost,
        pair_work=problem.pair_work,
        host_item=problem.host_item,
        host_node=problem.host_node,
        host_cost=problem.host_cost,
        item_memory=problem.item_memory,
        node_memory=limits[LimitKind.MEMORY],
        node_capacity=limits[LimitKind.CAPACITY],
        split=problem.split,
    )
