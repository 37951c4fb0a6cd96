import cvxpy as cp
import pytest

from solvers.common.clarabel import solve_by_clarabel
from solvers.common.errors import BackendFailure

TIGHT = {"tol_gap_abs": 1e-10}


def test_the_answer_is_in_the_variables():
    x = cp.Variable()
    solve_by_clarabel(cp.Problem(cp.Minimize((x - 3.0) ** 2)), TIGHT, [{}], "a parabola")
    assert x.value == pytest.approx(3.0, abs=1e-6)


def test_a_try_without_an_answer_is_followed_by_the_next():
    x = cp.Variable(5)
    problem = cp.Problem(cp.Minimize(cp.sum(cp.exp(x))), [cp.sum(x) == 1.0])
    solve_by_clarabel(problem, TIGHT, [{"max_iter": 1}, {}], "a sum")
    assert x.value == pytest.approx([0.2] * 5, abs=1e-5)


def test_where_no_try_has_an_answer_the_error_says_what_and_each_try():
    x = cp.Variable()
    problem = cp.Problem(cp.Minimize(x), [x >= 1.0, x <= 0.0])
    with pytest.raises(BackendFailure, match="no answer to a cell that has one; it said: infeasible; infeas"):
        solve_by_clarabel(problem, TIGHT, [{}, {"max_step_fraction": 0.5}], "a cell")
