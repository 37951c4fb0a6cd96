"""Relay tree, bandwidth, power and CPU frequency of small clusters, decided at once, with a proof."""

from solvers.clusters.deadline import solve_within
from solvers.clusters.evaluate import evaluate, violations
from solvers.clusters.memory import FrontMemory
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan, ClusterResult, ClusterSolution
from solvers.clusters.solve import METHODS, solve

__all__ = [
    "METHODS",
    "ClusterPlan",
    "ClusterProblem",
    "ClusterResult",
    "ClusterSolution",
    "FrontMemory",
    "evaluate",
    "solve",
    "solve_within",
    "violations",
]
