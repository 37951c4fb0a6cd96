"""Everything decided, the servers of devices included: search, plan the best, and bound all associations."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.association import reachable_servers, with_association
from hfedfm_opt.planning.association_bound import association_bound
from hfedfm_opt.planning.association_costs import CellModel, cell_model
from hfedfm_opt.planning.association_rules import by_rule
from hfedfm_opt.planning.association_search import Cells, CellTables, improved, numbered, value_of
from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.deadline_prices import deadline_prices
from hfedfm_opt.planning.device_energy import objective_of
from hfedfm_opt.planning.exact_cells import CellTask
from hfedfm_opt.planning.exact_moves import ExactCells, exactly_improved
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.hulls import hulls_of
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.pace import slowable_devices
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.common import StopReason

PRICE_ROUNDS = 5
"""Turns of prices of time and searches."""
PART_OF_THE_SEARCH, PART_OF_EXACT_MOVES = 0.15, 0.1
"""Parts of the time limit for searches over tables, and for moves at exact prices."""
SURE_GAIN = 0.05
"""Relative gain over the file's association, by exact prices of cells, at which the file's is not planned."""
PART_OF_THE_REST = 0.6
"""Part of the remaining time for the association that was found, where the file's is planned too."""
PROOF = "bound on the association of the plan, less the bound on any association"


@dataclass(frozen=True)
class AssociationTask:
    """What is to be decided, and how.

    Parameters
    ----------
    network : Network
        The network, with the file's association.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    method : str
        Method of ``solvers.placement``.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search; the time limit is for all together.
    plan : callable
        What plans a network whose association is given.
    """

    network: Network
    reach: Reach
    method: str
    rhythm: Rhythm
    settings: SearchSettings
    plan: Callable[[Network, SearchSettings], tuple[Placed, Arrangement]]


@dataclass(frozen=True)
class _Found:
    """The best association found, whether it is surely better than the file's, and a bound on all."""

    server_of: Mapping[str, str]
    sure: bool
    bound: float


def has_choice(network: Network) -> bool:
    """Return whether any device may have another server than its own."""
    return any(len(servers) > 1 for servers in reachable_servers(network).values())


def alternate_with_association(task: AssociationTask) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found over all associations, with a bound over all of them.

    An association is searched over tables of what devices cost at servers, and improved by moves at exact
    prices of cells.  It is planned as if it were given; so is the file's where there is time, or no sure gain
    over it.  The better plan survives.

    Parameters
    ----------
    task : AssociationTask
        What to decide.

    Raises
    ------
    NoPlacement
        If neither has a plan within the limits.
    """
    stop_at = time.monotonic() + task.settings.time_limit_s
    found = _search(task)
    network = with_association(task.network, found.server_of)
    same, hurry = network is task.network, math.isfinite(stop_at)
    left_s = stop_at - time.monotonic()
    both = not same and not found.sure
    limit_s = left_s * PART_OF_THE_REST if both and hurry else left_s
    plans = [_planned(task, network, limit_s)]
    if both or (plans[0][1] is None and not same):
        plans.append(_planned(task, task.network, stop_at - time.monotonic()))
    value, decided, error = min(plans, key=lambda plan: plan[0])
    if decided is None or math.isinf(value):
        reason = f" ({error})" if error is not None else ""
        raise NoPlacement(
            f"no plan was found with the association of the file nor with another{reason}: relax a limit, "
            "or take another association",
            StopReason.NO_PROGRESS,
        )
    placed, arrangement = decided
    return placed, _bounded(task, arrangement, found.bound)


def _planned(
    task: AssociationTask, network: Network, limit_s: float
) -> tuple[float, tuple[Placed, Arrangement] | None, Exception | None]:
    """Return the value of an association's plan, inf where it breaks a limit, and the plan or what failed."""
    settings = replace(task.settings, time_limit_s=max(limit_s, 1e-3))
    try:
        placed, arrangement = task.plan(network, settings)
    except (NoPlacement, MissingLink) as error:
        return math.inf, None, error
    decisions = assemble(network, "association", task.rhythm.period, placed, arrangement)
    if check_plan(network, decisions):
        return math.inf, (placed, arrangement), None
    cost = predict(network, decisions)
    value = objective_of(network.instance, network.instance.objective, cost)
    too_long = cost.latency_s > settings.max_latency_s * (1 + 1e-9)
    too_much = cost.energy_j > settings.max_energy_j * (1 + 1e-9)
    return math.inf if too_long or too_much else value, (placed, arrangement), None


def _bounded(task: AssociationTask, arrangement: Arrangement, bound: float) -> Arrangement:
    """Return the arrangement with the bound over all associations, and what that leaves open."""
    parts = arrangement.gap_parts
    if parts:
        parts = (*parts, GapPart(part="association", amount=arrangement.bound - bound, proof=PROOF))
    proof = (
        "each device priced at each server in its reach, whatever share of the server its neighbours leave, "
        "time priced by device, servers independent under multipliers for the devices, plus the cloud leg: "
        f"holds for any association, any placement and any relaying, and period "
        f"{period_name(task.rhythm.period)}"
    )
    return replace(arrangement, bound=bound, proof=proof, gap_parts=parts)


def _search(task: AssociationTask) -> _Found:
    """Return the best association that tables and exact prices find."""
    began, limit_s = time.monotonic(), task.settings.time_limit_s
    model = cell_model(task.network, task.reach, task.rhythm, task.settings)
    rules = [by_rule(task.network, rule) for rule in ("given", "strongest", "balanced")]
    given, *others = [
        numbered(model.devices, model.servers, {d: start.parent(d) for d in model.devices}) for start in rules
    ]
    tried, tables, prices = [given, *others], list[CellTables](), list[TimePrices]()
    current = given
    for _ in range(PRICE_ROUNDS):
        network = with_association(task.network, _named(model, current))
        prices.append(_prices(task, network))
        tables.append(CellTables(model.costs(_mean(prices), for_bound=False)))
        starts = tried if len(tables) == 1 else [current, others[0]]
        results = [improved(tables[-1], start, began + limit_s * PART_OF_THE_SEARCH) for start in starts]
        _, after = min(results, key=lambda result: result[0])
        stays, current = after == current, after
        if after not in tried:
            tried.append(after)
        if stays or time.monotonic() - began > limit_s * PART_OF_THE_SEARCH:
            break
    estimates = [max(value_of(known, server_of) for known in tables) for server_of in tried]
    order = sorted(range(len(tried)), key=lambda index: estimates[index])
    best = tried[order[0]]
    value = estimates[order[0]]
    bound = _bound(model, [prices[-1], _mean(prices)], value)
    cell_task = CellTask(task.network, task.reach, task.rhythm, task.settings, task.method, _mean(prices))
    exact = ExactCells(cell_task, tables[-1], time.monotonic() + limit_s * PART_OF_EXACT_MOVES)
    found, best = exactly_improved(exact, [tried[index] for index in order])
    return _Found(_named(model, best), _is_sure(exact, found, given, estimates[0], value), bound)


def _is_sure(exact: ExactCells, found: float, given: list[int], given_at_least: float, value: float) -> bool:
    """Return whether what was found is surely better than the file's association: exactly, or by tables."""
    if math.isinf(found) or exact.exhausted():
        return value <= (1.0 - SURE_GAIN) * given_at_least
    cells = Cells(given, len(exact.tables.costs.servers)).members
    return found <= (1.0 - SURE_GAIN) * exact.value(dict(enumerate(cells)))


def _bound(model: CellModel, prices: list[TimePrices], value: float) -> float:
    """Return the best bound at some prices of time."""
    tried = {tuple(weights.device_weight.values()): weights for weights in prices}.values()
    return max(association_bound(model.costs(weights, for_bound=True), value) for weights in tried)


def _prices(task: AssociationTask, network: Network) -> TimePrices:
    """Return prices of time at an association's best deadline."""
    placement = formulate_placement(network, task.reach)
    slowable = slowable_devices(network) if task.settings.allocate else frozenset[str]()
    return deadline_prices(network, hulls_of(network, placement, {}, slowable), ())[0]


def _mean(prices: list[TimePrices]) -> TimePrices:
    """Return the mean of prices; those of the association that the search starts from count only alone."""
    used = prices[1:] or prices
    weights = {
        device: sum(one.device_weight[device] for one in used) / len(used) for device in used[0].device_weight
    }
    return TimePrices(weights, {})


def _named(model: CellModel, server_of: list[int]) -> dict[str, str]:
    return {device: model.servers[server] for device, server in zip(model.devices, server_of, strict=True)}
