"""Answers worked out with a pencil."""

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, solve

LN2 = np.log(2.0)
IDLE_CPU = {"cycles": 0.0, "max_frequency_hz": 1e9, "capacitance": 1e-28}


def test_one_sender_sends_at_the_snr_where_its_energy_and_time_prices_balance() -> None:
    # n b = 1e-3 W with b the whole band; w_T = w_E n b asks for chi(x) = 1, which is x = e - 1, q = 1.
    problem = AllocationProblem(
        bits=1e6 / LN2,
        gain=4e-12,
        noise_w_per_hz=4e-21,
        max_power_w=1.0,
        band_hz=1e6,
        energy_weight=1.0,
        time_weight=1e-3,
        **IDLE_CPU,
    )
    result = solve(problem)
    assert result.solution is not None
    assert result.solution.transmit_s[0] == pytest.approx(1.0, rel=1e-11)
    assert result.solution.power_w[0] == pytest.approx(1e-3 * (np.e - 1.0), rel=1e-11)
    assert result.objective == pytest.approx(1e-3 * np.e, rel=1e-14)
    assert result.gap <= 1e-14


def test_one_computer_runs_at_the_cube_root_of_half_the_price_ratio() -> None:
    # min k C^3 / T^2 + w T has T = C (2 k / w)^(1/3): here 1e9 * (2e-27 / 2)^(1/3) = 1.
    problem = AllocationProblem(
        bits=0.0,
        gain=0.0,
        noise_w_per_hz=4e-21,
        max_power_w=0.0,
        cycles=1e9,
        max_frequency_hz=2e9,
        capacitance=1e-27,
        band_hz=0.0,
        energy_weight=1.0,
        time_weight=2.0,
    )
    result = solve(problem)
    assert result.solution is not None
    assert result.solution.frequency_hz[0] == pytest.approx(1e9, rel=1e-12)
    assert result.objective == pytest.approx(1.0 + 2.0, rel=1e-14)
    assert result.minimum_deadline_s == 0.5


def test_costly_time_runs_a_computer_at_its_cap() -> None:
    problem = AllocationProblem(
        bits=0.0,
        gain=0.0,
        noise_w_per_hz=4e-21,
        max_power_w=0.0,
        cycles=1e9,
        max_frequency_hz=2e9,
        capacitance=1e-27,
        band_hz=0.0,
        energy_weight=1.0,
        time_weight=2000.0,
    )
    result = solve(problem)
    assert result.objective == pytest.approx(1e-27 * 1e9 * 4e18 + 2000.0 * 0.5, rel=1e-14)
    assert result.gap <= 1e-14


def test_latency_only_gives_equal_devices_equal_bands() -> None:
    band, cap, gain, noise, bits, num = 3e6, 0.2, 1e-12, 4e-21, 5e6, 3
    problem = AllocationProblem(
        bits=np.full(num, bits),
        gain=gain,
        noise_w_per_hz=noise,
        max_power_w=cap,
        cycles=1e9,
        max_frequency_hz=2e9,
        capacitance=1e-28,
        band_hz=band,
        energy_weight=0.0,
        time_weight=7.0,
    )
    share = band / num
    least = 0.5 + bits / (share * np.log2(1.0 + cap * gain / (noise * share)))
    result = solve(problem)
    assert result.solution is not None
    assert result.objective == pytest.approx(7.0 * least, rel=1e-13)
    assert result.minimum_deadline_s == pytest.approx(least, rel=1e-13)
    assert result.solution.bandwidth_hz == pytest.approx(np.full(num, share), rel=1e-12)
    assert result.gap <= 1e-13


def test_a_given_deadline_is_used_to_the_end_by_a_lone_sender() -> None:
    band, bits, noise, gain, deadline = 1e6, 4e6, 4e-21, 1e-12, 2.0
    problem = AllocationProblem(
        bits=bits,
        gain=gain,
        noise_w_per_hz=noise,
        max_power_w=1.0,
        band_hz=band,
        energy_weight=3.0,
        time_weight=0.0,
        deadline_s=deadline,
        **IDLE_CPU,
    )
    ratio = 2.0 ** (bits / (band * deadline)) - 1.0  # = 3
    result = solve(problem)
    assert result.objective == pytest.approx(3.0 * noise / gain * band * ratio * deadline, rel=1e-13)
    assert result.gap <= 1e-13


def test_identical_devices_cost_as_one_of_them_with_its_share_of_band_and_time_price() -> None:
    common = {
        "gain": 1e-12,
        "noise_w_per_hz": 4e-21,
        "max_power_w": 0.1,
        "cycles": 2e9,
        "max_frequency_hz": 1e9,
        "capacitance": 1e-27,
        "energy_weight": 1.0,
    }
    five = solve(AllocationProblem(bits=np.full(5, 2e7), band_hz=1e7, time_weight=10.0, **common))
    one = solve(AllocationProblem(bits=2e7, band_hz=2e6, time_weight=2.0, **common))
    assert five.objective == pytest.approx(5 * one.objective, rel=1e-13)


def test_nothing_to_do_costs_nothing() -> None:
    problem = AllocationProblem(
        bits=np.zeros(2),
        gain=1e-12,
        noise_w_per_hz=4e-21,
        max_power_w=0.1,
        band_hz=1e6,
        energy_weight=1.0,
        time_weight=1.0,
        **IDLE_CPU,
    )
    result = solve(problem)
    assert result.solution is not None
    assert (result.objective, result.bound, result.gap) == (0.0, 0.0, 0.0)
    assert result.solution.deadline_s == 0.0


def test_a_slow_server_without_energy_cost_sets_the_deadline_of_a_hurried_cell() -> None:
    # Device 1 only computes, at a fixed speed: it needs 10 s; device 0 could be done in far less.
    problem = AllocationProblem(
        bits=[1e6, 0.0],
        gain=1e-11,
        noise_w_per_hz=4e-21,
        max_power_w=0.1,
        cycles=[0.0, 1e10],
        max_frequency_hz=1e9,
        capacitance=[1e-28, 0.0],
        band_hz=1e6,
        energy_weight=1.0,
        time_weight=100.0,
    )
    result = solve(problem)
    assert result.solution is not None
    assert result.solution.deadline_s == 10.0
    energy = 4e-21 / 1e-11 * 1e6 * 10.0 * (2.0 ** (1e6 / (1e6 * 10.0)) - 1.0)
    assert result.objective == pytest.approx(1000.0 + energy, rel=1e-14)
    assert result.gap <= 1e-14
