"""A lower bound on the factor of all weights, re-checked from arrays: weak duality, written out.

For symmetric ``Y`` whose absolute eigenvalues sum to at most one, the factor ``||W - J||`` is at least
``<Y, W - J>`` (the two norms are dual). With ``W = I - sum over edges w_e b_e b_e'`` this is

    <Y, I - J> - sum over edges w_e (b_e' Y b_e),      b_e' Y b_e = Y_ii + Y_jj - 2 Y_ij.            (1)

If the brackets vanish, it does not depend on the weights any more: ``<Y, I - J>`` bounds them all. Where
``W >= 0``, brackets may be negative (``w_e >= 0``), and ``n_i >= 0`` may be charged for ``W_ii >= 0``: then

    <Y, I - J> - sum of n_i    is a bound if    b_e' Y b_e <= n_i + n_j    for each edge (i, j).      (2)

Both conditions are made exact by setting ``Y_ij`` of edges; so a solver's inexact duals do.
"""

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.consensus.problem import ConsensusProblem

_ROUNDING = 1e-13
"""Times nodes plus edges: what rounding may add to the sums in (1), whose terms are at most one."""


def factor_bound(problem: ConsensusProblem, dual: FloatArray, diagonal_dual: FloatArray) -> float:
    """Return a proven lower bound on the factor, at least 0.

    Parameters
    ----------
    problem : ConsensusProblem
    dual : (N, N) float
        Any matrix; the closer to the optimal ``Y``, the better the bound.
    diagonal_dual : (N,) float
        Any numbers; the closer to the optimal ``n``, the better. Not read unless ``problem.nonnegative``.
    """
    num_nodes, i, j = problem.num_nodes, problem.edge_source, problem.edge_target
    y = (dual + dual.T) / 2.0
    charge = np.maximum(diagonal_dual, 0.0) if problem.nonnegative else np.zeros(num_nodes)
    own = np.diagonal(y)
    on_edge = (own[i] + own[j] - charge[i] - charge[j]) / 2.0
    if problem.nonnegative:
        on_edge = np.maximum(on_edge, y[i, j])
    y[i, j] = y[j, i] = on_edge
    size = float(np.abs(np.linalg.eigvalsh(y)).sum())
    if size == 0:
        return 0.0
    value = float(np.trace(y) - y.sum() / num_nodes - charge.sum()) / size
    return max(value - _ROUNDING * (num_nodes + i.size), 0.0)
