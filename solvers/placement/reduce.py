"""Rule out pairs and replicas that no placement, or no better placement, can use."""

from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.placement.evaluate import exceeds
from solvers.placement.problem import PlacementProblem


@dataclass(frozen=True, eq=False)
class Reduction:
    """Which pairs and replicas are left.

    Parameters
    ----------
    live_pair : (K,) bool
        Pairs that some placement may use.
    live_host : (H,) bool
        Replicas that some live pair needs.
    """

    live_pair: BoolArray
    live_host: BoolArray


@dataclass(frozen=True, eq=False)
class ShareBound:
    """A lower bound that adds up over demands.

    Parameters
    ----------
    value : float
        The bound, safe against rounding; ``inf`` if a demand has no live pair.
    pair_price : (K,) float
        Cost of each live pair plus its part of the replica's cost; ``inf`` for the others.
    demand_price : (D,) float
        Least price of each demand.
    """

    value: float
    pair_price: FloatArray
    demand_price: FloatArray


def reduction_by_limits(problem: PlacementProblem) -> Reduction:
    """Return what is left without replicas and works that are too large for their node alone.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    """
    too_big = exceeds(problem.item_memory[problem.host_item], problem.node_memory[problem.host_node])
    live_pair = ~too_big[problem.pair_host]
    if not problem.split:
        live_pair &= ~exceeds(problem.pair_work, problem.node_capacity[problem.pair_node])
    return _with_hosts(problem, live_pair)


def reduction_by_cost(problem: PlacementProblem, before: Reduction, upper: float) -> Reduction:
    """Return what is left of a reduction when only placements of cost ``upper`` or less are of interest.

    A pair goes if the share bound with its demand forced onto it is above ``upper``.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    before : Reduction
        What is left so far.
    upper : float
        Cost of a placement at hand; ``inf`` rules nothing out.
    """
    if problem.split or not np.isfinite(upper):
        return before
    bound = share_bound(problem, before.live_pair)
    forced = bound.value - bound.demand_price[problem.pair_demand] + bound.pair_price
    room = 1e-9 * (abs(upper) + float(np.abs(bound.demand_price).sum()))
    return _with_hosts(problem, before.live_pair & (forced <= upper + room))


def share_bound(problem: PlacementProblem, live_pair: BoolArray) -> ShareBound:
    """Return the bound in which each demand pays an equal part of the replica it uses.

    A replica that n demands could use costs host_cost / n per demand at least, whoever uses it, so that
    the sum over demands of the least pair_cost + host_cost / n is a lower bound.

    Parameters
    ----------
    problem : PlacementProblem
        The problem; its node limits are ignored.
    live_pair : (K,) bool
        Pairs that may be used.
    """
    users = num_users(problem, live_pair)
    share = problem.host_cost / np.maximum(users, 1)
    pair_price = np.where(live_pair, problem.pair_cost + share[problem.pair_host], np.inf)
    demand_price = np.full(problem.num_demands, np.inf)
    np.minimum.at(demand_price, problem.pair_demand, pair_price)
    total = float(demand_price.sum())
    rounding = 1e-13 * float(np.abs(demand_price).sum()) if np.isfinite(total) else 0.0
    return ShareBound(total - rounding, pair_price, demand_price)


def num_users(problem: PlacementProblem, live_pair: BoolArray) -> IntArray:
    """Return how many different demands could use each replica: (H,) int."""
    used = np.unique(problem.pair_host[live_pair] * problem.num_demands + problem.pair_demand[live_pair])
    return np.bincount(used // max(problem.num_demands, 1), minlength=problem.num_hosts).astype(np.int64)


def demands_without(problem: PlacementProblem, live_pair: BoolArray) -> IntArray:
    """Return the demands that have no live pair."""
    return np.flatnonzero(
        np.bincount(problem.pair_demand[live_pair], minlength=problem.num_demands) == 0
    ).astype(np.int64)


def _with_hosts(problem: PlacementProblem, live_pair: BoolArray) -> Reduction:
    live_host = np.zeros(problem.num_hosts, dtype=bool)
    live_host[problem.pair_host[live_pair]] = True
    return Reduction(live_pair, live_host)
