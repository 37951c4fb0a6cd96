"""Better ways for single devices under one deadline, where the replicas of a placement stay as they are."""

import math
from collections.abc import Collection, Mapping

import numpy as np

from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.deadline_prices import busy_seconds
from hfedfm_opt.planning.formulate_placement import PlacementTask, servings_of
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.ways import Ways, choices_of, ways_of
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

LONGEST = 30.0
"""Latest moment that is looked at, in earliest ones."""
NUM_MOMENTS = 48
"""Moments that are looked at."""


def polished(
    network: Network,
    task: PlacementTask,
    placed: Placed,
    slowable: Collection[str],
    latest_s: float = math.inf,
    most_j: float = math.inf,
) -> Placed:
    """Return the placement in which each device takes its least energy within the best common moment.

    For each of some moments every device takes, of all ways that use only replicas that are there, the one of
    least energy that is ready by then; hosts are as busy as they were.  No multiplier is needed, so that ways
    off the convex hull are found too.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    placed : Placed
        The placement to begin with.
    slowable : collection of str
        Devices that may slow down their CPU.
    latest_s, most_j : float
        Limits on the longest training and on the joules of all; the fastest, or the cheapest, is taken where
        they cannot be kept.
    """
    there = {(hosting.module, hosting.node) for hosting in placed.hosted}
    busy_s = busy_seconds(network, task, placed.servings)
    ways = {
        device: ways_of(network, device, _there(network, found, there), busy_s, slows=device in slowable)
        for device, found in choices_of(task.candidates).items()
    }
    floor_s = max(float((one.seconds + one.own_s).min()) for one in ways.values())
    moments_s = floor_s * np.geomspace(1.0 + 1e-9, LONGEST, NUM_MOMENTS)
    joules, best = _least(ways, moments_s)
    weights = network.instance.objective
    cost = weights.energy_weight_per_j * joules + weights.time_weight_per_s * moments_s
    cost = np.where((moments_s <= latest_s) & (joules <= most_j), cost, np.inf)
    kept = np.isfinite(cost).any()
    at = int(cost.argmin()) if kept else (0 if math.isfinite(latest_s) else len(moments_s) - 1)
    chosen = {
        (candidate.device, candidate.module): candidate
        for device, one in ways.items()
        for candidate in one.of(int(best[device][at]))
    }
    hosted, servings = servings_of(network, task, chosen)
    return Placed(hosted, servings, placed.bound)


def _least(ways: Mapping[str, Ways], moments_s: FloatArray) -> tuple[FloatArray, dict[str, np.ndarray]]:
    """Return the least joules of all devices at each moment, and the way of each device there."""
    total = np.zeros(len(moments_s))
    best = {}
    for device, one in ways.items():
        joules = one.within(moments_s)  # (ways, moments)
        best[device] = joules.argmin(axis=0)
        total += joules.min(axis=0)
    return total, best


def _there(
    network: Network, found: list[list[Candidate]], there: Collection[tuple[str, str]]
) -> list[list[Candidate]]:
    """Return the candidates of each module whose host is the device, has no limit, or has a replica."""
    return [
        [
            c
            for c in candidates
            if c.host == c.device or network.nodes[c.host].memory_bytes is None or (c.module, c.host) in there
        ]
        for candidates in found
    ]
