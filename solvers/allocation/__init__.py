"""Bandwidth, power, CPU frequency and deadline of transmitters that share a band, with a certificate."""

from solvers.allocation.dual_bound import dual_bound
from solvers.allocation.methods import METHODS
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import AllocationResult, AllocationSolution
from solvers.allocation.solve import solve

__all__ = ["METHODS", "AllocationProblem", "AllocationResult", "AllocationSolution", "dual_bound", "solve"]
