"""What proves a bound: in words, and which part of a gap is left open by what."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from hfedfm_opt.planning.cluster_options import MAX_ENUMERATED_MEMBERS, Rhythm
from hfedfm_opt.planning.joint_cluster import MAX_SEARCHED_MEMBERS, averages_at_a_member, refusal_of
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.clusters.trees import MAX_HALF_DUPLEX_NODES, MAX_NODES

CLUSTERS_SHOWN = 3
"""Clusters that a line about some of them names."""


class Evidence(StrEnum):
    """How the D2D options of a cluster are bounded."""

    EXACT = "every tree bounded with its bands, powers and CPU frequencies"
    SEARCHED = "trees searched with their bands, powers and CPU frequencies, and bounded by relaxation"
    NOMINAL = "every tree priced with D2D links at nominal channel and power"
    SERVER = "no D2D links that lead from all members to one: it averages at its server"
    LATE = "trees not all priced in time"
    NONE = "not bounded"


def evidence_of(
    network: Network, *, joint: bool, late: Collection[str] = frozenset()
) -> Mapping[str, Evidence]:
    """Return how the D2D options of each cluster, by server, are bounded.

    Parameters
    ----------
    network : Network
        The network.
    joint : bool
        Whether trees and resources of D2D links are decided together where that can be.
    late : collection of str
        Servers of clusters whose trees were not priced when the time limit came.
    """
    return {
        server: Evidence.LATE if server in late else _evidence(network, members, joint)
        for server, members in network.members.items()
    }


def _evidence(network: Network, members: Sequence[str], joint: bool) -> Evidence:
    if not averages_at_a_member(network, members):
        return Evidence.SERVER
    if joint and not refusal_of(network, members):
        most = MAX_HALF_DUPLEX_NODES if network.is_half_duplex(members[0]) else MAX_NODES
        return Evidence.EXACT if len(members) <= most else Evidence.SEARCHED
    return Evidence.NOMINAL if len(members) <= MAX_ENUMERATED_MEMBERS else Evidence.NONE


def unbounded(network: Network, evidence: Mapping[str, Evidence]) -> str:
    """Return why nothing is proven, of the first cluster whose D2D options are not bounded; or nothing."""
    late = [server for server, kind in evidence.items() if kind is Evidence.LATE]
    if late:
        return (
            f"no bound: the time limit came before all trees of {len(late)} of {len(evidence)} clusters were "
            f"priced, first of that of {late[0]!r}"
        )
    for server, kind in evidence.items():
        if kind is Evidence.NONE:
            members = network.members[server]
            why = refusal_of(network, members) or f"at most {MAX_SEARCHED_MEMBERS} can be searched"
            return (
                f"no bound: the cluster of {server!r} has {len(members)} members, more than the "
                f"{MAX_ENUMERATED_MEMBERS} whose trees are all priced, and cannot be decided at once: {why}"
            )
    return ""


def proof_of(evidence: Mapping[str, Evidence], rhythm: Rhythm, *, allocate: bool, placement: str) -> str:
    """Return what proves the bound of a search over a common deadline, and for which plans it holds.

    Parameters
    ----------
    evidence : mapping of str to Evidence
        By server.
    rhythm : Rhythm
        How often the cloud averages.
    allocate : bool
        Whether resources are decided.
    placement : str
        For which placements it holds.
    """
    kinds = set(evidence.values())
    if kinds & {Evidence.EXACT, Evidence.SEARCHED}:
        resources = (
            "bandwidth, power and CPU frequency decided with the trees, a share of a band kept for a whole "
            "way up or back, devices that others help at full frequency"
        )
        nominal = sum(kind is Evidence.NOMINAL for kind in evidence.values())
        if nominal:
            resources += (
                f"; D2D links of {nominal} of {len(evidence)} clusters at nominal channel and power, and "
                "their devices at full frequency where they use them"
            )
    elif allocate:
        resources = (
            "uplink bandwidth and power optimal (CPU frequencies too where members send to their server "
            "themselves over one band), D2D links at nominal channel and power"
        )
    else:
        resources = "all links at nominal channel and power"
    return (
        "each cluster averages at its server over its members' own uplinks, or at any member over any trees "
        f"of D2D links; {resources}; the common deadline was searched with a tangent bound; "
        f"holds for period {period_name(rhythm.period)}, the given association and {placement}"
    )


def cluster_parts(evidence: Mapping[str, Evidence], amounts: Iterable[float]) -> tuple[GapPart, ...]:
    """Return the part of the gap that the clusters leave open, one for each kind of evidence.

    Parameters
    ----------
    evidence : mapping of str to Evidence
        By server.
    amounts : iterable of float
        Part of the objective that each cluster leaves open, in the same order.
    """
    of_kind: dict[Evidence, dict[str, float]] = {}
    for (server, kind), amount in zip(evidence.items(), amounts, strict=True):
        of_kind.setdefault(kind, {})[server] = amount
    return tuple(_part(kind, of_kind[kind], len(evidence)) for kind in Evidence if kind in of_kind)


def _part(kind: Evidence, amount_of: Mapping[str, float], num_clusters: int) -> GapPart:
    largest = sorted(amount_of, key=lambda server: -amount_of[server])[:CLUSTERS_SHOWN]
    named = ", ".join(f"{server!r} {amount_of[server]:.2g}" for server in largest if amount_of[server] > 0)
    proof = f"{len(amount_of)} of {num_clusters} clusters: {kind}"
    return GapPart(
        part="clusters",
        amount=sum(amount_of.values()),
        proof=f"{proof}; most of it {named}" if named and kind is not Evidence.EXACT else proof,
    )
