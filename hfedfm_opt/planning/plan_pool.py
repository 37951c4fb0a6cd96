"""Plans that were found, and the best mixture of them: clusters meet only at a deadline, and mix freely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.costs import Prediction, predict
from hfedfm_opt.planning.device_energy import largest_device_energy
from hfedfm_opt.planning.joule_multipliers import Demands
from hfedfm_opt.planning.multiplier_model import Known
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.planning.violations import TOLERANCE
from hfedfm_opt.system.decisions import Cluster
from hfedfm_opt.system.network import Network
from solvers.common.arrays import BoolArray, FloatArray, IntArray

LEVELS = 64
"""Largest energies of a device at which mixtures are tried under fairness."""


@dataclass(frozen=True)
class Found:
    """A plan: its decisions, and what they cost on the true network."""

    placed: Placed
    arrangement: Arrangement
    cost: Prediction

    @property
    def key(self) -> object:
        """What plans have in common whose clusters mix: placement, and who is in which cluster."""
        members = tuple((cluster.id, cluster.members) for cluster in self.arrangement.clusters)
        return self.placed.servings, members


class PlanPool:
    """Plans for one network, judged by its own prices and what is demanded besides.

    Parameters
    ----------
    network : Network
        The true network, with its limits.
    rhythm : Rhythm
        How often the cloud averages.
    demands : Demands
        Limits and price of the energy of devices.
    """

    def __init__(self, network: Network, rhythm: Rhythm, demands: Demands) -> None:
        self.network, self.rhythm, self.demands = network, rhythm, demands
        self.groups: dict[object, list[Found]] = {}
        self.best: Found | None = None
        self.best_value = np.inf

    @property
    def plans(self) -> list[Found]:
        """All plans, those of a group together."""
        return [found for group in self.groups.values() for found in group]

    def add(self, placed: Placed, arrangement: Arrangement) -> Found:
        """Return a plan that was found, judged and kept; mixtures with it are tried."""
        found = self._judged(placed, arrangement)
        group = self.groups.setdefault(found.key, [])
        group.append(found)
        mixture = self._mixture(group)
        if mixture is not None:
            self._judged(found.placed, mixture)
        return found

    def value(self, cost: Prediction) -> float:
        """Return the objective of a plan whose limits hold."""
        prices = self.network.instance.objective
        value = prices.energy_weight_per_j * cost.energy_j + prices.time_weight_per_s * cost.latency_s
        return value + self.demands.fairness * self._largest_j(cost)

    def broken_by(self, cost: Prediction) -> dict[str, float]:
        """Return the devices whose limits a plan breaks, with the joules by which it does."""
        spent = cost.node_energy_j
        over = {device: spent.get(device, 0.0) - limit for device, limit in self.demands.limit_j.items()}
        return {
            device: excess for device, excess in over.items()
            if excess > TOLERANCE * self.demands.limit_j[device]
        }  # fmt: skip

    def known(self, devices: Sequence[str]) -> list[list[Known]]:
        """Return all plans by group as a model takes them."""
        return [[_known(found, devices) for found in group] for group in self.groups.values()]

    def _judged(self, placed: Placed, arrangement: Arrangement) -> Found:
        served = with_training(self.network, placed.servings)
        decisions = assemble(served, "prices of joules", self.rhythm.period, placed, arrangement)
        cost = predict(served, decisions)
        found = Found(placed, arrangement, cost)
        keeps = not self.broken_by(cost) and cost.energy_j <= self.demands.max_energy_j * (1 + TOLERANCE)
        value = self.value(cost)
        if keeps and value < self.best_value and not check_plan(served, decisions):
            self.best, self.best_value = found, value
        return found

    def _largest_j(self, cost: Prediction) -> float:
        if self.demands.fairness == 0:
            return 0.0
        return largest_device_energy(self.network.instance, cost.node_energy_j)[1]

    def _mixture(self, group: Sequence[Found]) -> Arrangement | None:
        """Return the best choice of a plan for each cluster that keeps the limits, if better than all."""
        ordered = sorted(group, key=lambda found: found.cost.latency_s)
        energy_j, largest_j, allowed = self._by_cluster(ordered)
        best: tuple[float, IntArray | None] = (self.best_value * (1 - TOLERANCE), None)
        for last, slowest in enumerate(ordered):
            rest_j = slowest.cost.energy_j - float(energy_j[:, last].sum())
            until = slice(0, last + 1)
            if allowed[:, until].any(axis=1).all():
                found = self._mixed(slowest.cost.latency_s, rest_j, energy_j[:, until], largest_j[:, until],
                                    allowed[:, until])  # fmt: skip
                best = min(best, found, key=lambda entry: entry[0])
        return None if best[1] is None else _mixed_arrangement(ordered, best[1])

    def _by_cluster(self, ordered: Sequence[Found]) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return of each cluster in each plan: joules, the most of a device, and whether limits are kept."""
        clusters = ordered[0].arrangement.clusters
        shape = (len(clusters), len(ordered))
        energy_j, largest_j, allowed = np.zeros(shape), np.zeros(shape), np.ones(shape, dtype=np.bool_)
        for column, found in enumerate(ordered):
            spent, broken = found.cost.node_energy_j, self.broken_by(found.cost)
            for row, cluster in enumerate(clusters):
                own = [spent.get(device, 0.0) for device in cluster.members]
                energy_j[row, column] = sum(own) + _server_j(cluster, spent)
                largest_j[row, column] = max(own)
                allowed[row, column] = not any(device in broken for device in cluster.members)
        return energy_j, largest_j, allowed

    def _mixed(
        self, latency_s: float, rest_j: float, energy_j: FloatArray, largest_j: FloatArray, allowed: BoolArray
    ) -> tuple[float, IntArray]:
        """Return the least cost of a mixture that is no slower, and the plan that each cluster takes."""
        prices = self.network.instance.objective
        levels = np.array([np.inf])
        if self.demands.fairness > 0:
            least = np.where(allowed, largest_j, np.inf).min(axis=1).max()
            levels = np.unique(largest_j[allowed & (largest_j >= least)])
            if levels.size > LEVELS:
                levels = levels[np.linspace(0, levels.size - 1, LEVELS).astype(np.int64)]
        best: tuple[float, IntArray] = (np.inf, np.zeros(len(energy_j), dtype=np.int64))
        for level in levels.tolist():
            fits = np.where(allowed & (largest_j <= level), energy_j, np.inf)
            taken = fits.argmin(axis=1)
            joules = rest_j + float(fits.min(axis=1).sum())
            if joules > self.demands.max_energy_j:
                continue
            value = prices.energy_weight_per_j * joules + prices.time_weight_per_s * latency_s
            if self.demands.fairness > 0:
                value += self.demands.fairness * float(largest_j[np.arange(len(taken)), taken].max())
            if value < best[0]:
                best = (value, taken)
        return best


def _known(found: Found, devices: Sequence[str]) -> Known:
    spent = found.cost.node_energy_j
    own = [
        sum(spent.get(device, 0.0) for device in cluster.members) + _server_j(cluster, spent)
        for cluster in found.arrangement.clusters
    ]
    return Known(
        latency_s=found.cost.latency_s,
        rest_j=found.cost.energy_j - sum(own),
        cluster_j=np.array(own),
        device_j=np.array([spent.get(device, 0.0) for device in devices]),
    )


def _server_j(cluster: Cluster, spent: Mapping[str, float]) -> float:
    """Return the joules of a cluster's own server; none where the cluster is named after its only member."""
    return 0.0 if cluster.id in cluster.members else spent.get(cluster.id, 0.0)


def _mixed_arrangement(ordered: Sequence[Found], taken: IntArray) -> Arrangement:
    clusters, frequencies = [], []
    for row, column in enumerate(taken.tolist()):
        arrangement = ordered[column].arrangement
        cluster = arrangement.clusters[row]
        clusters.append(cluster)
        frequencies += [entry for entry in arrangement.frequencies if entry.device in cluster.members]
    return replace(ordered[0].arrangement, clusters=tuple(clusters), frequencies=tuple(frequencies))
