"""A problem with what methods need of it, computed once and when it is asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from solvers.allocation.blocks import blocks
from solvers.allocation.fleet import Fleet, cells_of, fleet_of
from solvers.allocation.minimum_deadline import least_margin
from solvers.allocation.problem import DEVICE_FIELDS, AllocationProblem
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_DEADLINE_SLACK = 1e-12
"""Share by which a deadline may be below the least one and still count as met."""


@dataclass(frozen=True)
class Prepared:
    """A problem, its fleet, and the least margin (s above ``fleet.base``) of each cell (M,)."""

    problem: AllocationProblem

    @cached_property
    def fleet(self) -> Fleet:
        """The devices in the letters of the derivation."""
        return fleet_of(self.problem)

    @cached_property
    def least(self) -> FloatArray:
        """Seconds by which the least deadline of each cell is above ``fleet.base`` (M,)."""
        return least_margin(self.fleet)

    @cached_property
    def minimum_deadline(self) -> FloatArray:
        """Least deadline of each cell (M,), s; ``inf`` where no deadline is enough."""
        return self.fleet.base + self.least

    @cached_property
    def feasible(self) -> BoolArray:
        """Whether each cell (M,) can meet its deadline, or any where it is free."""
        if self.problem.deadline_s is None:
            return _can_finish(self.problem)
        given = np.atleast_1d(cast("FloatArray", self.problem.deadline_s))
        least = self.minimum_deadline
        return np.isfinite(least) & (given >= least * (1.0 - _DEADLINE_SLACK))

    def least_deadlines(self) -> FloatArray:
        """Return the least deadline of each cell (M,)."""
        return self.minimum_deadline

    def margin(self) -> FloatArray:
        """Return the margin of the deadline given, or the least where it is to be decided (M,)."""
        if self.fleet.deadline is None:
            return self.least
        return np.maximum(self.fleet.deadline - self.fleet.base, self.least)


def prepare(problem: AllocationProblem) -> Prepared:
    """Return ``problem`` with what methods need of it."""
    return Prepared(problem)


def of_cells(prepared: Prepared, chosen: BoolArray) -> Prepared:
    """Return the chosen cells (M,) alone, numbered anew in their order."""
    return prepared if chosen.all() else Prepared(restricted(prepared.problem, chosen))


def _can_finish(problem: AllocationProblem) -> BoolArray:
    """Return whether each cell (M,) can finish at all: it has a band, power, gain and speed if need be."""
    f = {
        name: cast("FloatArray", getattr(problem, name))
        for name in ("bits", "gain", "noise_w_per_hz", "max_power_w", "cycles", "max_frequency_hz")
    }
    band = np.atleast_1d(cast("FloatArray", problem.band_hz))
    able = np.ones(problem.num_cells, dtype=bool)
    for part in blocks(problem.num_devices):
        sends = f["bits"][part] > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            seconds = f["bits"][part] * f["noise_w_per_hz"][part] / f["gain"][part] / f["max_power_w"][part]
            computing = f["cycles"][part] / f["max_frequency_hz"][part]
        cell = 0 if problem.cell is None else cast("IntArray", problem.cell)[part]
        stuck = (sends & ~((seconds < np.inf) & (band[cell] > 0))) | (
            (f["cycles"][part] > 0) & ~(computing < np.inf)
        )
        if stuck.any():
            able[0 if problem.cell is None else np.asarray(cell)[stuck]] = False
    return able


def restricted(problem: AllocationProblem, chosen: BoolArray) -> AllocationProblem:
    """Return the problem of the chosen cells (M,) alone, numbered anew in their order."""
    cell = cells_of(problem)
    number = np.cumsum(chosen) - 1
    mine = chosen[cell]
    rows: dict[str, FloatArray] = {name: getattr(problem, name)[mine] for name in DEVICE_FIELDS}
    names = (
        "band_hz",
        "energy_weight",
        "time_weight",
        *(("deadline_s",) if problem.deadline_s is not None else ()),
    )
    columns: dict[str, FloatArray] = {name: np.atleast_1d(getattr(problem, name))[chosen] for name in names}
    return AllocationProblem(cell=number[cell[mine]], **rows, **columns)
