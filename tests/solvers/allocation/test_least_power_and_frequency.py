"""Lower limits of power and frequency, up to fixed ones: every method keeps them, and the proofs hold."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.allocation import METHODS, AllocationProblem, solve, solve_resource_blocks
from solvers.common import InvalidProblem, Status

LN2 = np.log(2.0)
SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
KINDS = ("some", "fixed power", "fixed frequency", "both fixed")


def limited(values: dict[str, Any], kind: str, seed: int) -> dict[str, Any]:
    """Return a problem with lower limits: random ones for most devices, or both limits equal."""
    rng = np.random.default_rng(seed)
    power, frequency = (
        np.where(rng.random(len(values["bits"])) < 0.3, 0.0, rng.random(len(values["bits"])))
        for _ in range(2)
    )
    if kind in ("fixed power", "both fixed"):
        power = np.ones_like(power)
    if kind in ("fixed frequency", "both fixed"):
        frequency = np.ones_like(frequency)
    return values | {
        "min_power_w": power * values["max_power_w"],
        "min_frequency_hz": frequency * values["max_frequency_hz"],
    }


def test_a_lone_sender_at_a_fixed_power_and_frequency_has_nothing_to_choose() -> None:
    # C = 1e9 cycles at 1 GHz: 1 s, 1e-27 * 1e9 * 1e18 = 1 J; SNR 3 over 1 MHz sends 4 Mbit in 2 s at 0.75 W.
    problem = AllocationProblem(
        bits=4e6,
        gain=1e-12,
        noise_w_per_hz=2.5e-13,
        max_power_w=0.75e6,
        min_power_w=0.75e6,
        cycles=1e9,
        max_frequency_hz=1e9,
        min_frequency_hz=1e9,
        capacitance=1e-27,
        band_hz=1e6,
        energy_weight=2.0,
        time_weight=5.0,
    )
    result = solve(problem)
    assert result.solution is not None
    assert result.solution.transmit_s[0] == pytest.approx(2.0, rel=1e-12)
    assert result.objective == pytest.approx(2.0 * (1.0 + 1.5e6) + 5.0 * 3.0, rel=1e-12)
    assert result.gap <= 1e-12


def test_a_late_deadline_is_not_filled_by_a_device_at_its_least_power_and_frequency() -> None:
    # Alone in its band the device sends at the least power as fast as that allows, however late the deadline.
    band, power, n, bits = 1e6, 0.1, 4e-9, 1e6
    problem = AllocationProblem(
        bits=bits,
        gain=1e-12,
        noise_w_per_hz=n * 1e-12,
        max_power_w=1.0,
        min_power_w=power,
        cycles=1e9,
        max_frequency_hz=2e9,
        min_frequency_hz=5e8,
        capacitance=1e-27,
        band_hz=band,
        energy_weight=1.0,
        time_weight=0.0,
        deadline_s=1000.0,
    )
    airtime = bits * LN2 / (band * np.log1p(power / (n * band)))
    result = solve(problem)
    assert result.solution is not None
    assert result.solution.transmit_s[0] == pytest.approx(airtime, rel=1e-9)
    assert result.solution.frequency_hz[0] == pytest.approx(5e8, rel=1e-12)
    assert result.objective == pytest.approx(power * airtime + 1e-27 * 1e9 * 25e16, rel=1e-12)
    assert result.gap <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_extreme_cells_with_lower_limits_are_certified(make_cells: Any, seed: int, kind: str) -> None:
    values = limited(make_cells(seed, 200, 12), kind, seed)
    result = solve(AllocationProblem(**values))
    assert set(result.cell_status) == {Status.OPTIMAL}
    late = np.asarray(result.minimum_deadline_s) * np.random.default_rng(seed).uniform(1.01, 3.0, 200)
    timed = solve(AllocationProblem(**values | {"deadline_s": late}))
    assert set(timed.cell_status) == {Status.OPTIMAL}


@given(seed=st.integers(0, 10_000), num=st.integers(1, 10), kind=st.sampled_from(KINDS))
@SETTINGS
def test_lower_limits_never_lower_the_optimum(make_problem: Any, seed: int, num: int, kind: str) -> None:
    values = make_problem(seed, num)
    free, bound = solve(AllocationProblem(**values)), solve(AllocationProblem(**limited(values, kind, seed)))
    assert float(bound.objective) >= float(free.objective) * (1.0 - 1e-12)


@given(seed=st.integers(0, 10_000), num=st.integers(1, 10))
@SETTINGS
def test_limits_below_what_is_best_change_nothing(make_problem: Any, seed: int, num: int) -> None:
    values = make_problem(seed, num)
    free = solve(AllocationProblem(**values))
    assert free.solution is not None
    least = {
        "min_power_w": 0.9 * free.solution.power_w,
        "min_frequency_hz": 0.9 * free.solution.frequency_hz,
    }
    assert solve(AllocationProblem(**values | least)).objective == pytest.approx(free.objective, rel=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_every_heuristic_keeps_lower_limits_and_none_beats_the_bound(make_cells: Any, kind: str) -> None:
    problem = AllocationProblem(**limited(make_cells(3, 40, 8), kind, 3))
    best = solve(problem)
    for name, method in METHODS.items():
        if not method.needs:
            found = solve(problem, name)
            assert np.all(np.asarray(found.objective) >= np.asarray(best.bound))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["equal_bandwidth_optimal", "block_alternation"])
def test_these_heuristics_are_the_optimum_of_a_lone_device(make_problem: Any, name: str, kind: str) -> None:
    for seed in range(20):
        problem = AllocationProblem(**limited(make_problem(seed, 1), kind, seed))
        assert solve(problem, name).objective == pytest.approx(solve(problem).objective, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_blocks_cost_at_least_as_much_as_any_share_of_the_band(make_problem: Any, kind: str) -> None:
    for seed in range(3):
        values = limited(make_problem(seed, 3) | {"band_hz": 3e6}, kind, seed)
        problem = AllocationProblem(**values)
        whole = solve_resource_blocks(problem, block_hz=1e5)
        assert whole.status is Status.OPTIMAL
        assert whole.objective >= float(solve(problem).bound)
        assert whole.objective <= 1.2 * float(solve(problem).objective)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"max_power_w": 0.2, "min_power_w": [0.1, 0.3]},
            "min_power_w[1] is 0.3, must be at most max_power_w, which is 0.2",
        ),
        (
            {"max_frequency_hz": 1e9, "min_frequency_hz": 2e9},
            "min_frequency_hz[0] is 2000000000.0, must be at most max_frequency_hz, which is 1000000000.0",
        ),
        ({"min_power_w": -1.0}, "min_power_w is -1.0, must be a finite number >= 0"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(
    make_problem: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        AllocationProblem(**make_problem(0, 2) | changes)
