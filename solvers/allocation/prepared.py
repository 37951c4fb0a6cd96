"""A problem with what every method needs of it, computed once."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.fleet import Fleet, fleet_of
from solvers.allocation.minimum_deadline import least_margin
from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import FloatArray


@dataclass(frozen=True)
class Prepared:
    """A problem, its fleet, and the least margin (s above ``fleet.base``) of each cell (M,)."""

    problem: AllocationProblem
    fleet: Fleet
    least: FloatArray

    def margin(self) -> FloatArray:
        """Return the margin of the deadline given, or the least where it is to be decided (M,)."""
        if self.fleet.deadline is None:
            return self.least
        return np.maximum(self.fleet.deadline - self.fleet.base, self.least)


def prepare(problem: AllocationProblem) -> Prepared:
    """Return ``problem`` with its fleet and least margins."""
    fleet = fleet_of(problem)
    return Prepared(problem, fleet, least_margin(fleet))
