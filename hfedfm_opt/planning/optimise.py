"""The optimised arrangement: each cluster's best option under a common deadline, with a bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.cluster_options import (
    MAX_ENUMERATED_MEMBERS,
    Option,
    Readiness,
    Rhythm,
    cluster_of,
    downlink_of,
    readiness,
    relayed_options,
    server_options,
)
from hfedfm_opt.planning.deadline_search import SearchResult, search_deadline
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.hops import MissingLink, backhaul
from hfedfm_opt.planning.optimistic import optimistic_readiness
from hfedfm_opt.planning.option_curves import Choice
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import with_training, without_movable
from hfedfm_opt.system.decisions import Cluster, Frequency, Hop
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.common import Options
from solvers.placement import solve as solve_placement


@dataclass(frozen=True)
class Shared:
    """What all clusters share in a cycle: the ways between the servers and the root."""

    delay_s: tuple[float, ...]
    down_s: float
    joules: float


@dataclass(frozen=True)
class SearchSettings:
    """Whether resources are allocated, when to stop, and the longest round allowed."""

    allocate: bool
    gap: float
    time_limit_s: float
    max_latency_s: float


def optimise(network: Network, placed: Placed, rhythm: Rhythm, settings: SearchSettings) -> Arrangement:
    """Return the best arrangement of clusters for a placement and a period.

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

    Raises
    ------
    MissingLink
        If a cluster can average in no way, or not within the limit on latency.
    """
    network = with_training(network, placed.servings)
    ready = readiness(network, placed.servings)
    shared = shared_legs(network, rhythm)
    options = options_of(network, rhythm, ready, allocate=settings.allocate)
    found = _search(network, options, shared, rhythm, settings)
    if not found.choices:
        raise nothing_in_time(network, options)
    large = large_clusters(network)
    bound, proof = -math.inf, too_large(network, large[0]) if large else ""
    if not large:
        bound = _per_round(network, found.bound, shared, rhythm)
        proof = _proof(rhythm, settings, "the given placement")
    clusters, frequencies = assemble_choices(network, found.choices)
    relaying_j = least_relaying_j(network, options, ready, rhythm)
    return Arrangement(clusters, frequencies, bound, proof, found.timed_out, relaying_j)


def least_relaying_j(network: Network, options: Sequence[Option], ready: Readiness, rhythm: Rhythm) -> float:
    """Return the least joules of a cycle for the clusters' updates and models, whatever the placement.

    What an option sends does not depend on when its devices are ready.  An allocated cell needs at least what
    it would need with all time and band in the world, ``bits N0 ln 2 / gain``.  Clusters too large to price
    all their trees count nothing.

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
    """
    small = [len(members) <= MAX_ENUMERATED_MEMBERS for members in network.members.values()]
    least = [math.inf] * len(small)
    for option in options:
        joules, trains = option.joules, option.cell is None or option.trees is not None
        if trains:
            joules -= rhythm.num_rounds * sum(ready.joules[device] for device in option.plan.members)
        if option.cell is not None:
            cell = option.cell
            joules += option.repeat * float((cell.bits * cell.noise_w_per_hz / cell.gain).sum()) * math.log(2)
        least[option.cluster] = min(least[option.cluster], max(joules, 0.0))
    return sum(joules for joules, counts in zip(least, small, strict=True) if counts)


def options_of(
    network: Network, rhythm: Rhythm, ready: Readiness, *, allocate: bool, whole_band: bool = False
) -> list[Option]:
    """Return the options of all clusters; those of large clusters are at their servers only.

    ``allocate`` and ``whole_band`` are those of :func:`relayed_options`.
    """
    options: list[Option] = []
    for index, (server, members) in enumerate(network.members.items()):
        options.extend(server_options(network, index, server, rhythm, ready, allocate=allocate))
        if len(members) <= MAX_ENUMERATED_MEMBERS:
            more = relayed_options(
                network, index, server, rhythm, ready, allocate=allocate, whole_band=whole_band
            )
            options.extend(more)
    return options


def nothing_in_time(network: Network, options: Sequence[Option]) -> MissingLink:
    """Return the error of clusters that cannot average, or not within the limit on latency."""
    lost = sorted(set(network.members) - {option.plan.id for option in options})
    if lost:
        return MissingLink(
            f"the cluster of {lost[0]!r} can average neither at its server (a member has no link to it "
            "or from it) nor at a member (D2D links do not connect them)"
        )
    latest = network.instance.limits.max_latency_s
    return MissingLink(f"no plan ends a round within limits.max_latency_s = {latest} s: relax it")


def large_clusters(network: Network) -> list[str]:
    """Return the servers of clusters with too many members to price all their trees."""
    return [server for server, members in network.members.items() if len(members) > MAX_ENUMERATED_MEMBERS]


def _search(
    network: Network, options: Sequence[Option], shared: Shared, rhythm: Rhythm, settings: SearchSettings
) -> SearchResult:
    prices = network.instance.objective
    return search_deadline(
        options,
        shared.delay_s,
        energy_weight=prices.energy_weight_per_j,
        time_weight=prices.time_weight_per_s,
        gap=settings.gap,
        max_deadline_s=settings.max_latency_s * rhythm.num_rounds - shared.down_s,
        time_limit_s=settings.time_limit_s,
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
    seconds_up = {hop.source: phase.send(hop, _below(network, hop.source, union_of), 0.0) for hop in up}
    seconds_down = {
        hop.target: phase.send(hop, _below(network, hop.target, union_of), 0.0, "model") for hop in down
    }
    delays, downs = [], []
    for server, members in network.members.items():
        path = network.path_up(server)[:-1]
        delays.append(sum(seconds_up[node] for node in path))
        hops = downlink_of(network, members, server) or ()
        own = {device: frozenset(network.trained_on[device]) for device in members}
        last = phase.deliver(hops, server, 0.0, own)
        downs.append(sum(seconds_down[node] for node in path) + last)
    return Shared(tuple(delays), max(downs), sum(ledger.energy_j.values()))


def _below(network: Network, node: str, union_of: dict[str, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(
        *(modules for server, modules in union_of.items() if node in network.path_up(server))
    )


@dataclass(frozen=True)
class BoundSettings:
    """What a bound over all placements may use.

    Parameters
    ----------
    prices : TimePrices
        What a second of training costs on each device; the weights sum to one.
    relaying_j : float
        See :class:`Arrangement`.
    relax_devices : bool
        Whether to search the clusters with relaxed devices too, which takes as long as an arrangement.
    priced : float or None
        :func:`priced_bound` of the prices, if it is known.
    """

    prices: TimePrices
    relaying_j: float
    relax_devices: bool = True
    priced: float | None = None


def bound_over_placements(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, by: BoundSettings
) -> tuple[float, str]:
    """Return a lower bound on the objective per round over all placements, and what proves it.

    The better of two: each device relaxed to its best hosts, with the exact search over the clusters; and
    the placement problem under the given prices of time, with hosts that delay nobody, plus what the cloud
    leg and averaging in the clusters cost in any case.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search, and how long at most each of the two.
    by : BoundSettings
        Prices of time, and what is known.
    """
    ready = optimistic_readiness(network, task)
    least = without_movable(network)
    shared = shared_legs(least, rhythm)
    placed = priced_bound(network, task, rhythm, settings, by.prices) if by.priced is None else by.priced
    placed += network.instance.objective.energy_weight_per_j * by.relaying_j / rhythm.num_rounds
    large = large_clusters(network)
    if by.relax_devices and not large:
        options = options_of(least, rhythm, ready, allocate=settings.allocate)
        found = _search(network, options, shared, rhythm, settings)
        searched = _per_round(network, found.bound, shared, rhythm)
        if searched > placed:
            anywhere = "any placement (each device relaxed to its best hosts, whatever fits their memories)"
            return searched, _proof(rhythm, settings, anywhere)
    return placed, (
        "the placement problem with time priced by device, plus the cloud leg and the least energy of "
        "averaging in clusters whose trees are all priced: holds for any placement and any relaying, period "
        f"{period_name(rhythm.period)} and the given association"
    )


def priced_bound(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, prices: TimePrices
) -> float:
    """Return the bound of the placement problem with time priced by device, with the cloud leg.

    Devices of clusters in which all may run everything themselves may slow down their CPUs.  The parameters
    are those of :func:`bound_over_placements`.
    """
    ready, shared = optimistic_readiness(network, task), shared_legs(without_movable(network), rhythm)
    slowable = {
        device
        for members in network.members.values()
        if settings.allocate and not ready.helped & set(members)
        for device in members
    }
    alone = price(network, task, TimePrices(prices.device_weight, {}), updates=False, slowable=slowable)
    limit = settings.time_limit_s
    options = Options(time_limit_s=None if math.isinf(limit) else max(limit, 1e-3))
    cost = network.instance.objective
    rest = cost.energy_weight_per_j * shared.joules + cost.time_weight_per_s * (
        shared.down_s + min(shared.delay_s)
    )
    return float(solve_placement(alone.problem, options=options).bound) + rest / rhythm.num_rounds


def _per_round(network: Network, cycle_cost: float, shared: Shared, rhythm: Rhythm) -> float:
    prices = network.instance.objective
    rest = prices.energy_weight_per_j * shared.joules + prices.time_weight_per_s * shared.down_s
    return (cycle_cost + rest) / rhythm.num_rounds


def too_large(network: Network, server: str) -> str:
    """Return why nothing is proven of a network with a large cluster."""
    return (
        f"no bound: the cluster of {server!r} has {len(network.members[server])} members, "
        f"more than the {MAX_ENUMERATED_MEMBERS} whose trees are all priced"
    )


def _proof(rhythm: Rhythm, settings: SearchSettings, placement: str) -> str:
    resources = (
        "uplink bandwidth and power optimal (CPU frequencies too where members send to their server "
        "themselves), D2D links at nominal channel and power"
        if settings.allocate
        else "all links at nominal channel and power"
    )
    return (
        "each cluster averages at its server over its members' own uplinks, or at any member over any trees "
        f"of D2D links; all were priced, {resources}; the common deadline was searched with a tangent bound; "
        f"holds for period {period_name(rhythm.period)}, the given association and {placement}"
    )


def assemble_choices(
    network: Network, choices: Sequence[Choice]
) -> tuple[tuple[Cluster, ...], tuple[Frequency, ...]]:
    """Return the clusters with their allocated hops, and the frequencies that were allocated."""
    clusters: list[Cluster] = []
    frequencies: list[Frequency] = []
    for choice in choices:
        plan, cell = cluster_of(network, choice.option), choice.option.cell
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
        }
        if plan.uplink:
            clusters.append(plan.model_copy(update={"uplink": (hops[plan.aggregator],)}))
            continue
        clusters.append(plan.model_copy(update={"gather": tuple(hops[device] for device in plan.members)}))
        frequencies.extend(
            Frequency(device=device, frequency_hz=float(frequency_hz))
            for device, frequency_hz in zip(cell.senders, choice.frequency_hz, strict=True)
            if isinstance(network.nodes[device].processor, Cpu) and frequency_hz > 0
        )
    return tuple(clusters), tuple(frequencies)


def _allocated(network: Network, sender: str, server: str, band_hz: float, drawn_w: float) -> Hop:
    radio = network.nodes[sender].radio
    assert radio is not None, "a wireless link starts at a radio"
    power_w = min(drawn_w * radio.amplifier_efficiency, radio.max_power_w)
    return Hop(source=sender, target=server, band_hz=band_hz, power_w=power_w)
