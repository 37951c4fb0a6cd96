"""How the clusters of a plan average, and what is proven of it."""

from dataclasses import dataclass

from hfedfm_opt.system.decisions import Cluster, Frequency


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
    relaying_j : float
        No arrangement of the clusters spends less on sending updates and models in a cycle, without the
        cloud leg.
    """

    clusters: tuple[Cluster, ...]
    frequencies: tuple[Frequency, ...]
    bound: float
    proof: str
    timed_out: bool = False
    relaying_j: float = 0.0
