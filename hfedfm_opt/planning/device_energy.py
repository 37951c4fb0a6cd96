"""What single devices spend: their limits, the one that spends most, and the objective with its price."""

from collections.abc import Mapping

from hfedfm_opt.planning.costs import Prediction
from hfedfm_opt.system.decisions import Claim
from hfedfm_opt.system.instance import Instance, Objective


def devices_of(instance: Instance) -> list[str]:
    """Return the ids of the devices, in the order of the file."""
    return [node.id for node in instance.nodes if node.tier == instance.tiers[-1]]


def device_limits(instance: Instance, asked_j: float | None = None) -> dict[str, float]:
    """Return the most joules that each device with a limit may spend per round: the tightest limit of all.

    Parameters
    ----------
    instance : Instance
        With limits of single devices, and one for all.
    asked_j : float or None
        Another limit for all.
    """
    for_all = [limit for limit in (instance.limits.max_device_energy_j, asked_j) if limit is not None]
    limits = {}
    for node in instance.nodes:
        own = for_all if node.max_energy_j is None else [*for_all, node.max_energy_j]
        if own and node.tier == instance.tiers[-1]:
            limits[node.id] = min(own)
    return limits


def largest_device_energy(instance: Instance, node_energy_j: Mapping[str, float]) -> tuple[str, float]:
    """Return the device that spends most per round, the first of equals, and its joules.

    Parameters
    ----------
    instance : Instance
        What is given.
    node_energy_j : mapping of str to float
        Joules per round of each node that spends any, as a prediction has them.
    """
    spent = {device: node_energy_j.get(device, 0.0) for device in devices_of(instance)}
    most = max(spent, key=lambda device: spent[device])
    return most, spent[most]


def objective_of(instance: Instance, prices: Objective, cost: Prediction) -> float:
    """Return the priced joules and seconds per round, with the joules of the device that spends most.

    Parameters
    ----------
    instance : Instance
        What is given.
    prices : Objective
        What joules and seconds cost; the instance's own, or others.
    cost : Prediction
        Joules and seconds.
    """
    value = prices.energy_weight_per_j * cost.energy_j + prices.time_weight_per_s * cost.latency_s
    if prices.fairness_weight_per_j == 0:
        return value
    return value + prices.fairness_weight_per_j * largest_device_energy(instance, cost.node_energy_j)[1]


def prices_of(claim: Claim) -> Objective:
    """Return the prices that a plan's claim names."""
    return Objective(
        energy_weight_per_j=claim.energy_weight_per_j,
        time_weight_per_s=claim.time_weight_per_s,
        fairness_weight_per_j=claim.fairness_weight_per_j,
    )
