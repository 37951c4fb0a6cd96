"""Decisions of a large network: placed cell by cell, then clusters under a common deadline, with a bound."""

import math
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.by_cell.search import Found, search_cells
from hfedfm_opt.planning.by_cell.star_costs import star_costs
from hfedfm_opt.planning.by_cell.ways import HOME, SERVER, Ways, ways_of
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.placement_bound import PLACEMENT_PROOF, cloud_leg_cost
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import GapPart, Hop, Hosting, Serving
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray, IntArray

LEAST_DEVICES = 1000
"""Devices from which on a network is placed cell by cell."""
MAX_MODULES = 12
"""Most modules that may leave their devices: their subsets are enumerated."""
_SERVING, _HOSTING = set(Serving.model_fields), set(Hosting.model_fields)
"""Fields that are set, the same for all: a set of its own for each would take a quarter of the memory."""
TRAINING_PROOF = "training of this placement at its best deadline, less the bound on any placement"


def fits(network: Network, method: str) -> bool:
    """Return whether a network is placed cell by cell: it is large, and memory above its servers unlimited.

    Parameters
    ----------
    network : Network
        The network.
    method : str
        The placement method asked for; only ``"auto"`` leaves the choice.
    """
    above = {node for server in network.members for node in network.path_up(server)[1:]}
    leaves = [m for m in network.modules.values() if set(m.may_run_on) - {network.instance.tiers[-1]}]
    return (
        method == "auto"
        and len(network.devices) >= LEAST_DEVICES
        and len(leaves) <= MAX_MODULES
        and all(network.nodes[node].memory_bytes is None for node in above)
    )


def decide_by_cells(
    network: Network, reach: Reach, rhythm: Rhythm, settings: SearchSettings
) -> tuple[Placed, Arrangement] | None:
    """Return a placement and its clusters, with a bound over all placements; ``None`` where nothing fits.

    Parameters
    ----------
    network : Network
        The network.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search; the time limit is for all together.
    """
    stop_at = time.monotonic() + settings.time_limit_s
    ways = ways_of(network, reach, slows=settings.allocate)
    weights = network.instance.objective
    half = time.monotonic() + 0.5 * settings.time_limit_s
    stars = star_costs(network, ways, rhythm, allocate=settings.allocate)
    found = search_cells(ways, weights, _sends_s(network), stars.sends_s, half)
    if found is None:
        return None
    placed = placed_of(network, ways, found.way)
    left = replace(settings, time_limit_s=max(stop_at - time.monotonic(), 1e-3))
    arrangement = optimise(with_training(network, placed.servings), placed, rhythm, left)
    return placed, _bounded(network, arrangement, found, stars.joules, rhythm)


def placed_of(network: Network, ways: Ways, way: tuple[IntArray, ...]) -> Placed:
    """Return the replicas and servings of a placement by cells.

    A host's processor is shared among its servings in proportion to their work, so that they end together.

    Parameters
    ----------
    network : Network
        The network.
    ways : Ways
        Who may run what.
    way : tuple of (D, m) int
        For each group, the way of each module of each device.
    """
    host_of = _hosts(network, ways, way)
    work: dict[str, float] = {}
    for device, hosts in zip(network.devices, host_of, strict=True):
        loads = loads_of(network, device)
        for module, host in hosts.items():
            work[host] = work.get(host, 0.0) + loads[module].flops
    hosted: dict[tuple[str, str], None] = {}
    servings: list[Serving] = []
    for device, hosts in zip(network.devices, host_of, strict=True):
        for module, load in loads_of(network, device).items():
            host = hosts.get(module, device)
            hosted[module, host] = None
            if host != device:
                share = load.flops / work[host] if load.flops > 0 else 1.0
                out, back = _hops(network, device, host)
                servings.append(
                    Serving.model_construct(
                        _SERVING, device=device, module=module, host=host, out=out, back=back, share=share
                    )
                )
    replicas = tuple(Hosting.model_construct(_HOSTING, module=module, node=node) for module, node in hosted)
    return Placed(replicas, tuple(servings), -math.inf)


def _hosts(network: Network, ways: Ways, way: tuple[IntArray, ...]) -> list[dict[str, str]]:
    """Return for each device its modules that run elsewhere, with where."""
    found: list[dict[str, str]] = [{} for _ in network.devices]
    for group, chosen in zip(ways.groups, way, strict=True):
        device, module = np.nonzero(chosen != HOME)
        places = ways.hosts[ways.cell[group.devices[device]], chosen[device, module] - SERVER]
        for row, name, place in zip(
            group.devices[device].tolist(), module.tolist(), places.tolist(), strict=True
        ):
            found[row][group.modules[name]] = ways.names[place]
    return found


def _hops(network: Network, device: str, host: str) -> tuple[tuple[Hop, ...], tuple[Hop, ...]]:
    """Return the nominal ways from a device to a host above it and back; the same objects for all modules."""
    key: Any = ("ways to host", device, host)
    if key not in network.memo:
        path = network.path_up(device)
        steps = list(pairwise(path[: path.index(host) + 1]))
        sharers = len(network.members[path[1]])
        out = tuple(nominal_hop(network, low, high, sharers) for low, high in steps)
        back = tuple(nominal_hop(network, high, low, sharers) for low, high in reversed(steps))
        network.memo[key] = (out, back)
    found: tuple[tuple[Hop, ...], tuple[Hop, ...]] = network.memo[key]
    return found


def _sends_s(network: Network) -> FloatArray:
    """Return how long each device sends its update to its server at nominal resources, (devices,)."""
    return np.array([_send_s(network, device) for device in network.devices])


def _send_s(network: Network, device: str) -> float:
    server = network.parent(device)
    try:
        hop = nominal_hop(network, device, server, len(network.members[server]))
    except MissingLink:
        return 0.0
    own = frozenset(network.trained_on[device])
    return Phase(network, Ledger(), server, "").send(hop, own, 0.0)


def _bounded(
    network: Network, arrangement: Arrangement, found: Found, averaging_j: float, rhythm: Rhythm
) -> Arrangement:
    """Return the arrangement with a bound over all placements, and what that leaves open."""
    joule = network.instance.objective.energy_weight_per_j
    bound = found.bound + cloud_leg_cost(network, rhythm) + joule * averaging_j / rhythm.num_rounds
    proof = (
        "each cell placed exactly with time priced by device and by host, plus the cloud leg and what "
        "updates take in clusters no member of which all reach over D2D links: these average at their "
        "servers, each member over its own uplink, nominal where some member cannot train alone; others "
        "average at their servers or at any member over any trees of D2D links; holds for any placement, "
        "period "
        f"{period_name(rhythm.period)} and the given association"
    )
    if arrangement.gap_parts:
        amount = arrangement.bound - bound
        parts = (*arrangement.gap_parts, GapPart(part="placement", amount=amount, proof=PLACEMENT_PROOF))
    else:
        parts = (GapPart(part="placement", amount=found.cost - found.bound, proof=TRAINING_PROOF),)
    return replace(arrangement, bound=bound, proof=proof, gap_parts=parts)
