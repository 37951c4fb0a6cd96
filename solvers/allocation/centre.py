"""What the models for solvers of others are scaled by, and feasible points from their bandwidths."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.allocation.fixed_bandwidth import best_deadline, fixed_bandwidth
from solvers.allocation.fleet import Computers, Fleet, Transmitters
from solvers.allocation.prepared import Prepared
from solvers.allocation.repair import repaired
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray

LEAST_SHARE = 1e-4
"""Least share of an equal part of the band that a feasible point gives a transmitter."""


@dataclass(frozen=True)
class Centre:
    """Bandwidth (Hz) and airtime (s) of transmitters, computing time (s) of all, deadline (s) and cost."""

    b: FloatArray
    t: FloatArray
    c: FloatArray
    deadline: float
    cost: float


def feasible(prepared: Prepared, b: FloatArray) -> Proposal:
    """Return the best airtimes, frequencies and deadline for some bandwidths, made to fit."""
    problem, fleet = prepared.problem, prepared.fleet
    index = fleet.transmitters.index
    bandwidth = np.zeros(problem.num_devices)
    bandwidth[index] = np.maximum(b, LEAST_SHARE * float(fleet.band[0]) / max(len(index), 1))
    devices = fixed_bandwidth(problem, bandwidth)
    margin = prepared.margin()
    if fleet.deadline is None:
        deadline = best_deadline(devices, float(fleet.time_weight[0]))
        margin = np.maximum(np.array([deadline]) - fleet.base, margin)
    airtime = devices.respond(float(fleet.base[0] + margin[0])).airtime[index]
    return repaired(problem, fleet, bandwidth[index], airtime, margin)


def centre_of(fleet: Fleet, start: Proposal, value: float) -> Centre:
    """Return the centre at a feasible point of a cell, whose cost is ``value``."""
    index, deadline = fleet.transmitters.index, float(start.deadline_s[0])
    t = start.transmit_s[index]
    c = np.concatenate(
        [np.maximum(deadline - t, fleet.transmitters.c_min), np.full_like(fleet.computers.K, deadline)]
    )
    return Centre(start.bandwidth_hz[index], t, np.where(c > 0, c, deadline), deadline, value or 1.0)


def joined(fleet: Fleet, name: str) -> Any:
    """Return a number of all devices, transmitters first."""
    groups: tuple[Transmitters | Computers, ...] = (fleet.transmitters, fleet.computers)
    return np.concatenate([getattr(group, name) for group in groups])
