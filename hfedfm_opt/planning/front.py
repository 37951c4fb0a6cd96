"""The front of latency and energy of a cycle: every plan that no other plan of its scope betters in both.

Each cluster's trees, aggregators and its server are all priced; what is not dominated there is merged over
the clusters, which share a deadline and add up their energies.  With allocated uplinks the front is a curve:
it is then priced at given deadlines, each with a lower bound on the energy of every plan within it.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.alternate import alternate
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.front_limits import points_within
from hfedfm_opt.planning.front_points import FrontPoints, FrontTask, curve, steps, union
from hfedfm_opt.planning.optimise import (
    SearchSettings,
    Shared,
    assemble_choices,
    large_clusters,
    nothing_in_time,
    options_of,
    shared_legs,
    too_large,
)
from hfedfm_opt.planning.option_curves import Choice
from hfedfm_opt.planning.place import Placed, place
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.precision import precision_note, transport_of
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.recipes import RECIPES, period_name
from hfedfm_opt.planning.settings import DEFAULT_GAP
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.planning.workers import EngineName, hired
from hfedfm_opt.system.decisions import ModuleTransport, precisions_of
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Duplex, Network, resolve_network
from solvers.common import Options
from solvers.common.arrays import FloatArray, frozen

PLANNER = "optimised"
"""Planner whose scope the front has: each of its optima, at any prices, is a point of it."""


class Uplinks(StrEnum):
    """What an aggregator's own uplink gets."""

    NOMINAL = "nominal"
    WHOLE_BAND = "whole-band"
    ALLOCATED = "allocated"


@dataclass(frozen=True, kw_only=True)
class FrontOptions:
    """Which front.

    Parameters
    ----------
    period : int or None
        Every how many rounds the cloud averages; ``None``: never.
    duplex : "as given", "full" or "half"
        How the devices' radios are taken.
    uplinks : Uplinks
        Nominal: every link its channel and full power.  Whole band: an aggregator's uplink has its
        server's whole band at full power.  Allocated: bandwidth and power of uplinks, and CPU frequencies,
        are optimal.
    num_points : int
        Latencies at which a curve of allocated uplinks is priced, >= 2.
    at_latency_s : float or None
        Another latency at which such a curve is priced.
    transport_bits : int
        With how many bits a parameter modules travel.
    seed : int
        Seed of the placement.
    jobs : int or None
        How many pieces of work are done at a time; ``None``: one by processes, else as many as the engine's
        cluster has workers.
    engine : "processes", "ray" or "dask"
        Who works besides this process.
    """

    period: int | None
    duplex: Duplex = "as given"
    uplinks: Uplinks = Uplinks.NOMINAL
    num_points: int = 25
    at_latency_s: float | None = None
    transport_bits: int = FULL_BITS
    seed: int = 0
    jobs: int | None = None
    engine: EngineName = "processes"


@dataclass(frozen=True)
class PlanFront:
    """Plans of falling energy and rising latency, per round; each is made when it is asked for.

    Parameters
    ----------
    instance : Instance
        What the plans are for.
    options : FrontOptions
        Which front.
    latency_s, energy_j, bound_j : FloatArray
        (P,) each.  ``bound_j``: no plan of the scope with at most this latency takes fewer joules; ``-inf``
        where none is proven.
    exact : bool
        Whether these are all non-dominated plans of the scope.
    proof : str
        What is proven, and for which plans.
    seconds : float
        Wall seconds spent.
    plan_of : callable
        Makes the plan of a point.
    """

    instance: Instance
    options: FrontOptions
    latency_s: FloatArray
    energy_j: FloatArray
    bound_j: FloatArray
    exact: bool
    proof: str
    seconds: float
    plan_of: Callable[[int], Plan]

    def __len__(self) -> int:
        """Return the number of points, >= 1."""
        return len(self.latency_s)

    def plan(self, point: int) -> Plan:
        """Return the plan of a point, with its cost and what is proven as its claim."""
        prices = self.instance.objective
        costs = prices.energy_weight_per_j * self.energy_j + prices.time_weight_per_s * self.latency_s
        return self.plan_of(point).claiming(float(costs.min()) if self.exact else None, self.proof)

    def within(self, latency_s: float) -> int | None:
        """Return the point of least energy within a latency, or ``None`` if no point is as fast."""
        point = int(np.searchsorted(self.latency_s, latency_s * (1 + 1e-12), side="right")) - 1
        return point if point >= 0 else None

    def supported(self) -> tuple[int, ...]:
        """Return the points that some prices of a joule and a second make the best: the convex hull's."""
        hull: list[int] = []
        for point in range(len(self)):
            while len(hull) > 1 and not self._turns(hull[-2], hull[-1], point):
                hull.pop()
            hull.append(point)
        return tuple(hull)

    def _turns(self, a: int, b: int, c: int) -> bool:
        (ax, bx, cx), (ay, by, cy) = self.latency_s[[a, b, c]], self.energy_j[[a, b, c]]
        return bool((bx - ax) * (cy - ay) > (by - ay) * (cx - ax))


def plan_front(instance: Instance, options: FrontOptions) -> PlanFront:
    """Return the front of latency and energy of an instance.

    Parameters
    ----------
    instance : Instance
        What is given; its prices are not used, unless modules may run in several places.
    options : FrontOptions
        Which front.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no plan; the message says why.
    UnknownPrecision
        For transport bits that there are not.
    """
    started = time.monotonic()
    transport = transport_of(instance, options.transport_bits)
    network = resolve_network(instance, options.duplex, precisions_of(transport))
    rhythm = Rhythm(options.period)
    shared = shared_legs(network, rhythm)
    with hired(options.jobs, options.engine) as workers:
        trees = TreePrices(workers)
        placements = _placements(network, rhythm, options, trees)
        tasks = [_task(network, rhythm, shared, placed, options, trees) for placed in placements]
    found = [points for points in map(partial(_points, options=options), tasks) if points is not None]
    if not found:
        raise nothing_in_time(network, tasks[0].options)
    points = found[0] if len(found) == 1 else union(found)
    large = large_clusters(network)
    proven = len(placements) == 1 and not large
    bound_j = points.bound_j if proven else np.full(len(points.bound_j), -math.inf)
    scope = too_large(network, large[0]) if large else _proof(options, len(placements))
    if without_movable(network) is not network:
        scope += "; modules that could be trained elsewhere stay on their devices"
    front = PlanFront(
        instance=instance,
        options=options,
        latency_s=frozen((points.deadline_s + shared.down_s) / rhythm.num_rounds),
        energy_j=frozen((points.energy_j + shared.joules) / rhythm.num_rounds),
        bound_j=frozen((bound_j + shared.joules) / rhythm.num_rounds),
        exact=proven and options.uplinks is not Uplinks.ALLOCATED,
        proof=scope + precision_note(transport),
        seconds=time.monotonic() - started,
        plan_of=lambda point: _plan(instance, tasks[0], transport, *points.choices_of(point)),
    )
    return _within_limits(front)


def _within_limits(front: PlanFront) -> PlanFront:
    """Return the front without points at which a device is over its limit; it is then not exact any more.

    Plans that such a point dominates are not looked for.
    """
    kept = points_within(front.instance, len(front), front.plan_of)
    if len(kept) == len(front):
        return front
    rows = np.array(kept)
    return replace(
        front,
        latency_s=frozen(front.latency_s[rows]),
        energy_j=frozen(front.energy_j[rows]),
        bound_j=frozen(front.bound_j[rows]),
        exact=False,
        proof=f"{front.proof}; only points whose devices keep their limits are shown ({len(kept)} of "
        f"{len(front)}), found without regard to these limits",
        plan_of=lambda point: front.plan_of(kept[point]),
    )


def _task(
    network: Network,
    rhythm: Rhythm,
    shared: Shared,
    placed: Placed,
    options: FrontOptions,
    trees: TreePrices,
) -> FrontTask:
    ready = readiness(network, placed.servings)
    found = options_of(
        network,
        rhythm,
        ready,
        allocate=options.uplinks is Uplinks.ALLOCATED,
        whole_band=options.uplinks is Uplinks.WHOLE_BAND,
        trees=trees,
    )
    return FrontTask(network, rhythm, shared, placed, tuple(found))


def _points(task: FrontTask, options: FrontOptions) -> FrontPoints | None:
    if options.uplinks is Uplinks.ALLOCATED:
        return curve(task, options.num_points, options.at_latency_s)
    return steps(task)


def _placements(network: Network, rhythm: Rhythm, options: FrontOptions, trees: TreePrices) -> list[Placed]:
    """Return the only placement there is, or some that are good for time, for energy and for both."""
    task = formulate_placement(network)
    method = RECIPES[PLANNER].placement
    settings = Options(seed=options.seed)
    both = place(network, task, method, settings)
    if len(task.candidates) == len(task.demands):
        return [both]
    search = SearchSettings(
        allocate=options.uplinks is Uplinks.ALLOCATED,
        gap=DEFAULT_GAP,
        time_limit_s=math.inf,
        max_latency_s=network.instance.limits.max_latency_s or math.inf,
        trees=trees,
    )
    balanced, _ = alternate(network, task, method, rhythm, search, options.seed)
    joules = np.array([candidate.joules for candidate in task.candidates])
    frugal_task = replace(task, problem=replace(task.problem, pair_cost=joules))
    found = [balanced, both, place(network, frugal_task, method, settings)]
    return list({(placed.hosted, placed.servings): placed for placed in found}.values())


def _plan(
    instance: Instance,
    task: FrontTask,
    transport: tuple[ModuleTransport, ...],
    placed: Placed,
    choices: tuple[Choice, ...],
) -> Plan:
    clusters, frequencies = assemble_choices(task.network, choices)
    arrangement = Arrangement(clusters, frequencies, -math.inf, "")
    period = task.rhythm.period
    name = f"{PLANNER}:{period_name(period)}"
    return Plan(instance, assemble(task.network, name, period, placed, arrangement, transport))


def _proof(options: FrontOptions, num_placements: int) -> str:
    resources = {
        Uplinks.NOMINAL: "all links at nominal channel and power",
        Uplinks.WHOLE_BAND: "an aggregator's uplink over its server's whole band at full power, all other "
        "links at nominal channel and power",
        Uplinks.ALLOCATED: "uplink bandwidth and power optimal (CPU frequencies too where members send to "
        "their server themselves), D2D links at nominal channel and power",
    }[options.uplinks]
    placements = "the only placement there is"
    what = (
        "at each latency shown no plan takes fewer joules than the bound"
        if options.uplinks is Uplinks.ALLOCATED
        else "exact: the fronts of the clusters merged, these are all non-dominated plans"
    )
    if num_placements > 1:
        placements = f"each of {num_placements} placements"
        what = "no bound over all placements: the points are not dominated by any of the placements tried"
    return (
        f"{what}; each cluster averages at its server over its members' own uplinks, or at any member over "
        f"any trees of D2D links; all were priced, {resources}; holds for period "
        f"{period_name(options.period)}, the given association and {placements}"
    )
