"""How fast given weights mix, and what that takes: what every answer is checked against."""

import math

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import FloatArray, float_array, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.result import Violation
from solvers.consensus.problem import ConsensusProblem
from solvers.consensus.solution import ConsensusSolution

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Times the number of nodes: the part of the largest eigenvalue by which numpy's may err."""

NEGATIVE_TOLERANCE = 1e-12
"""Entries of a nonnegative ``W`` may be below zero by this much: rounding of one minus a sum."""


def mixing_matrix(problem: ConsensusProblem, weight: FloatArray) -> FloatArray:
    """Return ``W`` (N, N): exactly symmetric, and one minus a node's weights on its diagonal."""
    matrix = np.zeros((problem.num_nodes, problem.num_nodes))
    matrix[problem.edge_source, problem.edge_target] = weight
    matrix[problem.edge_target, problem.edge_source] = weight
    np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return frozen(matrix)


def spectral_factor(matrix: FloatArray) -> float:
    """Return the largest absolute eigenvalue of ``W`` but the mean's; 0 where rounding hides it."""
    num_nodes = matrix.shape[0]
    factor = float(np.abs(np.linalg.eigvalsh(matrix - 1.0 / num_nodes)).max())
    return factor if factor > ROUNDING * num_nodes else 0.0


def sweeps_for(factor: float, accuracy: float) -> int:
    """Return the fewest sweeps k with ``factor ** k <= accuracy``; ``factor`` in [0, 1)."""
    if factor == 0:
        return 1
    sweeps = max(math.ceil(math.log(accuracy) / math.log(factor)), 1)
    while sweeps > 1 and factor ** (sweeps - 1) <= accuracy:  # the quotient was rounded up
        sweeps -= 1
    while factor**sweeps > accuracy:
        sweeps += 1
    return sweeps


def evaluate(problem: ConsensusProblem, weight: npt.ArrayLike) -> ConsensusSolution:
    """Return the weights with their factor, the sweeps for the accuracy, and seconds and joules.

    Raises
    ------
    InvalidProblem
        If the weights are no finite numbers, one for each edge, or do not mix: their factor is not below 1.
    """
    weight = float_array("weight", weight, problem.edge_source.shape, allow_negative=True)
    matrix = mixing_matrix(problem, weight)
    factor = spectral_factor(matrix)
    if factor >= 1:
        raise InvalidProblem("weight", None, f"of spectral factor {factor!r}", "such that the factor is < 1")
    num_sweeps = 0 if problem.num_nodes == 1 else sweeps_for(factor, problem.accuracy)
    start_s, end_s = sweep_times(problem, weight)
    used = weight != 0
    sweep_s = float(end_s[used].max(initial=0.0))
    sweep_j = float((problem.power_w * problem.transfer_s)[used].sum())
    return ConsensusSolution(
        weight=weight,
        matrix=matrix,
        factor=factor,
        num_sweeps=num_sweeps,
        start_s=start_s,
        end_s=end_s,
        sweep_s=sweep_s,
        sweep_j=sweep_j,
        latency_s=num_sweeps * sweep_s,
        energy_j=num_sweeps * sweep_j,
    )


def sweep_times(problem: ConsensusProblem, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return start and end of each transfer of a sweep, (E, 2) each; NaN for edges of weight 0.

    The longest transfer chooses first; each starts when the half-duplex radios at its ends have done with
    those that chose before. (To end earliest is an open shop, of which this order is a heuristic.)
    """
    start_s, end_s = np.full(problem.transfer_s.shape, np.nan), np.full(problem.transfer_s.shape, np.nan)
    free_s = np.zeros(problem.num_nodes)
    ends = np.stack([problem.edge_source, problem.edge_target], axis=1)
    order = np.argsort(-problem.transfer_s, axis=None, kind="stable")
    for edge, way in zip(*np.unravel_index(order, start_s.shape), strict=True):
        if weight[edge] == 0:
            continue
        radios = ends[edge][problem.half_duplex[ends[edge]]]
        start_s[edge, way] = free_s[radios].max(initial=0.0)
        end_s[edge, way] = start_s[edge, way] + problem.transfer_s[edge, way]
        free_s[radios] = end_s[edge, way]
    return frozen(start_s), frozen(end_s)


def violations(problem: ConsensusProblem, solution: ConsensusSolution) -> tuple[Violation, ...]:
    """Return the entries of ``W`` that are below zero where they may not be."""
    if not problem.nonnegative:
        return ()
    low = np.argwhere(np.triu(solution.matrix < -NEGATIVE_TOLERANCE))
    return tuple(
        Violation(f"nonnegativity of entry ({row}, {column})", -float(solution.matrix[row, column]), "")
        for row, column in low.tolist()
    )
