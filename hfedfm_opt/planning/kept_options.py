"""Options of a cluster that keeps the trees of an old plan: as they were, or with other resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.alone_options import alone_options
from hfedfm_opt.planning.cluster_options import (
    MAX_ENUMERATED_MEMBERS,
    Option,
    Rhythm,
    relayed_options,
    server_options,
    with_uplink,
)
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.joint_cluster import Joint, Sharers, joint_options
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.trained_elsewhere import members_helped
from hfedfm_opt.system.decisions import Cluster, Decisions, Frequency, Hop, Serving
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.clusters import ClusterProblem


@dataclass(frozen=True)
class OldCluster:
    """A cluster of an old plan, with the frequencies of its members and what runs elsewhere for them now."""

    cluster: Cluster
    frequencies: tuple[Frequency, ...]
    servings: tuple[Serving, ...]


def as_it_was(network: Network, index: int, old: OldCluster, rhythm: Rhythm, ready: Readiness) -> Option:
    """Return the old cluster as an option: the same hops, powers and frequencies.

    What its devices wait for may have changed, as hosts have more or less to do.
    """
    ledger = Ledger()
    phase = Phase(network, ledger, old.cluster.id, "as it was")
    frequency_of = {entry.device: entry.frequency_hz for entry in old.frequencies}
    helped: dict[str, list[Serving]] = {}
    for entry in old.servings:
        helped.setdefault(entry.device, []).append(entry)
    seconds = {
        device: phase.train(device, frequency_of.get(device), helped.get(device, ()))
        for device in old.cluster.members
    }
    joules = rhythm.num_rounds * sum(ledger.energy_j.values())
    trained = replace(ready, seconds={**ready.seconds, **seconds})
    return _fixed(network, index, old.cluster, rhythm, trained, joules)


def kept_options(
    network: Network,
    index: int,
    old: OldCluster,
    rhythm: Rhythm,
    ready: Readiness,
    sharers: Sharers,
    search: SearchSettings,
) -> list[Option]:
    """Return the options with the trees of the old cluster and resources allocated anew, as far as they are.

    Parameters
    ----------
    network : Network
        The new network.
    index : int
        Index of the cluster.
    old : OldCluster
        The cluster in the old plan; nothing of it changed.
    rhythm : Rhythm
        How often the cloud averages.
    ready : Readiness
        When updates are ready now.
    sharers : mapping of str to frozenset of str
        Clusters by band.
    search : SearchSettings
        Whether resources are decided, and those of D2D links too.
    """
    cluster = old.cluster
    if len(cluster.members) == 1:
        alone = alone_options(network, index, cluster.id, rhythm, ready, allocate=search.allocate)
        return alone + server_options(network, index, cluster.id, rhythm, ready, allocate=search.allocate)
    if cluster.aggregator == cluster.id:
        return server_options(network, index, cluster.id, rhythm, ready, allocate=search.allocate)
    if search.joint:
        found = joint_options(network, index, cluster.id, rhythm, ready, sharers).options
        if found:
            return [with_trees(option, cluster) for option in found if _can_lead(option, cluster)]
    try:
        nominal = _at_nominal(network, cluster)
    except MissingLink:
        return []
    train_j = rhythm.num_rounds * sum(ready.joules[device] for device in cluster.members)
    inner = _fixed(network, index, nominal.model_copy(update={"uplink": ()}), rhythm, ready, train_j)
    return with_uplink(network, replace(inner, plan=nominal), allocate=search.allocate)


def new_options(
    network: Network,
    index: int,
    rhythm: Rhythm,
    ready: Readiness,
    sharers: Sharers,
    search: SearchSettings,
) -> list[Option]:
    """Return all options of one cluster, as for a plan made anew; parameters as of :func:`kept_options`."""
    server, members = list(network.members.items())[index]
    options = server_options(network, index, server, rhythm, ready, allocate=search.allocate)
    if len(members) == 1:
        options += alone_options(network, index, server, rhythm, ready, allocate=search.allocate)
    together = joint_options(network, index, server, rhythm, ready, sharers) if search.joint else Joint()
    options += together.options
    if len(members) <= MAX_ENUMERATED_MEMBERS and not together.replaces_nominal:
        options += relayed_options(network, index, server, rhythm, ready, allocate=search.allocate)
    return options


def with_trees(option: Option, cluster: Cluster) -> Option:
    """Return a joint option whose links are those of a cluster's trees alone, and whose root is the same."""
    assert option.joint is not None, "only joint options have their trees decided"
    place = {member: number for number, member in enumerate(cluster.members)}
    hops = (*cluster.gather, *(cluster.gather_to_cloud or ()), *cluster.deliver)
    used = np.zeros((len(place), len(place)), dtype=np.bool_)
    for hop in hops:
        used[place[hop.source], place[hop.target]] = True
    roots = np.arange(len(place)) == place[cluster.aggregator]

    def only(problem: ClusterProblem) -> ClusterProblem:
        return replace(problem, gain=np.where(used, problem.gain, 0.0), roots=roots)

    problem = only(option.joint.problem)
    joint = JointCluster(problem, problem, option.joint.uplink_hz, option.joint.scaled)
    return replace(option, joint=joint)


def _can_lead(option: Option, cluster: Cluster) -> bool:
    assert option.joint is not None, "only joint options have their trees decided"
    return bool(option.joint.problem.roots[cluster.members.index(cluster.aggregator)])


def _at_nominal(network: Network, cluster: Cluster) -> Cluster:
    """Return a cluster with the same trees at nominal resources."""
    others = len(cluster.members) - 1

    def again(hops: Sequence[Hop], sharers: int) -> tuple[Hop, ...]:
        return tuple(nominal_hop(network, hop.source, hop.target, sharers) for hop in hops)

    to_cloud = cluster.gather_to_cloud
    changes = {
        "gather": again(cluster.gather, others),
        "gather_to_cloud": None if to_cloud is None else again(to_cloud, others),
        "deliver": again(cluster.deliver, others),
        "uplink": again(cluster.uplink, others + 1),
    }
    return cluster.model_copy(update=changes)


def _fixed(
    network: Network, index: int, cluster: Cluster, rhythm: Rhythm, ready: Readiness, train_j: float
) -> Option:
    """Return a cluster with given hops as an option; ``train_j``: joules of its training in a cycle."""
    members = cluster.members
    own = {device: frozenset(network.trained_on[device]) for device in members}
    helped_s = [ready.seconds[device] for device in members_helped(network, members)]
    seconds, joules = 0.0, train_j
    for to_cloud, times in ((False, rhythm.num_edge_rounds), (True, rhythm.num_cloud_rounds)):
        ledger = Ledger()
        phase = Phase(network, ledger, cluster.id, "as it was")
        own_s = {device: ready.seconds[device] for device in members}
        way_up = phase.forward if cluster.relays == "forward" else phase.gather
        end_s, union = way_up(
            cluster.gather_hops(to_cloud=to_cloud), cluster.aggregator, own_s, own, ready.busy
        )
        end_s = max([end_s, *helped_s])
        if not to_cloud:
            at_member = cluster.aggregator in members  # over D2D links the whole average comes back
            taken = dict.fromkeys(members, union) if at_member else own
            end_s = phase.deliver(cluster.deliver, cluster.aggregator, end_s, taken)
        for hop in cluster.uplink if to_cloud and union else ():
            end_s = phase.send(hop, union, end_s)
        seconds += times * end_s
        joules += times * sum(ledger.energy_j.values())
    return Option(index, cluster, seconds, joules)


def still_stands(network: Network, cluster: Cluster) -> bool:
    """Return whether an old cluster could go on: the same members, all links, and an average as planned here.

    The optimised planner averages at the server or at a member, and relays merge.
    """
    if network.members.get(cluster.id) != cluster.members or cluster.consensus is not None:
        return False
    if cluster.relays != "merge" or cluster.aggregator not in (cluster.id, *cluster.members):
        return False
    trees = (cluster.gather, cluster.gather_to_cloud or (), cluster.deliver, cluster.uplink, cluster.downlink)
    return all(_is_possible(network, hop) for hops in trees for hop in hops)


def _is_possible(network: Network, hop: Hop) -> bool:
    edge, radio = network.edges.get((hop.source, hop.target)), network.nodes[hop.source].radio
    if not isinstance(edge, WirelessEdge):
        return edge is not None and hop.power_w is None
    most_w = 0.0 if radio is None else radio.max_power_w
    fits = 0.0 < (hop.power_w or 0.0) <= most_w
    return fits and 0.0 < (hop.band_hz or 0.0) <= network.bands[edge.band].band_hz


def old_clusters(old: Decisions, servings: Sequence[Serving]) -> Mapping[str, OldCluster]:
    """Return the clusters of an old plan by id, with what belongs to each, and what runs elsewhere now."""
    frequency_of = {entry.device: entry for entry in old.frequencies}
    of_device: dict[str, list[Serving]] = {}
    for entry in servings:
        of_device.setdefault(entry.device, []).append(entry)
    return {
        cluster.id: OldCluster(
            cluster,
            tuple(frequency_of[device] for device in cluster.members if device in frequency_of),
            tuple(entry for device in cluster.members for entry in of_device.get(device, ())),
        )
        for cluster in old.clusters
    }
