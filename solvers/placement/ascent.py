"""Lower bounds by ascent over the multipliers of the relaxation, deflected Polyak steps throughout."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.result import relative_gap
from solvers.placement.arrangement import Arrangement
from solvers.placement.evaluate import sum_by
from solvers.placement.loops.relaxation import relax

MOST_TRIED = 5
"""Nodes with at most this many slots try all sets."""
_PATIENCE = 30
"""Steps without a better bound after which the step length is halved."""
_WORTH = 1e-3
"""Share of a full step's aim by which a bound must rise to count as better."""
_SHORTEST = 0.1
"""Step length at which the bound counts as converged."""
_DEFLECTION = 1.5
"""How much of the last direction is taken back where the new subgradient opposes it (Camerini, Fratta and
Maffioli 1975, doi:10.1007/BFb0120697)."""
_ROUNDING = 1e-12
"""Share of the sum of the sizes of all terms by which a bound is lowered: rounding stays far below."""


@dataclass(frozen=True, eq=False)
class Multipliers:
    """A point of the dual, and the bound there.

    Parameters
    ----------
    value : (D,) float
        What serving each demand is worth.
    price : (N,) float
        Price of a unit of work on each node, >= 0.
    bound : float
        A lower bound on the cost of every placement, safe against rounding.
    node_value : (N,) float
        Least cost of each node at these multipliers, <= 0.
    served : (S,) float
        What each slot then serves.
    """

    value: FloatArray
    price: FloatArray
    bound: float
    node_value: FloatArray
    served: FloatArray


def first_multipliers(at: Arrangement) -> tuple[FloatArray, FloatArray]:
    """Return the least cost of each demand plus three fair shares of the replica's, and prices of zero."""
    value = np.full(at.num_demands, np.inf)
    users = np.diff(at.seat_start)
    np.minimum.at(value, at.demand, at.cost + (3 * at.seat_cost / users)[at.seat])
    return value, np.zeros(at.num_nodes)


def ascend(  # noqa: PLR0913 - where to begin and five ways to end
    at: Arrangement,
    start: tuple[FloatArray, FloatArray],
    *,
    upper: float,
    gap: float,
    until: float,
    most_nodes: int = 0,
    most_tried: int = MOST_TRIED,
    most_steps: int,
    ambition: float,
    watch: Callable[[float], None] | None = None,
) -> Multipliers:
    """Return the multipliers of the best bound met.

    Parameters
    ----------
    at : Arrangement
        The problem, with limits loosened for bounds.
    start : tuple
        Values of demands and prices of work to start at.
    upper : float
        Cost of a placement, or ``inf``.
    gap : float
        Relative gap to ``upper`` at which to end.
    until : float
        Value of :func:`time.perf_counter` at which to end.
    most_nodes : int
        Size of the exact search of a node; 0 for priced capacities.
    most_tried : int
        Nodes with at most this many slots try all sets; 0 where demands may be split.
    most_steps : int
        Number of steps after which to end.
    ambition : float
        Share of the bound by which a full step aims above it, at most up to ``upper``.
    watch : callable, optional
        Is told each better bound.
    """
    value, price = (np.array(part) for part in start)
    capacity = np.where(np.isfinite(at.capacity) & (at.capacity > 0), at.capacity, 1.0)
    served, excess = np.zeros(at.num_slots), np.zeros(at.num_nodes)
    node_value = np.zeros(at.num_nodes)
    best: Multipliers | None = None
    direction, node_direction = np.zeros(at.num_demands), np.zeros(at.num_nodes)
    length, waited = 1.0, 0
    for _ in range(most_steps):
        raw = float(relax(at, value, price, most_tried, most_nodes, served, excess, node_value))
        size = float(np.abs(value).sum() + np.abs(node_value).sum() + (price * capacity).sum())
        bound = raw - _ROUNDING * size
        waited += 1
        if best is None or bound > best.bound:
            if best is None or bound > best.bound + _WORTH * ambition * abs(best.bound):
                waited = 0
            best = Multipliers(value, price.copy(), bound, node_value.copy(), served.copy())
            if watch is not None:
                watch(bound)
        if relative_gap(upper, best.bound) <= gap or time.perf_counter() > until or length < _SHORTEST:
            break
        slope = 1.0 - sum_by(at.demand, served, at.num_demands)
        node_slope = excess / capacity
        if waited >= _PATIENCE:
            length, waited = length / 2, 0
            value, price = best.value, best.price.copy()
            direction, node_direction = np.zeros_like(direction), np.zeros_like(node_direction)
            continue
        norm = _dot(direction, direction) + _dot(node_direction, node_direction)
        backwards = _dot(direction, slope) + _dot(node_direction, node_slope)
        turn = _DEFLECTION * backwards / norm if backwards < 0 else 0.0
        direction, node_direction = slope - turn * direction, node_slope - turn * node_direction
        norm = _dot(direction, direction) + _dot(node_direction, node_direction)
        if norm == 0:
            break
        goal = min(upper, best.bound + ambition * abs(best.bound))
        step = length * max(goal - raw, 0.0) / norm
        value = value + step * direction
        if most_nodes == 0:
            price = np.maximum(price + step * node_direction / capacity, 0.0)
    assert best is not None
    return best


def _dot(left: FloatArray, right: FloatArray) -> float:
    """Return the inner product without BLAS, whose threads cost more than they bring here."""
    return float((left * right).sum())
