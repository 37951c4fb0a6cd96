"""From an instance to a placement problem, and from its solution to replicas and servings."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.work import Load, loads_of
from hfedfm_opt.system.decisions import Hop, Hosting, Serving
from hfedfm_opt.system.instance import Cpu, FixedSpeed
from hfedfm_opt.system.network import Network
from solvers.placement import PlacementProblem


@dataclass(frozen=True)
class Candidate:
    """One way to run a module for a device.

    Parameters
    ----------
    device, module, host : str
        Ids; the host is the device itself or a node above it.
    out, back : tuple of Hop
        Ways of the activations, empty on the device itself.
    seconds, joules : float
        Cost of a round at nominal resources, the host's processor shared evenly among the devices below it.
    least_seconds : float
        The same with the host's whole processor.
    flops : float
        Work put on the host.
    """

    device: str
    module: str
    host: str
    out: tuple[Hop, ...]
    back: tuple[Hop, ...]
    seconds: float
    joules: float
    least_seconds: float
    flops: float


@dataclass(frozen=True)
class PlacementTask:
    """A placement problem and what its indices stand for."""

    problem: PlacementProblem
    candidates: tuple[Candidate, ...]
    modules: tuple[str, ...]
    nodes: tuple[str, ...]
    demands: tuple[tuple[str, str], ...]


def formulate_placement(network: Network) -> PlacementTask:
    """Return the placement problem of an instance: one demand for each device and module that it runs.

    Trainable modules stay on their devices.  A frozen module may run on the device if ``may_run_on`` is empty
    or names the devices' tier, and on a node above it whose tier is named.  The cost of a pair is
    ``energy_weight * joules + time_weight * seconds / number of devices``: devices work side by side, and the
    mean of their times is a lower bound on the longest.

    Parameters
    ----------
    network : Network
        The network.
    """
    demands: list[tuple[str, str]] = []
    candidates: list[Candidate] = []
    pair_demand: list[int] = []
    for device in network.devices:
        for module, load in loads_of(network, device).items():
            found = _candidates(network, device, module, load)
            pair_demand.extend([len(demands)] * len(found))
            candidates.extend(found)
            demands.append((device, module))
    modules = tuple(module.id for module in network.instance.modules)
    nodes = tuple(node.id for node in network.instance.nodes)
    problem = _problem(network, modules, nodes, demands, candidates, pair_demand)
    return PlacementTask(problem, tuple(candidates), modules, nodes, tuple(demands))


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
    prices = network.instance.objective
    per_second = prices.time_weight_per_s / max(len(network.devices), 1)
    hosts = list(dict.fromkeys((item_of[c.module], node_of[c.host]) for c in candidates))
    memory = [network.nodes[name].memory_bytes for name in nodes]
    return PlacementProblem(
        demand_item=np.array([item_of[module] for _, module in demands], dtype=np.int64),
        pair_demand=np.array(pair_demand, dtype=np.int64),
        pair_node=np.array([node_of[c.host] for c in candidates], dtype=np.int64),
        pair_cost=np.array(
            [prices.energy_weight_per_j * c.joules + per_second * c.seconds for c in candidates]
        ),
        pair_work=np.array([c.flops for c in candidates]),
        host_item=np.array([item for item, _ in hosts], dtype=np.int64),
        host_node=np.array([node for _, node in hosts], dtype=np.int64),
        host_cost=np.zeros(len(hosts)),
        item_memory=np.array([network.modules[name].memory_bytes for name in modules]),
        node_memory=np.array([np.inf if limit is None else limit for limit in memory]),
        node_capacity=np.full(len(nodes), np.inf),
    )


def _candidates(network: Network, device: str, module: str, load: Load) -> list[Candidate]:
    spec = network.modules[module]
    device_tier = network.instance.tiers[-1]
    found: list[Candidate] = []
    if not spec.may_run_on or device_tier in spec.may_run_on or spec.trainable:
        ledger = Ledger()
        seconds = Phase(network, ledger, device, "nominal").compute(device, load.flops, None, 1.0, 0.0)
        joules = sum(ledger.energy_j.values())
        found.append(Candidate(device, module, device, (), (), seconds, joules, seconds, load.flops))
    if spec.trainable:
        return found
    path = network.path_up(device)
    for depth, host in enumerate(path[1:], start=1):
        runs = not isinstance(network.nodes[host].processor, Cpu)
        if network.nodes[host].tier in spec.may_run_on and runs:
            candidate = _remote(network, device, module, path[: depth + 1], load)
            if candidate is not None:
                found.append(candidate)
    return found


def _remote(
    network: Network, device: str, module: str, path: tuple[str, ...], load: Load
) -> Candidate | None:
    sharers = len(network.members[path[1]])
    steps = list(pairwise(path))
    try:
        out = tuple(nominal_hop(network, low, high, sharers) for low, high in steps)
        back = tuple(nominal_hop(network, high, low, sharers) for low, high in reversed(steps))
    except MissingLink:
        return None
    host = path[-1]
    ledger = Ledger()
    phase = Phase(network, ledger, device, "nominal")
    seconds = 0.0
    for hop in (*out, *back):
        seconds = phase.transfer(hop, load.activation_bits, seconds)
    below = sum(
        len(devices) for parent, devices in network.members.items() if host in network.path_up(parent)
    )
    share = 1.0 / max(below, 1) if isinstance(network.nodes[host].processor, FixedSpeed) else 1.0
    shared = phase.compute(host, load.flops, None, share, seconds)
    joules = sum(ledger.energy_j.values())
    least = Phase(network, Ledger(), device, "nominal").compute(host, load.flops, None, 1.0, seconds)
    return Candidate(device, module, host, out, back, shared, joules, least, load.flops)
