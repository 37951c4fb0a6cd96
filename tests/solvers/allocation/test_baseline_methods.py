"""The published heuristics: what they hold fixed, where they are right, where they stall."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, solve
from solvers.allocation.cells import Cells
from solvers.allocation.evaluate import cost
from solvers.allocation.fleet import cells_of
from solvers.allocation.solution import Proposal
from solvers.common import Status, StopReason

NAMES = ("block_alternation", "latency_first")


@pytest.fixture
def large_models(make_problem: Any) -> Any:
    """Return a maker of cells of 20 devices that send 10 to 50 Mbit each over 20 MHz."""

    def make(seed: int) -> AllocationProblem:
        rng = np.random.default_rng(seed)
        bits = rng.uniform(1e7, 5e7, 20)
        return AllocationProblem(
            **make_problem(seed, 20, bits=bits, band_hz=2e7, gain=10.0 ** rng.uniform(-13, -10, 20))
        )

    return make


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_no_heuristic_beats_the_bound_on_extreme_cells(make_cells: Any, name: str, given: bool) -> None:
    values = make_cells(40, 200, 10)
    rng = np.random.default_rng(40)
    for field in ("bits", "cycles", "capacitance"):
        values[field] = values[field] * (rng.random(len(values["bits"])) < 0.7)
    if given:
        least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
        values["deadline_s"] = np.maximum(1.4 * least, 1e-9)
    problem = AllocationProblem(**values)
    result = solve(problem, name)
    assert result.violations == ()
    assert np.all(np.asarray(result.objective) >= np.asarray(solve(problem).bound))
    assert result.stop_reason is StopReason.NO_PROGRESS


@pytest.mark.parametrize("name", NAMES)
def test_heuristics_without_prices_prove_nothing(make_problem: Any, name: str) -> None:
    result = solve(AllocationProblem(**make_problem(8, 4)), name)
    assert (result.status, result.bound, result.gap) == (Status.FEASIBLE, -np.inf, np.inf)


def test_alternation_never_moves_an_airtime(large_models: Any) -> None:
    for seed in range(5):
        problem = large_models(seed)
        start, end = (
            solve(problem, name).solution for name in ("equal_bandwidth_optimal", "block_alternation")
        )
        assert start is not None
        assert end is not None
        assert end.transmit_s == pytest.approx(start.transmit_s, rel=1e-12)
        assert not np.allclose(end.bandwidth_hz, start.bandwidth_hz, rtol=1e-3)


def test_alternation_lies_between_its_start_and_the_optimum(large_models: Any) -> None:
    for seed in range(5):
        problem = large_models(seed)
        start = float(solve(problem, "equal_bandwidth_optimal").objective)
        end = float(solve(problem, "block_alternation").objective)
        assert float(solve(problem).objective) * 1.005 < end < start


def test_alternation_is_right_for_a_lone_device_and_for_identical_ones(make_problem: Any) -> None:
    one = make_problem(9, 1)
    same = one | {name: np.repeat(value, 6) for name, value in one.items() if np.ndim(value) == 1}
    for values in (one, same):
        problem = AllocationProblem(**values)
        assert solve(problem, "block_alternation").objective == pytest.approx(
            solve(problem).objective, rel=1e-11
        )


def test_alternation_is_right_where_nobody_computes_before_a_given_deadline(make_problem: Any) -> None:
    # Everybody may send until T: block 2 alone is then the whole problem.
    values = make_problem(12, 8, cycles=0.0)
    values["deadline_s"] = 1.5 * float(solve(AllocationProblem(**values)).minimum_deadline_s)
    problem = AllocationProblem(**values)
    assert solve(problem, "block_alternation").objective == pytest.approx(solve(problem).objective, rel=1e-11)


def test_each_block_of_the_alternation_is_at_rest(large_models: Any) -> None:
    problem = large_models(1)
    found = solve(problem, "block_alternation").solution
    assert found is not None
    end = Proposal(
        bandwidth_hz=found.bandwidth_hz,
        power_w=found.power_w,
        frequency_hz=found.frequency_hz,
        transmit_s=found.transmit_s,
        deadline_s=np.atleast_1d(found.deadline_s),
    )
    best = cost(problem, end)[0]
    n = problem.noise_w_per_hz / problem.gain
    for factor in (0.999, 1.001):  # block 1: another deadline, with the frequencies that just meet it
        deadline = end.deadline_s * factor
        frequency = problem.cycles / (deadline - end.transmit_s)
        if np.all((frequency > 0) & (frequency <= problem.max_frequency_hz)):
            assert cost(problem, replace(end, deadline_s=deadline, frequency_hz=frequency))[0] > best
    for i, j in [(0, 1), (1, 0), (2, 7), (7, 2), (11, 5), (5, 11)]:  # block 2: a little band from i to j
        b = end.bandwidth_hz.copy()
        b[i], b[j] = b[i] - 1e-3 * b[i], b[j] + 1e-3 * b[i]
        power = n * b * (2.0 ** (problem.bits / (b * end.transmit_s)) - 1.0)
        if np.all(power <= problem.max_power_w):
            assert cost(problem, replace(end, bandwidth_hz=b, power_w=power))[0] > best


@pytest.mark.parametrize("given", [False, True])
def test_latency_first_ends_everybody_as_early_as_possible(make_cells: Any, given: bool) -> None:
    values = make_cells(41, 60, 8)
    least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
    problem = AllocationProblem(**values | ({"deadline_s": 3.0 * least} if given else {}))
    found = solve(problem, "latency_first").solution
    assert found is not None
    ends = problem.cycles / found.frequency_hz + found.transmit_s
    cells = Cells(cells_of(problem), problem.num_cells)
    assert cells.max(ends) == pytest.approx(least, rel=1e-11)
    assert np.asarray(found.deadline_s) == pytest.approx(least * (3.0 if given else 1.0), rel=1e-12)


def test_latency_first_leaves_senders_no_choice_but_full_power(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(14, 6))
    found = solve(problem, "latency_first").solution
    assert found is not None
    assert found.power_w == pytest.approx(problem.max_power_w, rel=1e-6)
    assert found.frequency_hz == pytest.approx(problem.max_frequency_hz, rel=1e-6)


def test_latency_first_lets_a_lone_computer_run_at_its_cap() -> None:
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
    # 0.5 s at 2 GHz: k C F^2 = 4 J, and w T = 1; the optimum takes 1 s for 1 J + 2.
    assert solve(problem, "latency_first").objective == pytest.approx(4.0 + 1.0, rel=1e-14)
    assert solve(problem).objective == pytest.approx(1.0 + 2.0, rel=1e-14)


def test_latency_first_is_the_optimum_where_energy_is_free(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(13, 5, energy_weight=0.0))
    assert solve(problem, "latency_first").objective == pytest.approx(solve(problem).objective, rel=1e-12)
