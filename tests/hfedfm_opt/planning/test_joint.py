"""Everything of a cluster decided at once: independent oracles, bounds, plans that the clock confirms."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fl_runtime import check_schedule, play
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.joint_cluster import joint_options, sharers_of
from hfedfm_opt.planning.optimise import shared_legs
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.plan_file import parse_plan, plan_text
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network
from solvers.clusters import ClusterProblem, solve, solve_within
from solvers.common import Status

MakeInstance = Callable[..., Instance]
DrawPlan = Callable[[Plan, np.random.Generator], Plan]
CLOUD_S, CLOUD_W = 12.1, 0.8


def problems_of(instance: Instance, period: int | None, duplex: str = "as given") -> list[ClusterProblem]:
    network = resolve_network(instance, duplex)  # type: ignore[arg-type]
    ready, sharers = readiness(network, ()), sharers_of(network)
    found = []
    for index, server in enumerate(network.members):
        (option,) = joint_options(network, index, server, Rhythm(period), ready, sharers).options
        assert option.joint is not None
        found.append(option.joint.problem)
    return found


def assert_clock_agrees(result: PlanResult, rounds: int) -> None:
    assert result.plan is not None
    schedule = result.plan.compile(rounds)
    assert check_schedule(schedule) == ()
    timeline, prediction = play(schedule), result.plan.prediction
    assert math.isclose(timeline.cycle_latency_s, prediction.latency_s, rel_tol=1e-9)
    assert math.isclose(timeline.cycle_energy_j, prediction.energy_j, rel_tol=1e-9)
    assert result.plan.violations == ()


@pytest.mark.parametrize("period", [2, 8])
def test_the_headline_is_a_balance_of_prices_and_clarabel_finds_nothing_better_on_its_trees(
    paper: Instance, period: int
) -> None:
    """At prices of time that sum to w, the Lagrangian of all clusters is below any plan, and is met.

    Clarabel prices each cluster's links as far as the plan uses them, without any bound of ours; its optima
    at these prices sum to the cost of the plan.
    """
    result = plan(paper, f"optimised:{period}")
    deadline_s = period * result.latency_s - CLOUD_S
    problems = problems_of(paper, period)
    lagrangian, prices = 0.0, []
    for problem in problems:
        within = solve_within(problem, deadline_s)
        assert within.solution is not None
        chosen = within.solution.plan
        used = np.zeros_like(problem.gain, dtype=np.bool_)
        for node in range(problem.num_nodes):
            if node != chosen.root:
                used[node, chosen.parent[node]] = used[chosen.return_parent[node], node] = True
        price = float(np.asarray(within.time_price))
        alone = replace(
            problem,
            gain=np.where(used, problem.gain, 0.0),
            roots=np.arange(problem.num_nodes) == chosen.root,
            time_weight=np.array(price),
        )
        lagrangian += float(solve(alone, method="via_cvxpy").objective)
        prices.append(price)
    fastest = [
        solve(replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0)))
        for problem in problems
    ]
    if sum(prices) < 99.0:  # the rest of the price is that of the least deadline that there is
        assert deadline_s == pytest.approx(max(float(one.bound) for one in fastest), rel=1e-6)
    value = lagrangian + (100.0 - sum(prices)) * deadline_s + 10 * CLOUD_S * CLOUD_W + 100.0 * CLOUD_S
    assert sum(prices) <= 100.0 * (1 + 1e-3)
    assert value / period == pytest.approx(result.objective, rel=1e-6)
    assert result.status is Status.OPTIMAL
    assert result.bound <= value / period * (1 + 1e-9)


def test_all_trees_of_a_published_cluster_are_no_better_by_clarabel(paper: Instance) -> None:
    problem = problems_of(paper, 2)[3]
    nodes = np.array([0, 1, 3])
    part = replace(
        problem,
        **{
            name: np.asarray(getattr(problem, name))[..., nodes]
            for name in (
                *("noise_w_per_hz", "max_power_w", "efficiency", "circuit_power_w", "receive_power_w"),
                *("cycles", "capacitance", "max_frequency_hz", "min_frequency_hz", "roots", "leg_gain"),
                *("leg_noise_w_per_hz", "leg_band_hz", "leg_max_power_w", "leg_receive_power_w"),
                *("root_seconds", "root_joules"),
            )
        },
        gain=problem.gain[np.ix_(nodes, nodes)],
        node_items=problem.node_items[nodes],
        time_weight=np.array(12.0),
    )
    ours, oracle = solve(part), solve(part, method="via_cvxpy")
    assert ours.objective == pytest.approx(float(oracle.objective), rel=1e-7)


@pytest.mark.parametrize(("seed", "duplex"), [(1, "full"), (2, "half"), (5, "full")])
def test_brute_force_over_trees_with_clarabel_meets_the_optimum_of_two_clusters(
    make_instance: MakeInstance, seed: int, duplex: str
) -> None:
    """All trees by Clarabel at prices of time that sum to w: no plan at all is below their Lagrangian."""
    instance = make_instance(seed, devices_per_server=(3, 3), duplex=duplex)
    result = plan(instance, "optimised:2")
    assert result.plan is not None
    assert all(cluster.aggregator in cluster.members for cluster in result.plan.decisions.clusters)
    shared = shared_legs(result.plan.network, Rhythm(2))
    weight = instance.objective.time_weight_per_s
    deadline_s = 2.0 * result.latency_s - shared.down_s
    value = shared.joules + weight * shared.down_s
    for problem, delay_s in zip(problems_of(instance, 2, duplex), shared.delay_s, strict=True):
        within = solve_within(problem, (deadline_s - delay_s) * (1 + 1e-9))
        price = float(np.asarray(within.time_price))
        priced = replace(problem, time_weight=np.array(price))
        value += float(solve(priced, method="via_cvxpy").objective) + price * (delay_s - deadline_s)
    value = (value + weight * deadline_s) / 2.0
    assert value == pytest.approx(result.objective, rel=1e-5)


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("period", ["1", "3", "never"])
@pytest.mark.parametrize("seed", range(3))
def test_the_clock_measures_what_was_predicted_and_no_random_plan_is_below_the_bound(
    make_instance: MakeInstance, draw_plan: DrawPlan, seed: int, period: str, duplex: str
) -> None:
    instance = make_instance(seed, split=seed == 1, fog=seed == 2, devices_per_server=(4, 2, 1))
    result = plan(instance, f"optimised:{period}", duplex=duplex, gap=1e-4)
    assert_clock_agrees(result, rounds=6)
    assert result.plan is not None
    assert result.bound <= result.objective
    generator = np.random.default_rng(seed)
    for _ in range(20):
        other = draw_plan(result.plan, generator)
        assert other.violations or other.objective >= result.bound * (1 - 1e-9)


def test_each_hop_has_its_own_share_and_power_and_the_file_keeps_them(paper: Instance) -> None:
    result = plan(paper, "optimised:2")
    assert result.plan is not None
    decisions = result.plan.decisions
    assert parse_plan(plan_text(decisions)) == decisions
    for cluster in decisions.clusters:
        for hops in (cluster.gather, cluster.deliver):
            assert sum(hop.band_hz or 0.0 for hop in hops) == pytest.approx(24e6, rel=1e-6)
            assert all(0 < (hop.power_w or 0.0) <= 0.6 * (1 + 1e-9) for hop in hops)
        (uplink,) = cluster.uplink
        assert uplink.band_hz == 4e6


def test_deciding_more_never_costs_more(make_instance: MakeInstance) -> None:
    for seed in range(2):
        instance = make_instance(seed)
        together, uplinks, nominal = (
            plan(instance, "optimised:2", gap=1e-4, **changes)
            for changes in ({}, {"allocate_d2d": False}, {"allocate": False})
        )
        assert together.objective <= uplinks.objective * (1 + 1e-4)
        assert uplinks.objective <= nominal.objective * (1 + 1e-4)
        assert together.bound <= uplinks.objective


def test_the_parts_of_the_gap_sum_to_it_and_name_the_clusters(make_instance: MakeInstance) -> None:
    result = plan(make_instance(1, split=True, devices_per_server=(3, 2)), "optimised:2", gap=1e-4)
    parts = {part.part: part for part in result.gap_parts}
    assert {"clusters", "deadline", "placement"} <= parts.keys()
    total = sum(part.amount for part in result.gap_parts)
    assert total == pytest.approx(result.objective - result.bound, rel=1e-6, abs=1e-9 * result.objective)
    assert parts["clusters"].proof.startswith("2 of 2 clusters: every tree bounded")
    assert result.plan is not None
    assert result.plan.decisions.claim is not None
    assert result.plan.decisions.claim.gap_parts == result.gap_parts


def test_clusters_that_share_a_band_share_it_evenly_and_the_bound_holds_for_any_share(
    make_instance: MakeInstance,
) -> None:
    """Both clusters on one D2D band: the plan keeps it, and alone each would need less."""
    instance = make_instance(4, devices_per_server=(3, 3))
    links = tuple(
        link.model_copy(update={"band": "d2d-s0"}) if link.band == "d2d-s1" else link
        for link in instance.wireless_links
    )
    shared = instance.model_copy(update={"wireless_links": links})
    own, both = plan(instance, "optimised:2"), plan(shared, "optimised:2")
    assert both.plan is not None
    assert both.plan.violations == ()
    assert own.objective < both.objective
    assert both.bound == pytest.approx(own.bound, rel=1e-5)
    used = [sum(hop.band_hz or 0.0 for hop in cluster.gather) for cluster in both.plan.decisions.clusters]
    assert used == pytest.approx([1e7, 1e7], rel=1e-6)


def test_larger_clusters_are_searched_and_bounded(make_instance: MakeInstance) -> None:
    instance = make_instance(0, devices_per_server=(8, 2))
    result = plan(instance, "optimised:2", gap=1e-3)
    assert_clock_agrees(result, rounds=4)
    assert 0.0 < result.bound <= result.objective
    assert any("searched" in part.proof for part in result.gap_parts)
    assert result.plan is not None
    assert len(result.plan.decisions.clusters[0].members) == 8


def test_a_single_device_keeps_its_update_until_the_cloud_asks(make_instance: MakeInstance) -> None:
    instance = make_instance(3, devices_per_server=(1, 1, 1))
    alone = plan(instance, "optimised:never")
    assert alone.plan is not None
    assert [cluster.aggregator for cluster in alone.plan.decisions.clusters] == ["d0", "d1", "d2"]
    assert alone.objective <= plan(instance, "edge-only+d2d").objective
    assert_clock_agrees(plan(instance, "optimised:3"), rounds=6)


def test_limits_of_a_round_are_kept_from_both_sides(paper: Instance) -> None:
    free = plan(paper, "optimised:8", gap=1e-4)
    frugal = plan(paper, "optimised:8", gap=1e-4, max_energy_j=14.0)
    assert frugal.energy_j <= 14.0 * (1 + 1e-9) < free.energy_j
    assert frugal.latency_s > free.latency_s
    assert frugal.bound <= frugal.objective
    assert frugal.gap <= 1e-3
    within = plan(paper, "optimised:8", gap=1e-4, max_latency_s=frugal.latency_s, time_weight_per_s=0.0)
    assert within.energy_j == pytest.approx(frugal.energy_j, rel=1e-3)
    hopeless = plan(paper, "optimised:8", gap=1e-4, max_energy_j=1.0)
    assert hopeless.plan is None
    assert "1 J" in hopeless.explanation
