"""A bound over all placements: the better of relaxed devices and a placement with time priced by device."""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.optimise import SearchSettings, options_of, per_round, search, shared_legs
from hfedfm_opt.planning.optimistic import optimistic_readiness
from hfedfm_opt.planning.proofs import evidence_of, proof_of, unbounded
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import without_movable
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.common import Options
from solvers.common.arrays import FloatArray
from solvers.placement import solve

PLACEMENT_PROOF = "bound on this placement, less the bound on any placement"


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
    placed = priced_bound(network, task, rhythm, settings, by.prices) if by.priced is None else by.priced
    placed += network.instance.objective.energy_weight_per_j * by.relaying_j / rhythm.num_rounds
    if by.relax_devices:
        searched, proof = _relaxed_devices(network, task, rhythm, settings)
        if searched > placed:
            return searched, proof
    return placed, (
        "the placement problem with time priced by device, plus the cloud leg and the least energy of "
        "averaging in clusters whose trees are all priced: holds for any placement, activations at nominal "
        "resources, and any relaying, period "
        f"{period_name(rhythm.period)} and the given association"
    )


def priced_bound(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, prices: TimePrices
) -> float:
    """Return the bound of the placement problem with time priced by device, with the cloud leg.

    Devices that run everything themselves may slow down their CPUs.  The parameters are those of
    :func:`bound_over_placements`.
    """
    shared = shared_legs(without_movable(network), rhythm)
    alone = price(network, task, TimePrices(prices.device_weight, {}), updates=False)
    if settings.allocate:
        slowed = _slowed_costs(network, alone, prices, slowable_devices(network, task, settings))
        alone = replace(alone, problem=replace(alone.problem, pair_cost=slowed))
    limit = settings.time_limit_s
    options = Options(time_limit_s=None if math.isinf(limit) else max(limit, 1e-3))
    cost = network.instance.objective
    rest = cost.energy_weight_per_j * shared.joules + cost.time_weight_per_s * (
        shared.down_s + min(shared.delay_s)
    )
    return float(solve(alone.problem, options=options).bound) + rest / rhythm.num_rounds


def _relaxed_devices(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings
) -> tuple[float, str]:
    """Return the bound of the search over the clusters in which each device has its best hosts."""
    least = without_movable(network)
    evidence = evidence_of(least, joint=settings.joint)
    missing = unbounded(least, evidence)
    if missing:
        return -math.inf, missing
    ready, shared = optimistic_readiness(network, task), shared_legs(least, rhythm)
    options = options_of(least, rhythm, ready, allocate=settings.allocate, joint=settings.joint)
    found = search(network, options, shared, rhythm, settings)
    anywhere = "any placement (each device relaxed to its best hosts, activations at nominal resources)"
    proof = proof_of(evidence, rhythm, allocate=settings.allocate, placement=anywhere)
    return per_round(network, found.bound, shared, rhythm), proof


def slowable_devices(network: Network, task: PlacementTask, settings: SearchSettings) -> set[str]:
    """Return the devices that may slow down: alone, or only where all members of their cluster may."""
    helped = optimistic_readiness(network, task).helped
    return {
        device
        for members in network.members.values()
        if settings.joint or not helped & set(members)
        for device in members
        if device not in helped
    }


def _slowed_costs(
    network: Network, task: PlacementTask, prices: TimePrices, slowable: Collection[str]
) -> FloatArray:
    """Return costs of pairs that sum to at most what a placement costs with the best CPU frequencies.

    Only a device that runs all its modules itself may be slowed down.  What it saves is taken off its own
    pairs, first off the largest modules that could run elsewhere: where these do, nothing else is lost.
    """
    cost = task.problem.pair_cost.copy()
    choices = Counter(task.problem.pair_demand.tolist())
    own: dict[str, list[int]] = {}
    for pair, candidate in enumerate(task.candidates):
        if candidate.host == candidate.device and candidate.device in slowable:
            own.setdefault(candidate.device, []).append(pair)
    for device, pairs in own.items():
        flops = sum(task.candidates[pair].flops for pair in pairs)
        saved = float(cost[pairs].sum()) - _slowed(network, device, flops, prices.device_weight[device])

        def rank(pair: int) -> tuple[bool, float]:
            return choices[int(task.problem.pair_demand[pair])] == 1, -task.candidates[pair].flops

        for pair in sorted(pairs, key=rank):
            taken = min(max(saved, 0.0), float(cost[pair]))
            cost[pair] -= taken
            saved -= taken
    return cost


def _slowed(network: Network, device: str, flops: float, weight: float) -> float:
    """Return the least cost of a device's work at any CPU frequency; inf where it cannot be changed.

    C cycles at f Hz cost ``w_E k C f^2 + p C / f`` with the price p of the device's seconds; the best f has
    ``2 w_E k f^3 = p``.
    """
    processor, cost = network.nodes[device].processor, network.instance.objective
    if not isinstance(processor, Cpu):
        return math.inf
    second, joule = (
        cost.time_weight_per_s * weight,
        cost.energy_weight_per_j * processor.effective_capacitance,
    )
    cycles, frequency_hz = flops / processor.flops_per_cycle, processor.max_frequency_hz
    if joule > 0:
        frequency_hz = min((0.5 * second / joule) ** (1 / 3), frequency_hz)
    if frequency_hz == 0:
        return 0.0
    return cycles * (joule * frequency_hz**2 + second / frequency_hz)
