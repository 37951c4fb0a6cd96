"""Consensus: weights with which neighbours average until all hold the mean, and what the sweeps take."""

from solvers.consensus.evaluate import evaluate, violations
from solvers.consensus.problem import ConsensusProblem
from solvers.consensus.solution import ConsensusSolution
from solvers.consensus.solve import METHODS, solve

__all__ = [
    "METHODS",
    "ConsensusProblem",
    "ConsensusSolution",
    "evaluate",
    "solve",
    "violations",
]
