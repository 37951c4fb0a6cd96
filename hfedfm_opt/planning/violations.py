"""How a plan's faults are told: place, amount and unit."""

from collections.abc import Iterator
from dataclasses import dataclass

TOLERANCE = 1e-9
"""Relative excess of a limit that counts as rounding."""


@dataclass(frozen=True)
class PlanViolation:
    """One thing that is wrong with a plan.

    Parameters
    ----------
    place : str
        Where, such as ``"node 'd3'"``.
    what : str
        What is wrong, such as ``"memory is 5e+08 byte, must be at most 4e+08 byte"``.
    amount : float or None
        By how much a limit is exceeded, in ``unit``; ``None`` where the plan makes no sense at all.
    unit : str
        Unit of the amount.
    """

    place: str
    what: str
    amount: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        amount = "" if self.amount is None else f"{self.amount:.6g} {self.unit}".rstrip()
        excess = f" (exceeded by {amount})" if amount else ""
        return f"{self.place}: {self.what}{excess}"


def over(place: str, what: str, value: float, limit: float, unit: str) -> Iterator[PlanViolation]:
    """Yield a violation if a value exceeds its limit by more than rounding."""
    if value > limit * (1 + TOLERANCE):
        suffix = f" {unit}" if unit else ""
        text = f"{what} is {value:.6g}{suffix}, must be at most {limit:.6g}{suffix}"
        yield PlanViolation(place, text, value - limit, unit)
