"""A bound over all placements: the better of relaxed devices and of a placement with time priced by device."""

import math
from dataclasses import replace

import numpy as np

from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.optimise import SearchSettings, options_of, per_round, search, shared_legs
from hfedfm_opt.planning.optimistic import optimistic_readiness
from hfedfm_opt.planning.proofs import evidence_of, proof_of, unbounded
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network
from solvers.placement import solve

PLACEMENT_PROOF = "bound on this placement, less the bound on any placement"


def bound_over_placements(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, prices: TimePrices
) -> tuple[float, str]:
    """Return a lower bound on the objective per round over all placements, and what proves it.

    The better of two: each device relaxed to its best hosts, with the search over the clusters; and the
    placement problem under the given prices of time, with hosts that delay nobody.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search.
    prices : TimePrices
        What a second of training costs on each device.
    """
    searched, proof = _relaxed_devices(network, task, rhythm, settings)
    placed = _priced_placement(network, task, rhythm, settings, prices)
    if placed > searched:
        return placed, (
            "the placement problem with time priced by device, plus the cloud leg: holds for any placement "
            f"and any relaying, period {period_name(rhythm.period)} and the given association"
        )
    return searched, proof


def _relaxed_devices(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings
) -> tuple[float, str]:
    """Return the bound of the search over the clusters in which each device has its best hosts."""
    evidence = evidence_of(network, joint=settings.joint)
    missing = unbounded(network, evidence)
    if missing:
        return -math.inf, missing
    ready, shared = optimistic_readiness(network, task), shared_legs(network, rhythm)
    options = options_of(network, rhythm, ready, allocate=settings.allocate, joint=settings.joint)
    found = search(network, options, shared, rhythm, settings)
    anywhere = "any placement (each device relaxed to its best hosts, whatever fits their memories)"
    proof = proof_of(evidence, rhythm, allocate=settings.allocate, placement=anywhere)
    return per_round(network, found.bound, shared, rhythm), proof


def _priced_placement(
    network: Network, task: PlacementTask, rhythm: Rhythm, settings: SearchSettings, prices: TimePrices
) -> float:
    """Return the bound of the placement problem plus what every plan's cloud leg costs.

    A round waits for the slowest device, which takes at least any weighted mean of all.
    """
    shared, cost = shared_legs(network, rhythm), network.instance.objective
    alone = price(network, task, TimePrices(prices.device_weight, {}))
    problem = alone.problem
    if settings.allocate:
        least = [
            min(own, _slowed(network, candidate, prices.device_weight[candidate.device]))
            for own, candidate in zip(problem.pair_cost.tolist(), task.candidates, strict=True)
        ]
        problem = replace(problem, pair_cost=np.array(least))
    rest = cost.energy_weight_per_j * shared.joules + cost.time_weight_per_s * (
        shared.down_s + min(shared.delay_s)
    )
    return float(solve(problem).bound) + rest / rhythm.num_rounds


def _slowed(network: Network, candidate: Candidate, weight: float) -> float:
    """Return the least cost of running a module on its own device at any CPU frequency; inf elsewhere.

    C cycles at f Hz cost ``w_E k C f^2 + p C / f`` with the price p of the device's seconds; the best f has
    ``2 w_E k f^3 = p``, whatever C is, so that all modules of a device agree on it.
    """
    processor, cost = network.nodes[candidate.device].processor, network.instance.objective
    if candidate.host != candidate.device or not isinstance(processor, Cpu):
        return math.inf
    second, joule = cost.time_weight_per_s * weight, cost.energy_weight_per_j * processor.effective_capacitance
    cycles = candidate.flops / processor.flops_per_cycle
    frequency_hz = processor.max_frequency_hz
    if joule > 0:
        frequency_hz = min((0.5 * second / joule) ** (1 / 3), frequency_hz)
    if frequency_hz == 0:
        return 0.0
    return cycles * (joule * frequency_hz**2 + second / frequency_hz)
