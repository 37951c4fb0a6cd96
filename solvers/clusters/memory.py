"""What was found of clusters within one limit after another: plans, and lines below all plans."""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from solvers.clusters.solution import ClusterPlan, ClusterResult, ClusterSolution
from solvers.common.arrays import FloatArray


@dataclass(frozen=True, order=True)
class Noted:
    """A plan of one cluster; ``at_price``: it was found as the best at a price of time."""

    latency_s: float
    energy_j: float
    at_price: bool = field(compare=False)
    plan: ClusterPlan = field(compare=False, repr=False)


class FrontMemory:
    """Plans and lines of clusters by name, for later calls of :func:`~solvers.clusters.solve_within`.

    A line is a level and a price: every plan has ``energy + price * latency >= level``.  The calls must speak
    of the same problems by the same names.
    """

    def __init__(self) -> None:
        self._plans: dict[int, list[Noted]] = {}
        self._lines: dict[int, list[tuple[float, float]]] = {}

    def note(self, names: Sequence[int], result: ClusterResult, price: FloatArray) -> None:
        """Note what a result of :func:`~solvers.clusters.solve` says of clusters at prices of time (M,).

        Joules must have the weight 1, or, with a price of 0, no weight at all.
        """
        for row, name in enumerate(names):
            at_price = bool(price[row] > 0)
            if at_price:
                self.note_line(name, float(np.asarray(result.bound)[row]), float(price[row]))
            if result.solution is not None:
                self.note_plan(name, result.solution, row, at_price=at_price)

    def note_line(self, name: int, level: float, price: float) -> None:
        """Note a line."""
        if np.isfinite(level):
            self._lines.setdefault(name, []).append((level, price))

    def note_plan(self, name: int, solution: ClusterSolution, row: int, *, at_price: bool) -> None:
        """Note the plan of a row of a solution, if there is one."""
        seconds, joules = float(solution.latency_s[row]), float(solution.energy_j[row])
        if np.isfinite(joules):
            whole = solution.plan
            plan = ClusterPlan(**{f.name: getattr(whole, f.name)[row] for f in fields(ClusterPlan)})
            bisect.insort(self._plans.setdefault(name, []), Noted(seconds, joules, at_price, plan))

    def of(self, names: Iterable[int]) -> "FrontMemory":
        """Return a memory of some clusters alone, which grows apart from this one."""
        other = FrontMemory()
        other.take(self, names)
        return other

    def take(self, other: "FrontMemory", names: Iterable[int]) -> None:
        """Remember of some clusters what another memory does, in place of what was known of them."""
        for name in names:
            self._plans[name] = list(other._plans.get(name, ()))
            self._lines[name] = list(other._lines.get(name, ()))

    def fast(self, name: int, limit_s: float) -> Noted | None:
        """Return the plan of least energy within a limit."""
        known = (one for one in self._plans.get(name, ()) if one.latency_s <= limit_s)
        return min(known, key=lambda one: one.energy_j, default=None)

    def slow(self, name: int, limit_s: float) -> Noted | None:
        """Return the fastest plan that is too slow, of those that are the best at some price."""
        known = (one for one in self._plans.get(name, ()) if one.latency_s > limit_s and one.at_price)
        return next(known, None)

    def line(self, name: int, limit_s: float) -> tuple[float, float]:
        """Return the joules that no plan within a limit undercuts, and the price of the line that says so."""
        lines = np.array([(0.0, 0.0), *self._lines.get(name, ())])
        values: FloatArray = lines[:, 0] - lines[:, 1] * limit_s
        best = int(np.argmax(values))
        return float(values[best]), float(lines[best, 1])
