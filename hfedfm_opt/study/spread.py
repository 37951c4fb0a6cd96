"""Exact least, mean and largest cost of a random choice that is made in each cluster on its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning import baselines
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.precision import BitsBothWays
from hfedfm_opt.planning.recipes import Recipe, recipe_of
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.decisions import Decisions
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Duplex, Network, WiredEdge

MAX_SPREAD_DEVICES = 400
"""Largest network whose spread is computed: each device is tried as aggregator, which costs a prediction."""


class NoSpread(ValueError):
    """A planner that draws no aggregators, or a network on which their costs are not all known."""


@dataclass(frozen=True)
class Spread:
    """Least, mean and largest value of a figure over all choices, each equally likely."""

    least: float
    mean: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class AggregatorSpread:
    """What the random-aggregator scheme costs over all choices of aggregators.

    Parameters
    ----------
    planner : str
        ``hierarchical+d2d:E`` or ``edge-only+d2d``.
    duplex : "as given", "full" or "half"
        Kind of the devices' radios.
    num_choices : int
        Number of combinations of aggregators.
    latency_s, energy_j : Spread
        Per round, in the physical accounting.  Least latency and least energy may be of different choices.
    """

    planner: str
    duplex: Duplex
    num_choices: int
    latency_s: Spread
    energy_j: Spread


def aggregator_spread(
    instance: Instance,
    planner: str = "hierarchical+d2d",
    duplex: Duplex = "as given",
    transport_bits: BitsBothWays | Mapping[str, BitsBothWays] = FULL_BITS,
) -> AggregatorSpread:
    """Return the exact spread of the random-aggregator scheme over all aggregator choices.

    Nothing is sampled.  Clusters meet only in waiting for each other, so the latency of a round is the
    largest of one figure per cluster, each of which depends on that cluster's aggregator alone.  Energy is a
    sum over nodes, and a device's part depends on its own cluster alone.

    Parameters
    ----------
    instance : Instance
        What is given; up to ``MAX_SPREAD_DEVICES`` devices.
    planner : str
        ``hierarchical+d2d:E`` or ``edge-only+d2d``.
    duplex : "as given", "full" or "half"
        Kind of the devices' radios.
    transport_bits : int, pair of int, or mapping of str to either
        With how many bits a parameter modules travel, as in ``PlannerOptions``.

    Raises
    ------
    NoSpread
        If the planner draws no aggregators, the network is too large, or D2D links do not connect a cluster.
    UnknownPlanner
        For a name that no planner has.
    """
    recipe = recipe_of(planner, instance.training.period)
    if recipe.arrangement != "published-d2d":
        raise NoSpread(f"planner {planner!r} draws no aggregators: use hierarchical+d2d:E or edge-only+d2d")
    result = plan(instance, planner, PlannerOptions(duplex=duplex, transport_bits=transport_bits))
    if result.plan is None:
        raise NoSpread(f"there is no plan of {planner!r}: {result.explanation}")
    network, decisions = result.plan.network, result.plan.decisions
    if len(network.devices) > MAX_SPREAD_DEVICES:
        raise NoSpread(f"{len(network.devices)} devices are more than {MAX_SPREAD_DEVICES}")
    variants = _variants(network, decisions, recipe)
    return AggregatorSpread(
        planner=planner,
        duplex=duplex,
        num_choices=int(np.prod([float(len(members)) for members in network.members.values()])),
        latency_s=spread_of_maximum(_latencies(network, variants)),
        energy_j=_energy_spread(network, variants),
    )


def spread_of_maximum(values: Sequence[Sequence[float]]) -> Spread:
    """Return the spread of the largest of independent draws.

    The distribution function of a maximum is the product of those of its parts; the mean is its sum over the
    steps of that product.

    Parameters
    ----------
    values : sequence of sequences of float
        For each draw the values that it may take, all equally likely.
    """
    drawn = [np.sort(np.asarray(part, dtype=np.float64)) for part in values]
    steps = np.unique(np.concatenate(drawn))
    below = np.prod([np.searchsorted(part, steps, side="right") / len(part) for part in drawn], axis=0)
    mean = float(np.dot(steps, np.diff(below, prepend=0.0)))
    return Spread(max(float(part[0]) for part in drawn), mean, max(float(part[-1]) for part in drawn))


def spread_of_sum(values: Sequence[Sequence[float]], constant: float = 0.0) -> Spread:
    """Return the spread of a constant plus the sum of independent draws, each from equally likely values."""
    return Spread(
        constant + sum(min(part) for part in values),
        constant + sum(sum(part) / len(part) for part in values),
        constant + sum(max(part) for part in values),
    )


def _variants(network: Network, decisions: Decisions, recipe: Recipe) -> list[Decisions]:
    """Return plans that together have each member of each cluster as its aggregator."""
    most = max(len(members) for members in network.members.values())
    return [
        decisions.model_copy(
            update={
                "clusters": baselines.published_d2d(
                    network,
                    [members[min(index, len(members) - 1)] for members in network.members.values()],
                    to_cloud=recipe.period is not None,
                )
            }
        )
        for index in range(most)
    ]


def _latencies(network: Network, variants: Sequence[Decisions]) -> list[list[float]]:
    """Return for each cluster and aggregator the latency where all other clusters are infinitely fast."""
    latencies = []
    for server, members in network.members.items():
        others = frozenset(network.devices) - frozenset(members)
        quiet = _quiet(network, others)
        latencies.append(
            [predict(quiet, _without_servings(variants[i], others)).latency_s for i in range(len(members))]
        )
        assert all(_aggregator(variants[i], server) == member for i, member in enumerate(members))
    return latencies


def _quiet(network: Network, devices: frozenset[str]) -> Network:
    """Return a network in which the given devices compute and send in no time; what they send is the same."""
    nodes = {
        name: node.model_copy(update={"processor": None}) if name in devices else node
        for name, node in network.nodes.items()
    }
    edges = {
        pair: WiredEdge(*pair, rate_bps=None, delay_s=0.0, power_w=0.0) if pair[0] in devices else edge
        for pair, edge in network.edges.items()
    }
    return replace(network, nodes=nodes, edges=edges)


def _without_servings(decisions: Decisions, devices: frozenset[str]) -> Decisions:
    kept = tuple(serving for serving in decisions.servings if serving.device not in devices)
    return decisions.model_copy(update={"servings": kept})


def _energy_spread(network: Network, variants: Sequence[Decisions]) -> Spread:
    joules = [predict(network, decisions).node_energy_j for decisions in variants]
    parts = []
    for server, members in network.members.items():
        own = (*members, server)
        parts.append([sum(joules[i].get(node, 0.0) for node in own) for i in range(len(members))])
    booked = {*network.devices, *network.members}
    shared = sum(amount for node, amount in joules[0].items() if node not in booked)
    return spread_of_sum(parts, shared)


def _aggregator(decisions: Decisions, cluster: str) -> str:
    return next(entry.aggregator for entry in decisions.clusters if entry.id == cluster)
