"""Cutting planes with HiGHS, and SCIP, against the fast method, in a process of their own."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, solve

pytest.importorskip("pyomo", reason="needs pyomo")

# HiGHS cannot share a process with the solvers of other tests: hence a new one.
ORACLE = """
import json, sys
import numpy as np
from solvers.allocation import AllocationProblem, solve
rows = []
for values in json.load(sys.stdin):
    result = solve(AllocationProblem(**values), method="via_pyomo")
    prices = result.solution.bandwidth_price, result.solution.deadline_price
    rows.append([np.atleast_1d(row).tolist() for row in (result.objective, result.bound, *prices)])
print(json.dumps(rows))
"""


def run_python(code: str, text: str = "", **environment: str) -> Any:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env=os.environ | environment
    )


def ask_oracle(cells: list[dict[str, Any]], solver: str = "appsi_highs") -> list[list[Any]]:
    plain = [{name: np.asarray(value).tolist() for name, value in values.items()} for values in cells]
    done = run_python(ORACLE, json.dumps(plain), HFEDFM_PYOMO_SOLVER=solver)
    assert done.returncode == 0, done.stderr
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


def test_cutting_planes_agree_with_the_fast_method(make_problem: Any) -> None:
    cells = [make_problem(seed, num) for seed, num in enumerate([1, 2, 3, 6])]
    for values, (objective, bound, mu, price) in zip(cells, ask_oracle(cells), strict=True):
        mine = solve(AllocationProblem(**values))
        assert mine.solution is not None
        assert objective[0] == pytest.approx(mine.objective, rel=2e-6)
        assert bound[0] == pytest.approx(mine.objective, rel=2e-6)
        assert bound[0] <= mine.objective <= objective[0] * (1.0 + 1e-9)
        assert mu[0] == pytest.approx(mine.solution.bandwidth_price, rel=2e-2)
        assert price[0] == pytest.approx(mine.solution.deadline_price, rel=1e-6)


def test_cutting_planes_agree_in_the_special_cases(make_problem: Any) -> None:
    given = make_problem(20, 4, time_weight=0.0)
    least = float(solve(AllocationProblem(**given | {"time_weight": 1.0})).minimum_deadline_s)
    idle = make_problem(21, 5)
    idle["bits"][:2], idle["cycles"][1:3], idle["capacitance"][4:] = 0.0, 0.0, 0.0
    work = make_problem(24, 3, bits=0.0, band_hz=0.0)
    tight, hurried = make_problem(22, 3, time_weight=1e6), make_problem(23, 4, energy_weight=0.0)
    cells = [given | {"deadline_s": 1.4 * least}, idle, tight, hurried, work]
    for values, (objective, bound, *_) in zip(cells, ask_oracle(cells), strict=True):
        mine = solve(AllocationProblem(**values))
        assert objective[0] == pytest.approx(mine.objective, rel=5e-6)
        assert bound[0] == pytest.approx(mine.objective, rel=5e-6)


def test_a_nonlinear_solver_agrees_with_the_fast_method(make_problem: Any) -> None:
    pytest.importorskip("pyscipopt", reason="needs pyscipopt")
    given = make_problem(20, 4, time_weight=0.0)
    least = float(solve(AllocationProblem(**given | {"time_weight": 1.0})).minimum_deadline_s)
    idle = make_problem(21, 5)
    idle["bits"][:2], idle["cycles"][1:3], idle["capacitance"][4:] = 0.0, 0.0, 0.0
    work = make_problem(24, 3, bits=0.0, band_hz=0.0)
    tight, hurried = make_problem(22, 3, time_weight=1e6), make_problem(23, 4, energy_weight=0.0)
    low = make_problem(25, 4)
    low["min_power_w"] = 0.5 * np.asarray(low["max_power_w"])
    low["min_frequency_hz"] = np.asarray(low["max_frequency_hz"])
    cells = [make_problem(seed, num) for seed, num in enumerate([1, 2, 3, 6, 12])]
    cells += [low, given | {"deadline_s": 1.4 * least}, idle, tight, hurried, work]
    for values, (objective, bound, *_) in zip(cells, ask_oracle(cells, "scip_direct"), strict=True):
        mine = solve(AllocationProblem(**values))
        assert objective[0] == pytest.approx(mine.objective, rel=1e-6)
        assert bound[0] <= mine.objective * (1 + 1e-9)
        if values is not low:  # the bound is loose where least powers hold
            assert bound[0] == pytest.approx(mine.objective, rel=1e-5)
        assert objective[0] >= mine.bound * (1 - 1e-9)


def test_several_cells_are_answered_one_by_one(make_problem: Any) -> None:
    parts = [make_problem(seed, num) for seed, num in ((1, 2), (2, 3))]
    fields = ("bits", "gain", "max_power_w", "cycles", "max_frequency_hz", "capacitance")
    values = {name: np.concatenate([part[name] for part in parts]) for name in fields}
    values |= {name: [part[name] for part in parts] + [1.0] for name in ("band_hz", "time_weight")}
    values |= {"noise_w_per_hz": 4e-21, "energy_weight": 1.0, "cell": np.array([0, 0, 1, 1, 1])}
    mine = np.asarray(solve(AllocationProblem(**values)).objective)
    ((objective, bound, *_),) = ask_oracle([values])
    assert objective == pytest.approx(mine, rel=2e-6)
    assert bound == pytest.approx(mine, rel=2e-6)
    assert objective[2] == bound[2] == 0.0


def test_the_linear_solver_can_be_named_and_must_be_there() -> None:
    code = """
from solvers.allocation import AllocationProblem, solve
from solvers.common import MissingBackend
problem = AllocationProblem(bits=1e6, gain=1e-11, noise_w_per_hz=4e-21, max_power_w=0.1, cycles=1e9,
    max_frequency_hz=1e9, capacitance=1e-28, band_hz=1e6, energy_weight=1.0, time_weight=1.0)
try:
    print(solve(problem, "via_pyomo").gap <= 1e-6)
except MissingBackend as error:
    print(error)
"""
    named = run_python(code, HFEDFM_PYOMO_SOLVER="appsi_highs")
    assert named.stdout.strip() == "True", named.stderr
    absent = run_python(code, HFEDFM_PYOMO_SOLVER="glpk", PATH="")
    assert absent.stdout.strip() == "Pyomo finds no solver 'glpk': pip install highspy, or name another"
