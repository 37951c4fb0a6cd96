"""The optimised arrangement: each cluster's best option under a common deadline, with a bound."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.cluster_options import (
    MAX_ENUMERATED_MEMBERS,
    Option,
    Rhythm,
    cluster_of,
    downlink_of,
)
from hfedfm_opt.planning.deadline_search import SearchResult, search_deadline
from hfedfm_opt.planning.hops import MissingLink, OutOfLimits, backhaul
from hfedfm_opt.planning.joint_plan import joint_cluster_of
from hfedfm_opt.planning.left_out import (
    LeftOut,
    at_full_frequency,
    given_clusters,
    with_given_trees,
    without_left_out,
)
from hfedfm_opt.planning.option_curves import Choice
from hfedfm_opt.planning.pace import ready_at
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.priced_options import priced_options
from hfedfm_opt.planning.proofs import Evidence, cluster_parts, evidence_of, proof_of, unbounded
from hfedfm_opt.planning.readiness import Readiness, readiness
from hfedfm_opt.planning.relaying_floor import floor_at_member
from hfedfm_opt.planning.slack import Slack
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.planning.tree_prices import TreePrices
from hfedfm_opt.planning.workers import ALONE, Workers
from hfedfm_opt.system.decisions import Cluster, Frequency, GapPart, Hop
from hfedfm_opt.system.network import Network
from solvers.common import StopReason
from solvers.common.arrays import FloatArray

LEAST_SECONDS = 1e-3
"""What a search gets where there is no time left: it then ends with the best of its first deadlines."""
DEADLINE_PROOF = "what another common deadline could save, were all bounds on clusters met there"


@dataclass(frozen=True)
class Shared:
    """What all clusters share in a cycle: the ways between the servers and the root."""

    delay_s: tuple[float, ...]
    down_s: float
    joules: float


@dataclass(frozen=True)
class SearchSettings:
    """Whether resources are allocated, when to stop, and the limits of a round.

    ``joint``: also those of D2D links, together with the trees; ``counts_joint``: what is said of relaying in
    general must hold for that too; ``workers``: who does independent work, ``trees``: who prices trees and
    remembers them from one search to the next; ``left_out``: what is not decided.
    """

    allocate: bool
    gap: float
    time_limit_s: float
    max_latency_s: float
    max_energy_j: float = math.inf
    joint: bool = False
    counts_joint: bool = False
    workers: Workers = ALONE
    trees: TreePrices | None = None
    left_out: LeftOut = field(default_factory=LeftOut)

    def priced_trees(self) -> TreePrices:
        """Return who prices trees and remembers them."""
        return TreePrices(self.workers) if self.trees is None else self.trees


def optimise(
    network: Network,
    placed: Placed,
    rhythm: Rhythm,
    settings: SearchSettings,
    moment_s: float | None = None,
) -> Arrangement:
    """Return the best arrangement of clusters for a placement and a period.

    Devices whose frequency is decided with their cluster may be ready whenever it is best; those that others
    help, and those of clusters at nominal resources, at a moment that is given, if they can be.

    Parameters
    ----------
    network : Network
        The network.
    placed : Placed
        Who runs what.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search.
    moment_s : float or None
        When all devices that can wait are ready with training; ``None``: as soon as they can.

    Raises
    ------
    MissingLink
        If a cluster can average in no way, or not within the limits of a round.
    NoPlacement
        If no arrangement within these limits was found.
    """
    stop_at = time.monotonic() + settings.time_limit_s
    network = with_training(network, placed.servings)
    ready, slowed_hz = ready_at(network, readiness(network, placed.servings), moment_s)
    ready = at_full_frequency(network, ready) if settings.left_out.cpu else ready
    shared = shared_legs(network, rhythm)
    given = given_clusters(network, placed, rhythm, settings.left_out)
    seen = with_given_trees(network, given)
    for ends in (stop_at, math.inf):
        priced = priced_options(
            seen,
            rhythm,
            ready,
            allocate=settings.allocate,
            joint=settings.joint,
            trees=settings.priced_trees(),
            stop_at=ends,
        )
        options, late = without_left_out(seen, priced.options, given, settings.left_out), priced.late
        left = replace(settings, time_limit_s=max(stop_at - time.monotonic(), LEAST_SECONDS))
        found = search(network, options, shared, rhythm, left)
        if found.choices or not late:
            break  # otherwise the trees that are not priced yet may have what keeps the limits
    if not found.choices and found.bound == math.inf:
        raise nothing_in_time(network, options, settings.max_latency_s, settings.max_energy_j)
    if not found.choices:
        limits = (
            f"max_latency_s = {settings.max_latency_s:g} s and max_energy_j = {settings.max_energy_j:g} J"
        )
        raise NoPlacement(f"no plan was found within {limits}: relax one", StopReason.NO_PROGRESS)
    clusters, frequencies = assemble_choices(network, found.choices, slowed_hz)
    counted = evidence_of(network, joint=settings.joint or settings.counts_joint, late=late)
    relaying_j = {}
    if settings.left_out.is_nothing:
        relaying_j = least_relaying_j(network, options, ready, rhythm, counted)
    evidence = evidence_of(network, joint=settings.joint, late=late)
    missing = unbounded(network, evidence)
    timed_out = found.timed_out or bool(late)
    if missing:
        return Arrangement(clusters, frequencies, -math.inf, missing, timed_out, (), relaying_j)
    price = network.instance.objective.energy_weight_per_j / rhythm.num_rounds
    parts = (
        *cluster_parts(evidence, (price * joules for joules in found.open_j)),
        GapPart(
            part="deadline", amount=(found.ideal - found.bound) / rhythm.num_rounds, proof=DEADLINE_PROOF
        ),
    )
    proof = proof_of(evidence, rhythm, allocate=settings.allocate, placement="the given placement")
    bound = per_round(network, found.bound, shared, rhythm)
    return Arrangement(clusters, frequencies, bound, proof, timed_out, parts, relaying_j)


def least_relaying_j(
    network: Network,
    options: Sequence[Option],
    ready: Readiness,
    rhythm: Rhythm,
    evidence: Mapping[str, Evidence],
) -> dict[str, float]:
    """Return the least joules of a cycle for each cluster's updates and models, by server.

    They hold for any placement in which as many of its members need help: with less help a server's uplinks
    can be allocated.

    What an option sends does not depend on when its devices are ready.  An allocated cell needs at least what
    it would need with all time and band in the world, ``bits N0 ln 2 / gain``; trees that are decided with
    their resources what :func:`floor_at_member` says.  Clusters too large to be priced count nothing.

    Parameters
    ----------
    network : Network
        The network.
    options : sequence of Option
        Options of all clusters.
    ready : Readiness
        What the training cost that the options include.
    rhythm : Rhythm
        How often a cycle gathers.
    evidence : mapping of str to Evidence
        How the clusters are bounded, by server.
    """
    least = [
        floor_at_member(network, server, rhythm).joules
        if kind in (Evidence.EXACT, Evidence.SEARCHED)
        else math.inf
        for server, kind in evidence.items()
    ]
    for option in options:
        if option.joint is not None:
            continue
        cell_at_server = option.cell is not None and option.plan.aggregator == option.plan.id
        included = set(option.plan.members)
        if option.cell is not None and cell_at_server:
            included -= option.cell.scaled
        if option.slack is not None:
            included -= set(option.slack.devices)
        joules = option.joules - rhythm.num_rounds * sum(ready.joules[device] for device in included)
        if option.cell is not None:
            cell = option.cell
            joules += option.repeat * float((cell.bits * cell.noise_w_per_hz / cell.gain).sum()) * math.log(2)
        least[option.cluster] = min(least[option.cluster], max(joules, 0.0))
    return {
        server: joules if kind not in (Evidence.NONE, Evidence.LATE) and math.isfinite(joules) else 0.0
        for joules, (server, kind) in zip(least, evidence.items(), strict=True)
    }


def options_of(
    network: Network,
    rhythm: Rhythm,
    ready: Readiness,
    *,
    allocate: bool,
    whole_band: bool = False,
    joint: bool = False,
    trees: TreePrices | None = None,
) -> list[Option]:
    """Return the options of all clusters, however long it takes; see :func:`priced_options`."""
    return priced_options(
        network, rhythm, ready, allocate=allocate, whole_band=whole_band, joint=joint, trees=trees
    ).options


def nothing_in_time(
    network: Network, options: Sequence[Option], latest_s: float | None = None, most_j: float = math.inf
) -> MissingLink:
    """Return the error of clusters that cannot average, or not within the limits of a round."""
    lost = sorted(set(network.members) - {option.plan.id for option in options})
    if lost:
        return MissingLink(
            f"the cluster of {lost[0]!r} can average neither at its server (a member has no link to it "
            "or from it) nor at a member (D2D links do not connect them)"
        )
    latest = network.instance.limits.max_latency_s if latest_s is None else latest_s
    if math.isinf(most_j):
        return OutOfLimits(f"no plan ends a round within limits.max_latency_s = {latest} s: relax it")
    if latest is None or math.isinf(latest):
        return OutOfLimits(f"no plan has a round within {most_j:g} J: relax this limit")
    return OutOfLimits(f"no plan has a round within {latest:g} s and {most_j:g} J: relax one of these limits")


def large_clusters(network: Network) -> list[str]:
    """Return the servers of clusters with too many members to price all their trees."""
    return [server for server, members in network.members.items() if len(members) > MAX_ENUMERATED_MEMBERS]


def search(
    network: Network, options: Sequence[Option], shared: Shared, rhythm: Rhythm, settings: SearchSettings
) -> SearchResult:
    """Return the best choice of options under a common deadline and the limits of a round."""
    prices = network.instance.objective
    return search_deadline(
        options,
        shared.delay_s,
        energy_weight=prices.energy_weight_per_j,
        time_weight=prices.time_weight_per_s,
        gap=settings.gap,
        max_deadline_s=settings.max_latency_s * rhythm.num_rounds - shared.down_s,
        max_energy_j=settings.max_energy_j * rhythm.num_rounds - shared.joules,
        time_limit_s=settings.time_limit_s,
        workers=settings.workers,
    )


def shared_legs(network: Network, rhythm: Rhythm) -> Shared:
    """Return what the cloud leg takes: it is the same for every arrangement of the clusters."""
    if not rhythm.num_cloud_rounds:
        return Shared((0.0,) * len(network.members), 0.0, 0.0)
    up, down = backhaul(network, network.members)
    union_of = {
        server: frozenset(name for device in members for name in network.trained_on[device])
        for server, members in network.members.items()
    }
    for host, modules in network.trained_at.items():
        union_of[host] = union_of.get(host, frozenset()) | frozenset(modules)
    ledger = Ledger()
    phase = Phase(network, ledger, network.root, "nominal")
    below = _below(network, union_of)
    seconds_up = {hop.source: phase.send(hop, below[hop.source], 0.0) for hop in up}
    seconds_down = {hop.target: phase.send(hop, below[hop.target], 0.0, "model") for hop in down}
    delays, downs = [], []
    for server, members in network.members.items():
        path = network.path_up(server)[:-1]
        delays.append(sum(seconds_up[node] for node in path))
        hops = downlink_of(network, members, server) or ()
        own = {device: frozenset(network.trained_on[device]) for device in members}
        last = phase.deliver(hops, server, 0.0, own)
        downs.append(sum(seconds_down[node] for node in path) + last)
    return Shared(tuple(delays), max(downs), sum(ledger.energy_j.values()))


def _below(network: Network, union_of: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return the modules that servers at or below each node have."""
    found: dict[str, frozenset[str]] = {}
    for server, modules in union_of.items():
        for node in network.path_up(server):
            found[node] = found.get(node, frozenset()) | modules
    return found


def per_round(network: Network, cycle_cost: float, shared: Shared, rhythm: Rhythm) -> float:
    """Return the objective per round of a cycle whose clusters cost so much, the ways to the root added."""
    prices = network.instance.objective
    rest = prices.energy_weight_per_j * shared.joules + prices.time_weight_per_s * shared.down_s
    return (cycle_cost + rest) / rhythm.num_rounds


def too_large(network: Network, server: str) -> str:
    """Return why nothing is proven of a network with a large cluster."""
    return (
        f"no bound: the cluster of {server!r} has {len(network.members[server])} members, "
        f"more than the {MAX_ENUMERATED_MEMBERS} whose trees are all priced"
    )


def assemble_choices(
    network: Network, choices: Sequence[Choice], slowed_hz: Mapping[str, float] | None = None
) -> tuple[tuple[Cluster, ...], tuple[Frequency, ...]]:
    """Return the clusters with their allocated hops, and the frequencies that were allocated.

    ``slowed_hz`` has the frequencies of devices whose cluster does not decide them.
    """
    clusters: list[Cluster] = []
    frequencies: list[Frequency] = []
    for choice in choices:
        if choice.option.joint is not None:
            cluster, slowed = joint_cluster_of(network, choice)
            clusters.append(cluster)
            frequencies.extend(slowed)
            continue
        plan, cell, slack = cluster_of(network, choice.option), choice.option.cell, choice.option.slack
        if slack is not None and choice.frequency_hz is not None:
            frequencies.extend(_slowed(slack, choice.frequency_hz))
        if cell is None or choice.bandwidth_hz is None:
            clusters.append(plan)
            continue
        assert choice.drawn_power_w is not None, "an allocation has powers"
        assert choice.frequency_hz is not None, "an allocation has frequencies"
        hops = {
            sender: _allocated(network, sender, cell.server, float(band_hz), float(power_w))
            for sender, band_hz, power_w in zip(
                cell.senders, choice.bandwidth_hz, choice.drawn_power_w, strict=True
            )
            if band_hz > 0 and power_w > 0
        }
        ways = {
            name: tuple(hops.get(hop.source, hop) for hop in getattr(plan, name))
            for name in (("gather",) if plan.aggregator == plan.id else ("uplink",))
        }
        clusters.append(plan.model_copy(update=ways))
        frequencies.extend(
            Frequency(device=device, frequency_hz=float(frequency_hz))
            for device, frequency_hz in zip(cell.senders, choice.frequency_hz, strict=True)
            if device in cell.scaled and frequency_hz > 0
        )
    own = {entry.device for entry in frequencies}
    slacks = [choice.option.slack for choice in choices if choice.option.slack is not None]
    own.update(device for slack in slacks for device in slack.devices)
    frequencies.extend(
        Frequency(device=device, frequency_hz=hz)
        for device, hz in (slowed_hz or {}).items()
        if device not in own
    )
    return tuple(clusters), tuple(frequencies)


def _slowed(slack: Slack, frequency_hz: FloatArray) -> list[Frequency]:
    """Return the frequencies of the devices that slow down."""
    return [
        Frequency(device=device, frequency_hz=chosen_hz)
        for device, chosen_hz, highest_hz in zip(
            slack.devices, frequency_hz.tolist(), slack.max_frequency_hz.tolist(), strict=True
        )
        if 0.0 < chosen_hz < highest_hz
    ]


def _allocated(network: Network, sender: str, server: str, band_hz: float, drawn_w: float) -> Hop:
    radio = network.nodes[sender].radio
    assert radio is not None, "a wireless link starts at a radio"
    power_w = min(drawn_w * radio.amplifier_efficiency, radio.max_power_w)
    return Hop(source=sender, target=server, band_hz=band_hz, power_w=power_w)
