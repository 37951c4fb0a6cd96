"""How the clusters of a plan average, and what is proven of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hfedfm_opt.system.decisions import Cluster, Frequency, GapPart


@dataclass(frozen=True)
class Arrangement:
    """Clusters and frequencies, with a lower bound on the objective per round and what proves it.

    Parameters
    ----------
    clusters : tuple of Cluster
        All clusters.
    frequencies : tuple of Frequency
        CPU frequencies that are not the highest.
    bound : float
        No plan of the scope in ``proof`` has a lower objective; ``-inf`` if none is proven.
    proof : str
        What proves the bound, and for which plans.
    timed_out : bool
        Whether the search ended at its time limit.
    gap_parts : tuple of GapPart
        What the clusters, the deadline and the placement leave open of the gap.
    relaying_j : mapping of str to float
        For each cluster, by server: no arrangement spends less on sending updates and models in a cycle,
        without the cloud leg, as long as others help some of its members if they do now.
    """

    clusters: tuple[Cluster, ...]
    frequencies: tuple[Frequency, ...]
    bound: float
    proof: str
    timed_out: bool = False
    gap_parts: tuple[GapPart, ...] = ()
    relaying_j: Mapping[str, float] = field(default_factory=dict)
