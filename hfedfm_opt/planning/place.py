"""Who hosts and runs which module: the placement of an instance, by any placement method."""

from dataclasses import dataclass

from hfedfm_opt.planning.formulate_placement import PlacementTask, servings_of
from hfedfm_opt.system.decisions import Hosting, Serving
from hfedfm_opt.system.network import Network
from solvers.common import Options, Result, Status, StopReason
from solvers.placement import METHODS, LimitKind, PlacementSolution, explain_infeasible, solve

EXACT = "auto"
"""Method that stands in where a heuristic finds no placement."""

UNIT_OF_LIMIT = {LimitKind.MEMORY: "byte", LimitKind.CAPACITY: "flop"}


class NoPlacement(ValueError):
    """No placement meets the memories, or the method found none; the message says which limit to relax."""

    def __init__(self, message: str, stop_reason: StopReason) -> None:
        self.stop_reason = stop_reason
        super().__init__(message)


@dataclass(frozen=True)
class Placed:
    """A placement of all modules.

    Parameters
    ----------
    hosted : tuple of Hosting
        All replicas.
    servings : tuple of Serving
        Modules that run elsewhere than on their device.
    bound : float
        Lower bound on the priced cost of any placement.
    """

    hosted: tuple[Hosting, ...]
    servings: tuple[Serving, ...]
    bound: float


def place(network: Network, task: PlacementTask, method: str, options: Options) -> Placed:
    """Return a placement by a method of ``solvers.placement``, or an exact one where a heuristic finds none.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        What to place.
    method : str
        Name of the method.
    options : Options
        When to stop.

    Raises
    ------
    NoPlacement
        If none exists or none was found.
    """
    result: Result[PlacementSolution] = solve(task.problem, method, options)
    if result.solution is None and method != EXACT and not METHODS[method].exact:
        result = solve(task.problem, EXACT, options)
    if result.solution is None:
        raise NoPlacement(_reason(task, result), result.stop_reason)
    chosen = {
        demand: task.candidates[int(pair)]
        for demand, pair in zip(task.demands, result.solution.demand_pair, strict=True)
    }
    hosted, servings = servings_of(network, task, chosen)
    return Placed(hosted, servings, result.bound)


def _reason(task: PlacementTask, result: Result[PlacementSolution]) -> str:
    if result.status is not Status.INFEASIBLE:
        return f"placement method {result.method!r} found none ({result.stop_reason}): {result.explanation}"
    why = explain_infeasible(task.problem)
    parts = []
    for demand in why.demands_without_pair:
        device, module = task.demands[demand]
        parts.append(
            f"module {module!r} of device {device!r} may run nowhere: let its may_run_on name a tier in reach"
        )
    for relaxation in why.relaxations:
        node, unit = task.nodes[relaxation.node], UNIT_OF_LIMIT[relaxation.kind]
        parts.append(f"relax {relaxation.kind} of node {node!r} by at least {relaxation.amount:.6g} {unit}")
    return "no placement meets all limits; " + "; ".join(parts)
