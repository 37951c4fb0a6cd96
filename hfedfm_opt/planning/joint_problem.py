"""A cluster as the solver takes it that decides trees and resources together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from solvers.clusters import ClusterProblem


@dataclass(frozen=True)
class JointCluster:
    """A cluster whose trees and resources are decided together, in a cycle.

    Half-duplex members that others help listen to nobody while activations travel: ``problem`` has everybody
    wait for the last of them, ``relaxed`` nobody.

    Parameters
    ----------
    problem : ClusterProblem
        One cluster, in the order of its members, with the shares of bands that a plan may use.
    relaxed : ClusterProblem
        The same with whole bands: its bounds hold however clusters share them.
    uplink_hz : mapping of str to float
        What each member has for its own uplink to the server, Hz; without those whose uplink is wired.
    scaled : frozenset of str
        Members whose CPU frequency is decided.
    """

    problem: ClusterProblem
    relaxed: ClusterProblem
    uplink_hz: Mapping[str, float]
    scaled: frozenset[str]


def floor_of(problem: ClusterProblem) -> float:
    """Return joules that no trees and no allocation of a single cluster undercut, with all time in the world.

    By Shannon's limit b bits over a gain g at the noise density N0 take more than b N0 ln 2 / g radiated
    joules.  All nodes but the root send at least their own items over some link, all but the root get the
    union over some link, and a root sends the union over its leg.

    Parameters
    ----------
    problem : ClusterProblem
        The cluster.
    """
    union_bits = float(problem.union_bits)
    own_bits = problem.node_items @ problem.item_bits
    if union_bits == 0.0:
        return 0.0
    with np.errstate(divide="ignore"):  # no link: no bit for any joules
        bit_j = problem.noise_w_per_hz * math.log(2) / (problem.gain * problem.efficiency[:, None])
        leg_bit_j = problem.leg_noise_w_per_hz * math.log(2) / (problem.leg_gain * problem.efficiency)
    up_j = np.where(own_bits > 0, bit_j.min(axis=1), 0.0) * own_bits
    back_j = bit_j.min(axis=0) * union_bits
    leg_j = problem.root_joules + (leg_bit_j * union_bits if problem.has_leg else 0.0)
    least = math.inf
    for root in np.flatnonzero(problem.roots).tolist():
        joules = float(problem.num_gathers * np.delete(up_j, root).sum())
        if problem.num_round_trips > 0:
            joules += float(problem.num_round_trips * np.delete(back_j, root).sum())
        if problem.num_root_legs > 0:
            joules += float(problem.num_root_legs * leg_j[root])
        least = min(least, joules)
    return least
