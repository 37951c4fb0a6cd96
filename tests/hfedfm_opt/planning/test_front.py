"""The front of latency and energy: known optima, brute force, the planner's optima, checked plans."""

import itertools
import math

import numpy as np
import pytest

from hfedfm_opt.planning.baselines import around_servers, relayed_cluster
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.front import FrontOptions, Uplinks, plan_front
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.planner import plan

CLOUD_J = 10 * 12.1 * 0.8 / 200
"""Joules a round of the cloud legs at period 200, which the published edge-only leaves out."""
ROWS = {
    ("full", "nominal"): [(7.951, 63.44), (2.626, 24.73), (0.881, 11.83)],
    ("half", "nominal"): [(8.332, 63.17), (3.095, 24.29), (1.459, 11.27)],
    ("full", "whole-band"): [(7.062, 59.0), (2.359, 23.56), (0.872, 11.78)],
}
"""Exhaustive optima on the published network's links: latency ends at periods 2, 8 and 200 (edge-only)."""
ENERGY_ENDS = {2: (8.402, 63.04), 8: (3.715, 24.09), 200: (2.08, 11.1)}
"""The ends of least energy with parallel receptions."""


def rounded(seconds, joules, period):
    return pytest.approx((seconds, joules + (CLOUD_J if period == 200 else 0.0)), abs=5.01e-3)


@pytest.mark.parametrize(("duplex", "uplinks"), ROWS)
@pytest.mark.parametrize(("column", "period"), [(0, 2), (1, 8), (2, 200)])
def test_the_fastest_plans_are_the_exhaustive_optima(paper, duplex, uplinks, column, period):
    front = plan_front(paper, FrontOptions(period=period, duplex=duplex, uplinks=Uplinks(uplinks)))
    seconds, joules = ROWS[duplex, uplinks][column]

    assert front.exact
    assert front.latency_s[0] == pytest.approx(seconds, abs=5.01e-4)
    assert (front.latency_s[0], front.energy_j[0]) == rounded(seconds, joules, period)


@pytest.mark.parametrize("period", ENERGY_ENDS)
def test_the_plans_of_least_energy_are_the_exhaustive_optima(paper, period):
    front = plan_front(paper, FrontOptions(period=period))

    assert (front.latency_s[-1], front.energy_j[-1]) == rounded(*ENERGY_ENDS[period], period)


@pytest.mark.parametrize(("duplex", "period"), [("full", 2), ("half", 8), ("full", None)])
def test_every_plan_keeps_all_limits_and_costs_what_the_front_says(paper, duplex, period):
    front = plan_front(paper, FrontOptions(period=period, duplex=duplex))

    assert (np.diff(front.latency_s) > 0).all()
    assert (np.diff(front.energy_j) < 0).all()
    for point in range(0, len(front), 3):
        found = front.plan(point)
        assert found.violations == ()
        assert found.prediction.latency_s == pytest.approx(front.latency_s[point], rel=1e-9)
        assert found.prediction.energy_j == pytest.approx(front.energy_j[point], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "weights", [(0.0, 1.0), (1.0, 0.0), (1.0, 1e-3), (1.0, 0.1), (1.0, 1.0), (1.0, 50.0)]
)
def test_the_planners_optimum_at_any_prices_is_on_the_front(make_instance, seed, weights):
    instance = make_instance(seed, devices_per_server=(4, 3), overhead=seed % 2 == 0)
    energy, seconds = weights
    front = plan_front(instance, FrontOptions(period=3))
    best = plan(
        instance, "optimised:3", allocate=False, energy_weight_per_j=energy, time_weight_per_s=seconds
    )

    costs = energy * front.energy_j + seconds * front.latency_s
    assert costs.min() == pytest.approx(best.objective, rel=1e-9)
    if energy and seconds:
        nearest = int(np.argmin(costs))
        assert nearest in front.supported()
        assert best.latency_s == pytest.approx(front.latency_s[nearest], rel=1e-9)
        assert best.energy_j == pytest.approx(front.energy_j[nearest], rel=1e-9)


@pytest.mark.parametrize("period", [None, 3])
@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("seed", range(2))
def test_the_front_is_that_of_all_plans_by_brute_force(make_instance, seed, duplex, period):
    """All aggregators, trees and orders of two clusters, priced by the prediction of whole plans."""
    instance = make_instance(seed, devices_per_server=(3, 2), overhead=seed == 0)
    front = plan_front(instance, FrontOptions(period=period, duplex=duplex))
    example = front.plan(0)
    to_cloud = period is not None
    choices = [every_cluster(example.network, server, to_cloud) for server in example.network.members]
    costs = []
    for clusters in itertools.product(*choices):
        cost = predict(example.network, example.decisions.model_copy(update={"clusters": clusters}))
        costs.append((cost.latency_s, cost.energy_j))

    assert len(costs) > 100
    assert list(zip(front.latency_s, front.energy_j, strict=True)) == [
        pytest.approx(pair, rel=1e-9) for pair in nondominated(costs)
    ]


def every_cluster(network, server, to_cloud):
    members = network.members[server]
    found = [cluster for cluster in around_servers(network) if cluster.id == server]
    for aggregator in members:
        trees = all_trees(members, aggregator)
        for up, down in itertools.product(trees, trees):
            for order in itertools.permutations(down):
                pairs = [(high, low) for low, high in order]
                cluster = relayed_cluster(network, server, aggregator, (up, pairs), to_cloud=to_cloud)
                found.append(cluster)
                for leg in trees if to_cloud else ():
                    other = relayed_cluster(network, server, aggregator, (leg, pairs), to_cloud=True)
                    found.append(cluster.model_copy(update={"gather_to_cloud": other.gather}))
    return found


def all_trees(members, root):
    """Return the (node, parent) pairs of every tree of at most three nodes to the root."""
    others = [node for node in members if node != root]
    trees = [[(node, root) for node in others]]
    if len(others) == 2:
        a, b = others
        trees += [[(a, b), (b, root)], [(b, a), (a, root)]]
    return trees


def nondominated(costs):
    kept, least = [], math.inf
    for seconds, joules in sorted(costs):
        if joules < least * (1 - 1e-9):
            if kept and seconds <= kept[-1][0] * (1 + 1e-9):
                kept.pop()
            kept.append((seconds, joules))
            least = joules
    return kept


def test_within_a_latency_is_the_last_point_that_is_as_fast(paper):
    front = plan_front(paper, FrontOptions(period=2))

    assert front.within(front.latency_s[0] * 0.999) is None
    assert front.within(float(front.latency_s[0])) == 0
    assert front.within(math.nextafter(front.latency_s[5], math.inf)) == 5
    assert front.within(1e9) == len(front) - 1


def test_the_claim_of_a_plan_is_bounded_by_the_best_point_at_the_instances_prices(paper):
    front = plan_front(paper, FrontOptions(period=8))
    best = plan(paper, "optimised:8", allocate=False)

    claim = front.plan(len(front) - 1).decisions.claim
    assert claim.bound == pytest.approx(best.objective, rel=1e-9)
    assert claim.objective > claim.bound
    assert "exact" in claim.proof


@pytest.mark.parametrize("period", [2, None])
def test_an_allocated_curve_lies_below_the_steps_and_above_its_bounds(paper, period):
    steps = plan_front(paper, FrontOptions(period=period, uplinks=Uplinks.WHOLE_BAND))
    curve = plan_front(paper, FrontOptions(period=period, uplinks=Uplinks.ALLOCATED, num_points=9))

    assert not curve.exact
    assert (curve.bound_j <= curve.energy_j * (1 + 1e-12)).all()
    assert (curve.energy_j - curve.bound_j <= 1e-6 * curve.energy_j).all()
    for point, (seconds, joules) in enumerate(zip(curve.latency_s, curve.energy_j, strict=True)):
        step = steps.within(seconds)
        assert step is not None
        assert joules <= steps.energy_j[step] * (1 + 1e-9)
        found = curve.plan(point)
        assert found.violations == ()
        assert found.prediction.latency_s <= seconds * (1 + 1e-9)
        assert found.prediction.energy_j == pytest.approx(joules, rel=1e-6)


def test_a_curve_is_priced_at_a_latency_that_is_asked_for(paper):
    options = FrontOptions(period=2, uplinks=Uplinks.ALLOCATED, num_points=3, at_latency_s=7.5)
    curve = plan_front(paper, options)

    point = curve.within(7.5)
    assert point is not None
    assert curve.latency_s[point] == pytest.approx(7.5, rel=1e-12)
    assert curve.plan(point).prediction.latency_s == pytest.approx(7.5, rel=1e-9)


@pytest.mark.parametrize("price", [3.0, 20.0, 100.0])
def test_no_allocated_optimum_is_below_the_curves_bounds(paper, price):
    """A bound holds at its latency and before: each optimum is above that of the next point."""
    curve = plan_front(paper, FrontOptions(period=2, uplinks=Uplinks.ALLOCATED, num_points=15))
    best = plan(paper, "optimised:2", energy_weight_per_j=1.0, time_weight_per_s=price, allocate_d2d=False)

    later = int(np.searchsorted(curve.latency_s, best.latency_s * (1 - 1e-9)))
    assert later < len(curve)
    assert best.energy_j >= curve.bound_j[later] * (1 - 1e-6)


def test_a_limit_on_latency_cuts_the_front(paper):
    whole = plan_front(paper, FrontOptions(period=2))
    cut = float(whole.latency_s[10])
    limits = paper.limits.model_copy(update={"max_latency_s": cut})
    limited = plan_front(paper.model_copy(update={"limits": limits}), FrontOptions(period=2))

    assert limited.latency_s.tolist() == whole.latency_s[:11].tolist()
    none = paper.limits.model_copy(update={"max_latency_s": 1.0})
    with pytest.raises(MissingLink, match="max_latency_s = 1"):
        plan_front(paper.model_copy(update={"limits": none}), FrontOptions(period=2))


def test_a_front_with_a_large_cluster_says_that_nothing_is_proven(make_instance):
    front = plan_front(make_instance(1, devices_per_server=(8, 2)), FrontOptions(period=2))

    assert not front.exact
    assert np.isneginf(front.bound_j).all()
    assert "8 members" in front.proof
    assert front.plan(0).decisions.claim.bound is None


def test_several_placements_give_one_front_without_a_bound(make_instance):
    instance = make_instance(3, split=True)
    front = plan_front(instance, FrontOptions(period=2))

    assert not front.exact
    assert np.isneginf(front.bound_j).all()
    assert "placements" in front.proof
    assert (np.diff(front.latency_s) > 0).all()
    assert (np.diff(front.energy_j) < 0).all()
    for point in range(len(front)):
        found = front.plan(point)
        assert found.violations == ()
        assert found.prediction.latency_s == pytest.approx(front.latency_s[point], rel=1e-9)
        assert found.prediction.energy_j == pytest.approx(front.energy_j[point], rel=1e-9)
    best = plan(instance, "optimised:2", allocate=False)
    prices = instance.objective
    costs = prices.energy_weight_per_j * front.energy_j + prices.time_weight_per_s * front.latency_s
    assert costs.min() <= best.objective * (1 + 1e-9)
