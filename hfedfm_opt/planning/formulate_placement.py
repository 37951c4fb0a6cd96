"""From an instance to a placement problem, and from its solution to replicas and servings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hfedfm_opt.planning.candidates import Candidate, Reach, candidates_of
from hfedfm_opt.planning.time_prices import TimePrices, even_prices
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Hosting, Serving
from hfedfm_opt.system.instance import Cpu, Objective
from hfedfm_opt.system.network import Network
from solvers.placement import PlacementProblem


@dataclass(frozen=True)
class PlacementTask:
    """A placement problem and what its indices stand for."""

    problem: PlacementProblem
    candidates: tuple[Candidate, ...]
    modules: tuple[str, ...]
    nodes: tuple[str, ...]
    demands: tuple[tuple[str, str], ...]


def price(
    network: Network,
    task: PlacementTask,
    prices: TimePrices,
    *,
    updates: bool = True,
    slowable: Collection[str] = (),
) -> PlacementTask:
    """Return the task with other prices of time.

    The cost of a pair is ``energy_weight * joules + time_weight * (w_d * link seconds + p_h * host seconds)``
    with the weight w of the device and the pressure p on the host, and likewise for the update that a device
    sends of what could be trained elsewhere.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        As :func:`formulate_placement` made it.
    prices : TimePrices
        What a second costs.
    updates : bool
        Whether updates count; relays may send them for less, so that a bound must not count them.
    slowable : collection of str
        Devices whose CPU runs each module at the frequency that costs least.
    """
    weights = network.instance.objective
    cost = [
        _slowed(weights, candidate, prices.device_weight[candidate.device], updates=updates)
        if candidate.device in slowable and _runs_on_cpu(network, candidate)
        else weights.energy_weight_per_j * (candidate.joules + (candidate.update_joules if updates else 0.0))
        + weights.time_weight_per_s * _price_of_time(candidate, prices, updates=updates)
        for candidate in task.candidates
    ]
    return replace(task, problem=replace(task.problem, pair_cost=np.array(cost)))


def _price_of_time(candidate: Candidate, prices: TimePrices, *, updates: bool) -> float:
    own = prices.device_weight[candidate.device]
    pressure = own if candidate.host == candidate.device else prices.pressure.get(candidate.host, own)
    sending = candidate.link_seconds + (candidate.update_seconds if updates else 0.0)
    return own * sending + pressure * candidate.host_seconds


def _runs_on_cpu(network: Network, candidate: Candidate) -> bool:
    own = candidate.host == candidate.device
    return own and isinstance(network.nodes[candidate.device].processor, Cpu)


def _slowed(weights: Objective, candidate: Candidate, device_weight: float, *, updates: bool) -> float:
    """Return the least of ``w_E J x^2 + w_T w_d S / x`` over the part x in (0, 1] of the full frequency.

    The best x is that of the device's capacitance, frequency and weight alone: all its modules agree on it.
    """
    energy = weights.energy_weight_per_j * candidate.joules
    second = weights.time_weight_per_s * device_weight
    seconds = second * candidate.host_seconds
    fixed = 0.0
    if updates:
        fixed = weights.energy_weight_per_j * candidate.update_joules + second * candidate.update_seconds
    if energy == 0.0:
        return seconds + fixed
    part = min(1.0, (seconds / (2.0 * energy)) ** (1.0 / 3.0))
    return fixed + (energy * part**2 + seconds / part if part > 0.0 else 0.0)


def formulate_placement(network: Network, reach: Reach = "device") -> PlacementTask:
    """Return the placement problem of an instance: one demand for each device and module that it runs.

    A module may run on the device if ``may_run_on`` is empty or names the devices' tier, and on a node above
    it whose tier is named; a trainable one only within reach.  Time is priced evenly, see
    :func:`even_prices`.

    Parameters
    ----------
    network : Network
        The network.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    """
    demands: list[tuple[str, str]] = []
    candidates: list[Candidate] = []
    pair_demand: list[int] = []
    for device in network.devices:
        for module, load in loads_of(network, device).items():
            found = candidates_of(network, device, module, load, reach)
            pair_demand.extend([len(demands)] * len(found))
            candidates.extend(found)
            demands.append((device, module))
    modules = tuple(module.id for module in network.instance.modules)
    nodes = tuple(node.id for node in network.instance.nodes)
    problem = _problem(network, modules, nodes, demands, candidates, pair_demand)
    task = PlacementTask(problem, tuple(candidates), modules, nodes, tuple(demands))
    return price(network, task, even_prices(network))


def servings_of(
    network: Network, task: PlacementTask, chosen: Mapping[tuple[str, str], Candidate]
) -> tuple[tuple[Hosting, ...], tuple[Serving, ...]]:
    """Return the replicas and servings of a choice of one candidate for each demand.

    A host's processor is shared among its servings in proportion to their work, so that they end together.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        What the choice is of.
    chosen : mapping of (device, module) to Candidate
        The candidate of each demand.
    """
    work: dict[str, float] = {}
    for candidate in chosen.values():
        if candidate.host != candidate.device:
            work[candidate.host] = work.get(candidate.host, 0.0) + candidate.flops
    servings = tuple(
        Serving(
            device=device,
            module=module,
            host=choice.host,
            out=choice.out,
            back=choice.back,
            share=choice.flops / work[choice.host] if choice.flops > 0 else 1.0,
        )
        for (device, module), choice in ((demand, chosen[demand]) for demand in task.demands)
        if choice.host != device
    )
    replicas = dict.fromkeys((choice.module, choice.host) for choice in chosen.values())
    return tuple(Hosting(module=module, node=node) for module, node in replicas), servings


def _problem(
    network: Network,
    modules: tuple[str, ...],
    nodes: tuple[str, ...],
    demands: list[tuple[str, str]],
    candidates: list[Candidate],
    pair_demand: list[int],
) -> PlacementProblem:
    item_of = {name: index for index, name in enumerate(modules)}
    node_of = {name: index for index, name in enumerate(nodes)}
    hosts = list(dict.fromkeys((item_of[c.module], node_of[c.host]) for c in candidates))
    memory = [network.nodes[name].memory_bytes for name in nodes]
    return PlacementProblem(
        demand_item=np.array([item_of[module] for _, module in demands], dtype=np.int64),
        pair_demand=np.array(pair_demand, dtype=np.int64),
        pair_node=np.array([node_of[c.host] for c in candidates], dtype=np.int64),
        pair_cost=np.zeros(len(candidates)),
        pair_work=np.array([c.flops for c in candidates]),
        host_item=np.array([item for item, _ in hosts], dtype=np.int64),
        host_node=np.array([node for _, node in hosts], dtype=np.int64),
        host_cost=np.zeros(len(hosts)),
        item_memory=np.array([network.modules[name].memory_bytes for name in modules]),
        node_memory=np.array([np.inf if limit is None else limit for limit in memory]),
        node_capacity=np.full(len(nodes), np.inf),
    )
