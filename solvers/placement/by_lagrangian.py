"""Bound by Lagrangian relaxation, place by rounding and annealing: for sizes beyond mixed-integer solvers.

Relaxing (2) with multipliers v_d and (5) with prices p_n >= 0 leaves one knapsack (4) per node:

    L(v, p) = sum_d v_d + sum_n min(0, -p_n C_n + K_n)
    K_n = least sum over h on n of y_h (f_h + sum over k of h of min(0, c_k + p_n w_k - v_d(k)))

A node without replicas pays no -p_n C_n: (5) is relaxed as sum w x <= C_n z_n, where z_n tells whether the
node hosts anything.  Without that, bounds of facility location are far too low.  Nodes with few pairs keep
(5) and are solved by trying all sets.  The prices that bound best are also those at which annealing searches.
"""

import math
import time
from collections.abc import Iterator
from functools import cache

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.options import Options
from solvers.common.result import StopReason
from solvers.placement.arrangement import Arrangement, arrange, with_tolerance
from solvers.placement.ascent import MOST_TRIED, Multipliers, ascend, first_multipliers
from solvers.placement.local_search import Search
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import reduction_by_limits
from solvers.placement.solution import Claim
from solvers.placement.start import Start, claim_of_start, prepare, remaining_s
from solvers.placement.step import round_up

DEFAULT_TIME_S = 30.0
"""Seconds spent when the options set no limit: annealing has no end of its own."""
_AMBITIONS = (1.0, 0.1, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001)
"""Shares of the bound by which steps aim above it, one ascent after the other."""
_BOUND_SHARE = 0.4
"""Share of the time after which bounding ends, converged or not."""
_MOST_STEPS = 4000
_MANY_DEMANDS = 20_000
"""Demands beyond which greedy heuristics would take time that the search uses better."""
_EXACT_SLOTS = 20_000
"""Live pairs up to which nodes are bounded by exact searches in the end."""
_SEARCH_NODES = 3000
"""Size at which the exact search of a node is given up."""
_MOVES_PER_DEMAND = 300
"""Length of a round of annealing; each round without a better placement doubles the next."""
_IDLE_ROUNDS = 4
"""Rounds without a better placement after which the search ends."""
_LOOSER, _TIGHTER = 1.1, 0.5
"""Shares of a placement's tolerance by which limits are loosened for bounds, and for placements."""


def solve(problem: PlacementProblem, options: Options) -> Claim:
    """Bound and place within the time limit, 30 s if none is set; serves demands whole.

    Parameters
    ----------
    problem : PlacementProblem
        The problem; with ``split=True`` the bound holds for splits, and the placement does not use them.
    options : Options
        Gap, time limit and seed.  Compiling the loops, once per installation, does not count as time.
    """
    _compile_loops()
    started = time.perf_counter()
    limit_s = DEFAULT_TIME_S if options.time_limit_s is None else options.time_limit_s
    options = Options(gap=options.gap, time_limit_s=limit_s, seed=options.seed, threads=options.threads)
    start = prepare(problem, options, quick=problem.num_demands > _MANY_DEMANDS)
    if start.closed:
        return claim_of_start(problem, start)
    gap = options.gap or 0.0
    arranged = arrange(problem, start.reduction)
    point = _bounded(problem, arranged, start, gap, started + _BOUND_SHARE * limit_s)
    bound = max(start.bound, round_up(point.bound, start.step))
    until = started + limit_s
    chosen = None
    if remaining_s(options, started) > 0:
        search = Search(with_tolerance(arranged, _TIGHTER), point.price, np.random.default_rng(options.seed))
        chosen = _placed(search, point, _slots_of_start(arranged, start), bound, gap, until)
    timed_out = remaining_s(options, started) <= 0
    return Claim(
        demand_pair=_pairs(arranged, chosen, start),
        bound=bound,
        stop_reason=StopReason.TIME_LIMIT if timed_out else StopReason.NO_PROGRESS,
    )


@cache
def _compile_loops() -> None:
    """Run all loops on a tiny problem: compiling them, once per installation, takes no search time."""
    problem = PlacementProblem(
        demand_item=np.zeros(8, dtype=np.int64),
        pair_demand=np.repeat(np.arange(8), 2),
        pair_node=np.tile([0, 1], 8),
        pair_cost=np.tile([1.0, 2.0], 8),
        pair_work=np.ones(16),
        host_item=np.array([0, 0]),
        host_node=np.array([0, 1]),
        host_cost=np.full(2, 0.5),
        item_memory=np.ones(1),
        node_memory=np.ones(2),
        node_capacity=np.full(2, 5.0),
    )
    at = arrange(problem, reduction_by_limits(problem))
    for most_nodes in (0, 9):
        point = ascend(
            at,
            first_multipliers(at),
            upper=np.inf,
            gap=0.0,
            until=np.inf,
            most_nodes=most_nodes,
            most_steps=2,
            ambition=0.1,
        )
    search = Search(at, point.price, np.random.default_rng(0))
    first = search.first(point.served)
    if first is not None:
        search.improve(first, 1000, np.inf)


def _bounded(
    problem: PlacementProblem, arranged: Arrangement, start: Start, gap: float, until: float
) -> Multipliers:
    """Return the best multipliers found: priced capacities first, exact nodes in the end if there are few."""
    loose = with_tolerance(arranged, _LOOSER)
    most_tried = 0 if problem.split else MOST_TRIED
    at = first_multipliers(loose)
    best: Multipliers | None = None
    for ambition, most_nodes in _stages(exact=not problem.split and arranged.num_slots <= _EXACT_SLOTS):
        point = ascend(
            loose,
            at,
            upper=start.cost,
            gap=gap,
            until=until,
            most_nodes=most_nodes,
            most_tried=most_tried,
            most_steps=_MOST_STEPS,
            ambition=ambition,
        )
        at = point.value, point.price
        if best is None or point.bound > best.bound:
            best = point
        if time.perf_counter() > until:
            break
    assert best is not None
    return best


def _stages(*, exact: bool) -> Iterator[tuple[float, int]]:
    yield from ((ambition, 0) for ambition in _AMBITIONS)
    if exact:
        yield from ((ambition, _SEARCH_NODES) for ambition in _AMBITIONS[-2:])


def _placed(
    search: Search, point: Multipliers, known: IntArray | None, bound: float, gap: float, until: float
) -> IntArray | None:
    """Return the best placement of slots, from the relaxation's solution and the known one, annealed."""
    candidates = [slots for slots in (search.first(point.served), known) if slots is not None]
    if not candidates:
        return None
    best = min(candidates, key=search.cost)
    enough = bound + gap * abs(bound)
    idle = 0
    while idle < _IDLE_ROUNDS and search.cost(best) > enough and time.perf_counter() < until:
        moves = _MOVES_PER_DEMAND * best.size << idle
        found = search.improve(best, moves, until, enough=enough)
        idle = 0 if search.cost(found) < search.cost(best) else idle + 1
        best = found
    return best


def _slots_of_start(arranged: Arrangement, start: Start) -> IntArray | None:
    """Return the slots of the placement at hand, or ``None`` if one of its pairs is no longer live."""
    if start.solution is None:
        return None
    slot_of_pair = {pair: slot for slot, pair in enumerate(arranged.pair.tolist())}
    slots = [slot_of_pair.get(pair, -1) for pair in start.solution.demand_pair.tolist()]
    return None if min(slots) < 0 else np.array(slots, dtype=np.int64)


def _pairs(arranged: Arrangement, chosen: IntArray | None, start: Start) -> IntArray | None:
    """Return the pairs of the slots chosen, or those at hand where they cost less or nothing was chosen."""
    at_hand = None if start.solution is None else start.solution.demand_pair
    if chosen is None:
        return at_hand
    cost = float(arranged.cost[chosen].sum())
    cost += math.fsum(arranged.seat_cost[np.unique(arranged.seat[chosen])].tolist())
    return at_hand if at_hand is not None and start.cost <= cost else arranged.pair[chosen].astype(np.int64)
