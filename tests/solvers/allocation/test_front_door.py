"""Refusals, infeasible cells, false claims, and what the heuristics answer."""

import dataclasses
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import solvers.allocation.by_dual
from solvers.allocation import METHODS, AllocationProblem, solve
from solvers.common import BackendFailure, InvalidProblem, Status, StopReason, UnknownMethod


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": [1.0, -2.0]}, "bits[1] is -2.0, must be a finite number >= 0"),
        ({"gain": [np.nan, 1.0]}, "gain[0] is nan, must be a finite number >= 0"),
        ({"noise_w_per_hz": 0.0}, "noise_w_per_hz is 0.0, must be a finite number > 0"),
        ({"max_power_w": np.inf}, "max_power_w is inf, must be a finite number >= 0"),
        (
            {"cycles": [1.0, 2.0, 3.0]},
            "cycles is 'an array of shape (3,)', must be a number or of shape (2,)",
        ),
        ({"max_frequency_hz": -1.0}, "max_frequency_hz is -1.0, must be a finite number >= 0"),
        ({"capacitance": "fast"}, "capacitance is 'fast', must be numbers of shape (2,)"),
        ({"band_hz": [1.0, 2.0]}, "band_hz is 'an array of shape (2,)', must be a number or of shape ()"),
        ({"energy_weight": -1.0}, "energy_weight is -1.0, must be a finite number >= 0"),
        ({"time_weight": 0.0}, "time_weight is 0.0, must be above 0, because no deadline is given"),
        ({"deadline_s": 0.0}, "deadline_s is 0.0, must be a finite number > 0"),
        ({"bits": np.ones((2, 2))}, "bits is 'an array of shape (2, 2)', must be a number or of shape (N,)"),
        ({"cell": [0.5, 1.0]}, "cell is 'float64 of shape (2,)', must be whole numbers in one dimension"),
        ({"cell": [0, -1]}, "cell[1] is -1, must be a whole number from 0 to 0"),
        ({"cell": [0, 2], "band_hz": [1.0, 1.0]}, "cell[1] is 2, must be a whole number from 0 to 1"),
        ({"cell": [0]}, "cell is 'an array of length 1', must be of length 2"),
        ({"cell": [0, 1], "time_weight": [1.0, 0.0]}, "time_weight[1] is 0.0, must be above 0"),
        ({"cell": [0, 1], "band_hz": [1.0, -1.0]}, "band_hz[1] is -1.0, must be a finite number >= 0"),
    ],
)
def test_numbers_without_meaning_are_refused_by_name(
    make_problem: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidProblem, match=re.escape(message)):
        AllocationProblem(**make_problem(0, 2) | changes)


def test_arrays_of_a_problem_cannot_be_changed(make_problem: Any) -> None:
    values = make_problem(0, 2)
    problem = AllocationProblem(**values)
    with pytest.raises(ValueError, match="read-only"):
        problem.bits[0] = 1.0  # type: ignore[index]
    values["bits"][0] = 0.0
    assert problem.bits[0] > 0.0  # type: ignore[index]


def test_a_deadline_too_short_is_answered_with_the_least_one(make_problem: Any) -> None:
    values = make_problem(4, 5)
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    short = solve(AllocationProblem(**values | {"deadline_s": 0.999 * least}))
    assert short.status is Status.INFEASIBLE
    assert short.stop_reason is StopReason.PROVEN_INFEASIBLE
    assert short.solution is None
    assert (short.objective, short.gap) == (np.inf, np.inf)
    assert short.minimum_deadline_s == least
    assert f"it needs at least {least!r} s" in short.explanation
    enough = solve(AllocationProblem(**values | {"deadline_s": 1.000001 * least}))
    assert enough.solution is not None


@pytest.mark.parametrize(
    "changes", [{"gain": 0.0}, {"max_power_w": 0.0}, {"band_hz": 0.0}, {"max_frequency_hz": 0.0}]
)
@pytest.mark.parametrize("energy_weight", [0.0, 1.0])
def test_a_device_that_can_never_finish_makes_its_cell_infeasible(
    make_problem: Any, changes: dict[str, float], energy_weight: float
) -> None:
    result = solve(AllocationProblem(**make_problem(5, 3) | changes | {"energy_weight": energy_weight}))
    assert result.status is Status.INFEASIBLE
    assert result.minimum_deadline_s == np.inf
    assert "can never finish" in result.explanation


def test_an_infeasible_cell_leaves_the_others_alone(make_cells: Any) -> None:
    values = make_cells(6, 4, 5)
    least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
    given = least * np.array([2.0, 0.5, 3.0, 2.0])
    result = solve(AllocationProblem(**values | {"deadline_s": given}))
    assert result.status is Status.FEASIBLE
    assert [status is Status.INFEASIBLE for status in result.cell_status] == [False, True, False, False]
    assert np.isinf(np.asarray(result.objective)[1])
    assert result.solution is not None
    assert np.array_equal(np.isnan(result.solution.power_w), values["cell"] == 1)
    assert "cell 1 cannot meet" in result.explanation


def test_empty_cells_cost_their_given_deadline_or_nothing() -> None:
    values = {
        "bits": [1e6],
        "gain": 1e-11,
        "noise_w_per_hz": 4e-21,
        "max_power_w": 0.1,
        "cycles": 1e9,
        "max_frequency_hz": 1e9,
        "capacitance": 1e-28,
        "band_hz": np.full(3, 1e6),
        "energy_weight": 1.0,
        "time_weight": 2.0,
        "cell": [1],
    }
    free = solve(AllocationProblem(**values))
    given = solve(AllocationProblem(**values, deadline_s=5.0))
    assert np.asarray(free.objective)[[0, 2]].tolist() == [0.0, 0.0]
    assert np.asarray(given.objective)[[0, 2]].tolist() == [10.0, 10.0]
    assert set(free.cell_status) == set(given.cell_status) == {Status.OPTIMAL}


def test_without_cells_the_answer_is_in_plain_numbers(make_problem: Any) -> None:
    result = solve(AllocationProblem(**make_problem(7, 3)))
    assert result.solution is not None
    numbers = (result.objective, result.bound, result.gap, result.minimum_deadline_s)
    prices = (result.solution.deadline_s, result.solution.bandwidth_price, result.solution.deadline_price)
    assert {type(value) for value in (*numbers, *prices)} == {float}
    assert result.method == "by_dual"


def test_an_unknown_method_is_answered_with_the_nearest_name(make_problem: Any) -> None:
    with pytest.raises(UnknownMethod, match="no method 'by_duel', did you mean 'by_dual'"):
        solve(AllocationProblem(**make_problem(0, 2)), method="by_duel")


@pytest.mark.parametrize(
    ("field", "factor", "message"),
    [
        ("bandwidth_hz", 1.001, "band of cell 0 is exceeded"),
        ("power_w", 0.999, "payload of device 0 still to send"),
        ("transmit_s", 1.1, "deadline of device 0"),
        ("power_w", np.nan, "payload of device 0 still to send"),
        ("frequency_hz", 1.1, "frequency of device 0 is exceeded"),
    ],
)
def test_a_method_that_breaks_a_limit_is_a_failure(
    make_problem: Any, monkeypatch: pytest.MonkeyPatch, field: str, factor: float, message: str
) -> None:
    honest = solvers.allocation.by_dual.by_dual

    def wrong(prepared: Any, options: Any) -> Any:
        proposal = honest(prepared, options)
        return dataclasses.replace(proposal, **{field: getattr(proposal, field) * factor})

    monkeypatch.setattr(solvers.allocation.by_dual, "by_dual", wrong)
    with pytest.raises(BackendFailure, match=r"allocation by 'by_dual' breaks a limit"):
        solve(AllocationProblem(**make_problem(2, 1, max_frequency_hz=1.0e8)))
    with pytest.raises(BackendFailure, match=message):
        solve(AllocationProblem(**make_problem(2, 1, max_frequency_hz=1.0e8)))


def test_every_listed_method_can_be_called_by_name_and_none_beats_the_optimum(make_cells: Any) -> None:
    problem = AllocationProblem(**make_cells(13, 30, 6))
    best = solve(problem)
    for name in METHODS:
        if METHODS[name].needs:
            continue
        result = solve(problem, method=name)
        assert result.violations == ()
        assert np.all(np.asarray(result.objective) >= np.asarray(best.bound))


def test_heuristics_prove_nothing_and_say_so(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(8, 4))
    for name in ("equal_bandwidth_full_power", "equal_bandwidth_optimal"):
        result = solve(problem, method=name)
        assert (result.status, result.bound, result.gap) == (Status.FEASIBLE, -np.inf, np.inf)
        assert result.stop_reason is StopReason.NO_PROGRESS
        assert result.solution is not None
        assert np.isnan(result.solution.deadline_price)
        assert result.solution.bandwidth_hz == pytest.approx(np.full(4, problem.band_hz / 4), rel=1e-9)


def test_equal_bandwidth_is_the_best_for_identical_devices(make_problem: Any) -> None:
    values = make_problem(9, 1)
    same = values | {name: np.repeat(value, 6) for name, value in values.items() if np.ndim(value) == 1}
    problem = AllocationProblem(**same)
    assert solve(problem, "equal_bandwidth_optimal").objective == pytest.approx(
        solve(problem).objective, rel=1e-11
    )


def test_full_power_heuristic_uses_full_power_and_frequency(make_problem: Any) -> None:
    problem = AllocationProblem(**make_problem(10, 4))
    found = solve(problem, "equal_bandwidth_full_power").solution
    assert found is not None
    assert found.power_w == pytest.approx(problem.max_power_w, rel=1e-12)
    assert found.frequency_hz.tolist() == problem.max_frequency_hz.tolist()


def test_importing_the_package_loads_no_modelling_tool() -> None:
    code = "import sys, solvers.allocation; print({'cvxpy', 'scipy', 'ortools'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
