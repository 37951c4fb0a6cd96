"""Pairs ruled out by the Lagrangian: none that a better placement uses."""

import math
from dataclasses import replace

import numpy as np
import pytest

from solvers.common import Options
from solvers.placement import solve
from solvers.placement.arrangement import arrange
from solvers.placement.by_lagrangian import bounded
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import demands_without, reduction_by_limits
from solvers.placement.start import Start
from solvers.placement.tighten import forced_bounds, tightened


class Silent:
    """Takes what is reported."""

    def bound(self, value: float) -> None: ...

    def objective(self, value: float) -> None: ...


def open_start(problem: PlacementProblem) -> Start:
    return Start(None, math.inf, -math.inf, reduction_by_limits(problem), None, closed=False)


def with_pair(problem: PlacementProblem, pair: int) -> PlacementProblem:
    """The problem in which the pair's demand has no other."""
    kept = (problem.pair_demand != problem.pair_demand[pair]) | (np.arange(problem.num_pairs) == pair)
    return replace(
        problem,
        pair_demand=problem.pair_demand[kept],
        pair_node=problem.pair_node[kept],
        pair_cost=problem.pair_cost[kept],
        pair_work=problem.pair_work[kept],
    )


@pytest.mark.parametrize("kind", ["plain", "whole numbers", "no memory", "equal costs"])
def test_no_placement_that_uses_a_pair_costs_less_than_its_bound(kind, make_problem, brute):
    for seed in range(12):
        problem = make_problem(seed, kind)
        start = open_start(problem)
        if demands_without(problem, start.reduction.live_pair).size:
            continue
        arranged = arrange(problem, start.reduction)
        point = bounded(problem, arranged, start, 0.0, math.inf, Silent())

        bounds = forced_bounds(arranged, point)

        for slot, pair in enumerate(arranged.pair.tolist()):
            best = brute(with_pair(problem, pair))
            assert best >= bounds[slot] - 1e-9 * (1 + abs(bounds[slot])), (seed, pair)


def test_a_tightened_start_keeps_the_optimum(make_problem, brute):
    for seed in range(25):
        problem = make_problem(seed)
        start = open_start(problem)
        best = brute(problem)
        if math.isinf(best):
            continue

        tight = tightened(problem, start, Options(gap=1e-9), 1.0, Silent())

        assert tight.bound <= best <= tight.cost + 1e-9
        used_at_best = brute(
            replace(
                problem,
                pair_demand=problem.pair_demand[tight.reduction.live_pair],
                pair_node=problem.pair_node[tight.reduction.live_pair],
                pair_cost=problem.pair_cost[tight.reduction.live_pair],
                pair_work=problem.pair_work[tight.reduction.live_pair],
            )
        )
        assert used_at_best == pytest.approx(best, rel=1e-12)


def test_an_observer_sees_bounds_rise_and_costs_fall_to_the_result(benchmark_module):
    problem = benchmark_module.network(20, 4, 8, seed=2)
    for method in ("by_lagrangian", "via_highs", "via_cp_sat"):
        seen = []

        result = solve(problem, method, Options(gap=1e-3, time_limit_s=3.0, observer=seen.append))

        bounds, costs = [p.bound for p in seen], [p.objective for p in seen]
        assert bounds == sorted(bounds)
        assert costs == sorted(costs, reverse=True)
        assert [p.seconds for p in seen] == sorted(p.seconds for p in seen)
        assert seen[-1].bound == pytest.approx(result.bound, rel=1e-9)
        assert seen[-1].objective == pytest.approx(result.objective, rel=1e-9)
        assert seen[-1].gap == pytest.approx(result.gap, abs=1e-9)
