"""The least energy within a latency, and the published network's optima with everything decided at once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers.clusters import ClusterProblem, FrontMemory, evaluate, solve, solve_within, violations
from solvers.common import InvalidProblem, Options, Status, StopReason

INSTANCE = Path(__file__).parents[3] / "instances" / "paper-40.json"
BEST_TREES = {
    (False, 1e6, 2): (7.951, 63.44),
    (True, 1e6, 8): (3.095, 24.29),
    (False, 4e6, 200): (0.872, 11.78),
}
"""Half duplex, uplink band, period: seconds and joules a round of the best trees at nominal resources."""


def test_two_nodes_take_all_the_time_that_they_are_given() -> None:
    gain, band, bits, noise = 1e-9, 8e6, 48e6, 4e-20
    problem = ClusterProblem(
        gain=np.array([[0.0, gain], [0.0, 0.0]]),
        noise_w_per_hz=noise,
        band_hz=band,
        item_bits=bits,
        max_power_w=0.2,
        energy_weight=1.0,
        time_weight=1.0,
        num_round_trips=0.0,
        num_root_legs=1.0,
    )
    result = solve_within(problem, 3.0)

    least_j = noise / gain * band * 3.0 * np.expm1(bits * np.log(2) / (band * 3.0))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(least_j, rel=1e-7)
    assert result.solution is not None
    assert result.solution.latency_s == pytest.approx(3.0, rel=1e-9)


@pytest.mark.parametrize("half_duplex", [False, True])
def test_more_time_never_costs_more_and_bounds_are_below(
    make_clusters: Any, everything: Any, half_duplex: bool
) -> None:
    many = 12
    values = make_clusters(51, many, 4) | everything(52, many, 4)
    problem = ClusterProblem(**values, half_duplex=half_duplex)
    fastest = replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))
    least_s = np.asarray(solve(fastest).objective)
    before = np.full(many, np.inf)
    for factor in (1.02, 1.2, 2.0, 5.0):
        result = solve_within(problem, factor * least_s)
        assert result.solution is not None
        assert violations(problem, result.solution.plan) == ()
        checked = evaluate(problem, result.solution.plan)
        assert np.all(checked.latency_s <= factor * least_s)
        assert checked.energy_j == pytest.approx(np.asarray(result.objective), rel=1e-12)
        assert np.all(np.asarray(result.bound) <= before)
        assert np.median(result.gap) <= (1e-3 if half_duplex else 1e-6)
        before = np.minimum(before, np.asarray(result.objective))


def test_an_optimum_at_a_price_is_the_optimum_within_its_own_latency(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(53, 20, 4, num_round_trips=0.5))
    priced = solve(problem, options=Options(gap=1e-9)).solution
    assert priced is not None
    within = solve_within(problem, priced.latency_s * (1 + 1e-9))
    assert within.objective == pytest.approx(priced.energy_j, rel=1e-5)
    assert np.all(np.asarray(within.bound) <= priced.energy_j * (1 + 1e-9))


def test_no_latency_below_the_least_is_promised(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(54, 3, 3))
    fastest = replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))
    least_s = np.asarray(solve(fastest).objective)
    result = solve_within(problem, least_s * np.array([0.9, 2.0, 0.5]))
    assert result.cluster_status == (Status.INFEASIBLE, Status.OPTIMAL, Status.INFEASIBLE)
    nothing = solve_within(problem, 0.1 * least_s)
    assert nothing.stop_reason is StopReason.PROVEN_INFEASIBLE
    assert nothing.solution is None
    with pytest.raises(InvalidProblem, match="latency_s"):
        solve_within(problem, np.zeros(3))


def paper_clusters(half_duplex: bool, uplink_hz: float, period: int) -> ClusterProblem:
    instance = json.loads(INSTANCE.read_text())
    devices = [node["id"] for node in instance["nodes"] if node["tier"] == "device"]
    gain, leg_gain = np.zeros((10, 4, 4)), np.zeros((10, 4))
    for link in instance["wireless_links"]:
        if link["source"] in devices:
            cluster, node = divmod(devices.index(link["source"]), 4)
            if link["target"] in devices:
                gain[cluster, node, devices.index(link["target"]) % 4] = link["gain"]
            elif link["target"] == f"s{cluster}":
                leg_gain[cluster, node] = link["gain"]
    noise = instance["bands"][0]["noise_w_per_hz"]
    return ClusterProblem(
        gain=gain,
        noise_w_per_hz=noise,
        band_hz=24e6,
        item_bits=48e6,
        max_power_w=0.6,
        energy_weight=1.0,
        time_weight=1.0,
        num_round_trips=(period - 1) / period,
        num_root_legs=1 / period,
        leg_gain=leg_gain,
        leg_noise_w_per_hz=noise,
        leg_band_hz=uplink_hz,
        leg_max_power_w=0.6,
        root_seconds=12.1,
        root_joules=0.0 if period == 200 else 0.8 * 12.1,
        half_duplex=half_duplex,
    )


@pytest.mark.parametrize("row", BEST_TREES)
def test_the_published_network_needs_less_energy_than_the_best_trees_in_the_same_time(row: Any) -> None:
    latency_s, energy_j = BEST_TREES[row]
    result = solve_within(paper_clusters(*row), np.full(10, latency_s))

    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.solution.latency_s.max() <= latency_s
    assert np.sum(result.objective) < energy_j - 8.0


@pytest.mark.parametrize("half_duplex", [False, True])
def test_no_plan_is_below_the_line_that_proves_the_bound(make_clusters: Any, half_duplex: bool) -> None:
    """The line of a limit holds at every other one: plans at random prices stay above it."""
    many = 10
    problem = ClusterProblem(**make_clusters(55, many, 4, num_round_trips=0.5), half_duplex=half_duplex)
    fastest = replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))
    limit_s = 1.5 * np.asarray(solve(fastest).objective)
    within = solve_within(problem, limit_s)
    price, bound_j = np.asarray(within.time_price), np.asarray(within.bound)
    assert np.all(price > 0)
    for weight in (0.01, 0.3, 10.0, 300.0):
        other = solve(replace(problem, energy_weight=np.array(1.0), time_weight=np.array(weight))).solution
        assert other is not None
        line_j = bound_j + price * (limit_s - other.latency_s)
        assert np.all(other.energy_j >= line_j * (1 - 1e-9) - 1e-12)


def test_a_memory_gives_the_same_optima_from_what_it_knows(make_clusters: Any) -> None:
    many = 8
    problem = ClusterProblem(**make_clusters(56, many, 4, num_round_trips=0.5))
    fastest = replace(problem, energy_weight=np.array(0.0), time_weight=np.array(1.0))
    least_s = np.asarray(solve(fastest).objective)
    memory, names = FrontMemory(), list(range(100, 100 + many))
    for factor in (1.3, 2.0, 1.6, 1.6):
        alone = solve_within(problem, factor * least_s)
        found = solve_within(problem, factor * least_s, memory=memory, names=names)
        assert found.solution is not None
        assert np.all(found.solution.latency_s <= factor * least_s)
        assert np.asarray(found.bound) == pytest.approx(np.asarray(alone.bound), rel=1e-4)
        assert np.all(np.asarray(found.objective) <= np.asarray(alone.objective) * (1 + 1e-4))
        assert np.all(np.asarray(found.bound) <= np.asarray(alone.objective) * (1 + 1e-9))
    assert memory.fast(100, 1.6 * least_s[0]) is not None
    assert memory.fast(100, 0.5 * least_s[0]) is None
    assert memory.line(99, 1.0) == (0.0, 0.0)
