"""The bound is below every feasible point, and reaches the optimum: stress cases, batches, prices."""

from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, dual_bound, solve
from solvers.allocation.evaluate import cost, violations
from solvers.allocation.prepared import prepare
from solvers.allocation.repair import repaired
from solvers.common import Options, Status


@pytest.mark.parametrize(
    ("seed", "num_cells", "largest"), [(1, 400, 1), (2, 400, 6), (3, 200, 40), (4, 40, 200)]
)
def test_extreme_cells_are_solved_to_a_certified_gap_of_1e_9(
    make_cells: Any, seed: int, num_cells: int, largest: int
) -> None:
    result = solve(AllocationProblem(**make_cells(seed, num_cells, largest)))
    assert set(result.cell_status) == {Status.OPTIMAL}
    assert np.max(result.gap) <= 1e-9


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_extreme_cells_with_idle_partly_idle_and_free_devices_are_certified(
    make_cells: Any, seed: int
) -> None:
    values = make_cells(seed, 300, 8)
    rng = np.random.default_rng(seed)
    for name in ("bits", "cycles", "capacitance"):
        values[name] = values[name] * (rng.random(len(values["bits"])) < 0.5)
    values["energy_weight"] = rng.choice([0.0, 1e-3, 1.0, 1e3], 300)
    assert np.max(solve(AllocationProblem(**values)).gap) <= 1e-9


@pytest.mark.parametrize("factor", [1.001, 1.3, 10.0, 1e5])
def test_given_deadlines_are_certified(make_cells: Any, factor: float) -> None:
    values = make_cells(8, 200, 12)
    least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
    given = solve(AllocationProblem(**values | {"deadline_s": factor * least, "time_weight": 0.0}))
    assert np.max(given.gap) <= 1e-9


def test_a_cell_at_its_least_deadline_is_feasible_and_its_bound_holds(make_cells: Any) -> None:
    values = make_cells(9, 100, 5)
    least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
    result = solve(AllocationProblem(**values | {"deadline_s": least}))
    assert Status.INFEASIBLE not in result.cell_status
    assert np.all(np.asarray(result.bound) <= np.asarray(result.objective))


def test_extreme_solutions_keep_every_limit_to_1e_12(make_cells: Any) -> None:
    problem = AllocationProblem(**make_cells(10, 200, 20))
    found = solve(problem).solution
    assert found is not None
    ratio = found.power_w * problem.gain / (problem.noise_w_per_hz * found.bandwidth_hz)
    rate = found.bandwidth_hz * np.log1p(ratio) / np.log(2.0)
    deadline = np.asarray(found.deadline_s)[problem.cell]
    band = np.bincount(problem.cell, found.bandwidth_hz)
    assert np.max(problem.bits / (rate * found.transmit_s)) <= 1.0 + 1e-12
    assert np.max((problem.cycles / found.frequency_hz + found.transmit_s) / deadline) <= 1.0 + 1e-12
    assert np.max(band / problem.band_hz) <= 1.0 + 1e-12
    assert np.max(found.power_w / problem.max_power_w) <= 1.0
    assert np.max(found.frequency_hz / problem.max_frequency_hz) <= 1.0


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_any_prices_bound_any_feasible_point(make_problem: Any, seed: int, given: bool) -> None:
    rng = np.random.default_rng(seed)
    num = int(rng.integers(1, 7))
    values = make_problem(seed, num)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    if given:
        values["deadline_s"] = least * (1.0 + rng.exponential())
    problem = AllocationProblem(**values)
    prepared = prepare(problem)
    margin = prepared.margin() if given else prepared.least + least * rng.exponential(1.0, 1)
    for _ in range(10):
        point = repaired(
            problem, prepared.fleet, values["band_hz"] * rng.random(num), least * rng.random(num), margin
        )
        assert violations(problem, point) == ()
        mu = 10.0 ** rng.uniform(-12, 2)
        prices = 10.0 ** rng.uniform(-6, 4, num) * (rng.random(num) < 0.9)
        assert dual_bound(problem, mu, prices)[0] <= cost(problem, point)[0]


def test_zero_prices_still_bound(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(3, 4))
    bound = dual_bound(problem, 0.0, np.zeros(4))
    assert np.isfinite(bound[0])
    assert bound[0] <= solve(problem).objective


@pytest.mark.parametrize("seed", range(6))
def test_deadline_price_is_minus_the_slope_of_the_energy_cost(make_problem: Any, seed: int) -> None:
    values = make_problem(seed, 6, time_weight=0.0)
    least = float(solve(AllocationProblem(**values | {"time_weight": 1.0})).minimum_deadline_s)
    middle, step = 1.5 * least, 1.5e-5 * least
    before, here, after = (
        solve(AllocationProblem(**values | {"deadline_s": middle + k * step})) for k in (-1, 0, 1)
    )
    slope = (after.objective - before.objective) / (2.0 * step)
    assert here.solution is not None
    assert here.solution.deadline_price == pytest.approx(-slope, rel=1e-6)


@pytest.mark.parametrize("given", [False, True])
def test_bandwidth_price_is_minus_the_slope_of_the_optimum(make_problem: Any, given: bool) -> None:
    values = make_problem(11, 6)
    if given:
        least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
        values["deadline_s"] = 2.0 * least
    band = values["band_hz"]
    before, here, after = (
        solve(AllocationProblem(**values | {"band_hz": band * (1.0 + k * 1e-5)})) for k in (-1, 0, 1)
    )
    slope = (after.objective - before.objective) / (2e-5 * band)
    assert here.solution is not None
    assert here.solution.bandwidth_price == pytest.approx(-slope, rel=1e-6)


def test_chosen_deadlines_have_the_price_of_time(make_cells: Any) -> None:
    problem = AllocationProblem(**make_cells(12, 50, 10))
    found = solve(problem).solution
    assert found is not None
    assert found.deadline_price == pytest.approx(problem.time_weight, rel=1e-9)


def test_a_gap_that_cannot_be_reached_is_reported_as_feasible(make_problem: Any) -> None:
    result = solve(AllocationProblem(**make_problem(1, 5)), options=Options(gap=0.0))
    assert result.status is Status.FEASIBLE
    assert 0.0 < result.gap <= 1e-13


@pytest.mark.parametrize("seed", range(8))
def test_numbers_far_beyond_physics_still_get_a_checked_answer_and_a_bound_below_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_cells, num = 40, 120

    def spread(low: float, high: float, length: int = num) -> Any:
        return 10.0 ** rng.uniform(low, high, length)

    problem = AllocationProblem(
        bits=spread(-3, 14) * (rng.random(num) < 0.8),
        gain=spread(-30, 3),
        noise_w_per_hz=spread(-24, -10),
        max_power_w=spread(-9, 6),
        cycles=spread(-2, 16) * (rng.random(num) < 0.8),
        max_frequency_hz=spread(2, 14),
        capacitance=spread(-45, -15) * (rng.random(num) < 0.8),
        band_hz=spread(-2, 13, num_cells),
        energy_weight=spread(-12, 12, num_cells) * (rng.random(num_cells) < 0.9),
        time_weight=spread(-12, 12, num_cells),
        deadline_s=spread(-6, 9, num_cells) if seed % 2 else None,
        cell=rng.integers(0, num_cells, num),
    )
    result = solve(problem)
    assert result.violations == ()
    assert np.all(np.asarray(result.bound) <= np.asarray(result.objective))
    assert np.mean([status in (Status.OPTIMAL, Status.INFEASIBLE) for status in result.cell_status]) >= 0.85
