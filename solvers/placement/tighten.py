"""Tighten a start by Lagrangian relaxation before a mixed-integer solver proves the rest."""

import math
import time
from dataclasses import replace

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.options import Options
from solvers.common.progress import Reporter
from solvers.common.result import relative_gap
from solvers.placement.arrangement import Arrangement, arrange, with_tolerance
from solvers.placement.ascent import Multipliers
from solvers.placement.by_lagrangian import LOOSER, bounded, placed
from solvers.placement.evaluate import cheaper, objective_value, solution_from_pairs, sum_by
from solvers.placement.loops.node_prices import node_prices
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import Reduction
from solvers.placement.start import Start
from solvers.placement.step import round_up

_ROUNDING = 1e-9
"""Share of the cost by which a bound must be above it for a pair to go."""


def tightened(
    problem: PlacementProblem, start: Start, options: Options, seconds: float, reporter: Reporter
) -> Start:
    """Return a start with a higher bound, a cheaper placement, and fewer pairs, for whole demands.

    Parameters
    ----------
    problem : PlacementProblem
        A problem with ``split=False``.
    start : Start
        An open start.
    options : Options
        Gap and seed; ``gap`` is given.
    seconds : float
        Time to spend.
    reporter : Reporter
        Is told each better bound and cost.
    """
    assert options.gap is not None
    until = time.perf_counter() + seconds
    arranged = arrange(problem, start.reduction)
    point = bounded(problem, arranged, start, options.gap, until, reporter)
    bound = max(start.bound, round_up(point.bound, start.step))
    pairs = placed(arranged, start, point, options, bound, until, reporter)
    solution = start.solution
    if pairs is not None:
        solution = cheaper(problem, solution, solution_from_pairs(problem, pairs))
    cost = math.inf if solution is None else objective_value(problem, solution)
    live = start.reduction.live_pair.copy()
    useless = forced_bounds(arranged, point) > cost + _ROUNDING * (abs(cost) + abs(bound))
    live[arranged.pair[useless]] = False
    return replace(
        start,
        solution=solution,
        cost=cost,
        bound=min(bound, cost),
        reduction=Reduction(live, start.reduction.live_host & _hosts_in_use(problem, live)),
        closed=relative_gap(cost, bound) <= options.gap,
    )


def forced_bounds(arranged: Arrangement, point: Multipliers) -> FloatArray:
    """Return for each slot a lower bound on the cost of every placement that uses it: (S,).

    At prices of its capacity and its memory, a node is worth at most ``top``, and at least ``loss`` less
    where a slot that the prices refuse is used, or one that they want is not.  A demand served by a slot is
    served by none of its others.

    Parameters
    ----------
    arranged : Arrangement
        The problem.
    point : Multipliers
        Any multipliers, with the bound there.
    """
    at = with_tolerance(arranged, LOOSER)
    worth = point.value[at.demand] - at.cost
    refused, wanted = np.zeros(at.num_slots), np.zeros(at.num_slots)
    for node in np.flatnonzero(np.diff(at.node_start)).tolist():
        seats = slice(at.node_start[node], at.node_start[node + 1])
        slots = slice(at.seat_start[seats.start], at.seat_start[seats.stop])
        refused[slots], wanted[slots] = _losses(at, point, node, seats, slots, worth[slots])
    kept_elsewhere = np.maximum(wanted, 0.0)
    all_others = sum_by(at.demand, kept_elsewhere, at.num_demands)[at.demand] - kept_elsewhere
    bounds: FloatArray = point.bound + refused + all_others
    return bounds


def _losses(
    at: Arrangement, point: Multipliers, node: int, seats: slice, slots: slice, worth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return by how much the node costs more where each slot is used, and where each is not used."""
    starts = at.seat_start[seats.start : seats.stop + 1]
    work, seat_cost, seat_bytes = at.work[slots], at.seat_cost[seats], at.seat_bytes[seats]
    memory, capacity = float(at.memory[node]), float(at.capacity[node])
    p, q = node_prices(starts, worth, work, seat_cost, seat_bytes, memory, capacity, float(point.price[node]))
    rest = worth - p * work
    seat: IntArray = at.seat[slots] - seats.start
    gain = sum_by(seat, np.maximum(rest, 0.0), seat_cost.size) - seat_cost - q * seat_bytes
    top = (p * capacity if p > 0 else 0.0) + (q * memory if q > 0 else 0.0) + np.maximum(gain, 0.0).sum()
    slack = float(top + point.node_value[node])  # what the prices promise beyond the node's best
    used = np.maximum(-gain, 0.0)[seat] + np.maximum(-rest, 0.0)
    unused = np.where(rest > 0, np.minimum(rest, np.maximum(gain, 0.0)[seat]), 0.0)
    return used - slack, unused - slack


def _hosts_in_use(problem: PlacementProblem, live_pair: BoolArray) -> BoolArray:
    inside = np.zeros(problem.num_hosts, dtype=bool)
    inside[problem.pair_host[live_pair]] = True
    return inside
