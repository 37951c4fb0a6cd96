"""A bound over all placements: the best of three relaxations, each of which keeps what others give up."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.moment_bound import moment_bound
from hfedfm_opt.planning.optimise import SearchSettings, Shared, per_round, search, shared_legs
from hfedfm_opt.planning.optimistic import optimistic_readiness
from hfedfm_opt.planning.pace import slowable_devices
from hfedfm_opt.planning.priced_options import priced_options
from hfedfm_opt.planning.proofs import evidence_of, proof_of, unbounded
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.relaying_floor import floor_at_server, floor_seconds
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.system.network import Network
from solvers.common import Options
from solvers.placement import solve

PLACEMENT_PROOF = "bound on this placement and its paces, less the bound on any placement"
GAP_OF_MOMENTS = 1e-4
"""Relative gap that the lengths of the intervals of moments may leave."""


@dataclass(frozen=True)
class BoundSettings:
    """What a bound over all placements may use.

    Parameters
    ----------
    prices : TimePrices
        What a second of training costs on each device; the weights sum to at most one.
    relaying_j : mapping of str to float
        Of one placement, see :class:`Arrangement`; empty if nothing is known of others.
    relax_devices : bool
        Whether to search the clusters with relaxed devices too, which takes as long as an arrangement; only
        where no CPU is slowed down.
    """

    prices: TimePrices
    relaying_j: Mapping[str, float]
    relax_devices: bool = True


def bound_over_placements(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, by: BoundSettings
) -> tuple[float, str]:
    """Return a lower bound on the objective per round over all placements, and what proves it.

    The best of three: each device with its least energy within the best common moment; the placement problem
    under the given prices of time, with the memories of all nodes; and, where no CPU is slowed down, each
    device relaxed to its best hosts, with the exact search over the clusters.  Hosts delay nobody; what the
    cloud leg and averaging in the clusters cost in any case is added.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search, and how long at most each of them.
    by : BoundSettings
        Prices of time, and what is known.
    """
    relaying_j = _averaging_j(network, task, rhythm, settings, by.relaying_j)
    averaging = network.instance.objective.energy_weight_per_j * relaying_j / rhythm.num_rounds
    besides = (
        ", plus the cloud leg and the least energy of averaging in clusters: holds for any placement, "
        "activations at nominal resources, any CPU frequencies and any relaying, period "
        f"{period_name(rhythm.period)} and the given association"
    )
    within = _moment_bound(network, task, rhythm, settings) + averaging
    found = [(within, f"each device its least energy within the best common moment{besides}")]
    priced = priced_bound(network, task, rhythm, settings, by.prices) + averaging
    found.append((priced, f"the placement problem with time priced by device{besides}"))
    if by.relax_devices and not settings.allocate:
        found.append(_relaxed_devices(network, task, rhythm, settings))
    return max(found)


def _averaging_j(
    network: Network,
    task: PlacementTask,
    rhythm: Rhythm,
    settings: SearchSettings,
    relaying_j: Mapping[str, float],
) -> float:
    """Return the least joules of averaging in all clusters, for any placement.

    Where activations may need no uplink, as every member could run all its modules, uplinks may be allocated.
    """
    helped = optimistic_readiness(network, task).helped
    total = 0.0
    for server, joules in relaying_j.items():
        free = settings.allocate and not helped & set(network.members[server])
        total += min(joules, floor_at_server(network, server, rhythm).joules) if free else joules
    return total


def _moment_bound(network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings) -> float:
    """Return the bound of devices within a common moment, with the cloud leg."""
    least = without_movable(network)
    shared = shared_legs(least, rhythm)
    later_s: dict[str, float] = {}
    for (server, members), delay_s in zip(least.members.items(), shared.delay_s, strict=True):
        after_s = (floor_seconds(least, server, rhythm) + delay_s) / rhythm.num_rounds
        # nobody waits for a device that trains nothing
        later_s |= {device: after_s if network.trained_on[device] else -math.inf for device in members}
    trained = moment_bound(
        network,
        task,
        later_s,
        slows=settings.allocate,
        gap=GAP_OF_MOMENTS,
        limit_s=settings.time_limit_s,
    )
    return trained + _of_shared(network, shared, shared.down_s) / rhythm.num_rounds


def priced_bound(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, prices: TimePrices
) -> float:
    """Return the bound of the placement problem with time priced by device, with the cloud leg.

    Where resources are allocated, each device has the CPU frequency that costs least at its price.  The
    parameters are those of :func:`bound_over_placements`.
    """
    slowable = slowable_devices(network) if settings.allocate else ()
    weight = {
        device: value if network.trained_on[device] else 0.0 for device, value in prices.device_weight.items()
    }
    alone = price(network, task, TimePrices(weight, {}), updates=False, slowable=slowable)
    limit = settings.time_limit_s
    options = Options(time_limit_s=None if math.isinf(limit) else max(limit, 1e-3))
    return float(solve(alone.problem, options=options).bound) + cloud_leg_cost(network, rhythm)


def cloud_leg_cost(network: Network, rhythm: Rhythm) -> float:
    """Return the least that the ways between servers and root cost in a round, whatever is placed where."""
    shared = shared_legs(without_movable(network), rhythm)
    return _of_shared(network, shared, shared.down_s + min(shared.delay_s)) / rhythm.num_rounds


def _of_shared(network: Network, shared: Shared, seconds: float) -> float:
    """Return what the ways between servers and root cost in a cycle, with so many seconds of them."""
    cost = network.instance.objective
    return cost.energy_weight_per_j * shared.joules + cost.time_weight_per_s * seconds


def _relaxed_devices(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings
) -> tuple[float, str]:
    """Return the bound of the search over the clusters in which each device has its best hosts."""
    least = without_movable(network)
    evidence = evidence_of(least, joint=settings.joint)
    missing = unbounded(least, evidence)
    if missing:
        return -math.inf, missing
    ready, shared = optimistic_readiness(network, task), shared_legs(least, rhythm)
    stop_at = time.monotonic() + settings.time_limit_s
    priced = priced_options(
        least,
        rhythm,
        ready,
        allocate=settings.allocate,
        joint=settings.joint,
        trees=settings.priced_trees(),
        stop_at=stop_at,
    )
    if priced.late:
        return -math.inf, unbounded(least, evidence_of(least, joint=settings.joint, late=priced.late))
    found = search(network, priced.options, shared, rhythm, settings)
    anywhere = "any placement (each device relaxed to its best hosts, activations at nominal resources)"
    proof = proof_of(evidence, rhythm, allocate=settings.allocate, placement=anywhere)
    return per_round(network, found.bound, shared, rhythm), proof
