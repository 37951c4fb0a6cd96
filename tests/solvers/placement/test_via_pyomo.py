"""The Pyomo model by HiGHS, in processes of its own: highspy and OR-Tools do not share one."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("pyomo", reason="needs pyomo")

HEAD = """
import importlib.util, json, math, sys
spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
from solvers.placement import solve
"""


def run_python(code, *, file, **environment):
    command = [sys.executable, "-c", HEAD + code, file]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


@pytest.fixture
def shared():
    from pathlib import Path

    return str(Path(__file__).with_name("conftest.py"))


def test_pyomo_finds_the_optimum_of_brute_force(shared):
    code = """
rows = []
for kind in ("plain", "whole numbers", "one node", "no memory", "huge spread"):
    for seed in range(6):
        problem = shared.random_problem(seed, kind)
        result = solve(problem, "via_pyomo")
        rows.append([kind, seed, result.status, result.objective, shared.brute_force(problem)])
print(json.dumps(rows))
"""
    done = run_python(code, file=shared)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 30
    for kind, seed, status, objective, best in rows:
        expected = "infeasible" if best == float("inf") else "optimal"
        assert status == expected, (kind, seed)
        assert objective == best or objective == pytest.approx(best, rel=2e-6), (kind, seed)


def test_highspy_is_not_loaded_beside_ortools(shared):
    code = """
import ortools
from solvers.common import MissingBackend
try:
    solve(shared.random_problem(0, "plain"), "via_pyomo")
except MissingBackend as error:
    print(error)
"""
    done = run_python(code, file=shared, HFEDFM_PYOMO_SOLVER="appsi_highs")
    assert done.returncode == 0, done.stderr
    assert "cannot be loaded beside ortools" in done.stdout


def test_the_model_is_in_pyomo_s_terms(shared):
    code = """
import pyomo.environ as pyo
from solvers.placement.via_pyomo import pyomo_model
problem = shared.random_problem(1, "plain")
model = pyomo_model(problem)
pyo.SolverFactory("appsi_highs").solve(model)
chosen = sorted(int(problem.pair_demand[k]) for k in model.pairs if model.x[k].value > 0.5)
print(json.dumps([chosen, problem.num_demands, pyo.value(model.cost), solve(problem, "via_pyomo").objective]))
"""
    done = run_python(code, file=shared)
    assert done.returncode == 0, done.stderr
    chosen, num_demands, cost, objective = json.loads(done.stdout)
    assert chosen == list(range(num_demands))
    assert cost == pytest.approx(objective, rel=1e-6)
