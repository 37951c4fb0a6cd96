"""Prove optima with HiGHS, the mixed-integer solver inside SciPy."""

import numpy as np

from solvers.common.options import Options
from solvers.placement.branch_and_cut import branch_and_cut
from solvers.placement.highs import Answer, mixed_integer
from solvers.placement.matrices import Rows
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import Claim


def solve(problem: PlacementProblem, options: Options) -> Claim:
    """Solve the disaggregated model by HiGHS's branch and cut; whole and split demands.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        ``gap`` is given; ``threads`` and ``seed`` have no counterpart in SciPy's interface.

    Raises
    ------
    BackendFailure
        If HiGHS fails, or calls a problem infeasible of which a placement is at hand.
    """
    return branch_and_cut(problem, options, _ask)


def _ask(problem: PlacementProblem, rows: Rows, scale: float, options: Options, left_s: float) -> Answer:
    assert options.gap is not None
    whole = np.ones(rows.cost.size, dtype=bool)
    if problem.split:
        whole[: rows.pairs.size] = False
    return mixed_integer(
        rows.cost * scale,
        (rows.matrix, rows.lower, rows.upper),
        whole,
        np.ones(rows.cost.size),
        gap=0.9 * options.gap,
        time_limit_s=left_s,
    )
