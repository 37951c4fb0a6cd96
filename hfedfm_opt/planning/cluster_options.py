"""What a cluster can do in a cycle: each option is a pair of trees, with or without an allocated uplink."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.computing import computing_of
from hfedfm_opt.planning.formulate_relaying import formulate_relaying
from hfedfm_opt.planning.hops import MissingLink, from_server, nominal_hop, to_server, tree_hops
from hfedfm_opt.planning.joint_problem import JointCluster
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.readiness import Readiness
from hfedfm_opt.planning.slack import Slack, slack_of
from hfedfm_opt.planning.trained_elsewhere import members_helped
from hfedfm_opt.planning.uplink_cell import UplinkCell, uplink_cell
from hfedfm_opt.system.decisions import Cluster, Hop
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.common.arrays import BoolArray, IntArray
from solvers.relaying import Front, RelayingProblem, evaluate, pareto_fronts

MAX_ENUMERATED_MEMBERS = 7
"""Largest cluster whose trees are all priced (7^5 gather trees for each aggregator)."""


@dataclass(frozen=True)
class Trees:
    """One row of a cluster's front: a root, and the ways up to it and down."""

    problem: RelayingProblem
    front: Front
    row: int


@dataclass(frozen=True)
class Option:
    """One way of a cluster to spend a cycle.

    Its cycle takes ``seconds + repeat * tau`` and costs ``joules + repeat * e(tau)``, where ``e`` is the
    least energy of ``cell``, of the cluster ``joint``, or of the CPUs in ``slack``, within a deadline
    ``tau``; without any of them the second terms vanish.

    Parameters
    ----------
    cluster : int
        Index of the cluster.
    plan : Cluster
        The cluster at nominal resources; without its D2D trees where ``trees`` has them.
    seconds, joules : float
        What is fixed, from the start of the cycle to the update at the server (to the end of the round where
        nothing goes to the cloud).
    cell : UplinkCell or None
        What is allocated.
    repeat : float
        How often a cycle uses the cell.
    trees : Trees or None
        The D2D trees of a cluster that averages at a member.
    joint : JointCluster or None
        The cluster whose trees are decided together with its resources.
    slack : Slack or None
        The CPUs that slow down, with nominal uplinks.
    """

    cluster: int
    plan: Cluster
    seconds: float
    joules: float
    cell: UplinkCell | None = None
    repeat: float = 0.0
    trees: Trees | None = None
    joint: JointCluster | None = None
    slack: Slack | None = None


@dataclass(frozen=True)
class Rhythm:
    """How often a cycle of ``period`` rounds gathers and brings back, and how often it goes to the cloud."""

    period: int | None

    @property
    def num_edge_rounds(self) -> int:
        """Rounds of a cycle that stay in the cluster."""
        return 1 if self.period is None else self.period - 1

    @property
    def num_cloud_rounds(self) -> int:
        """Rounds of a cycle that go to the cloud."""
        return 0 if self.period is None else 1

    @property
    def num_rounds(self) -> int:
        """Rounds of a cycle."""
        return self.num_edge_rounds + self.num_cloud_rounds


def server_options(
    network: Network, index: int, server: str, rhythm: Rhythm, ready: Readiness, *, allocate: bool
) -> list[Option]:
    """Return the options in which every member sends straight to its server, which aggregates.

    With ``allocate`` the members' bandwidth and power are left open, and the CPU frequency of those that
    train without other nodes; where activations need the band, only that frequency is.
    """
    members = network.members[server]
    try:
        up = to_server(network, members, server)
        down = from_server(network, members, server)
    except MissingLink:
        return []
    plan = Cluster(id=server, members=members, aggregator=server, gather=up, deliver=down, downlink=down)
    ledger = Ledger()
    phase = Phase(network, ledger, server, "nominal")
    own = {device: frozenset(network.trained_on[device]) for device in members}
    members_s = {device: ready.seconds[device] for device in members}
    gather_s, _ = phase.gather(up, server, members_s, own, ready.busy)
    gather_s = max([gather_s, *(ready.seconds[device] for device in members_helped(network, members))])
    gather_j = sum(ledger.energy_j.values()) + sum(ready.joules[device] for device in members)
    ledger.energy_j.clear()
    deliver_s = phase.deliver(down, server, 0.0, own) * rhythm.num_edge_rounds
    deliver_j = sum(ledger.energy_j.values()) * rhythm.num_edge_rounds
    rounds = rhythm.num_rounds
    nominal = Option(index, plan, rounds * gather_s + deliver_s, rounds * gather_j + deliver_j)
    if not allocate:
        return [nominal]
    work = computing_of(network, members, ready)
    cell = None if ready.busy & set(members) else uplink_cell(network, members, server, work)
    if cell is None:
        after_s = [phase.send(hop, own[hop.source], 0.0) for hop in up]
        soonest_s = {**ready.seconds, **work.soonest_s(members)}
        least_s, _ = phase.gather(up, server, soonest_s, own, ready.busy)
        least_s = max([least_s, *(soonest_s[device] for device in members_helped(network, members))])
        slack = slack_of(network, members, server, work, after_s, least_s)
        if slack is None:
            return [nominal]
        fixed_j = rounds * (gather_j - sum(ready.joules[device] for device in slack.devices)) + deliver_j
        return [Option(index, plan, deliver_s, fixed_j, repeat=float(rounds), slack=slack)]
    option = Option(index, plan, deliver_s, deliver_j + rounds * work.fixed_j, cell, float(rounds))
    return [nominal, option]


def tree_problem(network: Network, server: str, rhythm: Rhythm, ready: Readiness) -> RelayingProblem | None:
    """Return the trees of a cluster over D2D links, with all members as roots that may be aggregators.

    ``None``: there are none, since links are missing between the members, or between them and their server.
    """
    members = network.members[server]
    if len(members) < 2 or downlink_of(network, members, server) is None:
        return None
    roots = [
        member
        for member, root_is_reached in zip(members, is_reached(network, members), strict=True)
        if root_is_reached and (not rhythm.num_cloud_rounds or (member, server) in network.edges)
    ]
    if not roots:
        return None
    return formulate_relaying(
        network,
        members,
        ready.seconds,
        roots=roots,
        num_round_trips=float(rhythm.num_edge_rounds),
        num_root_legs=float(rhythm.num_cloud_rounds),
        own_leg_tree=True,
    )


def relayed_options(
    network: Network,
    index: int,
    server: str,
    rhythm: Rhythm,
    ready: Readiness,
    *,
    allocate: bool,
    whole_band: bool = False,
    priced: tuple[RelayingProblem, Sequence[Front]] | None = None,
) -> list[Option]:
    """Return every non-dominated way to average over D2D links, for each aggregator.

    D2D hops are nominal; with ``allocate`` the aggregator's uplink gets the server's whole band, and its
    power is left open; with ``whole_band`` it gets the whole band at full power.  ``priced`` has the
    cluster's :func:`tree_problem` with the fronts of its roots, if they are known.
    """
    members = network.members[server]
    downlink = downlink_of(network, members, server)
    if priced is None:
        trees = tree_problem(network, server, rhythm, ready)
        priced = None if trees is None else (trees, pareto_fronts(trees))
    if priced is None or downlink is None:
        return []
    problem, fronts = priced
    train_j = rhythm.num_rounds * sum(ready.joules[device] for device in members)
    options: list[Option] = []
    for root, front in zip(problem.roots.tolist(), fronts, strict=True):
        sharers = 0 if whole_band else len(members)
        uplink = _uplink(network, members[root], server, sharers) if rhythm.num_cloud_rounds else ()
        if uplink is None:
            continue
        plan = Cluster(
            id=server,
            members=members,
            aggregator=members[root],
            uplink=uplink,
            downlink=downlink if rhythm.num_cloud_rounds else (),
        )
        for row in range(len(front)):
            fixed = Option(
                index,
                plan,
                float(front.latency_s[row]),
                float(front.energy_j[row]) + train_j,
                trees=Trees(problem, front, row),
            )
            options.extend(with_uplink(network, fixed, allocate=allocate))
    return options


def is_reached(network: Network, members: Sequence[str]) -> BoolArray:
    """Return whether all members reach each of them over D2D links, (N,)."""
    reaches = np.eye(len(members), dtype=np.bool_)
    for row, source in enumerate(members):
        for column, target in enumerate(members):
            reaches[row, column] |= (source, target) in network.edges
    for _ in range(len(members).bit_length()):
        reaches = reaches @ reaches
    return np.asarray(reaches.all(axis=0))


def cluster_of(network: Network, option: Option) -> Cluster:
    """Return the cluster of an option with its D2D trees, at nominal resources.

    Receivers of one node are listed in the order in which a half-duplex node should serve them.
    """
    if option.trees is None:
        return option.plan
    problem, front, row = option.trees.problem, option.trees.front, option.trees.row
    members = option.plan.members
    solution = evaluate(
        problem, int(front.root[row]), front.parent[row], front.return_parent[row], front.leg_parent[row]
    )
    down = sorted(_pairs(members, solution.return_parent, solution.return_order))
    up = _pairs(members, solution.parent, solution.up_order)
    leg = _pairs(members, solution.leg_parent, solution.leg_order)
    changes = {
        "gather": tree_hops(network, [pair for _, pair in up], members),
        "gather_to_cloud": tree_hops(network, [pair for _, pair in leg], members) if leg != up else None,
        "deliver": tree_hops(network, [(high, low) for _, (low, high) in down], members),
    }
    return option.plan.model_copy(update=changes)


def downlink_of(network: Network, members: Sequence[str], server: str) -> tuple[Hop, ...] | None:
    """Return the server's hops to its members, or ``None`` if it does not reach all of them."""
    try:
        return from_server(network, members, server)
    except MissingLink:
        return None


def _uplink(network: Network, aggregator: str, server: str, sharers: int) -> tuple[Hop, ...] | None:
    """Return the aggregator's own hop at nominal resources, or over the whole band without ``sharers``."""
    try:
        hop = nominal_hop(network, aggregator, server, sharers)
    except MissingLink:
        return None
    edge = network.edges[aggregator, server]
    if sharers or not isinstance(edge, WirelessEdge):
        return (hop,)
    return (hop.model_copy(update={"band_hz": network.bands[edge.band].band_hz}),)


def _pairs(members: Sequence[str], parent: IntArray, order: IntArray) -> list[tuple[int, tuple[str, str]]]:
    """Return (rank among its siblings, (node, parent)) of every node that has a parent."""
    return [
        (rank, (members[node], members[above]))
        for node, (above, rank) in enumerate(zip(parent.tolist(), order.tolist(), strict=True))
        if above >= 0
    ]


def with_uplink(network: Network, option: Option, *, allocate: bool) -> list[Option]:
    """Return the option with its uplink at nominal resources and, if asked, with an allocated one."""
    if not option.plan.uplink:
        return [option]
    ledger = Ledger()
    phase = Phase(network, ledger, option.plan.id, "nominal")
    union = frozenset(name for device in option.plan.members for name in network.trained_on[device])
    if not union:
        return [option]
    seconds = 0.0
    for hop in option.plan.uplink:
        seconds = phase.send(hop, union, seconds)
    joules = sum(ledger.energy_j.values())
    nominal = replace(option, seconds=option.seconds + seconds, joules=option.joules + joules)
    cell = None
    if allocate:
        cell = uplink_cell(network, (option.plan.aggregator,), option.plan.id, None)
    if cell is None:
        return [nominal]
    return [nominal, replace(option, cell=cell, repeat=1.0)]
