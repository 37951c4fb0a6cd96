"""What limits cost: the price of each node's memory and capacity."""

import time
from dataclasses import dataclass

import numpy as np

from solvers.common.options import Options
from solvers.placement.arrangement import Arrangement, arrange, with_tolerance
from solvers.placement.ascent import Multipliers, ascend, first_multipliers
from solvers.placement.by_lagrangian import LOOSER, compile_loops
from solvers.placement.explain import LimitKind
from solvers.placement.loops.node_prices import node_prices
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import demands_without, reduction_by_limits

_MOST_STEPS = 1500
_PACES = (0.1, 3e-5)
DEFAULT_TIME_S = 30.0
"""Seconds spent when the options set no limit."""


@dataclass(frozen=True)
class LimitPrice:
    """What one more unit of a limit would save at most, to first order.

    Parameters
    ----------
    node : int
        The node.
    kind : LimitKind
        Its memory or its capacity.
    price : float
        Cost that one more byte, or one more unit of work, would save; > 0.
    """

    node: int
    kind: LimitKind
    price: float

    def __str__(self) -> str:
        unit = "byte" if self.kind is LimitKind.MEMORY else "unit of work"
        return f"{self.kind} of node {self.node}: {self.price:.6g} a {unit}"


@dataclass(frozen=True)
class LimitPrices:
    """The prices of all limits that bind, and the bound that they prove.

    If limits of nodes in use rise by ``d``, no placement costs less than ``bound - sum of price * d``: so a
    unit more saves at most its price beyond what the gap leaves open.  A node that the relaxation leaves
    closed has no price: a little more of its limits saves nothing.

    Parameters
    ----------
    bound : float
        Lower bound on the cost of every placement.
    prices : tuple of LimitPrice
        In order of what the whole limit is worth, price times limit, the dearest first.
    closed_nodes : tuple of int
        Nodes that the relaxation leaves closed.
    """

    bound: float
    prices: tuple[LimitPrice, ...]
    closed_nodes: tuple[int, ...]


def price_limits(problem: PlacementProblem, options: Options | None = None) -> LimitPrices:
    """Return what one more byte or unit of work on each node would save.

    The prices are multipliers of (4) and (5) in the Lagrangian relaxation, ascended until they rest: those
    of the linear relaxation, which a placement's cost follows but for its gap.

    Parameters
    ----------
    problem : PlacementProblem
        A problem in which every demand has a pair that fits alone.
    options : Options, optional
        ``time_limit_s`` ends the ascent; the prices then prove the bound given, and another less.

    Returns
    -------
    LimitPrices
        Without prices and with bound ``inf`` where a demand has nowhere to go.
    """
    options = options or Options()
    compile_loops()
    reduction = reduction_by_limits(problem)
    if demands_without(problem, reduction.live_pair).size:
        return LimitPrices(np.inf, (), ())
    at = with_tolerance(arrange(problem, reduction), LOOSER)
    point = ascend(
        at,
        first_multipliers(at),
        upper=np.inf,
        gap=0.0,
        until=time.perf_counter() + (options.time_limit_s or DEFAULT_TIME_S),
        most_tried=0,
        most_steps=_MOST_STEPS,
        paces=_PACES,
    )
    nodes = np.flatnonzero(np.diff(at.node_start)).tolist()
    prices = [price for node in nodes for price in _of_node(at, point, node)]
    limits = {LimitKind.MEMORY: problem.node_memory, LimitKind.CAPACITY: problem.node_capacity}
    prices.sort(key=lambda price: -price.price * limits[price.kind][price.node])
    return LimitPrices(point.bound, tuple(prices), tuple(np.flatnonzero(point.node_value >= 0).tolist()))


def _of_node(at: Arrangement, point: Multipliers, node: int) -> list[LimitPrice]:
    """Return the prices above zero of one node; a node that stays closed has none."""
    if point.node_value[node] >= 0:
        return []
    first, last = at.node_start[node], at.node_start[node + 1]
    slots = slice(at.seat_start[first], at.seat_start[last])
    work_price = float(point.price[node]) if np.isfinite(at.capacity[node]) else 0.0
    worth = point.value[at.demand[slots]] - at.cost[slots] - work_price * at.work[slots]
    _, byte_price = node_prices(
        at.seat_start[first : last + 1],
        worth,
        at.work[slots],
        at.seat_cost[first:last],
        at.seat_bytes[first:last],
        float(at.memory[node]),
        np.inf,
        0.0,
    )
    found = []
    if byte_price > 0:
        found.append(LimitPrice(node, LimitKind.MEMORY, byte_price))
    if work_price > 0:
        found.append(LimitPrice(node, LimitKind.CAPACITY, work_price))
    return found
