"""A problem with what every method needs of it, computed once."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.fleet import Fleet, cells_of, fleet_of
from solvers.allocation.minimum_deadline import least_margin
from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import BoolArray, FloatArray


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


def restricted(problem: AllocationProblem, chosen: BoolArray) -> AllocationProblem:
    """Return the problem of the chosen cells (M,) alone, numbered anew in their order."""
    cell = cells_of(problem)
    number = np.cumsum(chosen) - 1
    mine = chosen[cell]
    arrays = ("bits", "gain", "noise_w_per_hz", "max_power_w", "cycles", "max_frequency_hz", "capacitance")
    rows: dict[str, FloatArray] = {name: getattr(problem, name)[mine] for name in arrays}
    names = (
        "band_hz",
        "energy_weight",
        "time_weight",
        *(("deadline_s",) if problem.deadline_s is not None else ()),
    )
    columns: dict[str, FloatArray] = {name: np.atleast_1d(getattr(problem, name))[chosen] for name in names}
    return AllocationProblem(cell=number[cell[mine]], **rows, **columns)
