"""A placement for some devices while all others keep theirs, where sending a replica has a price."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hfedfm_opt.planning.candidates import Candidate, Reach, candidates_of
from hfedfm_opt.planning.deadline_prices import deadline_of
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.hulls import hulls_of, second_j_of
from hfedfm_opt.planning.moves import replica_bytes
from hfedfm_opt.planning.pace import best_moment_s, pace_of, ready_at, slowable_devices
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.readiness import Readiness, readiness
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Decisions, Hosting, Serving
from hfedfm_opt.system.instance import FixedSpeed
from hfedfm_opt.system.network import Network
from solvers.common import Options
from solvers.common.arrays import FloatArray
from solvers.placement import PlacementProblem, solve

GOOD_ENOUGH = 1e-3
"""Relative gap to which the changed devices are placed."""
MOST_TURNS = 3
"""Placements tried besides the one that keeps all hosts."""
CRITICAL = 0.95
"""A device that is ready later than this part of the longest training is one that the others wait for."""
SAME_SHARE = 1e-12
"""Relative difference of shares of a processor below which they are the same."""
Hold = Literal["nothing", "trained", "all"]
"""Which modules stay on the hosts that they had, where these are still possible."""
Choice = Mapping[tuple[str, str], Candidate]
"""The candidate of each (device, module)."""


@dataclass(frozen=True)
class _Kept:
    """What devices that keep their hosts use: servings, work by host, and replicas."""

    servings: tuple[Serving, ...]
    flops_of: Mapping[tuple[str, str], float]
    work: Mapping[str, float]
    replicas: frozenset[tuple[str, str]]


def place_again(
    network: Network,
    old: Decisions,
    free: Collection[str],
    reach: Reach,
    moving_weight_per_byte: float,
    options: Options,
    hold: Hold = "nothing",
    *,
    slows: bool = False,
) -> tuple[Placed, Readiness]:
    """Return the best placement found in which only some devices change their hosts, and when it is ready.

    Time is priced at the longest training of the others, which all wait for anyway: what a free device would
    pay for its last second before that.  Where no others are, at the best common deadline of the free ones.

    Parameters
    ----------
    network : Network
        The new network.
    old : Decisions
        The old plan; devices that are not free have their servings from it.
    free : collection of str
        Devices that are placed anew.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    moving_weight_per_byte : float
        What a byte of a replica costs on a node that does not hold it in the old plan, >= 0.
    options : Options
        When to stop each placement.
    hold : "nothing", "trained" or "all"
        Which modules of devices that the old plan knows stay where they run: trainable ones, or all.
    slows : bool
        Whether CPUs may slow down, so that all are ready at one moment.

    Raises
    ------
    NoPlacement
        If the memories that the others leave are too small, or none was found.
    """
    kept = _kept(network, old, free)
    held = {(entry.module, entry.node) for entry in old.hosted}
    if not free:
        placed = _placed(network, kept, {})
        return placed, readiness(with_training(network, placed.servings), placed.servings)
    task = _task(network, free, reach, held, moving_weight_per_byte)
    host_of = {(entry.device, entry.module): entry.host for entry in old.servings}
    if hold != "nothing":
        names = {name for name in task.modules if hold == "all" or network.modules[name].trainable}
        task = _as_before(task, old, host_of, names)
    weights, best, best_value = network.instance.objective, None, np.inf
    placed, lost = _placed(network, kept, {}), None
    num_turns = 1 + (MOST_TURNS if len(task.candidates) > len(task.demands) else 0)
    for number in range(num_turns):
        slowable = slowable_devices(network) if slows else frozenset[str]()
        prices = _prices(network, task, kept, placed, slowable)
        priced = price(network, task, prices, slowable=slowable)
        if number == 0:
            priced = _as_before(priced, old, host_of, task.modules)
        try:
            placed = _placed(network, kept, _solved(network, priced, kept, options))
        except NoPlacement as error:
            lost = error
            continue
        ready = readiness(with_training(network, placed.servings), placed.servings)
        sent = {(entry.module, entry.node) for entry in placed.hosted} - held
        trained = _paced(network, placed, ready) if slows else ready
        value = weights.energy_weight_per_j * sum(trained.joules.values())
        value += weights.time_weight_per_s * max(trained.seconds.values())
        value += moving_weight_per_byte * sum(replica_bytes(network, module) for module, _ in sent)
        if number > 1 and value >= best_value:
            break
        if value < best_value:
            best, best_value = (placed, ready), value
    if best is None:
        assert lost is not None, "each turn gives a placement or raises"
        raise lost
    return best


def _kept(network: Network, old: Decisions, free: Collection[str]) -> _Kept:
    stays = set(network.devices) - set(free)
    servings = tuple(entry for entry in old.servings if entry.device in stays)
    loads = {device: loads_of(network, device) for device in stays}
    flops_of = {(entry.device, entry.module): loads[entry.device][entry.module].flops for entry in servings}
    work: dict[str, float] = {}
    for entry in servings:
        work[entry.host] = work.get(entry.host, 0.0) + flops_of[entry.device, entry.module]
    elsewhere = {(entry.device, entry.module) for entry in servings}
    own = {
        (module, device) for device in stays for module in loads[device] if (device, module) not in elsewhere
    }
    return _Kept(servings, flops_of, work, frozenset({(s.module, s.host) for s in servings} | own))


def _task(
    network: Network,
    free: Collection[str],
    reach: Reach,
    held: Collection[tuple[str, str]],
    moving_weight_per_byte: float,
) -> PlacementTask:
    """Return the placement of free devices alone, with the price of each replica that must be sent."""
    demands: list[tuple[str, str]] = []
    candidates: list[Candidate] = []
    pair_demand: list[int] = []
    for device in network.devices:
        for module, load in loads_of(network, device).items() if device in free else ():
            found = candidates_of(network, device, module, load, reach)
            pair_demand.extend([len(demands)] * len(found))
            candidates.extend(found)
            demands.append((device, module))
    modules = tuple(module.id for module in network.instance.modules)
    nodes = tuple(node.id for node in network.instance.nodes)
    item_of = {name: index for index, name in enumerate(modules)}
    node_of = {name: index for index, name in enumerate(nodes)}
    hosts = list(dict.fromkeys((c.module, c.host) for c in candidates))
    memory = [network.nodes[name].memory_bytes for name in nodes]
    problem = PlacementProblem(
        demand_item=np.array([item_of[module] for _, module in demands], dtype=np.int64),
        pair_demand=np.array(pair_demand, dtype=np.int64),
        pair_node=np.array([node_of[c.host] for c in candidates], dtype=np.int64),
        pair_cost=np.zeros(len(candidates)),
        pair_work=np.array([c.flops for c in candidates]),
        host_item=np.array([item_of[module] for module, _ in hosts], dtype=np.int64),
        host_node=np.array([node_of[node] for _, node in hosts], dtype=np.int64),
        host_cost=np.array(
            [
                0.0 if host in held else moving_weight_per_byte * replica_bytes(network, host[0])
                for host in hosts
            ]
        ),
        item_memory=np.array([network.modules[name].memory_bytes for name in modules]),
        node_memory=np.array([np.inf if limit is None else limit for limit in memory]),
        node_capacity=np.full(len(nodes), np.inf),
    )
    return PlacementTask(problem, tuple(candidates), modules, nodes, tuple(demands))


def _paced(network: Network, placed: Placed, ready: Readiness) -> Readiness:
    """Return when devices are ready at their best common moment."""
    served = with_training(network, placed.servings)
    return ready_at(served, ready, best_moment_s(pace_of(served, ready), second_j_of(network)))[0]


def _prices(
    network: Network, task: PlacementTask, kept: _Kept, placed: Placed, slowable: Collection[str]
) -> TimePrices:
    """Return what a second is worth to each free device at the longest training of all that stay."""
    weights = network.instance.objective
    second_j = weights.time_weight_per_s / max(weights.energy_weight_per_j, 1e-12)
    work = dict(kept.work)
    busy_s = {host: _alone_s(network, host, flops) for host, flops in work.items()}
    hulls = hulls_of(network, task, busy_s, slowable)
    ready = readiness(with_training(network, placed.servings), placed.servings)
    stays = (_paced(network, placed, ready) if slowable else ready).seconds
    stays = {device: seconds for device, seconds in stays.items() if device not in hulls}
    longest_s = max(stays.values(), default=0.0)
    deadline_s = max(longest_s, deadline_of(network, hulls))
    slope_w = {}
    for device, hull in hulls.items():
        place = int(np.searchsorted(hull.seconds, deadline_s * (1 + 1e-9), side="left"))
        slopes = hull.slopes_w()
        late = place >= len(hull.seconds)
        slope_w[device] = 0.0 if late or not len(slopes) else float(slopes[max(place - 1, 0)])
        if float(hull.seconds[0]) >= deadline_s:  # it cannot be faster: the rest of the price is its own
            slope_w[device] = max(slope_w[device], second_j)
    share = {device: slope / max(second_j, 1e-300) for device, slope in slope_w.items()}
    rest = max(0.0, 1.0 - sum(share.values()))
    critical = {device for device, seconds in stays.items() if seconds >= CRITICAL * longest_s}
    pressure: dict[str, float] = {}
    for device, host in dict.fromkeys((serving.device, serving.host) for serving in placed.servings):
        part = rest / len(critical) if device in critical else share.get(device, 0.0)
        pressure[host] = pressure.get(host, 0.0) + part
    return TimePrices(share, pressure)


def _alone_s(network: Network, host: str, flops: float) -> float:
    processor = network.nodes[host].processor
    return flops / processor.flops_per_s if isinstance(processor, FixedSpeed) else 0.0


def _as_before(
    task: PlacementTask, old: Decisions, host_of: Mapping[tuple[str, str], str], modules: Collection[str]
) -> PlacementTask:
    """Return the task in which devices of the old plan keep the hosts of modules, where that is possible."""
    known = {member for cluster in old.clusters for member in cluster.members}
    possible = {(c.device, c.module): False for c in task.candidates}
    for c in task.candidates:
        wanted = host_of.get((c.device, c.module), c.device)
        possible[c.device, c.module] |= c.device in known and c.host == wanted and c.module in modules
    stays = [
        not possible[c.device, c.module] or c.host == host_of.get((c.device, c.module), c.device)
        for c in task.candidates
    ]
    chosen = np.flatnonzero(stays)
    problem = task.problem
    part = replace(
        problem,
        pair_demand=problem.pair_demand[chosen],
        pair_node=problem.pair_node[chosen],
        pair_cost=problem.pair_cost[chosen],
        pair_work=problem.pair_work[chosen],
    )
    return replace(task, problem=part, candidates=tuple(task.candidates[index] for index in chosen.tolist()))


def _solved(network: Network, task: PlacementTask, kept: _Kept, options: Options) -> Choice:
    result = solve(_with_held(network, task, kept), "auto", replace(options, gap=GOOD_ENOUGH))
    if result.solution is None:
        why = result.explanation or result.stop_reason
        text = f"no placement of the changed devices beside the others: {why}"
        raise NoPlacement(text, result.stop_reason)
    pairs = result.solution.demand_pair[: len(task.demands)]
    return {demand: task.candidates[int(pair)] for demand, pair in zip(task.demands, pairs, strict=True)}


def _with_held(network: Network, task: PlacementTask, kept: _Kept) -> PlacementProblem:
    """Return the problem with one more demand for each replica that the others need on a host in reach.

    So their memory is taken, once, and a free device may use them for nothing more.
    """
    problem = task.problem
    item_of = {name: index for index, name in enumerate(task.modules)}
    node_of = {name: index for index, name in enumerate(task.nodes)}
    reachable = {candidate.host for candidate in task.candidates}
    taken = sorted((item_of[module], node_of[node]) for module, node in kept.replicas if node in reachable)
    if not taken:
        return problem
    known = set(zip(problem.host_item.tolist(), problem.host_node.tolist(), strict=True))
    cost_of = dict(zip(zip(problem.host_item.tolist(), problem.host_node.tolist(), strict=True),
                       problem.host_cost.tolist(), strict=True))  # fmt: skip
    hosts = [*known, *(host for host in taken if host not in known)]
    for host in taken:
        cost_of[host] = 0.0
    hosts.sort()
    items, nodes = np.array(taken, dtype=np.int64).T
    none: FloatArray = np.zeros(len(taken))
    first = len(task.demands)
    return replace(
        problem,
        demand_item=np.concatenate([problem.demand_item, items]),
        pair_demand=np.concatenate([problem.pair_demand, first + np.arange(len(taken))]),
        pair_node=np.concatenate([problem.pair_node, nodes]),
        pair_cost=np.concatenate([problem.pair_cost, none]),
        pair_work=np.concatenate([problem.pair_work, none]),
        host_item=np.array([item for item, _ in hosts], dtype=np.int64),
        host_node=np.array([node for _, node in hosts], dtype=np.int64),
        host_cost=np.array([cost_of[host] for host in hosts]),
    )


def _placed(network: Network, kept: _Kept, chosen: Choice) -> Placed:
    """Return all replicas and servings, each host's processor shared in proportion to the work."""
    work = dict(kept.work)
    for candidate in chosen.values():
        if candidate.host != candidate.device:
            work[candidate.host] = work.get(candidate.host, 0.0) + candidate.flops
    stay: list[Serving] = []
    for entry in kept.servings:
        flops = kept.flops_of[entry.device, entry.module]
        share = flops / work[entry.host] if flops > 0 else 1.0
        same = abs(share - entry.share) <= SAME_SHARE * entry.share
        stay.append(entry if same else entry.model_copy(update={"share": share}))
    servings = {(entry.device, entry.module): entry for entry in stay}
    for (device, module), choice in chosen.items():
        if choice.host != device:
            share = choice.flops / work[choice.host] if choice.flops > 0 else 1.0
            servings[device, module] = Serving(
                device=device, module=module, host=choice.host, out=choice.out, back=choice.back, share=share
            )
    order = {device: place for place, device in enumerate(network.devices)}
    ordered = sorted(servings.values(), key=lambda entry: order[entry.device])
    replicas = sorted(kept.replicas | {(c.module, c.host) for c in chosen.values()})
    hosted = tuple(Hosting(module=module, node=node) for module, node in replicas)
    return Placed(hosted, tuple(ordered), -np.inf)
