"""The compiled loops answer what the arrays do: cell by cell, certified, with any number of threads."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, dual_bound, solve
from solvers.allocation.by_arrays import bracketed_answer, newton_answer
from solvers.allocation.evaluate import violations
from solvers.allocation.judge import judge
from solvers.allocation.loops.run import balanced_cells, dual_values
from solvers.allocation.prepared import of_cells, prepare
from solvers.allocation.solution import Prices, relative_gaps
from solvers.common import Options


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_loops_and_arrays_agree_on_extreme_cells(make_cells: Any, seed: int) -> None:
    problem = AllocationProblem(**make_cells(seed, 300, 30))
    prepared = prepare(problem)
    proposal, found = balanced_cells(problem, threads=1)
    assert found.mean() > 0.9
    some = of_cells(prepared, found)
    arrays = judge(some, bracketed_answer(some))
    loops, whole = balanced_cells(some.problem, threads=1)
    assert whole.all()
    assert violations(some.problem, loops) == ()
    verdict = judge(some, loops)
    assert verdict.objective == pytest.approx(arrays.objective, rel=1e-9)
    assert np.all(verdict.bound <= arrays.objective * (1.0 + 1e-12))
    assert np.mean(relative_gaps(verdict.objective, verdict.bound) <= 1e-10) > 0.95
    assert len(proposal.power_w) == problem.num_devices


@pytest.mark.parametrize("seed", [4, 5])
def test_loops_meet_deadlines_given(make_cells: Any, seed: int) -> None:
    values = make_cells(seed, 200, 20)
    least = np.asarray(solve(AllocationProblem(**values)).minimum_deadline_s)
    problem = AllocationProblem(**values | {"deadline_s": 1.5 * least})
    proposal, found = balanced_cells(problem, threads=1)
    assert found.mean() > 0.9
    arrays = judge(prepare(problem), newton_answer(prepare(problem)))
    verdict = judge(prepare(problem), proposal)
    assert verdict.objective[found] == pytest.approx(arrays.objective[found], rel=1e-8)


@pytest.mark.parametrize("given", [False, True])
def test_the_dual_value_of_any_prices_is_the_same(make_cells: Any, given: bool) -> None:
    values = make_cells(6, 100, 10)
    rng = np.random.default_rng(6)
    if given:
        values["deadline_s"] = 10.0 ** rng.uniform(-1, 4, 100)
    problem = AllocationProblem(**values)
    mu = 10.0 ** rng.uniform(-12, 3, 100) * (rng.random(100) < 0.9)
    price = 10.0 ** rng.uniform(-9, 5, problem.num_devices) * (rng.random(problem.num_devices) < 0.9)
    value, size = dual_values(problem, Prices(bandwidth=mu, time=price), threads=1)
    assert np.abs(value - dual_bound(problem, mu, price)) == pytest.approx(0.0, abs=1e-12 * size.max())
    assert np.all(np.abs(value - dual_bound(problem, mu, price)) <= 1e-12 * size)


def test_threads_change_no_byte_of_the_answer(make_cells: Any) -> None:
    problem = AllocationProblem(**make_cells(7, 2500, 20))
    assert problem.num_devices > 20_000
    one, two = (solve(problem, options=Options(threads=threads)) for threads in (1, 2))
    assert one.solution is not None
    assert two.solution is not None
    assert one.solution.power_w.tobytes() == two.solution.power_w.tobytes()
    assert np.asarray(one.bound).tobytes() == np.asarray(two.bound).tobytes()


def test_without_a_compiler_the_front_door_gives_the_same_answer(make_cells: Any) -> None:
    values = make_cells(8, 60, 12)
    mine = solve(AllocationProblem(**values))
    code = (
        "import json, sys; from solvers.allocation import AllocationProblem, solve\n"
        "result = solve(AllocationProblem(**json.load(sys.stdin)))\n"
        "print(json.dumps([result.objective.tolist(), result.gap.tolist(), 'numba' in sys.modules]))"
    )
    plain = {name: np.asarray(value).tolist() for name, value in values.items()}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(plain),
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    objective, gap, _ = json.loads(done.stdout)
    assert objective == pytest.approx(np.asarray(mine.objective), rel=1e-9)
    assert max(gap) <= 1e-9


@pytest.mark.parametrize("num", [47, 200, 255, 257, 1000, 5000])
def test_cells_of_any_size_are_certified_through_their_stand_ins(make_problem: Any, num: int) -> None:
    values = make_problem(9, num) | {"band_hz": 1e6 * num, "time_weight": 0.1 * num}
    result = solve(AllocationProblem(**values))
    assert result.gap <= 1e-11
