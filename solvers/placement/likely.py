"""The options of each demand among which a search looks: those that the relaxation's prices favour."""

import numpy as np

from solvers.common.arrays import BoolArray
from solvers.placement.arrangement import Arrangement
from solvers.placement.ascent import Multipliers
from solvers.placement.evaluate import sum_by

MOST_OPTIONS = 12
"""Options of a demand that a search looks at: more only slow it down."""


def likely_slots(at: Arrangement, point: Multipliers) -> BoolArray:
    """Return the slots of least priced cost of each demand, and those that the relaxation uses: (S,) bool.

    A slot whose replica the prices do not pay for is charged what is lacking, in equal parts with the other
    slots that want it.

    Parameters
    ----------
    at : Arrangement
        The problem.
    point : Multipliers
        Multipliers near the best.
    """
    if np.diff(at.demand_start).max(initial=0) <= MOST_OPTIONS:
        return np.ones(at.num_slots, dtype=bool)
    cost = at.cost + point.price[at.node] * at.work
    rest = np.maximum(point.value[at.demand] - cost, 0.0)
    num_seats = at.seat_cost.size
    lacking = np.maximum(at.seat_cost - sum_by(at.seat, rest, num_seats), 0.0)
    cost += (lacking / np.maximum(sum_by(at.seat, (rest > 0).astype(np.float64), num_seats), 1.0))[at.seat]
    order = np.lexsort((cost, at.demand))
    rank = np.empty(at.num_slots, dtype=np.int64)
    rank[order] = np.arange(at.num_slots) - at.demand_start[at.demand[order]]
    likely: BoolArray = (rank < MOST_OPTIONS) | (point.served > 0.5)
    return likely
