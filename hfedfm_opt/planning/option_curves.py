"""The energy of each option of a cluster as a function of the deadline that all clusters share.

An option at nominal resources is a point; one with an allocated uplink is a convex curve, priced for many
deadlines in one call of the allocation solver.  ``docs/mathematics/planning.md`` has the formulas.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.cluster_options import Option
from hfedfm_opt.planning.joint_curves import JointCurves
from hfedfm_opt.planning.joint_problem import floor_of
from hfedfm_opt.planning.slack import SlackCurves
from hfedfm_opt.planning.uplink_cell import UplinkCell
from hfedfm_opt.planning.workers import ALONE, Workers
from solvers.allocation import AllocationProblem, AllocationSolution, solve
from solvers.clusters import ClusterPlan
from solvers.common.arrays import FloatArray


@dataclass(frozen=True)
class Choice:
    """An option of a cluster with what was allocated to it.

    Parameters
    ----------
    option : Option
        The option.
    bandwidth_hz, drawn_power_w, frequency_hz : FloatArray or None
        For each sender of the option's cell, or device with slack; ``None`` without either.
    plan : ClusterPlan or None
        The decisions of a joint option.
    """

    option: Option
    bandwidth_hz: FloatArray | None = None
    drawn_power_w: FloatArray | None = None
    frequency_hz: FloatArray | None = None
    plan: ClusterPlan | None = None


DEAR_SECOND_J, CHEAP_SECOND_J = 1e6, 1.0
"""What a second is worth, to begin with, where a joule costs nothing and where a second does, J."""
NO_TIME_S = 1e-12
"""Deadline of cells that have nothing to compute and nothing to send, s."""


@dataclass(frozen=True)
class Prices:
    """What a joule and a second of a cycle cost."""

    energy: float
    time: float


@dataclass(frozen=True)
class Point:
    """What is known at one deadline: value, and a bound and slope for each option (inf where infeasible).

    ``ideal`` is the least that the bounds allow here; it is the value but for powers that the allocation
    solver does not see.
    """

    deadline_s: float
    value: float
    ideal: float
    chosen: tuple[int, ...]
    value_j: FloatArray
    bound_j: FloatArray
    slope_w: FloatArray


class Curves:
    """Energy of every option as a function of the common deadline, priced for many deadlines in one call."""

    def __init__(
        self,
        options: tuple[Option, ...],
        delay_s: FloatArray,
        prices: Prices,
        gap: float = 1e-6,
        stop_at: float = math.inf,
        limit_j: float = math.inf,
        workers: Workers = ALONE,
        *,
        bounded: bool = True,
    ) -> None:
        self.limit_j = limit_j
        self.options = options
        self.prices = prices
        self.cluster = np.array([option.cluster for option in options], dtype=np.int64)
        self.num_clusters = len(delay_s)
        self.fixed_s = np.array([option.seconds for option in options]) + delay_s[self.cluster]
        self.fixed_j = np.array([option.joules for option in options])
        self.repeat = np.array([option.repeat for option in options])
        self.cells = [index for index, option in enumerate(options) if option.cell is not None]
        self.least_overhead_j = np.array(
            [0.0 if option.cell is None else option.cell.least_overhead_j for option in options]
        )
        self.least_tau_s = np.zeros(len(options))
        second_j = prices.time / prices.energy if prices.energy > 0 else DEAR_SECOND_J
        second_j = second_j or CHEAP_SECOND_J
        joint = {index: option.joint for index, option in enumerate(options) if option.joint is not None}
        self.joint = JointCurves(joint, second_j, 0.1 * gap, stop_at, workers, bounded=bounded)
        self.least_tau_s[list(joint)] = [self.joint.least_s(index)[0] for index in joint]
        self.bound_tau_s = self.least_tau_s.copy()
        self.bound_tau_s[list(joint)] = [self.joint.least_s(index)[1] for index in joint]
        self.slack = [index for index, option in enumerate(options) if option.slack is not None]
        self.slack_curves = SlackCurves([option.slack for option in options if option.slack is not None])
        self.least_tau_s[self.slack] = self.bound_tau_s[self.slack] = self.slack_curves.least_s
        if self.cells:
            result = solve(self._problem([(index, 1e300) for index in self.cells], free=True))
            self.least_tau_s[self.cells] = np.atleast_1d(result.minimum_deadline_s)
            self.bound_tau_s[self.cells] = self.least_tau_s[self.cells]

    def bound_on_earliest_s(self) -> float:
        """Return a deadline that no choice undercuts."""
        least = np.full(self.num_clusters, np.inf)
        np.minimum.at(least, self.cluster, self.fixed_s + self.repeat * self.bound_tau_s)
        return float(least.max()) if least.size else 0.0

    def earliest_s(self) -> float:
        """Return the least deadline that every cluster can meet; ``inf`` if one has no option."""
        own = self.fixed_s + self.repeat * self.least_tau_s
        least = np.full(self.num_clusters, np.inf)
        np.minimum.at(least, self.cluster, own)
        return float(least.max()) if least.size else 0.0

    @property
    def has_curves(self) -> bool:
        """Whether the energy of any option changes with the deadline."""
        return bool(self.cells or self.joint.clusters or self.slack)

    def kinks_s(self) -> FloatArray:
        """Return the deadlines from which on each option is feasible."""
        kinks: FloatArray = np.unique(self.fixed_s + self.repeat * self.least_tau_s)
        return kinks[np.isfinite(kinks)]

    def last_change_s(self) -> float:
        """Return a deadline beyond which no option without allocation becomes feasible."""
        return float(self.kinks_s().max())

    def price(self, deadlines: FloatArray) -> list[Point]:
        """Return the value, and bounds and slopes of all options, at each deadline."""
        shape = (deadlines.size, len(self.options))
        value_j = np.where(deadlines[:, None] >= self.fixed_s * (1 - 1e-15), self.fixed_j, np.inf)
        bound_j, slope_w = value_j.copy(), np.zeros(shape)
        if self.cells:
            self._price_cells(deadlines, value_j, bound_j, slope_w)
        if self.slack:
            self._price_slack(deadlines, value_j, bound_j, slope_w)
        if self.joint.clusters:
            self._price_joint(deadlines, value_j, bound_j, slope_w)
        return [
            self._point(float(deadline), *rows)
            for deadline, *rows in zip(deadlines, value_j, bound_j, slope_w, strict=True)
        ]

    def bound(self, low: float, high: Point) -> float:
        """Return a lower bound on the weighted cost over all deadlines from ``low`` to that of ``high``.

        A plan for an earlier deadline takes no fewer joules: the limit on them, if broken at the end of the
        interval, is broken on all of it.
        """
        if np.isinf(high.ideal):
            return np.inf
        tangent = high.bound_j + high.slope_w * (low - high.deadline_s)
        return min(self._weighted(tangent, low, np.inf), high.ideal)

    def bound_beyond(self, low: float) -> float:
        """Return a lower bound on the weighted cost over all deadlines from ``low`` on, however late."""
        floor_j = self.fixed_j.copy()
        for index in self.cells:
            floor_j[index] += self.repeat[index] * self._cell(index).floor_j
        for index, cluster in self.joint.clusters.items():
            floor_j[index] += floor_of(cluster.relaxed)
        return self._weighted(floor_j, low, self.limit_j)

    def _weighted(self, energy_j: FloatArray, deadline_s: float, limit_j: float) -> float:
        """Return the weighted cost with each cluster's least energy among its options; inf over the limit."""
        least = np.full(self.num_clusters, np.inf)
        np.minimum.at(least, self.cluster, energy_j)
        return self._cost(float(least.sum()), deadline_s, limit_j)

    def _cost(self, joules: float, deadline_s: float, limit_j: float) -> float:
        if np.isinf(joules) or joules > limit_j * (1 + 1e-12):
            return np.inf
        return self.prices.energy * joules + self.prices.time * deadline_s

    def choices(self, point: Point) -> tuple[Choice, ...]:
        """Return each cluster's option at a point, with its allocation."""
        found: list[Choice] = []
        for index in point.chosen:
            option = self.options[index]
            if option.joint is not None:
                (known,) = self.joint.price([(index, point.deadline_s - self.fixed_s[index])])
                found.append(Choice(option, plan=known.plan))
                continue
            if option.slack is not None:
                tau = (point.deadline_s - self.fixed_s[index]) / option.repeat
                found.append(
                    Choice(option, frequency_hz=option.slack.max_frequency_hz * option.slack.part(tau))
                )
                continue
            if option.cell is None:
                found.append(Choice(option))
                continue
            tau = max((point.deadline_s - self.fixed_s[index]) / option.repeat, NO_TIME_S)
            solution = solve(self._problem([(index, tau)])).solution
            assert solution is not None, "the option was priced at this deadline"
            found.append(Choice(option, solution.bandwidth_hz, solution.power_w, solution.frequency_hz))
        return tuple(found)

    def open_j(self, point: Point) -> tuple[float, ...]:
        """Return by how many joules each cluster's option exceeds the bound on all of them, at a point."""
        least = np.full(self.num_clusters, np.inf)
        np.minimum.at(least, self.cluster, point.bound_j)
        return tuple((point.value_j[list(point.chosen)] - least).tolist())

    def slope_w(self, point: Point, close: float = 0.0) -> float:
        """Return the joules that a second more saves, below zero, summed over the clusters' options.

        Of each cluster it is the least slope of its best option and those that cost at most a part ``close``
        more.
        """
        best = np.full(self.num_clusters, np.inf)
        np.minimum.at(best, self.cluster, point.value_j)
        counts = point.value_j <= best[self.cluster] * (1.0 + close)
        slopes = np.zeros(self.num_clusters)
        np.minimum.at(slopes, self.cluster, np.where(counts, point.slope_w, 0.0))
        return float(slopes.sum())

    def _point(self, deadline: float, value_j: FloatArray, bound_j: FloatArray, slope_w: FloatArray) -> Point:
        order = np.lexsort((value_j, self.cluster))
        _, first = np.unique(self.cluster[order], return_index=True)
        chosen = tuple(int(index) for index in order[first])
        total = self._cost(float(value_j[list(chosen)].sum()), deadline, self.limit_j)
        ideal = self._weighted(bound_j, deadline, self.limit_j)
        return Point(deadline, total, ideal, chosen, value_j, bound_j, slope_w)

    def _price_cells(
        self, deadlines: FloatArray, value_j: FloatArray, bound_j: FloatArray, slope_w: FloatArray
    ) -> None:
        tau = np.full(value_j.shape, -np.inf)
        cells = np.array(self.cells)
        tau[:, cells] = (deadlines[:, None] - self.fixed_s[cells]) / self.repeat[cells]
        feasible = np.argwhere(tau >= self.least_tau_s * (1 - 1e-15))
        feasible = feasible[np.isin(feasible[:, 1], cells)]
        value_j[:, cells] = bound_j[:, cells] = np.inf
        if not feasible.size:
            return
        asked = [
            (int(option), max(float(tau[row, option]), self.least_tau_s[option], NO_TIME_S))
            for row, option in feasible
        ]
        problem = self._problem(asked)
        result = solve(problem)
        if result.solution is None:
            return
        overhead_j = self._overhead_j(asked, result.solution)
        at = (feasible[:, 0], feasible[:, 1])
        repeat = self.repeat[feasible[:, 1]]
        fixed = self.fixed_j[feasible[:, 1]]
        value_j[at] = fixed + repeat * (np.asarray(result.objective) + overhead_j)
        least_j = self.least_overhead_j[feasible[:, 1]]
        bound_j[at] = fixed + repeat * (np.asarray(result.bound) + least_j)
        slope_w[at] = -np.asarray(result.solution.deadline_price)

    def _price_slack(
        self, deadlines: FloatArray, value_j: FloatArray, bound_j: FloatArray, slope_w: FloatArray
    ) -> None:
        names = np.array(self.slack)
        for row, deadline_s in enumerate(deadlines):
            joules, slope = self.slack_curves.price((deadline_s - self.fixed_s[names]) / self.repeat[names])
            value_j[row, names] = bound_j[row, names] = self.fixed_j[names] + self.repeat[names] * joules
            slope_w[row, names] = slope

    def _price_joint(
        self, deadlines: FloatArray, value_j: FloatArray, bound_j: FloatArray, slope_w: FloatArray
    ) -> None:
        names = np.array(list(self.joint.clusters))
        value_j[:, names] = bound_j[:, names] = np.inf
        tau = deadlines[:, None] - self.fixed_s[names]
        rows, columns = np.nonzero(tau > 0)
        asked = [
            (int(names[column]), float(tau[row, column])) for row, column in zip(rows, columns, strict=True)
        ]
        for row, (name, _), known in zip(rows, asked, self.joint.price(asked), strict=True):
            value_j[row, name] = self.fixed_j[name] + known.value_j
            bound_j[row, name] = self.fixed_j[name] + known.bound_j
            slope_w[row, name] = known.slope_w

    def _overhead_j(self, asked: Sequence[tuple[int, float]], solution: AllocationSolution) -> FloatArray:
        overhead_w = np.concatenate([self._cell(option).overhead_w for option, _ in asked])
        sizes = [len(self._cell(option).senders) for option, _ in asked]
        starts = np.cumsum([0, *sizes[:-1]])
        joules: FloatArray = np.add.reduceat(overhead_w * solution.transmit_s, starts)
        return joules

    def _cell(self, option: int) -> UplinkCell:
        cell = self.options[option].cell
        assert cell is not None, "only options with a cell are allocated"
        return cell

    def _problem(self, asked: Sequence[tuple[int, float]], *, free: bool = False) -> AllocationProblem:
        """Return the least-energy problem of cells with deadlines, or the fastest if ``free``."""
        cells = [self._cell(option) for option, _ in asked]
        sizes = [len(cell.senders) for cell in cells]

        def joined(name: str) -> FloatArray:
            return np.concatenate([getattr(cell, name) for cell in cells])

        return AllocationProblem(
            bits=joined("bits"),
            gain=joined("gain"),
            noise_w_per_hz=joined("noise_w_per_hz"),
            max_power_w=joined("max_power_w"),
            cycles=joined("cycles"),
            max_frequency_hz=joined("max_frequency_hz"),
            min_frequency_hz=joined("min_frequency_hz"),
            capacitance=joined("capacitance"),
            band_hz=np.array([cell.band_hz for cell in cells]),
            energy_weight=np.zeros(len(cells)) if free else np.ones(len(cells)),
            time_weight=np.ones(len(cells)) if free else np.zeros(len(cells)),
            deadline_s=None if free else np.array([tau for _, tau in asked]),
            cell=np.repeat(np.arange(len(cells)), sizes),
        )
