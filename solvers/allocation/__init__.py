"""Bandwidth, power, CPU frequency and deadline of transmitters that share a band, with a certificate."""

from solvers.allocation.dual_bound import dual_bound
from solvers.allocation.levels import LevelSolution, solve_levels
from solvers.allocation.methods import METHODS
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.resource_blocks import BlockSolution, solve_resource_blocks
from solvers.allocation.solution import AllocationResult, AllocationSolution
from solvers.allocation.solve import solve

__all__ = [
    "METHODS",
    "AllocationProblem",
    "AllocationResult",
    "AllocationSolution",
    "BlockSolution",
    "LevelSolution",
    "dual_bound",
    "solve",
    "solve_levels",
    "solve_resource_blocks",
]
