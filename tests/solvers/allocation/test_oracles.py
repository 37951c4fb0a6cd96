"""The fast method against two solvers that share none of its mathematics."""

import json
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from solvers.allocation import AllocationProblem, solve

Vector = NDArray[np.float64]

# CVXPY loads every solver installed, and some of them cannot share a process with others: hence a new one.
ORACLE = """
import json, sys
import numpy as np
from solvers.allocation import AllocationProblem, solve
from solvers.allocation.prepared import prepare
from solvers.allocation.via_cvxpy import _solve_cell
from solvers.common import Options
rows = []
for values in json.load(sys.stdin):
    problem = AllocationProblem(**values)
    result = solve(problem, method="via_cvxpy")
    raw, _, _ = _solve_cell(prepare(problem), Options())
    prices = result.solution.bandwidth_price, result.solution.deadline_price
    rows.append([result.objective, result.bound, raw.cost, *prices])
print(json.dumps(rows))
"""


def ask_oracle(cells: list[dict[str, Any]]) -> list[list[float]]:
    plain = [{name: np.asarray(value).tolist() for name, value in values.items()} for values in cells]
    command = [sys.executable, "-c", ORACLE]
    done = subprocess.run(command, input=json.dumps(plain), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[list[float]] = json.loads(done.stdout)
    return answers


def test_cone_program_agrees_from_1_to_40_devices(make_problem: Any) -> None:
    cells = [make_problem(seed, num) for seed, num in enumerate([1, 2, 3, 5, 8, 13, 40])]
    for values, (objective, bound, raw, mu, price) in zip(cells, ask_oracle(cells), strict=True):
        mine = solve(AllocationProblem(**values))
        assert mine.solution is not None
        assert raw == pytest.approx(mine.objective, rel=1e-8)
        assert objective == pytest.approx(mine.objective, rel=1e-9)
        assert bound == pytest.approx(mine.objective, rel=1e-9)
        assert mu == pytest.approx(mine.solution.bandwidth_price, rel=1e-5)
        assert price == pytest.approx(mine.solution.deadline_price, rel=1e-5)


def test_cone_program_agrees_in_the_special_cases(make_problem: Any) -> None:
    given = make_problem(20, 6, time_weight=0.0)
    least = float(solve(AllocationProblem(**given | {"time_weight": 1.0})).minimum_deadline_s)
    idle = make_problem(21, 6)
    idle["bits"][:2], idle["cycles"][1:3], idle["capacitance"][4:] = 0.0, 0.0, 0.0
    tight = make_problem(22, 5, time_weight=1e6)
    cells = [given | {"deadline_s": 1.4 * least}, idle, tight, make_problem(23, 4, energy_weight=0.0)]
    for values, (objective, bound, raw, *_) in zip(cells, ask_oracle(cells), strict=True):
        mine = solve(AllocationProblem(**values))
        assert raw == pytest.approx(mine.objective, rel=1e-6)
        assert objective == pytest.approx(mine.objective, rel=1e-6)
        assert bound == pytest.approx(mine.objective, rel=1e-6)


def test_cone_program_agrees_with_limits_below_of_power_and_frequency(make_problem: Any) -> None:
    cells = []
    for seed, (power, frequency) in enumerate([(0.5, 0.5), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.2, 0.9)]):
        values = make_problem(40 + seed, 6)
        values["min_power_w"] = power * values["max_power_w"]
        values["min_frequency_hz"] = frequency * values["max_frequency_hz"]
        cells.append(values)
    for values, (objective, bound, raw, *_) in zip(cells, ask_oracle(cells), strict=True):
        mine = solve(AllocationProblem(**values))
        assert raw == pytest.approx(mine.objective, rel=1e-8)
        assert objective == pytest.approx(mine.objective, rel=1e-8)
        assert bound == pytest.approx(mine.objective, rel=1e-8)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("num", [1, 2, 3, 4])
def test_no_general_solver_from_any_start_finds_a_better_point(
    make_problem: Any, num: int, given: bool
) -> None:
    values = make_problem(30 + num, num)
    if given:
        values["deadline_s"] = 1.7 * float(solve(AllocationProblem(**values)).minimum_deadline_s)
    best = solve(AllocationProblem(**values)).objective
    rng = np.random.default_rng(num)
    found = min(_general_optimum(values, float(best), rng) for _ in range(4))
    assert found >= best * (1.0 - 1e-9)
    assert found == pytest.approx(best, rel=1e-5)


def _general_optimum(values: dict[str, Any], scale: float, rng: np.random.Generator) -> float:
    """Return the best cost that SLSQP reaches in ln(b / band), ln(p / cap), ln(f / cap), ln T, or inf."""
    num = len(values["bits"])
    least = float(solve(AllocationProblem(**values)).minimum_deadline_s)
    goal, slack = partial(_cost, values, scale), partial(_slack, values)
    shares = rng.dirichlet(np.full(num, 5.0)) * 0.95
    start = np.log(np.concatenate([shares, rng.uniform(0.3, 1, 2 * num), [least * rng.uniform(1.1, 3)]]))
    low, high = np.full(3 * num + 1, -25.0), np.append(np.zeros(3 * num), 25.0)
    if "deadline_s" in values:
        low[-1] = high[-1] = start[-1] = np.log(values["deadline_s"])
    done = minimize(
        goal,
        start,
        method="SLSQP",
        bounds=np.column_stack([low, high]),
        constraints={"type": "ineq", "fun": slack},
        options={"maxiter": 600, "ftol": 1e-14},
    )
    return float(done.fun) * scale if np.min(slack(done.x)) > -1e-10 else np.inf


def _times(values: dict[str, Any], point: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Return airtime, computing time, power and frequency of a point."""
    b, p, f = np.exp(point[:-1]).reshape(3, -1)
    b, p, f = b * values["band_hz"], p * values["max_power_w"], f * values["max_frequency_hz"]
    rate = b * np.log2(1.0 + p * values["gain"] / (values["noise_w_per_hz"] * b))
    return values["bits"] / rate, values["cycles"] / f, p, f


def _cost(values: dict[str, Any], scale: float, point: Vector) -> float:
    t, _, p, f = _times(values, point)
    joules = np.sum(values["capacitance"] * values["cycles"] * f**2 + p * t)
    return float(values["energy_weight"] * joules + values["time_weight"] * np.exp(point[-1])) / scale


def _slack(values: dict[str, Any], point: Vector) -> Vector:
    t, c, _, _ = _times(values, point)
    num = len(t)
    return np.append(point[-1] - np.log(t + c), -np.log(np.sum(np.exp(point[:num]))))
