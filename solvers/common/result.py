"""What a solver answers: what is known, why it ended, and how far from the best it can be."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Solution = TypeVar("Solution")


class Status(StrEnum):
    """What is known about the problem when the solver ends."""

    OPTIMAL = "optimal"
    """A checked solution whose proven gap is within the gap asked."""
    FEASIBLE = "feasible"
    """A checked solution whose proven gap is larger than the gap asked."""
    INFEASIBLE = "infeasible"
    """Proven: no solution meets the limits."""
    UNKNOWN = "unknown"
    """No solution was found and none was ruled out."""


class StopReason(StrEnum):
    """Why the solver ended."""

    GAP_REACHED = "gap reached"
    TIME_LIMIT = "time limit"
    NO_PROGRESS = "no progress"
    """The method had done all it does (a heuristic came to its end, an iteration stalled)."""
    PROVEN_INFEASIBLE = "proven infeasible"


@dataclass(frozen=True)
class Violation:
    """One broken limit of a solution: where, by how much, in which unit.

    Parameters
    ----------
    limit : str
        The limit in words, such as ``"memory of node 3"``.
    amount : float
        By how much it is exceeded, > 0, in ``unit``.
    unit : str
        Unit of ``amount``, such as ``"byte"``.
    """

    limit: str
    amount: float
    unit: str

    def __str__(self) -> str:
        return f"{self.limit} is exceeded by {self.amount:.6g} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Result(Generic[Solution]):
    """A checked answer to a minimisation problem.

    Parameters
    ----------
    status, stop_reason
        What is known, and why the solver ended: two separate facts.
    solution
        The answer, or ``None`` exactly when there is none.
    objective : float
        Value of ``solution``, recomputed from the problem's arrays; ``inf`` without a solution.
    bound : float
        A proven lower bound on the optimum, ``-inf`` when there is none; kept without a solution too.
    violations : tuple of Violation
        Limits that ``solution`` breaks beyond the problem's tolerance; empty for every solution handed out.
    method : str
        Name of the method that found the answer.
    seconds : float
        Wall seconds spent.
    explanation : str
        What a person should know besides: the limits in conflict, which method ``auto`` chose and why.
    """

    status: Status
    stop_reason: StopReason
    solution: Solution | None
    objective: float
    bound: float
    violations: tuple[Violation, ...] = ()
    method: str = ""
    seconds: float = 0.0
    explanation: str = ""

    @property
    def gap(self) -> float:
        """Relative distance of ``objective`` from ``bound``, see :func:`relative_gap`."""
        return relative_gap(self.objective, self.bound)


def relative_gap(objective: float, bound: float) -> float:
    """Return ``(objective - bound) / |objective|``, never below 0; ``inf`` where either is missing.

    Parameters
    ----------
    objective : float
        Value of a feasible point of a minimisation problem, or ``inf``.
    bound : float
        A lower bound on its optimum, or ``-inf``.
    """
    if not math.isfinite(objective) or not math.isfinite(bound):
        return math.inf
    distance = max(objective - bound, 0.0)
    return distance / abs(objective) if objective else (0.0 if distance == 0 else math.inf)
