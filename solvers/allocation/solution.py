"""What a method proposes and what the front door answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np

from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.result import Status, StopReason, Violation, relative_gap

_MEANS = ("bandwidth_hz", "power_w", "frequency_hz", "transmit_s")


@dataclass(frozen=True, kw_only=True)
class AllocationSolution:
    """Means of each device (N,) and the deadline and prices of each cell (M,), numbers without ``cell``.

    The rows of a cell that cannot meet its deadline are NaN.

    Parameters
    ----------
    bandwidth_hz, power_w, frequency_hz, transmit_s : FloatArray, shape (N,)
        Bandwidth b, transmit power p, CPU frequency f and airtime t; 0 where a device needs none.
    deadline_s : float or FloatArray, shape (M,)
        The deadline T, chosen or given.
    bandwidth_price : float or FloatArray, shape (M,)
        mu, 1/Hz: by how much the optimum falls per hertz of band added; NaN from a method without prices.
    deadline_price : float or FloatArray, shape (M,)
        1/s: minus the derivative of the least energy cost (``energy_weight`` times joules) by the deadline;
        NaN from a method without prices.
    """

    bandwidth_hz: FloatArray
    power_w: FloatArray
    frequency_hz: FloatArray
    transmit_s: FloatArray
    deadline_s: FloatArray | float
    bandwidth_price: FloatArray | float
    deadline_price: FloatArray | float


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices of the band (M,), 1/Hz, and of each device's deadline (N,), 1/s, both >= 0."""

    bandwidth: FloatArray
    time: FloatArray


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a method hands to the check: everything is recomputed from it before anybody sees it.

    Parameters
    ----------
    bandwidth_hz, power_w, frequency_hz, transmit_s : FloatArray, shape (N,)
        As in :class:`AllocationSolution`.
    deadline_s : FloatArray, shape (M,)
        Deadline of each cell.
    prices : Prices or None
        Prices whose dual value is the bound; ``None`` from a heuristic.
    timed_out : bool
        Whether the method stopped at its time limit.
    """

    bandwidth_hz: FloatArray
    power_w: FloatArray
    frequency_hz: FloatArray
    transmit_s: FloatArray
    deadline_s: FloatArray
    prices: Prices | None = None
    timed_out: bool = False


@dataclass(frozen=True, kw_only=True)
class AllocationResult:
    """A checked answer; one value per cell (M,) where the problem has ``cell``, numbers otherwise.

    Parameters
    ----------
    status : Status
        ``OPTIMAL`` if every cell is, ``INFEASIBLE`` if every cell is, else ``FEASIBLE``.
    stop_reason : StopReason
        Why the method ended.
    solution : AllocationSolution or None
        The answer; ``None`` exactly when no cell has one.
    objective : float or FloatArray, shape (M,)
        Cost recomputed from the problem's arrays; ``inf`` for an infeasible cell.
    bound : float or FloatArray, shape (M,)
        Proven lower bound on the optimum; ``-inf`` where there is none, ``inf`` for an infeasible cell.
    least_deadlines : callable
        Computes what ``minimum_deadline_s`` shows.
    cell_status : tuple of Status, length M
        What is known of each cell.
    violations : tuple of Violation
        Limits broken beyond the tolerance; empty for every solution handed out.
    method : str
        The method that found the answer.
    seconds : float
        Wall seconds spent.
    explanation : str
        What a person should know besides, such as which cells miss which deadline.
    """

    status: Status
    stop_reason: StopReason
    solution: AllocationSolution | None
    objective: FloatArray | float
    bound: FloatArray | float
    least_deadlines: Callable[[], FloatArray] = field(repr=False)
    cell_status: tuple[Status, ...]
    violations: tuple[Violation, ...] = ()
    method: str = ""
    seconds: float = 0.0
    explanation: str = ""

    @property
    def gap(self) -> FloatArray | float:
        """Relative distance of ``objective`` from ``bound``; ``inf`` where either is missing."""
        if np.ndim(self.objective) == 0:
            return relative_gap(float(self.objective), float(self.bound))
        return relative_gaps(np.asarray(self.objective), np.asarray(self.bound))

    @cached_property
    def minimum_deadline_s(self) -> FloatArray | float:
        """Least deadline that each cell can meet, s; ``inf`` if none.  Computed when it is asked for."""
        least = self.least_deadlines()
        return float(least[0]) if np.ndim(self.objective) == 0 else frozen(least)


def relative_gaps(objective: FloatArray, bound: FloatArray) -> FloatArray:
    """Return :func:`solvers.common.relative_gap` of each pair (M,)."""
    finite = np.isfinite(objective) & np.isfinite(bound)
    distance = np.maximum(np.subtract(objective, bound, where=finite, out=np.zeros_like(objective)), 0.0)
    size = np.abs(objective)
    gap = np.divide(distance, size, out=np.where(distance > 0, np.inf, 0.0), where=size > 0)
    return np.where(finite, gap, np.inf)


def picked(proposal: Proposal, problem: AllocationProblem, chosen: BoolArray) -> Proposal:
    """Return the part of a proposal that is about the chosen cells (M,)."""
    mine = slice(None) if problem.cell is None else chosen[cast("IntArray", problem.cell)]
    rows = {name: getattr(proposal, name)[mine] for name in _MEANS}
    prices = proposal.prices
    if prices is not None:
        prices = Prices(bandwidth=prices.bandwidth[chosen], time=prices.time[mine])
    return Proposal(
        **rows, deadline_s=proposal.deadline_s[chosen], prices=prices, timed_out=proposal.timed_out
    )


def merged(proposal: Proposal, better: Proposal, problem: AllocationProblem, chosen: BoolArray) -> Proposal:
    """Return a proposal with the answers of the chosen cells (M,) replaced by those of another."""
    mine = slice(None) if problem.cell is None else chosen[cast("IntArray", problem.cell)]

    def joined(first: FloatArray, second: FloatArray, where: BoolArray | slice) -> FloatArray:
        whole = first.copy()
        whole[where] = second
        return whole

    rows = {name: joined(getattr(proposal, name), getattr(better, name), mine) for name in _MEANS}
    prices = None
    if proposal.prices is not None and better.prices is not None:
        prices = Prices(
            bandwidth=joined(proposal.prices.bandwidth, better.prices.bandwidth, chosen),
            time=joined(proposal.prices.time, better.prices.time, mine),
        )
    deadline = joined(proposal.deadline_s, better.deadline_s, chosen)
    timed_out = proposal.timed_out or better.timed_out
    return Proposal(**rows, deadline_s=deadline, prices=prices, timed_out=timed_out)
