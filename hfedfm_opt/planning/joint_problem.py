"""A cluster as the solver takes it that decides trees and resources together."""

from collections.abc import Mapping
from dataclasses import dataclass

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
