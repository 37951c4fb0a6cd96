"""Lower bounds by ascent over the multipliers of the relaxation, each multiplier at a pace of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.result import relative_gap
from solvers.placement.arrangement import Arrangement
from solvers.placement.loops.relaxation import relax

MOST_TRIED = 5
"""Nodes with at most this many slots try all sets."""
_MEMORY, _SQUARE_MEMORY = 0.95, 0.995
"""How much of the mean subgradient, and of its mean square, is kept from one step to the next."""
_SMALLEST_SQUARE = 1e-4
"""Mean squares of subgradients count at least this much: such a multiplier has long been at rest."""
_LOOK_EVERY = 8
"""Steps between two looks at the clock."""
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


def ascend(
    at: Arrangement,
    start: tuple[FloatArray, FloatArray],
    *,
    upper: float,
    gap: float,
    until: float,
    most_nodes: int = 0,
    most_tried: int = MOST_TRIED,
    most_steps: int,
    paces: tuple[float, float],
    watch: Callable[[float], None] | None = None,
) -> Multipliers:
    """Return the multipliers of the best bound met.

    A step moves each multiplier along the running mean of its subgradients over the root of their mean
    square (Adam: Kingma and Ba 2015, arXiv 1412.6980, here without its correction for the first steps), at
    a pace that falls geometrically.  Multipliers that serve few and many, whose subgradients differ by
    orders, so move alike; on the networks of ``benchmarks/placement.py`` this converges where one step
    length for all stalls.

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
        Value of :func:`time.perf_counter` at which to end; the pace falls so that it arrives by then.
    most_nodes : int
        Size of the exact search of a node; 0 for priced capacities.
    most_tried : int
        Nodes with at most this many slots try all sets; 0 where demands may be split.
    most_steps : int
        Number of steps after which to end.
    paces : tuple of float
        First and last pace, in mean differences between a demand's slots.
    watch : callable, optional
        Is told each better bound.
    """
    value, price = (np.array(part) for part in start)
    capacity = np.where(np.isfinite(at.capacity) & (at.capacity > 0), at.capacity, 1.0)
    served, node_value = np.zeros(at.num_slots), np.zeros(at.num_nodes)
    slope, excess = np.zeros(at.num_demands), np.zeros(at.num_nodes)
    unit = typical_difference(at)
    price_unit = unit / max(float(at.work.mean()), 1e-300)
    demands, nodes = _Pace(at.num_demands), _Pace(at.num_nodes)
    best: Multipliers | None = None
    begun, share, step = time.perf_counter(), 0.0, 0
    while True:
        raw = float(relax(at, value, price, most_tried, most_nodes, served, slope, excess, node_value))
        size = float(np.abs(value).sum() + np.abs(node_value).sum() + (price * capacity).sum())
        bound = raw - _ROUNDING * size
        if best is None or bound > best.bound:
            best = Multipliers(value.copy(), price.copy(), bound, node_value.copy(), served.copy())
            if watch is not None:
                watch(bound)
        step += 1
        if step % _LOOK_EVERY == 0:
            now = time.perf_counter()
            share = (now - begun) / (until - begun) if now < until else 1.0
        share = max(share, step / most_steps)
        if share >= 1 or relative_gap(upper, best.bound) <= gap:
            return best
        pace = paces[0] * (paces[1] / paces[0]) ** share
        value += pace * unit * demands.direction(slope)
        if most_nodes == 0:
            price += pace * price_unit * nodes.direction(excess / capacity)
            np.maximum(price, 0.0, out=price)


def typical_difference(at: Arrangement) -> float:
    """Return the mean difference between a demand's slots and its cheapest one, with fair shares of seats.

    Parameters
    ----------
    at : Arrangement
        The problem.
    """
    cost = at.cost + (at.seat_cost / np.diff(at.seat_start))[at.seat]
    least = np.full(at.num_demands, np.inf)
    np.minimum.at(least, at.demand, cost)
    difference = float((cost - least[at.demand]).mean())
    return difference if difference > 0 else max(float(np.abs(cost).mean()), 1e-300)


class _Pace:
    """Running means of subgradients and of their squares."""

    def __init__(self, size: int) -> None:
        self.mean, self.square = np.zeros(size), np.zeros(size)

    def direction(self, slope: FloatArray) -> FloatArray:
        """Take the subgradient in; return the mean over the root of the mean square."""
        self.mean += (1 - _MEMORY) * (slope - self.mean)
        self.square += (1 - _SQUARE_MEMORY) * (slope * slope - self.square)
        return self.mean / np.sqrt(self.square + _SMALLEST_SQUARE)
