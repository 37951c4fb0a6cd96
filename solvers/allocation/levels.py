"""Powers and frequencies that come in levels: certified branch and bound over deadlines and choices."""

import heapq
import itertools
import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from solvers.allocation.level_options import Costs, LevelOptions, level_options
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solve import solve
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap

DEFAULT_LEVEL_GAP = 1e-4
"""Relative gap at which the search ends unless the options ask otherwise."""
MAX_NODES = 2000
"""Nodes after which the search ends with the gap that it has."""
_LOOKS = 12
"""Prices tried for the bound of a node."""
_PASSES = 20
"""Times that all changes of one device's choice are tried, while the best of them helps."""
_BATCH = 200_000
"""Devices in one call of the continuous solver."""


@dataclass(frozen=True, kw_only=True)
class LevelSolution:
    """Means of each device (N,), power and frequency among its levels, and the deadline.

    Parameters
    ----------
    bandwidth_hz, power_w, frequency_hz, transmit_s : FloatArray, shape (N,)
        As in :class:`solvers.allocation.AllocationSolution`.
    deadline_s : float
        The deadline T, chosen or given, s.
    """

    bandwidth_hz: FloatArray
    power_w: FloatArray
    frequency_hz: FloatArray
    transmit_s: FloatArray
    deadline_s: float


def solve_levels(
    problem: AllocationProblem,
    *,
    power_levels_w: npt.ArrayLike | None = None,
    frequency_levels_hz: npt.ArrayLike | None = None,
    options: Options | None = None,
) -> Result[LevelSolution]:
    """Return the least cost with powers and frequencies from given levels, with a proof.

    Parameters
    ----------
    problem : AllocationProblem
        One cell (``cell`` is ``None``); levels beyond a device's own limits are not for that device.
    power_levels_w, frequency_levels_hz : array_like, shape (L,) or (N, L), or None
        Levels of all devices or of each, W and Hz, > 0; ``None`` leaves all between the limits.
    options : Options or None
        When to stop; the default gap is 1e-4.

    Returns
    -------
    Result of LevelSolution
        Each choice of levels leaves a continuous problem, whose checked optimum this is; the bound is over
        all choices.  The search also ends after :data:`MAX_NODES` nodes, with the gap that it has: that falls
        as one over the number of devices, as few of them are torn between two levels.

    Raises
    ------
    InvalidProblem
        If levels have no meaning, a device has none, or the problem has several cells.
    """
    started = time.perf_counter()
    options = options or Options()
    if problem.cell is not None:
        raise InvalidProblem("cell", None, "an array", "None: levels are chosen in one cell at a time")
    choices = level_options(problem, power_levels_w, frequency_levels_hz)
    fastest = solve(choices.fixed_to(choices.fastest[None, :]))
    least = float(np.asarray(fastest.minimum_deadline_s)[0])
    if fastest.solution is None:
        return _infeasible(least, started)
    search = _Search(choices, least)
    search.try_all(choices.fastest[None, :])
    wanted = DEFAULT_LEVEL_GAP if options.gap is None else options.gap
    end = started + (options.time_limit_s or np.inf)
    late = float(cast("FloatArray", problem.energy_weight)) > 0 and search.run(wanted, end)
    bound = min(search.bound, search.value)
    if float(cast("FloatArray", problem.energy_weight)) == 0:  # time alone counts: nothing beats the fastest
        bound = float(np.asarray(fastest.bound)[0])
    optimal = relative_gap(search.value, bound) <= wanted
    ended = StopReason.TIME_LIMIT if late else StopReason.NO_PROGRESS
    return Result(
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        stop_reason=StopReason.GAP_REACHED if optimal else ended,
        solution=search.best,
        objective=search.value,
        bound=bound,
        method="levels",
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class _Node:
    """Deadlines from ``early`` to ``late``, choices ``allowed`` (N, O), and the price to look at first."""

    early: float
    late: float
    allowed: BoolArray
    mu: float


@dataclass(frozen=True)
class _Look:
    """The bound of a node, the price that gave it, the cheapest choices (N,), and a torn device or -1."""

    bound: float
    mu: float
    choice: IntArray
    torn: int


class _Search:
    """Best-first search over intervals of the deadline and sets of choices, and the best answer so far."""

    def __init__(self, choices: LevelOptions, least: float) -> None:
        problem = choices.problem
        self.choices, self.least = choices, least
        self.band = float(cast("FloatArray", problem.band_hz))
        self.time_weight = float(cast("FloatArray", problem.time_weight))
        self.given = None if problem.deadline_s is None else float(cast("FloatArray", problem.deadline_s))
        self.best: LevelSolution | None = None
        self.best_choice = choices.fastest
        self.value, self.bound = np.inf, -np.inf
        self._seen: set[bytes] = set()

    def try_all(self, candidates: IntArray) -> None:
        """Solve what choices (K, N) leave, and keep the best."""
        new = [row for row in candidates if row.tobytes() not in self._seen]
        self._seen.update(row.tobytes() for row in new)
        size = max(_BATCH // max(candidates.shape[1], 1), 1)
        for start in range(0, len(new), size):
            rows = np.array(new[start : start + size])
            result = solve(self.choices.fixed_to(rows))
            cost = np.asarray(result.objective)
            place = int(np.argmin(cost))
            if result.solution is not None and cost[place] < self.value:
                self.value, self.best_choice = float(cost[place]), rows[place]
                mine = slice(place * rows.shape[1], (place + 1) * rows.shape[1])
                found = result.solution
                self.best = LevelSolution(
                    bandwidth_hz=frozen(found.bandwidth_hz[mine].copy()),
                    power_w=frozen(found.power_w[mine].copy()),
                    frequency_hz=frozen(found.frequency_hz[mine].copy()),
                    transmit_s=frozen(found.transmit_s[mine].copy()),
                    deadline_s=float(np.asarray(found.deadline_s)[place]),
                )

    def improve(self) -> None:
        """Change one device's choice at a time while that helps."""
        for _ in range(_PASSES):
            before = self.value
            count = self.choices.allowed.shape[1]
            device, option = np.nonzero(
                self.choices.allowed & (np.arange(count) != self.best_choice[:, None])
            )
            rows = np.repeat(self.best_choice[None, :], len(device), axis=0)
            rows[np.arange(len(device)), device] = option
            if len(rows):
                self.try_all(rows)
            if not self.value < before:
                return

    def run(self, gap: float, end: float) -> bool:
        """Search until the gap is reached or nodes run out, and return whether time ran out before."""
        price = solve(self._relaxed()).solution
        mu = 0.0 if price is None else float(price.bandwidth_price)
        start = (
            self.given
            if self.given is not None
            else max(self.least, float(price.deadline_s) if price else 0.0)
        )
        first = self._look(_Node(start, start, self.choices.allowed, mu))
        self.try_all(first.choice[None, :])
        self.improve()
        if self.given is not None:
            node = _Node(self.given, self.given, self.choices.allowed, first.mu)
        else:
            node = _Node(
                self.least, max(self.value / self.time_weight, self.least), self.choices.allowed, first.mu
            )
        number = itertools.count()
        look = self._look(node)
        nodes = [(look.bound, next(number), node, look)]
        for _ in range(MAX_NODES):
            self.bound = nodes[0][0] if nodes else self.value
            if not nodes or relative_gap(self.value, min(self.bound, self.value)) <= gap:
                return False
            if time.perf_counter() > end:
                return True
            _, _, node, look = heapq.heappop(nodes)
            parts = self._split(node, look, gap)
            if not parts:
                return False  # rounding is what keeps the gap open
            for part in parts:
                inner = self._look(replace(part, mu=look.mu))
                self.try_all(inner.choice[None, :])
                if inner.bound < self.value:
                    heapq.heappush(nodes, (max(inner.bound, look.bound), next(number), part, inner))
        self.bound = nodes[0][0] if nodes else self.value
        return False

    def _relaxed(self) -> AllocationProblem:
        """Return the continuous problem between the lowest and the highest level of each device."""
        choices = self.choices
        low, high = (np.where(choices.allowed, side, np.nan) for side in (choices.power[0], choices.power[1]))
        slow, fast = (
            np.where(choices.allowed, side, np.nan) for side in (choices.frequency[0], choices.frequency[1])
        )
        return replace(
            choices.problem,
            min_power_w=np.nanmin(low, axis=1),
            max_power_w=np.nanmax(high, axis=1),
            min_frequency_hz=np.nanmin(slow, axis=1),
            max_frequency_hz=np.nanmax(fast, axis=1),
        )

    def _split(self, node: _Node, look: _Look, gap: float) -> list[_Node]:
        """Halve long intervals; in short ones let a torn device take its cheapest choice, or another."""
        wide = node.late - node.early > 0.3 * np.sqrt(max(gap, 1e-12)) * node.late
        if look.torn >= 0 and not wide:
            one, rest = node.allowed.copy(), node.allowed.copy()
            one[look.torn] = False
            one[look.torn, look.choice[look.torn]] = True
            rest[look.torn, look.choice[look.torn]] = False
            return [replace(node, allowed=one), replace(node, allowed=rest)]
        middle = 0.5 * (node.early + node.late)
        if not node.early < middle < node.late:
            return []
        return [replace(node, late=middle), replace(node, early=middle)]

    def _look(self, node: _Node) -> _Look:
        """Return the best bound found by moving the price until the bandwidth asked meets the band."""
        best = _Look(-np.inf, node.mu, np.argmax(node.allowed, axis=1), -1)
        low, high = 0.0, np.inf
        mu = max(node.mu, 1e-300)
        over: IntArray | None = None
        under: IntArray | None = None
        for _ in range(_LOOKS):
            costs = self.choices.cost(node.late, mu)
            bound, choice, used = self._value(costs, node, mu)
            if bound > best.bound:
                best = replace(best, bound=bound, mu=mu)
            if used > self.band:
                low, over = mu, choice
            else:
                high, under = mu, choice
            if not np.isfinite(bound) and bound > 0:
                break  # some device has no choice in time
            mu = 2.0 * mu if high == np.inf else 0.5 * mu if low == 0.0 else np.sqrt(low * high)
        final = under if under is not None else over
        if final is None:
            return best
        torn = -1
        if over is not None and under is not None and np.any(over != under):
            several = node.allowed.sum(axis=1) > 1
            differ = np.flatnonzero((over != under) & several)
            torn = int(differ[0]) if len(differ) else -1
        if torn < 0:
            several = np.flatnonzero(node.allowed.sum(axis=1) > 1)
            torn = int(several[0]) if len(several) else -1
        return replace(best, choice=final, torn=torn)

    def _value(self, costs: Costs, node: _Node, mu: float) -> tuple[float, IntArray, float]:
        """Return the bound at a price, the cheapest choices at the latest deadline and their bandwidth.

        Each choice's cost is convex in T and above its tangent at the latest deadline; the least of several
        lines is concave, and so is the sum over devices: the bound is least at an end of the interval.
        """
        late = np.where(node.allowed, costs.value, np.inf)
        choice = np.argmin(late, axis=1)
        rows = np.arange(len(choice))
        early = np.where(node.allowed, costs.value + costs.price * (node.late - node.early), np.inf)
        at_late = float(late[rows, choice].sum()) + self.time_weight * node.late
        at_early = float(early.min(axis=1).sum()) + self.time_weight * node.early
        used = float(costs.width[rows, choice].sum())
        size = mu * self.band
        rounding = 1e-13 * (size + abs(at_late)) if np.isfinite(at_late) else 0.0
        return min(at_late, at_early) - size - rounding, choice, used


def _infeasible(least: float, started: float) -> Result[LevelSolution]:
    why = (
        f"the highest levels need at least {least!r} s" if np.isfinite(least) else "a device can never finish"
    )
    return Result(
        status=Status.INFEASIBLE,
        stop_reason=StopReason.PROVEN_INFEASIBLE,
        solution=None,
        objective=np.inf,
        bound=np.inf,
        method="levels",
        seconds=time.perf_counter() - started,
        explanation=why,
    )
