"""Runs Clarabel through CVXPY with one setting after another until it has an answer."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from solvers.common.errors import BackendFailure

Rung = Mapping[str, float | bool]
"""Clarabel's settings of one try."""


def solve_by_clarabel(problem: Any, tight: Rung, ladder: Sequence[Rung], what: str) -> None:
    """Solve a CVXPY problem in place.

    Parameters
    ----------
    problem : cvxpy.Problem
        A convex problem that has an answer; its variables get their values.
    tight : mapping
        Settings of every try.
    ladder : sequence of mapping
        Settings of each try, which go before ``tight``.
    what : str
        What has no answer if none is found, for the error.

    Raises
    ------
    BackendFailure
        If no try ends with an answer; it says what Clarabel said.
    """
    import cvxpy as cp

    said = []
    for rung in ladder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # CVXPY warns of inaccurate answers: callers measure
            try:  # a warm start would keep the settings of the try before
                problem.solve(solver=cp.CLARABEL, warm_start=False, **{**tight, **rung})
            except cp.SolverError as error:
                said.append(str(error))
                continue
        if problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
        said.append(problem.status)
    raise BackendFailure(f"Clarabel found no answer to {what} that has one; it said: {'; '.join(said)}")
