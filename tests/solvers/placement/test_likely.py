"""The options at which a search looks: few, favoured by prices, and enough."""

import math

import numpy as np

from solvers.common import Options
from solvers.placement import solve
from solvers.placement.arrangement import arrange, narrowed
from solvers.placement.ascent import ascend, first_multipliers
from solvers.placement.likely import MOST_OPTIONS, likely_slots
from solvers.placement.reduce import reduction_by_limits


def relaxed(problem):
    at = arrange(problem, reduction_by_limits(problem))
    point = ascend(
        at, first_multipliers(at), upper=math.inf, gap=0.0, until=math.inf, most_steps=60, paces=(0.1, 1e-2)
    )
    return at, point


def test_each_demand_keeps_its_cheapest_and_what_the_relaxation_uses(benchmark_module):
    at, point = relaxed(benchmark_module.association(60, 20, seed=0))

    likely = likely_slots(at, point)

    kept = np.bincount(at.demand[likely], minlength=at.num_demands)
    assert kept.min() >= MOST_OPTIONS
    assert kept.max() < 20
    assert np.all(likely[point.served > 0.5])


def test_demands_with_few_options_keep_all(benchmark_module):
    at, point = relaxed(benchmark_module.network(20, 4, 8, seed=2))

    assert likely_slots(at, point).all()


def test_a_narrowed_arrangement_is_the_arrangement_of_what_is_kept(benchmark_module):
    problem = benchmark_module.association(30, 15, seed=1)
    reduction = reduction_by_limits(problem)
    at = arrange(problem, reduction)
    kept = np.random.default_rng(0).random(at.num_slots) < 0.7
    kept[at.slot_of_demand[at.demand_start[:-1]]] = True
    live = np.zeros(problem.num_pairs, dtype=bool)
    live[at.pair[kept]] = True

    small, same = narrowed(at, kept), arrange(problem, reduction.__class__(live, reduction.live_host))

    for name in ("pair", "demand", "node", "seat", "cost", "slot_of_demand", "demand_start", "seat_start"):
        np.testing.assert_array_equal(getattr(small, name), getattr(same, name))
    for name in ("node_start", "seat_host", "seat_node", "seat_cost", "seat_bytes"):
        np.testing.assert_array_equal(getattr(small, name), getattr(same, name))


def test_association_with_any_of_many_hosts_is_certified(benchmark_module):
    problem = benchmark_module.association(600, 30, seed=0)

    result = solve(problem, "by_lagrangian", Options(gap=0.01, time_limit_s=20.0))

    assert result.gap <= 0.01
    assert result.violations == ()
