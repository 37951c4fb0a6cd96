"""Baselines: random, nearest, greedy and greedy by regret, each with the share bound as its certificate.

All respect memory and capacity, serve each demand whole, and never revise a choice: they can end without a
placement where one exists.
"""

import heapq
import time
from collections.abc import Callable, Iterable

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.options import Options
from solvers.common.result import StopReason
from solvers.placement.filling import Filling
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import demands_without, reduction_by_limits, share_bound
from solvers.placement.solution import Claim
from solvers.placement.step import common_step, round_up

RANDOM_TRIES = 20
"""Orders that the random baseline tries before it gives up."""


def random(problem: PlacementProblem, options: Options) -> Claim:
    """Serve demands in random order by a random pair that fits, in up to 20 orders.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        Its ``seed`` decides orders and choices.
    """
    rng = np.random.default_rng(options.seed)
    started = time.perf_counter()
    for _ in range(RANDOM_TRIES):
        filling = Filling(problem)
        order = rng.permutation(problem.num_demands).tolist()
        if _fill(filling, order, lambda pairs: pairs[int(rng.integers(len(pairs)))]):
            return _claim(problem, filling.chosen)
        if options.time_limit_s is not None and time.perf_counter() - started > options.time_limit_s:
            break
    return _claim(problem, None)


def nearest(problem: PlacementProblem, options: Options) -> Claim:
    """Serve demands in their order by the pair of least cost that fits, blind to the cost of replicas.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        Not used: there is nothing to choose.
    """
    filling = Filling(problem)
    done = _fill(filling, range(problem.num_demands), _cheapest_of(filling))
    return _claim(problem, filling.chosen if done else None)


def greedy(problem: PlacementProblem, options: Options) -> Claim:
    """Choose again and again the pair that costs least now, with its replica if that is new.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        Not used: there is nothing to choose.
    """
    filling = Filling(problem)
    sharers: list[list[int]] = [[] for _ in range(problem.num_hosts)]
    heap = []
    for pairs in filling.pairs_of:
        for pair in pairs:
            sharers[filling.host[pair]].append(pair)
            heap.append((filling.price(pair), pair))
    heapq.heapify(heap)
    left = problem.num_demands
    while heap and left:
        _, pair = heapq.heappop(heap)
        if filling.chosen[filling.demand[pair]] >= 0 or not filling.fits(pair):
            continue
        left -= 1
        if filling.choose(pair):  # the replica is paid: its other pairs are cheaper from now on
            for other in sharers[filling.host[pair]]:
                if filling.chosen[filling.demand[other]] < 0:
                    heapq.heappush(heap, (filling.cost[other], other))
    return _claim(problem, None if left else filling.chosen)


def greedy_regret(problem: PlacementProblem, options: Options) -> Claim:
    """Serve first the demand that would lose most if its best pair were taken away.

    Regrets are refreshed when a demand comes up, not after every choice; a demand with one pair left has
    infinite regret.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    options : Options
        Not used: there is nothing to choose.
    """
    return _claim(problem, _by_regret(Filling(problem)))


def best_start(problem: PlacementProblem) -> IntArray | None:
    """Return the cheapest placement among greedy's, greedy by regret's and nearest's, or ``None``.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    """
    best, best_cost = None, np.inf
    for method in (greedy, greedy_regret, nearest):
        pairs = method(problem, Options()).demand_pair
        if pairs is None:
            continue
        hosts = np.unique(problem.pair_host[pairs])
        cost = float(problem.pair_cost[pairs].sum() + problem.host_cost[hosts].sum())
        if cost < best_cost:
            best, best_cost = pairs, cost
    return best


def _fill(filling: Filling, order: Iterable[int], pick: Callable[[list[int]], int]) -> bool:
    for demand in order:
        pairs = filling.fitting(demand)
        if not pairs:
            return False
        filling.choose(pick(pairs))
    return True


def _by_regret(filling: Filling) -> list[int] | None:
    heap = [(-_regret(filling, pairs), demand) for demand, pairs in enumerate(filling.pairs_of)]
    heapq.heapify(heap)
    while heap:
        _, demand = heapq.heappop(heap)
        pairs = filling.fitting(demand)
        if not pairs:
            return None
        regret = _regret(filling, pairs)
        if heap and -regret > heap[0][0]:
            heapq.heappush(heap, (-regret, demand))
        else:
            filling.choose(min(pairs, key=filling.price))
    return filling.chosen


def _cheapest_of(filling: Filling) -> Callable[[list[int]], int]:
    return lambda pairs: min(pairs, key=filling.cost.__getitem__)


def _regret(filling: Filling, pairs: list[int]) -> float:
    if len(pairs) < 2:
        return np.inf
    first, second = heapq.nsmallest(2, map(filling.price, pairs))
    return second - first


def _claim(problem: PlacementProblem, chosen: list[int] | None) -> Claim:
    live_pair = reduction_by_limits(problem).live_pair
    stuck = demands_without(problem, live_pair)
    if stuck.size:
        return Claim(bound=np.inf, stop_reason=StopReason.PROVEN_INFEASIBLE)
    bound = share_bound(problem, live_pair).value
    if not problem.split:
        step = common_step(np.concatenate([problem.pair_cost, problem.host_cost]))
        bound = round_up(bound, step)
    pairs = None if chosen is None else np.array(chosen, dtype=np.int64)
    return Claim(demand_pair=pairs, bound=bound, stop_reason=StopReason.NO_PROGRESS)
