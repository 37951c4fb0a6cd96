"""Clusters whose optimum is a scalar minimisation, or is found on a grid."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from solvers.clusters import ClusterProblem, solve
from solvers.common import Status

N0, BAND, BITS, POWER = 4e-20, 8e6, 48e6, 0.2


def two_nodes(**changes: Any) -> dict[str, Any]:
    return {
        "gain": np.array([[0.0, 1e-9], [3e-10, 0.0]]),
        "noise_w_per_hz": N0,
        "band_hz": BAND,
        "item_bits": BITS,
        "max_power_w": POWER,
        "energy_weight": 1.0,
        "time_weight": 2.0,
        "num_round_trips": 0.0,
        "num_root_legs": 1.0,
    } | changes


def joules(gain: float, band: float, seconds: Any) -> Any:
    return N0 / gain * band * seconds * np.expm1(BITS * np.log(2) / (band * seconds))


def shortest(gain: float, band: float = BAND, power: float = POWER) -> float:
    return BITS / (band * np.log2(1 + power * gain / (N0 * band)))


def test_two_nodes_send_over_the_better_link_at_the_best_power() -> None:
    result = solve(ClusterProblem(**two_nodes(time_weight=0.2)))

    found = minimize_scalar(
        lambda t: joules(1e-9, BAND, t) + 0.2 * t,
        bounds=(shortest(1e-9), 100.0),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert result.objective == pytest.approx(found.fun, rel=1e-9)
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.solution.plan.root == 1
    assert result.solution.plan.parent.tolist() == [1, -1]
    assert result.solution.gather_s == pytest.approx(found.x, rel=1e-5)
    assert result.solution.plan.power_w[0] < POWER


def test_a_high_price_of_time_asks_for_full_power() -> None:
    result = solve(ClusterProblem(**two_nodes(time_weight=1e4)))

    assert result.solution is not None
    assert result.solution.plan.power_w[0] == pytest.approx(POWER, rel=1e-12)
    assert result.solution.gather_s == pytest.approx(shortest(1e-9), rel=1e-12)


def test_two_nodes_that_compute_and_may_both_be_roots_agree_with_a_grid() -> None:
    cycles, highest, capacitance = np.array([1e9, 3e9]), np.array([1e9, 1.5e9]), 1e-27
    values = two_nodes(cycles=cycles, max_frequency_hz=highest, capacitance=capacitance, time_weight=1.5)
    result = solve(ClusterProblem(**values))

    best = np.inf
    for sender, gain in ((0, 1e-9), (1, 3e-10)):
        root = 1 - sender
        frequency = np.linspace(0.05, 1.0, 700)[:, None] * highest[sender]
        airtime = shortest(gain) * np.geomspace(1.0, 8.0, 900)
        end = cycles[sender] / frequency + airtime
        at_root = np.minimum(highest[root], cycles[root] / end)  # as slow as it may be, or as fast as it can
        late = np.maximum(end, cycles[root] / at_root)
        cost = capacitance * (cycles[sender] * frequency**2 + cycles[root] * at_root**2)
        best = min(best, (cost + joules(gain, BAND, airtime) + 1.5 * late).min())
    assert best * (1 - 1e-4) <= result.objective <= best


def test_latency_alone_lets_two_senders_end_together_at_full_power() -> None:
    gain = np.zeros((3, 3))
    gain[1, 0], gain[2, 0] = 2e-9, 2e-10
    result = solve(ClusterProblem(**two_nodes(gain=gain, energy_weight=0.0, time_weight=1.0)))

    share = brentq(lambda b: shortest(2e-9, b) - shortest(2e-10, BAND - b), 1e3, BAND - 1e3, xtol=1e-6)
    assert result.objective == pytest.approx(shortest(2e-9, share), rel=1e-9)
    assert result.solution is not None
    assert result.solution.plan.bandwidth_hz[1] == pytest.approx(share, rel=1e-5)
    assert result.solution.plan.power_w[1:] == pytest.approx([POWER, POWER], rel=1e-9)


def test_series_of_equal_receptions_takes_the_band_of_both() -> None:
    gain = np.zeros((3, 3))
    gain[1, 0] = gain[2, 0] = 1e-9
    values = two_nodes(gain=gain, energy_weight=0.0, time_weight=1.0)
    parallel = solve(ClusterProblem(**values))
    series = solve(ClusterProblem(**values, half_duplex=True))

    assert parallel.objective == pytest.approx(shortest(1e-9, BAND / 2), rel=1e-9)
    assert series.objective == pytest.approx(2 * shortest(1e-9, BAND / 2), rel=1e-9)
    assert series.solution is not None
    assert sorted(series.solution.plan.order[1:].tolist()) == [0, 1]


def test_a_relay_sends_what_it_merged_once() -> None:
    gain = np.zeros((3, 3))
    gain[0, 1], gain[1, 2] = 1e-9, 1e-9
    items = np.array([[True, False], [True, True], [True, True]])
    values = two_nodes(gain=gain, item_bits=[BITS, BITS / 2], node_items=items, energy_weight=0.0)
    result = solve(ClusterProblem(**values))

    def both(share: float) -> float:
        return shortest(1e-9, share) + 1.5 * shortest(1e-9, BAND - share)

    found = minimize_scalar(both, bounds=(1e5, BAND - 1e5), method="bounded", options={"xatol": 1e-3})
    assert result.objective == pytest.approx(2.0 * found.fun, rel=1e-9)
    assert result.solution is not None
    assert result.solution.plan.parent.tolist() == [1, 2, -1]


def test_the_leg_of_the_root_has_its_own_band_and_best_power() -> None:
    leg = {"leg_gain": [2e-12, 1e-13], "leg_noise_w_per_hz": N0, "leg_band_hz": 1e6, "leg_max_power_w": 1.0}
    values = two_nodes(gain=np.array([[0.0, 1e-9], [1e-9, 0.0]]), **leg)
    with_leg, without = (
        solve(ClusterProblem(**values)),
        solve(ClusterProblem(**two_nodes(gain=values["gain"]))),
    )

    def cost(power: Any) -> Any:
        return (power + 2.0) * BITS / (1e6 * np.log2(1 + power * 2e-12 / (N0 * 1e6)))

    best = minimize_scalar(cost, bounds=(1e-4, 1.0), method="bounded", options={"xatol": 1e-12})
    assert with_leg.solution is not None
    assert with_leg.solution.plan.root == 0
    assert with_leg.objective - without.objective == pytest.approx(best.fun, rel=1e-8)
    assert with_leg.solution.plan.leg_power_w == pytest.approx(best.x, rel=1e-4)


def test_the_way_back_is_a_way_up_over_the_links_in_the_other_direction() -> None:
    gain = np.array([[0.0, 1e-9], [1e-9, 0.0]])
    once = solve(ClusterProblem(**two_nodes(gain=gain)))
    there_and_back = solve(ClusterProblem(**two_nodes(gain=gain, num_round_trips=3.0, num_root_legs=0.0)))

    assert there_and_back.objective == pytest.approx(6 * once.objective, rel=1e-9)


def test_a_server_without_items_gathers_where_it_is_the_only_candidate_root() -> None:
    gain = np.zeros((3, 3))
    gain[0, 2], gain[1, 2], gain[1, 0] = 1e-9, 1e-12, 1e-9  # the second device is far from the server
    held = np.array([[True], [True], [False]])
    roots = np.array([False, False, True])
    values = two_nodes(gain=gain, node_items=held, roots=roots, energy_weight=0.0)
    result = solve(ClusterProblem(**values))

    assert result.solution is not None
    assert result.solution.plan.parent.tolist() == [2, 0, -1]
    assert result.objective == pytest.approx(2.0 * 2 * shortest(1e-9, BAND / 2), rel=1e-9)


def test_the_receiver_of_a_leg_costs_power_while_it_listens() -> None:
    """A second of the leg costs 0.7 J more: the best power rises as if time cost that much more."""
    leg = {"leg_gain": [2e-12, 0.0], "leg_noise_w_per_hz": N0, "leg_band_hz": 1e6, "leg_max_power_w": 1.0}
    gain = np.array([[0.0, 1e-9], [1e-9, 0.0]])
    values = two_nodes(gain=gain, roots=np.array([True, False]), **leg)
    listening = solve(ClusterProblem(**values, leg_receive_power_w=0.7))

    def cost(power: Any) -> Any:
        return (power + 0.7 + 2.0) * BITS / (1e6 * np.log2(1 + power * 2e-12 / (N0 * 1e6)))

    best = minimize_scalar(cost, bounds=(1e-4, 1.0), method="bounded", options={"xatol": 1e-12})
    assert listening.solution is not None
    leg_cost = listening.solution.leg_j + 2.0 * listening.solution.leg_s
    assert leg_cost == pytest.approx(best.fun, rel=1e-8)
    assert listening.solution.plan.leg_power_w == pytest.approx(best.x, rel=1e-4)
