"""The next multipliers to try: the best of a model of the bound, in a box about the best known.

Every plan that is known bounds the bound from above; so does every mixture of plans in which each cluster
takes what it does in some plan that is no later than another.  The next multipliers maximise that model in a
box: the boxstep method (Marsten, Hogan and Blankenship 1975).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfedfm_opt.planning.joule_multipliers import Demands, Multipliers
from solvers.common.arrays import FloatArray

Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Known:
    """A plan as the model sees it.

    Parameters
    ----------
    latency_s : float
        Seconds per round.
    rest_j : float
        Joules per round of nodes of no cluster.
    cluster_j : FloatArray
        (C,) Joules per round of each cluster.
    device_j : FloatArray
        (D,) Joules per round of each device that the multipliers can price.
    """

    latency_s: float
    rest_j: float
    cluster_j: FloatArray
    device_j: FloatArray


@dataclass(frozen=True)
class Step:
    """Multipliers, and what the model promises of them."""

    multipliers: Multipliers
    promised: float


@dataclass(frozen=True)
class Model:
    """What the next multipliers are chosen by.

    Parameters
    ----------
    devices : sequence of str
        Devices that the multipliers can price, D of them.
    cluster : sequence of int
        (D,) The cluster of each.
    groups : sequence of sequence of Known
        Plans; those of one group have the same placement and clusters, and mix.
    energy, time : float
        Prices of a joule and of a second.
    demands : Demands
        Limits and fairness.
    """

    devices: Sequence[str]
    cluster: Sequence[int]
    groups: Sequence[Sequence[Known]]
    energy: float
    time: float
    demands: Demands

    def next_multipliers(self, centre: Multipliers, radius: float, unit: float) -> Step:
        """Return the best multipliers of the model in a box.

        Parameters
        ----------
        centre : Multipliers
            The middle of the box.
        radius : float
            Half the width of the box in a direction, in parts of ``unit`` and the price at its middle.
        unit : float
            Price of a joule that is taken as a measure.
        """
        from scipy import optimize
        from scipy.sparse import csr_array

        linprog: Any = optimize.linprog

        program = _Program(self)
        matrix = csr_array(
            (program.values, (program.rows, program.columns)), shape=(program.num_rows, program.num_columns)
        )
        bounds = program.bounds(centre, radius, unit)
        found = linprog(program.costs(), A_ub=matrix, b_ub=program.limits, bounds=bounds, method="highs")
        if found.x is None:
            return Step(centre, -np.inf)
        return Step(program.multipliers(found.x), -float(found.fun))


class _Program:
    """The linear program: theta, lambda (D), phi (D), mu, and a cost of each cluster in each plan."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.num_devices = len(model.devices)
        self.num_columns = 2 + 2 * self.num_devices
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.values: list[float] = []
        self.limits: list[float] = []
        of_cluster: dict[int, list[int]] = {}
        for place, cluster in enumerate(model.cluster):
            of_cluster.setdefault(cluster, []).append(place)
        self.of_cluster = of_cluster
        self._row([(1 + self.num_devices + place, 1.0) for place in range(self.num_devices)],
                  model.demands.fairness)  # fmt: skip
        for group in model.groups:
            self._add(sorted(group, key=lambda known: known.latency_s))

    @property
    def num_rows(self) -> int:
        return len(self.limits)

    def _row(self, entries: Sequence[tuple[int, float]], limit: float) -> None:
        """Add ``sum of entries <= limit``."""
        for column, value in entries:
            self.rows.append(len(self.limits))
            self.columns.append(column)
            self.values.append(value)
        self.limits.append(limit)

    def _add(self, group: Sequence[Known]) -> None:
        """Add what plans from the fastest to the slowest say: each cluster mixes in what is no slower."""
        model, total = self.model, 1 + 2 * self.num_devices
        before: list[int] | None = None
        for known in group:
            own = list(range(self.num_columns, self.num_columns + len(known.cluster_j)))
            self.num_columns += len(own)
            for cluster, column in enumerate(own):
                places = self.of_cluster.get(cluster, [])
                joules = float(known.cluster_j[cluster])
                priced = [(1 + place, -float(known.device_j[place])) for place in places]
                priced += [(column_ + self.num_devices, value) for column_, value in priced]
                self._row([(column, 1.0), (total, -joules), *priced], model.energy * joules)
                if before is not None:
                    self._row([(column, 1.0), (before[cluster], -1.0)], 0.0)
            fixed = model.energy * known.rest_j + model.time * known.latency_s
            self._row([(0, 1.0), (total, -known.rest_j), *((column, -1.0) for column in own)], fixed)
            before = own

    def costs(self) -> FloatArray:
        """Return what is minimised: minus theta, plus what the limits take off."""
        costs = np.zeros(self.num_columns)
        costs[0] = -1.0
        limits = self.model.demands.limit_j
        costs[1 : 1 + self.num_devices] = [limits.get(device, 0.0) for device in self.model.devices]
        most_j = self.model.demands.max_energy_j
        costs[1 + 2 * self.num_devices] = most_j if np.isfinite(most_j) else 0.0
        return costs

    def bounds(self, centre: Multipliers, radius: float, unit: float) -> list[Interval]:
        demands = self.model.demands

        def box(price: float, *, counts: bool) -> tuple[float, float]:
            width = radius * (unit + price)
            return (max(0.0, price - width), price + width) if counts else (0.0, 0.0)

        devices = self.model.devices
        found: list[Interval] = [(None, None)]
        found += [box(centre.limit.get(name, 0.0), counts=name in demands.limit_j) for name in devices]
        found += [box(centre.fairness.get(name, 0.0), counts=demands.fairness > 0) for name in devices]
        found.append(box(centre.total, counts=bool(np.isfinite(demands.max_energy_j))))
        return found + [(None, None)] * (self.num_columns - len(found))

    def multipliers(self, solution: FloatArray) -> Multipliers:
        def positive(start: int) -> dict[str, float]:
            prices = solution[start : start + self.num_devices].tolist()
            return {name: price for name, price in zip(self.model.devices, prices, strict=True) if price > 0}

        scale = 1.0
        fairness = positive(1 + self.num_devices)
        if fairness:
            scale = min(1.0, self.model.demands.fairness / sum(fairness.values()))  # rounding only
        shares = {name: scale * price for name, price in fairness.items()}
        return Multipliers(positive(1), shares, max(float(solution[1 + 2 * self.num_devices]), 0.0))
