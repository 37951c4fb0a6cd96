"""Powers and frequencies in levels: against enumeration, and what the search says when it ends early."""

import itertools
import re
from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, solve, solve_levels
from solvers.allocation.level_options import level_options
from solvers.common import InvalidProblem, Options, Status, StopReason

POWER, FREQUENCY = np.array([0.25, 0.5, 1.0]), np.array([0.3, 0.6, 1.0])


def levels_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return three levels of power and of frequency for each device."""
    return {
        "power_levels_w": values["max_power_w"][:, None] * POWER,
        "frequency_levels_hz": values["max_frequency_hz"][:, None] * FREQUENCY,
    }


def enumerated(problem: AllocationProblem, levels: dict[str, Any]) -> float:
    """Return the least cost of all choices, each solved as a problem with fixed power and frequency."""
    choices = level_options(problem, **levels)
    count, num = choices.allowed.shape[1], problem.num_devices
    rows = np.array(list(itertools.product(range(count), repeat=num)))
    return float(np.min(np.asarray(solve(choices.fixed_to(rows)).objective)))


@pytest.mark.parametrize("num", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_answer_is_the_best_of_all_choices(make_problem: Any, seed: int, num: int) -> None:
    values = make_problem(seed, num)
    problem, levels = AllocationProblem(**values), levels_of(values)
    best = enumerated(problem, levels)
    result = solve_levels(problem, **levels)
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(best, rel=1e-4)
    assert result.bound <= best * (1.0 + 1e-12)
    assert result.objective >= best * (1.0 - 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_given_deadline_is_kept_with_the_best_choice(make_problem: Any, seed: int) -> None:
    values = make_problem(seed, 3)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    problem = AllocationProblem(**values | {"deadline_s": 1.5 * least})
    result = solve_levels(problem, **levels_of(values))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(enumerated(problem, levels_of(values)), rel=1e-4)
    assert result.solution is not None
    assert result.solution.deadline_s == pytest.approx(1.5 * least, rel=1e-12)


@pytest.mark.parametrize("given", ["power_levels_w", "frequency_levels_hz"])
def test_one_kind_of_levels_leaves_the_other_free(make_problem: Any, given: str) -> None:
    values = make_problem(3, 3)
    problem, levels = AllocationProblem(**values), {given: levels_of(values)[given]}
    result = solve_levels(problem, **levels)
    other = "frequency_levels_hz" if given == "power_levels_w" else "power_levels_w"
    best = enumerated(problem, levels | {other: None})
    assert result.objective == pytest.approx(best, rel=1e-4)
    assert (
        float(solve(problem).bound)
        <= result.objective
        <= solve_levels(problem, **levels_of(values)).objective
    )


def test_power_and_frequency_are_levels_to_the_last_digit(make_problem: Any) -> None:
    values = make_problem(5, 6)
    levels = levels_of(values)
    found = solve_levels(AllocationProblem(**values), **levels).solution
    assert found is not None
    assert np.all(np.any(found.power_w[:, None] == levels["power_levels_w"], axis=1))
    assert np.all(np.any(found.frequency_hz[:, None] == levels["frequency_levels_hz"], axis=1))


def test_without_levels_it_is_the_continuous_problem(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(6, 4))
    result = solve_levels(problem)
    assert result.objective == pytest.approx(float(solve(problem).objective), rel=1e-12)
    assert result.gap <= 1e-4


def test_devices_without_payload_or_work_choose_only_what_they_use(make_problem: Any) -> None:
    values = make_problem(7, 4)
    values["bits"][0], values["cycles"][1] = 0.0, 0.0
    problem, levels = AllocationProblem(**values), levels_of(values)
    assert level_options(problem, **levels).allowed.sum(axis=1).tolist() == [3, 3, 9, 9]
    result = solve_levels(problem, **levels)
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.solution.power_w[0] == 0.0
    assert result.solution.frequency_hz[1] == 0.0


def test_where_energy_costs_nothing_the_highest_levels_are_the_best(make_problem: Any) -> None:
    values = make_problem(8, 5, energy_weight=0.0)
    result = solve_levels(AllocationProblem(**values), **levels_of(values))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(float(solve(AllocationProblem(**values)).objective), rel=1e-9)


def test_a_deadline_that_no_level_meets_is_infeasible(make_problem: Any) -> None:
    values = make_problem(9, 3)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    problem = AllocationProblem(**values | {"deadline_s": 1.01 * least})
    result = solve_levels(problem, power_levels_w=0.1 * values["max_power_w"][:, None])
    assert result.status is Status.INFEASIBLE
    assert result.solution is None
    assert "the highest levels need at least" in result.explanation


def test_a_time_limit_leaves_the_best_answer_with_its_gap(make_problem: Any) -> None:
    values = make_problem(10, 12)
    options = Options(time_limit_s=1e-3, gap=0.0)
    result = solve_levels(AllocationProblem(**values), **levels_of(values), options=options)
    assert result.stop_reason is StopReason.TIME_LIMIT
    assert result.solution is not None
    assert result.bound <= result.objective


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"power_levels_w": [0.0, 1.0]}, "power_levels_w[0] is 0.0, must be a finite number > 0"),
        ({"power_levels_w": [9.0]}, "power_levels_w is [9.0], must be a level within the limits of device 0"),
        ({"frequency_levels_hz": [[1e8], [1e99]]}, "must be a level within the limits of device 1"),
        ({"frequency_levels_hz": np.ones((3, 2))}, "must be a number or of shape (2, 2)"),
    ],
)
def test_levels_without_meaning_are_refused(make_problem: Any, levels: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        solve_levels(AllocationProblem(**make_problem(0, 2)), **levels)


def test_several_cells_are_refused(make_cells: Any) -> None:
    with pytest.raises(InvalidProblem, match="levels are chosen in one cell at a time"):
        solve_levels(AllocationProblem(**make_cells(0, 2, 2)))
