"""HiGHS through SciPy, in the words that this package needs."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from solvers.common.arrays import BoolArray, FloatArray
from solvers.common.errors import BackendFailure

FEASIBILITY_TOLERANCE = 1e-6
"""HiGHS's absolute tolerance on rows and on wholeness, and the absolute gap at which it stops."""
DUAL_TOLERANCE = 1e-7
"""HiGHS's tolerance on reduced costs: what its bound can be off per unit of a variable."""

_OPTIMAL, _LIMIT, _INFEASIBLE, _OTHER = 0, 1, 2, 4


@dataclass(frozen=True, eq=False)
class Answer:
    """What HiGHS says.

    Parameters
    ----------
    values : (V,) float or None
        The best point found.
    bound : float
        The bound it claims, ``-inf`` if none.
    infeasible, timed_out : bool
        Why it ended, when not at the gap asked.
    """

    values: FloatArray | None
    bound: float
    infeasible: bool
    timed_out: bool


def mixed_integer(
    cost: FloatArray,
    rows: tuple[sparse.csr_array, FloatArray, FloatArray],
    whole: BoolArray,
    ceiling: FloatArray,
    *,
    gap: float,
    time_limit_s: float = math.inf,
) -> Answer:
    """Minimise ``cost @ v`` over ``lower <= matrix @ v <= upper`` and ``0 <= v <= ceiling``.

    Parameters
    ----------
    cost : (V,) float
        The costs.
    rows : tuple
        ``(matrix, lower, upper)``.
    whole : (V,) bool
        Which variables are integers.
    ceiling : (V,) float
        Their upper limits.
    gap : float
        Relative gap to stop at.
    time_limit_s : float
        Wall seconds.

    Raises
    ------
    BackendFailure
        If HiGHS ends in any other way than solved, limit or infeasible.
    """
    from scipy import optimize

    milp: Any = optimize.milp
    matrix, lower, upper = rows
    options: dict[str, object] = {"mip_rel_gap": gap}
    if math.isfinite(time_limit_s):
        options["time_limit"] = time_limit_s
    for presolve in (True, False):  # presolve may end with "infeasible or unbounded"
        result = milp(
            cost,
            integrality=whole.astype(np.int64),
            bounds=optimize.Bounds(0, ceiling),
            constraints=optimize.LinearConstraint(sparse.csc_array(matrix), lower, upper),
            options={**options, "presolve": presolve},
        )
        if result.status != _OTHER:
            break
    if result.status not in (_OPTIMAL, _LIMIT, _INFEASIBLE):
        raise BackendFailure(f"HiGHS ended with status {result.status}: {result.message}")
    bound = result.get("mip_dual_bound")
    if bound is None and result.status == _OPTIMAL:  # a linear program has no other bound than its optimum
        bound = result.fun
    return Answer(
        values=result.x,
        bound=-math.inf if bound is None or not math.isfinite(bound) else float(bound),
        infeasible=result.status == _INFEASIBLE,
        timed_out=result.status == _LIMIT,
    )


def linear(
    cost: FloatArray, rows: tuple[sparse.csr_array, FloatArray, FloatArray], equal: BoolArray
) -> FloatArray | None:
    """Return a cheapest v in [0, 1] with ``matrix @ v`` at or below ``upper``, at HiGHS's finest tolerances.

    Parameters
    ----------
    cost : (V,) float
        The costs.
    rows : tuple
        ``(matrix, lower, upper)``; ``lower`` is not read.
    equal : (R,) bool
        Rows that must meet ``upper`` exactly.

    Returns
    -------
    (V,) float or None
        ``None`` if there is no such point, or HiGHS finds none.
    """
    from scipy import optimize

    linprog: Any = optimize.linprog
    matrix, _, upper = rows
    result = linprog(
        cost / (float(np.abs(cost).max(initial=0.0)) or 1.0),
        A_eq=sparse.csc_array(matrix[equal]),
        b_eq=upper[equal],
        A_ub=sparse.csc_array(matrix[~equal]),
        b_ub=upper[~equal],
        bounds=(0, 1),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    values: FloatArray | None = result.x if result.status == _OPTIMAL else None
    return values
