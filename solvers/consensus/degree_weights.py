"""Weights that one would write down without a solver: from degrees, or one number for all edges."""

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.options import Options
from solvers.consensus.outcome import Outcome
from solvers.consensus.problem import ConsensusProblem


def metropolis(problem: ConsensusProblem, options: Options) -> Outcome:
    """Return ``1 / (1 + the larger degree)`` for each edge.

    Metropolis-Hastings weights (L. Xiao, S. Boyd, S. Lall, IPSN 2005, doi:10.1109/IPSN.2005.1440896).
    """
    del options
    return Outcome(weight=metropolis_weights(problem))


def max_degree(problem: ConsensusProblem, options: Options) -> Outcome:
    """Return ``1 / (1 + the largest degree)`` for every edge.

    Xiao and Boyd 2004 leave out the one; with it, bipartite graphs mix too.
    """
    del options
    return Outcome(weight=max_degree_weights(problem))


def best_constant(problem: ConsensusProblem, options: Options) -> Outcome:
    """Return the best single weight for all edges, from the eigenvalues of the Laplacian matrix."""
    del options
    return Outcome(weight=best_constant_weights(problem))


def metropolis_weights(problem: ConsensusProblem) -> FloatArray:
    """Return the weights of :func:`metropolis`, (E,)."""
    degree = problem.degree
    return 1.0 / (1.0 + np.maximum(degree[problem.edge_source], degree[problem.edge_target]))


def max_degree_weights(problem: ConsensusProblem) -> FloatArray:
    """Return the weights of :func:`max_degree`, (E,)."""
    return np.full(problem.edge_source.size, 1.0 / (1.0 + problem.degree.max()))


def best_constant_weights(problem: ConsensusProblem) -> FloatArray:
    """Return ``2 / (l_2 + l_N)`` for every edge, (E,); ``l_1 <= ... <= l_N`` are the Laplacian's eigenvalues.

    Xiao and Boyd 2004, section 4.1: the eigenvalues of ``W`` are ``1 - w l_k``, and those of ``l_2`` and of
    ``l_N`` are then equally far from zero. Where ``W`` may have no entry below zero, the weight is at most
    ``1 / largest degree``; as any weight below the best leaves ``l_2`` decisive, this limit is then best.
    """
    if problem.edge_source.size == 0:
        return np.zeros(0)
    laplacian = np.diag(problem.degree.astype(np.float64))
    laplacian[problem.edge_source, problem.edge_target] = -1.0
    laplacian[problem.edge_target, problem.edge_source] = -1.0
    eigenvalue = np.linalg.eigvalsh(laplacian)
    weight = 2.0 / (eigenvalue[1] + eigenvalue[-1])
    if problem.nonnegative:
        weight = min(weight, 1.0 / problem.degree.max())
    return np.full(problem.edge_source.size, weight)
