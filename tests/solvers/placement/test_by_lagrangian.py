"""The Lagrangian method: bounds below the optimum and near it, placements within the limits."""

import time

import numpy as np
import pytest

from solvers.common import Options
from solvers.placement import PlacementProblem, solve
from solvers.placement.solve import MOST_EXACT_PAIRS


@pytest.fixture(scope="module")
def network(benchmark_module):
    return benchmark_module.network(20, 4, 8, seed=2)


def test_bound_is_above_the_share_bound_and_below_the_optimum(network):
    optimum = solve(network, "via_highs", Options(gap=1e-4, time_limit_s=20.0))

    result = solve(network, "by_lagrangian", Options(time_limit_s=1.5))

    assert solve(network, "greedy").bound < result.bound <= optimum.objective
    assert result.bound > 0.9 * optimum.bound
    assert optimum.bound <= result.objective < solve(network, "greedy").objective


def test_closed_node_pays_nothing_for_its_capacity(orlib, benchmark_module):
    """Facility location: pricing the capacity of closed sites too would leave the bound far lower."""
    problem = benchmark_module.read_cap(orlib / "cap" / "cap64.txt", split=False)

    result = solve(problem, "by_lagrangian", Options(time_limit_s=2.0))

    assert 0.97 * 1045650.25 < result.bound <= 1053197.4375 <= result.objective


def test_search_ends_when_the_placement_is_good_enough(network):
    started = time.perf_counter()

    result = solve(network, "by_lagrangian", Options(gap=0.5, time_limit_s=60.0))

    assert result.gap <= 0.5
    assert time.perf_counter() - started < 20


def test_auto_leaves_large_problems_to_it():
    num_demands = MOST_EXACT_PAIRS // 2 + 1
    problem = PlacementProblem(
        demand_item=np.zeros(num_demands, dtype=int),
        pair_demand=np.repeat(np.arange(num_demands), 2),
        pair_node=np.tile([0, 1], num_demands),
        pair_cost=np.tile([1.0, 2.0], num_demands),
        pair_work=1.0,
        host_item=[0, 0],
        host_node=[0, 1],
        host_cost=0.5,
        item_memory=[1.0],
        node_memory=[1.0, 1.0],
        node_capacity=np.inf,
    )

    result = solve(problem, options=Options(time_limit_s=5.0))

    assert result.method == "by_lagrangian"
    assert result.objective == num_demands + 0.5
    assert result.explanation == f"auto chose by_lagrangian for {2 * num_demands} pairs within 5 s"


def test_auto_takes_it_where_highs_would_lack_time(network):
    hurried = solve(network, options=Options(time_limit_s=0.5))
    patient = solve(network, options=Options(gap=0.05, time_limit_s=30.0))

    assert (hurried.method, patient.method) == ("by_lagrangian", "via_highs")
    assert hurried.explanation.endswith("pairs within 0.5 s")
