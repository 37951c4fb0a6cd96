"""Whole resource blocks: by hand, against brute force, laws, certificates, refusals."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from solvers.allocation import AllocationProblem, solve, solve_resource_blocks
from solvers.allocation.whole_blocks import block_table, look
from solvers.common import InvalidProblem, Options, Status, StopReason

BLOCK = 180e3
LN2 = np.log(2.0)
SETTINGS = settings(max_examples=15, deadline=None, derandomize=True)
SEEDS = st.integers(0, 10_000)


def _device_cost(values: dict[str, Any], i: int, bandwidth: float, deadline: float) -> float:
    """Return the least cost of device i by a bounded search in its airtime, or inf."""
    bits, cycles, fastest = values["bits"][i], values["cycles"][i], values["max_frequency_hz"][i]
    n = values["noise_w_per_hz"] / values["gain"][i]
    rate = bandwidth * np.log2(1.0 + values["max_power_w"][i] / (n * bandwidth))
    low, high = bits / rate, deadline - cycles / fastest
    if low > high:
        return float(np.inf)

    def cost(t: float) -> float:
        power = n * bandwidth * (2.0 ** (bits / (bandwidth * t)) - 1.0)
        return float(power * t + values["capacitance"][i] * cycles**3 / (deadline - t) ** 2)

    inside = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-9 * high})
    return min(float(inside.fun), cost(low), cost(high))


def _brute_force(values: dict[str, Any], total: int, deadline: float | None) -> float:
    """Return the optimum over every split of the blocks (all are used: more never hurts)."""
    num, best = len(values["bits"]), np.inf
    for head in product(range(1, total), repeat=num - 1):
        blocks = [*head, total - sum(head)]
        if blocks[-1] < 1:
            continue

        def at(T: float, blocks: list[int] = blocks) -> float:
            joules = sum(_device_cost(values, i, m * BLOCK, T) for i, m in enumerate(blocks))
            return float(joules + values["time_weight"] * T)

        if deadline is not None:
            best = min(best, at(deadline))
            continue
        n = values["noise_w_per_hz"] / values["gain"]
        b = BLOCK * np.array(blocks)
        ends = values["bits"] / (b * np.log2(1.0 + values["max_power_w"] / (n * b)))
        low = float(np.max(ends + values["cycles"] / values["max_frequency_hz"])) * (1.0 + 1e-12)
        if values["time_weight"] * low >= best:
            continue
        high = min(at(low), at(2.0 * low), best) / values["time_weight"]
        inside = minimize_scalar(
            at, bounds=(low, max(high, low)), method="bounded", options={"xatol": 1e-7 * low}
        )
        best = min(best, float(inside.fun), at(low))
    return best


@pytest.mark.parametrize(("seed", "num", "total"), [(0, 2, 7), (1, 2, 9), (2, 3, 5), (3, 3, 6), (4, 1, 4)])
def test_no_split_of_the_blocks_is_better(make_problem: Any, seed: int, num: int, total: int) -> None:
    values = make_problem(seed, num, band_hz=(total + 0.5) * BLOCK)
    result = solve_resource_blocks(AllocationProblem(**values), BLOCK)
    assert result.status is Status.OPTIMAL
    brute = _brute_force(values, total, None)
    assert result.objective == pytest.approx(brute, rel=1e-6)
    assert result.bound <= brute * (1.0 + 1e-12)


@pytest.mark.parametrize(("seed", "num", "total"), [(10, 2, 9), (11, 3, 8), (12, 3, 9), (13, 4, 8)])
@pytest.mark.parametrize("time_weight", [0.0, 2.0])
def test_no_split_of_the_blocks_is_better_at_a_given_deadline(
    make_problem: Any, seed: int, num: int, total: int, time_weight: float
) -> None:
    values = make_problem(seed, num, band_hz=total * BLOCK)
    free = solve_resource_blocks(AllocationProblem(**values), BLOCK)
    assert free.solution is not None
    values |= {"deadline_s": 1.1 * free.solution.deadline_s, "time_weight": time_weight}
    result = solve_resource_blocks(AllocationProblem(**values), BLOCK)
    assert result.gap <= 1e-12
    assert result.objective == pytest.approx(_brute_force(values, total, values["deadline_s"]), rel=1e-9)


def test_two_equal_senders_share_three_blocks_as_two_and_one() -> None:
    # T = 1 s, n b = 1 mW a block, 2 nat over one block and 1 nat over two: e^2 - 1 and 2 (e - 1) mJ.
    problem = AllocationProblem(
        bits=np.full(2, 2.0 * BLOCK / LN2),
        gain=4e-21 * BLOCK / 1e-3,
        noise_w_per_hz=4e-21,
        max_power_w=1.0,
        cycles=0.0,
        max_frequency_hz=1e9,
        capacitance=1e-28,
        band_hz=3.9 * BLOCK,
        energy_weight=1.0,
        time_weight=0.0,
        deadline_s=1.0,
    )
    result = solve_resource_blocks(problem, BLOCK)
    assert result.solution is not None
    assert sorted(result.solution.blocks.tolist()) == [1, 2]
    assert result.objective == pytest.approx(1e-3 * (np.e**2 - 1.0 + 2.0 * (np.e - 1.0)), rel=1e-12)
    assert result.gap <= 1e-12


@pytest.mark.parametrize(("seed", "num"), [(20, 4), (21, 12), (22, 30), (23, 60)])
def test_cells_of_up_to_sixty_devices_are_certified(make_problem: Any, seed: int, num: int) -> None:
    problem = AllocationProblem(**make_problem(seed, num, band_hz=1.8e7))
    result = solve_resource_blocks(problem, BLOCK)
    assert result.status is Status.OPTIMAL
    assert result.stop_reason is StopReason.GAP_REACHED
    assert result.gap <= 1e-9
    assert result.solution is not None
    assert int(result.solution.blocks.sum()) <= 100
    assert result.objective >= float(solve(problem).bound)


def test_fine_blocks_cost_what_a_continuous_band_does(make_problem: Any) -> None:
    values = make_problem(24, 5, band_hz=1e7)
    smooth = float(solve(AllocationProblem(**values)).objective)
    losses = [
        solve_resource_blocks(AllocationProblem(**values), 1e7 / count).objective / smooth - 1.0
        for count in (10, 100, 1000)
    ]
    assert losses[0] > losses[1] > losses[2] > 0.0
    assert losses[2] < 1e-4


@given(seed=SEEDS, share=st.floats(0.0, 1.0), num=st.integers(1, 6))
@SETTINGS
def test_the_bound_of_an_interval_is_below_the_cost_at_every_deadline_in_it(
    make_problem: Any, seed: int, share: float, num: int
) -> None:
    problem = AllocationProblem(**make_problem(seed, num, band_hz=20.5 * BLOCK))
    table = block_table(problem, BLOCK, 20)
    least = table.least_deadline
    early, late = least * (1.0 + share), least * (1.0 + share) * 1.7
    bound = look(table, late).bound(early)
    for deadline in np.linspace(early, late, 6):
        at = look(table, float(deadline))
        chosen = np.take_along_axis(at.responses.cost, at.blocks[:, None], axis=1).sum()
        cost = float(chosen) + table.time_weight * deadline
        assert bound <= cost
        assert at.bound(at.deadline) == pytest.approx(cost, rel=1e-11)


@given(seed=SEEDS, num=st.integers(1, 5))
@SETTINGS
def test_halving_the_blocks_never_costs_more(make_problem: Any, seed: int, num: int) -> None:
    problem = AllocationProblem(**make_problem(seed, num, band_hz=16 * BLOCK))
    coarse, fine = (solve_resource_blocks(problem, width) for width in (BLOCK, BLOCK / 2))
    assert fine.bound <= coarse.objective
    assert fine.objective <= coarse.objective * (1.0 + 1e-9)


def test_devices_without_payload_get_no_block(make_problem: Any) -> None:
    values = make_problem(25, 5, band_hz=10 * BLOCK)
    values["bits"][:2], values["cycles"][1:3], values["capacitance"][3] = 0.0, 0.0, 0.0
    result = solve_resource_blocks(AllocationProblem(**values), BLOCK)
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.solution.blocks[:2].tolist() == [0, 0]
    assert result.solution.blocks.sum() == 10


def test_latency_alone_takes_the_least_deadline_of_whole_blocks(make_problem: Any) -> None:
    values = make_problem(26, 3, band_hz=9 * BLOCK, energy_weight=0.0)
    problem = AllocationProblem(**values)
    n = problem.noise_w_per_hz / problem.gain
    latest = np.inf
    for head in product(range(1, 9), repeat=2):
        b = BLOCK * np.array([*head, 9 - sum(head)])
        if b[-1] > 0:
            t = problem.bits / (b * np.log2(1.0 + problem.max_power_w / (n * b)))
            latest = min(latest, float(np.max(t + problem.cycles / problem.max_frequency_hz)))
    result = solve_resource_blocks(problem, BLOCK)
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(values["time_weight"] * latest, rel=1e-12)


def test_nothing_to_do_costs_nothing(make_problem: Any) -> None:
    result = solve_resource_blocks(
        AllocationProblem(**make_problem(27, 2, bits=0.0, cycles=0.0, band_hz=0.0)), BLOCK
    )
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 0.0, 0.0)


def test_fewer_blocks_than_senders_are_infeasible(make_problem: Any) -> None:
    result = solve_resource_blocks(AllocationProblem(**make_problem(28, 4, band_hz=3.9 * BLOCK)), BLOCK)
    assert (result.status, result.stop_reason) == (Status.INFEASIBLE, StopReason.PROVEN_INFEASIBLE)
    assert result.solution is None
    assert "3 whole blocks leave a device that can never finish" in result.explanation


def test_a_deadline_that_only_a_continuous_band_meets_is_infeasible(make_problem: Any) -> None:
    values = make_problem(29, 4, band_hz=6 * BLOCK)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    result = solve_resource_blocks(AllocationProblem(**values | {"deadline_s": least * (1.0 + 1e-9)}), BLOCK)
    assert result.status is Status.INFEASIBLE
    assert "whole blocks cannot meet" in result.explanation
    needed = float(result.explanation.split("at least ")[1].split(" s")[0])
    met = solve_resource_blocks(AllocationProblem(**values | {"deadline_s": needed}), BLOCK)
    assert met.status is Status.OPTIMAL


def test_a_time_limit_keeps_the_answer_and_its_bound(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(0, 8, band_hz=30 * BLOCK))
    result = solve_resource_blocks(problem, BLOCK, Options(gap=0.0, time_limit_s=1e-9))
    assert (result.status, result.stop_reason) == (Status.FEASIBLE, StopReason.TIME_LIMIT)
    assert 0.0 < result.bound <= result.objective < np.inf


def test_a_block_without_width_and_several_cells_are_refused(make_problem: Any, make_cells: Any) -> None:
    with pytest.raises(InvalidProblem, match=r"block_hz is 0\.0, must be a finite number > 0"):
        solve_resource_blocks(AllocationProblem(**make_problem(0, 2)), 0.0)
    with pytest.raises(InvalidProblem, match="one cell at a time"):
        solve_resource_blocks(AllocationProblem(**make_cells(0, 2, 2)), BLOCK)
