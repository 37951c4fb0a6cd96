"""Whether a plan is sound: its names exist, its hops have links, its trees are trees, its modules hosts."""

from collections.abc import Iterable, Iterator

from hfedfm_opt.planning.check_consensus import consensus_violations
from hfedfm_opt.planning.check_training import training_violations
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.precision import transport_violations
from hfedfm_opt.planning.rounds import PeriodError, cycle_of
from hfedfm_opt.planning.trees import TreeError, deliver_order, gather_order
from hfedfm_opt.planning.violations import PlanViolation
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Cluster, Decisions, Hop
from hfedfm_opt.system.network import Network, WirelessEdge


def structure_violations(network: Network, decisions: Decisions) -> tuple[PlanViolation, ...]:
    """Return what makes a plan unsound, so that its cost cannot even be computed.

    Parameters
    ----------
    network : Network
        The network.
    decisions : Decisions
        The plan.
    """
    unsound = (
        *_identity(network, decisions),
        *_membership(network, decisions),
        *_periods(network, decisions),
        *transport_violations(network, decisions),
        *_hops(network, decisions),
    )
    return unsound or (*_trees(network, decisions), *_placement(network, decisions))


def all_hops(decisions: Decisions) -> Iterator[Hop]:
    """Yield every hop of a plan."""
    for cluster in decisions.clusters:
        for hops in (cluster.gather, cluster.gather_to_cloud or (), cluster.deliver, cluster.uplink):
            yield from hops
        yield from cluster.downlink
        yield from cluster.consensus.exchanges if cluster.consensus else ()
    for serving in decisions.servings:
        yield from serving.out
        yield from serving.back
    yield from decisions.backhaul_up
    yield from decisions.backhaul_down


def distinct_hops(decisions: Decisions) -> Iterable[Hop]:
    """Return every hop of a plan, an object that occurs in many places once."""
    return {id(hop): hop for hop in all_hops(decisions)}.values()


def _identity(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    digest = instance_digest(network.instance)
    if decisions.instance_sha256 != digest:
        yield PlanViolation(
            "plan",
            f"made for another instance (digest {decisions.instance_sha256[:12]}, this one has "
            f"{digest[:12]}): plan again for {network.instance.name!r}",
        )


def _membership(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    seen: dict[str, str] = {}
    for cluster in decisions.clusters:
        place = f"cluster {cluster.id!r}"
        if cluster.id not in network.nodes:
            yield PlanViolation(place, "is named by no node, must be the id of a node")
        for member in cluster.members:
            if member not in network.device_set:
                yield PlanViolation(place, f"has the member {member!r}, must be a device")
            elif member in seen:
                yield PlanViolation(
                    place, f"has the member {member!r}, which cluster {seen[member]!r} has too"
                )
            elif cluster.id in network.nodes and cluster.id not in network.path_up(member):
                yield PlanViolation(
                    place, f"has the member {member!r}, {_why_not(network, member, cluster.id)}"
                )
            seen[member] = cluster.id
        if cluster.aggregator != cluster.id and cluster.aggregator not in cluster.members:
            yield PlanViolation(
                place, f"aggregator {cluster.aggregator!r} is neither {cluster.id!r} nor a member"
            )
    for device in network.devices:
        if device not in seen:
            yield PlanViolation(f"device {device!r}", "is in no cluster, must be in exactly one")


def _why_not(network: Network, member: str, server: str) -> str:
    """Return why a device cannot belong to a node that is not above it in the file."""
    if network.nodes[server].tier not in network.instance.tiers[1:-1]:
        return f"which is not below {server!r}"
    if (member, server) not in network.edges:
        return f"which has no link to {server!r}: must be below it, or have links both ways"
    return f"which has no link from {server!r}: must be below it, or have links both ways"


def _periods(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    trainable = [module.id for module in network.instance.modules if module.trainable]
    named = [entry.module for entry in decisions.periods]
    for name in sorted(set(trainable) ^ set(named)):
        wrong = "has no period" if name in trainable else "has a period but is not a trainable module"
        yield PlanViolation(f"module {name!r}", wrong)
    try:
        cycle_of(decisions.periods)
    except PeriodError as error:
        yield PlanViolation("periods", str(error))


def _hops(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    found = ((hop, _wrong_with(network, hop)) for hop in distinct_hops(decisions))
    for hop, what in dict.fromkeys((hop, what) for hop, what in found if what):
        yield PlanViolation(f"hop {hop.source!r} -> {hop.target!r}", what)


def _wrong_with(network: Network, hop: Hop) -> str:
    """Return what is wrong with a hop; nothing of a sound one."""
    edge = network.edges.get((hop.source, hop.target))
    if edge is None:
        return "there is no such link"
    if isinstance(edge, WirelessEdge) and (hop.band_hz is None or hop.power_w is None):
        return "is wireless, must have band_hz and power_w"
    if not isinstance(edge, WirelessEdge) and (hop.band_hz is not None or hop.power_w is not None):
        return "is wired, must have neither band_hz nor power_w"
    return ""


def _trees(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    cycle = cycle_of(decisions.periods)
    reaches_cloud = any(kind.due for kind in cycle)
    stays = any(len(kind.due) < len(decisions.periods) for kind in cycle)
    for cluster in decisions.clusters:
        yield from _cluster_trees(cluster, reaches_cloud=reaches_cloud, stays=stays)
        if cluster.consensus is not None:
            yield from consensus_violations(network, cluster, cluster.consensus)
    yield from training_violations(network, decisions, every_round_reaches_cloud=all(k.due for k in cycle))
    if reaches_cloud:
        servers = {cluster.id for cluster in decisions.clusters}
        above = {node for server in servers for node in network.path_up(server)}
        servers = (servers | (above & set(network.trained_at))) - {network.root}
        yield from _tree("backhaul_up", decisions.backhaul_up, network.root, servers, up=True)
        yield from _tree("backhaul_down", decisions.backhaul_down, network.root, servers, up=False)


def _cluster_trees(cluster: Cluster, *, reaches_cloud: bool, stays: bool) -> Iterator[PlanViolation]:
    """Yield what is wrong with a cluster's trees; ``stays``: some average is delivered from within."""
    place = f"cluster {cluster.id!r}"
    others = set(cluster.members) - {cluster.aggregator}
    if len(cluster.members) > 1 or cluster.aggregator not in cluster.members:
        gathered = others if reaches_cloud or cluster.consensus is None else set[str]()
        yield from _tree(f"{place} gather", cluster.gather, cluster.aggregator, gathered, up=True)
        delivered = others if stays and cluster.consensus is None else set[str]()
        yield from _tree(f"{place} deliver", cluster.deliver, cluster.aggregator, delivered, up=False)
    if cluster.gather_to_cloud is not None:
        yield from _tree(
            f"{place} gather_to_cloud", cluster.gather_to_cloud, cluster.aggregator, others, up=True
        )
    if not reaches_cloud:
        return
    way = [cluster.aggregator, *(hop.target for hop in cluster.uplink)]
    if way[-1] != cluster.id or [hop.source for hop in cluster.uplink] != way[:-1]:
        yield PlanViolation(f"{place} uplink", f"must lead from {cluster.aggregator!r} to {cluster.id!r}")
    yield from _tree(f"{place} downlink", cluster.downlink, cluster.id, set(cluster.members), up=False)


def _tree(
    place: str, hops: tuple[Hop, ...], root: str, needed: set[str], *, up: bool
) -> Iterator[PlanViolation]:
    try:
        ordered = gather_order(hops, root) if up else deliver_order(hops, root)
    except TreeError as error:
        yield PlanViolation(place, str(error))
        return
    for node in sorted(needed - {hop.source if up else hop.target for hop in ordered} - {root}):
        yield PlanViolation(place, f"leaves out {node!r}, must {'start at' if up else 'reach'} it")


def _placement(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    hosted = {(entry.module, entry.node) for entry in decisions.hosted}
    host_of = {(serving.device, serving.module): serving.host for serving in decisions.servings}
    for name, node in sorted(hosted):
        if name not in network.modules or node not in network.nodes:
            yield PlanViolation(f"replica of {name!r} on {node!r}", "names an unknown module or node")
    for device in network.devices:
        for name in loads_of(network, device):
            module, host = network.modules[name], host_of.get((device, name), device)
            place = f"module {name!r} of device {device!r}"
            if (name, host) not in hosted:
                yield PlanViolation(place, f"runs on {host!r}, which hosts no replica of it")
            allowed = module.may_run_on or (network.instance.tiers[-1],)
            at_home = host == device and module.trainable
            if host in network.nodes and network.nodes[host].tier not in allowed and not at_home:
                yield PlanViolation(place, f"runs on {host!r}, must run on a node of {', '.join(allowed)}")
    for serving in decisions.servings:
        yield from _ways(network, serving.device, serving.host, (serving.out, serving.back))


def _ways(
    network: Network, device: str, host: str, ways: tuple[tuple[Hop, ...], tuple[Hop, ...]]
) -> Iterator[PlanViolation]:
    for hops, start, end in ((ways[0], device, host), (ways[1], host, device)):
        nodes = [start, *(hop.target for hop in hops)]
        if nodes[-1] != end or [hop.source for hop in hops] != nodes[:-1]:
            yield PlanViolation(f"way {start!r} -> {end!r}", "its hops do not lead there one after another")
