"""Random search over plans of the scope of a bound: any placement, trees, aggregators and resources."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.hops import MissingLink, from_server, nominal_hop, to_server, tree_hops
from hfedfm_opt.planning.joint_cluster import sharers_of
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.precision import transport_of
from hfedfm_opt.planning.proofs import Evidence, evidence_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.system.decisions import Cluster, Frequency, Hop, precisions_of
from hfedfm_opt.system.instance import Cpu, Instance
from hfedfm_opt.system.network import Network, WirelessEdge, resolve_network
from solvers.common import Options

WAYS = ("gather", "gather_to_cloud", "deliver", "uplink")


@dataclass(frozen=True)
class Scope:
    """For which plans a bound is said to hold: the network, the period, and which resources are decided."""

    instance: Instance
    period: int | None
    options: PlannerOptions

    @cached_property
    def network(self) -> Network:
        """The network at the transport bits asked for."""
        transport = transport_of(self.instance, self.options.transport_bits)
        return resolve_network(self.instance, self.options.duplex, precisions_of(transport))

    @cached_property
    def reach(self) -> Reach:
        """Where trainable modules may be trained."""
        return "above" if self.period == 1 else "server"

    @cached_property
    def evidence(self) -> Mapping[str, Evidence]:
        """How each cluster is bounded, by server: it says whether its D2D links are nominal."""
        joint = self.options.allocate and self.options.allocate_d2d
        return evidence_of(without_movable(self.network), joint=joint)

    def decides_d2d(self, server: str) -> bool:
        """Return whether bands, powers and frequencies are decided where a cluster averages at a member."""
        return self.evidence[server] in (Evidence.EXACT, Evidence.SEARCHED)


@dataclass(frozen=True)
class Draft:
    """A plan in the making: who runs what, the clusters, and the CPU frequencies that are not the highest."""

    placed: Placed
    clusters: tuple[Cluster, ...]
    frequency_hz: Mapping[str, float]


def random_placements(scope: Scope, count: int, generator: np.random.Generator) -> Iterator[Placed]:
    """Yield random placements that fit the memories."""
    task = formulate_placement(scope.network, scope.reach)
    for _ in range(count):
        options = Options(time_limit_s=1.0, seed=int(generator.integers(2**31)))
        try:
            yield place(scope.network, task, "random", options)
        except NoPlacement:
            return


def finished(scope: Scope, draft: Draft) -> Plan | None:
    """Return a draft as a plan, or ``None`` if it breaks a limit."""
    frequencies = tuple(Frequency(device=d, frequency_hz=f) for d, f in draft.frequency_hz.items())
    transport = transport_of(scope.instance, scope.options.transport_bits)
    decisions = assemble(
        scope.network,
        "random search",
        scope.period,
        draft.placed,
        Arrangement(draft.clusters, frequencies, -math.inf, ""),
        transport,
    )
    plan = Plan(scope.instance, decisions)
    return None if plan.violations else plan


def draft_of(plan: Plan) -> Draft:
    """Return what a plan decides, to search from."""
    decided = plan.decisions
    placed = Placed(decided.hosted, decided.servings, -math.inf)
    frequencies = {entry.device: entry.frequency_hz for entry in decided.frequencies}
    return Draft(placed, decided.clusters, frequencies)


def random_draft(scope: Scope, placed: Placed, generator: np.random.Generator) -> Draft | None:
    """Return a draft with random clusters for a placement; ``None`` if some cluster cannot average."""
    clusters: list[Cluster] = []
    frequency_hz: dict[str, float] = {}
    for server in scope.network.members:
        drawn = _random_cluster(scope, server, placed, generator)
        if drawn is None:
            return None
        clusters.append(drawn)
        frequency_hz |= _random_frequencies(scope, drawn, placed, generator)
    return Draft(placed, tuple(clusters), frequency_hz)


def search(scope: Scope, start: Draft, trials: int, generator: np.random.Generator) -> Plan | None:
    """Return the best plan met by random changes, each kept if the plan is no worse.

    Parameters
    ----------
    scope : Scope
        What plans may decide.
    start : Draft
        Where to begin.
    trials : int
        Changes tried.
    generator : numpy.random.Generator
        Draws them.
    """
    best, draft = finished(scope, start), start
    for _ in range(trials):
        changed = _changed(scope, draft, generator)
        plan = finished(scope, changed)
        if plan is not None and (best is None or plan.objective <= best.objective):
            best, draft = plan, changed
        elif best is None:
            draft = changed
    return best


def _changed(scope: Scope, draft: Draft, generator: np.random.Generator) -> Draft:
    """Return a draft with one cluster drawn anew, or with its bands, powers and frequencies shaken."""
    index = int(generator.integers(len(draft.clusters)))
    cluster = draft.clusters[index]
    frequency_hz = dict(draft.frequency_hz)
    if generator.random() < 0.3:
        drawn = _random_cluster(scope, cluster.id, draft.placed, generator)
        if drawn is None:
            return draft
        cluster = drawn
        for device in cluster.members:
            frequency_hz.pop(device, None)
        frequency_hz |= _random_frequencies(scope, cluster, draft.placed, generator)
    elif scope.options.allocate:
        strength = float(generator.choice([0.02, 0.2, 1.0]))
        cluster = _shaken(scope, cluster, draft.placed, strength, generator)
        for device in _slowable(scope, cluster, draft.placed):
            highest = _highest_hz(scope.network, device)
            asked = frequency_hz.get(device, highest) * math.exp(strength * generator.normal())
            frequency_hz[device] = min(asked, highest)
    clusters = (*draft.clusters[:index], cluster, *draft.clusters[index + 1 :])
    return replace(draft, clusters=clusters, frequency_hz=frequency_hz)


def _random_cluster(
    scope: Scope, server: str, placed: Placed, generator: np.random.Generator
) -> Cluster | None:
    network = scope.network
    members, to_cloud = network.members[server], scope.period is not None
    ways = ["server", *(member for member in members if not to_cloud or (member, server) in network.edges)]
    for way in generator.permutation(ways).tolist():
        try:
            if way == "server":
                down = from_server(network, members, server)
                up = to_server(network, members, server)
                cluster = Cluster(
                    id=server, members=members, aggregator=server, gather=up, deliver=down, downlink=down
                )
            else:
                cluster = _around(network, server, way, generator, to_cloud=to_cloud)
        except MissingLink:
            continue
        if not scope.options.allocate:
            return cluster
        return _shaken(scope, cluster, placed, float(generator.choice([0.3, 1.0])), generator, anew=True)
    return None


def _around(
    network: Network, server: str, root: str, generator: np.random.Generator, *, to_cloud: bool
) -> Cluster:
    """Return a cluster that averages at a member over random trees, at nominal resources."""
    members = network.members[server]
    up = _random_tree(network, members, root, generator, outwards=False)
    down = _random_tree(network, members, root, generator, outwards=True)
    leg = up if generator.random() < 0.7 else _random_tree(network, members, root, generator, outwards=False)
    return Cluster(
        id=server,
        members=members,
        aggregator=root,
        gather=tree_hops(network, up, members),
        gather_to_cloud=tree_hops(network, leg, members) if to_cloud and leg != up else None,
        deliver=tree_hops(network, down, members),
        uplink=(nominal_hop(network, root, server, len(members)),) if to_cloud else (),
        downlink=from_server(network, members, server) if to_cloud else (),
    )


def _random_tree(
    network: Network, members: Sequence[str], root: str, generator: np.random.Generator, *, outwards: bool
) -> list[tuple[str, str]]:
    """Return the (sender, receiver) pairs of a random tree over links that there are."""
    there, pairs = [root], []
    while len(there) < len(members):
        near = [
            (node, other) if outwards else (other, node)
            for node in there
            for other in members
            if other not in there and ((node, other) if outwards else (other, node)) in network.edges
        ]
        if not near:
            raise MissingLink(f"D2D links do not connect all members with {root!r}")
        pair = near[int(generator.integers(len(near)))]
        pairs.append(pair)
        there.append(pair[1] if outwards else pair[0])
    return pairs


def _shaken(
    scope: Scope,
    cluster: Cluster,
    placed: Placed,
    strength: float,
    generator: np.random.Generator,
    *,
    anew: bool = False,
) -> Cluster:
    """Return a cluster with other shares and powers on the ways whose resources are decided.

    Where devices send to their server themselves, activations of any of them keep the uplinks nominal.
    """
    busy = {serving.device for serving in placed.servings} & set(cluster.members)
    at_server = cluster.aggregator == cluster.id
    if at_server and (busy or not _shares_a_band(scope, cluster)):
        return cluster
    changes = {}
    for way in WAYS:
        hops = getattr(cluster, way)
        over_server = at_server or way == "uplink"
        decided = over_server if way != "deliver" or not at_server else False
        if hops and (decided or (not at_server and scope.decides_d2d(cluster.id))):
            changes[way] = _other_shares(scope.network, hops, cluster.id, strength, generator, anew=anew)
    return cluster.model_copy(update=changes)


def _other_shares(
    network: Network,
    hops: Sequence[Hop],
    server: str,
    strength: float,
    generator: np.random.Generator,
    *,
    anew: bool,
) -> tuple[Hop, ...]:
    """Return hops that together take a whole band, or this cluster's even part of it, all the time."""
    found, weight = [], {}
    for hop in hops:
        share = 1.0 if anew else hop.band_hz or 1.0
        weight[hop] = share * math.exp(strength * generator.normal())
    wireless = [hop for hop in hops if isinstance(network.edges[hop.source, hop.target], WirelessEdge)]
    total = sum(weight[hop] for hop in wireless)
    for hop in hops:
        edge = network.edges[hop.source, hop.target]
        if not isinstance(edge, WirelessEdge):
            found.append(hop)
            continue
        radio = network.nodes[hop.source].radio
        assert radio is not None, "a wireless link starts at a radio"
        sharers = len(sharers_of(network)[edge.band])
        band_hz = weight[hop] / total * network.bands[edge.band].band_hz / sharers
        power_w = min((hop.power_w or 0.0) * math.exp(strength * generator.normal()), radio.max_power_w)
        found.append(hop.model_copy(update={"band_hz": band_hz, "power_w": power_w}))
    return tuple(found)


def _slowable(scope: Scope, cluster: Cluster, placed: Placed) -> list[str]:
    """Return the members whose CPU frequency is decided."""
    busy = {serving.device for serving in placed.servings}
    if not scope.options.allocate:
        return []
    if cluster.aggregator == cluster.id or len(cluster.members) == 1:
        if busy & set(cluster.members) or not _shares_a_band(scope, cluster):
            return []
    elif not scope.decides_d2d(cluster.id):
        return []
    return [
        device
        for device in cluster.members
        if device not in busy and isinstance(scope.network.nodes[device].processor, Cpu)
    ]


def _shares_a_band(scope: Scope, cluster: Cluster) -> bool:
    """Return whether members send to their server over one band, or one member keeps all for itself."""
    if scope.period is None and cluster.members == (cluster.aggregator,):
        return True
    edges = [scope.network.edges.get((device, cluster.id)) for device in cluster.members]
    return len({edge.band if isinstance(edge, WirelessEdge) else edge for edge in edges}) == 1 and isinstance(
        edges[0], WirelessEdge
    )


def _random_frequencies(
    scope: Scope, cluster: Cluster, placed: Placed, generator: np.random.Generator
) -> dict[str, float]:
    return {
        device: _highest_hz(scope.network, device) * float(generator.uniform(0.2, 1.0))
        for device in _slowable(scope, cluster, placed)
    }


def _highest_hz(network: Network, device: str) -> float:
    processor = network.nodes[device].processor
    assert isinstance(processor, Cpu), "only CPUs have a frequency"
    return processor.max_frequency_hz
