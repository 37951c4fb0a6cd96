"""Cells priced exactly: their placement, trees and uplinks as a planner finds them, whatever other cells do.

Below one server memories and processors are its own, and cells meet only at the cloud.  So a cell's least
energy within each time is found by planning it alone; moves of devices need the two cells that they change.
"""

from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.association import with_association
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.formulate_placement import formulate_placement, price
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.hulls import second_j_of
from hfedfm_opt.planning.optimise import SearchSettings, options_of, shared_legs
from hfedfm_opt.planning.option_curves import Curves, Prices
from hfedfm_opt.planning.pace import best_moment_s, pace_of, ready_at
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.readiness import Readiness, readiness
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.network import Network
from solvers.common import Options
from solvers.common.arrays import FloatArray

TIMES = np.geomspace(1.0, 30.0, 24)
"""Times at which the energy of a cell is sampled, in its least ones."""


@dataclass(frozen=True)
class Staircase:
    """Least joules of a cell's cycle within a time: it steps down at some seconds, (K,) each."""

    seconds: FloatArray
    joules: FloatArray

    def within(self, seconds: FloatArray) -> FloatArray:
        """Return the joules within each of some times; inf where the cell needs longer."""
        place = np.searchsorted(self.seconds, seconds * (1 + 1e-12), side="right")
        return np.concatenate([[np.inf], self.joules])[place]


@dataclass(frozen=True)
class CellTask:
    """What all cells of a network have in common while they are priced.

    Parameters
    ----------
    network : Network
        The network.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        What is allocated, and the limits of a round.
    method : str
        Method of ``solvers.placement``.
    prices : TimePrices
        What a second of training costs on each device.
    """

    network: Network
    reach: Reach
    rhythm: Rhythm
    settings: SearchSettings
    method: str
    prices: TimePrices

    def staircase(self, server: str, members: tuple[str, ...]) -> Staircase:
        """Return what the cell of a server and some devices takes; empty where it cannot average.

        Modules are placed at the prices of time, and in a hurry: as if each member kept all others waiting.
        """
        cell = cell_network(self.network, server, members)
        even = dict.fromkeys(members, 1.0)
        priced = {device: self.prices.device_weight[device] for device in members}
        points: list[tuple[float, float]] = []
        known: list[Placed] = []
        for weights in (priced, even):
            pressure = dict.fromkeys(cell.path_up(server), sum(weights.values()))
            slowable = members if self.settings.allocate else ()
            task = price(
                cell,
                formulate_placement(cell, self.reach),
                TimePrices(weights, pressure),
                slowable=slowable,
            )
            try:
                placed = place(cell, task, self.method, Options(time_limit_s=1.0))
            except NoPlacement:
                continue
            if placed.servings not in [other.servings for other in known]:
                known.append(placed)
                points.extend(self._points(cell, placed, sum(weights.values())))
        return _lowest(points)

    def _points(self, cell: Network, placed: Placed, weight: float) -> list[tuple[float, float]]:
        """Return seconds and joules of the cell: with devices ready at once, and at their best moment."""
        served = with_training(cell, placed.servings)
        at_once = readiness(served, placed.servings)
        moments: list[float | None] = [None]
        if self.settings.allocate and weight > 0:
            moments.append(best_moment_s(pace_of(served, at_once), weight * second_j_of(served)))
        return [
            point
            for moment_s in moments
            for point in self._points_of(served, ready_at(served, at_once, moment_s)[0])
        ]

    def _points_of(self, served: Network, ready: Readiness) -> list[tuple[float, float]]:
        try:
            shared = shared_legs(served, self.rhythm)
        except MissingLink:
            return []
        options = tuple(options_of(served, self.rhythm, ready, allocate=self.settings.allocate))
        if not options:
            return []
        curves = Curves(options, np.array(shared.delay_s), Prices(1.0, 1.0))
        earliest_s = curves.earliest_s()
        if not np.isfinite(earliest_s):
            return []
        deadlines = np.unique(np.concatenate([curves.kinks_s(), earliest_s * TIMES]))
        return [
            (point.deadline_s + shared.down_s, float(point.value_j[list(point.chosen)].sum()) + shared.joules)
            for point in curves.price(deadlines[deadlines >= earliest_s])
        ]


def cell_network(network: Network, server: str, members: tuple[str, ...]) -> Network:
    """Return the network of some devices below one server, with the nodes above it, and nothing else."""
    moved = with_association(replace(network, edges={}), dict.fromkeys(members, server))
    names = {*members, *moved.path_up(server)}
    nodes = tuple(moved.nodes[node.id] for node in network.instance.nodes if node.id in names)
    return replace(
        moved,
        instance=network.instance.model_copy(update={"nodes": nodes}),
        nodes={node.id: node for node in nodes},
        edges={
            (source, target): network.edges[source, target]
            for source in names
            for target in names
            if (source, target) in network.edges
        },
        clusters_of_band={},
    )


def least_value(cells: list[Staircase], energy_weight: float, time_weight: float, task: CellTask) -> float:
    """Return the least weighted cost of a round over all common times, within the limits of a round.

    Parameters
    ----------
    cells : list of Staircase
        All cells with devices.
    energy_weight, time_weight : float
        Prices of a joule and a second.
    task : CellTask
        Where the limits stand.
    """
    rounds, settings = task.rhythm.num_rounds, task.settings
    if any(not cell.seconds.size for cell in cells):
        return np.inf
    times = np.unique(np.concatenate([cell.seconds for cell in cells]))
    times = times[times <= settings.max_latency_s * rounds * (1 + 1e-12)]
    if not times.size:
        return np.inf
    joules = np.sum([cell.within(times) for cell in cells], axis=0)
    joules = np.where(joules <= settings.max_energy_j * rounds * (1 + 1e-12), joules, np.inf)
    fits = np.isfinite(joules)
    return float((energy_weight * joules[fits] + time_weight * times[fits]).min(initial=np.inf)) / rounds


def _lowest(points: list[tuple[float, float]]) -> Staircase:
    seconds: list[float] = []
    joules: list[float] = []
    for time_s, energy_j in sorted(points):
        if np.isfinite(energy_j) and (not joules or energy_j < joules[-1]):
            seconds.append(time_s)
            joules.append(energy_j)
    return Staircase(np.array(seconds), np.array(joules))
