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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.options import Options
from solvers.common.progress import Reporter
from solvers.common.result import StopReason, relative_gap
from solvers.placement.arrangement import Arrangement, arrange, narrowed, with_tolerance
from solvers.placement.ascent import MOST_TRIED, Multipliers, ascend, first_multipliers
from solvers.placement.choices import choices_of
from solvers.placement.heuristics import best_start
from solvers.placement.likely import likely_slots
from solvers.placement.local_search import Search
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import reduction_by_limits
from solvers.placement.solution import Claim
from solvers.placement.start import Start, claim_of_start, prepare, remaining_s
from solvers.placement.step import round_up

DEFAULT_TIME_S = 30.0
"""Seconds spent when the options set no limit: annealing has no end of its own."""
_PACES = (0.1, 1e-4)
"""First and last pace of the ascent with priced capacities."""
_EXACT_PACES = (0.01, 1e-4)
"""And of that with exact nodes, which begins where the first ends."""
_BOUND_SHARE = 0.4
"""Share of the time after which bounding ends, converged or not."""
_MOST_STEPS, _EXACT_STEPS = 1000, 300
"""Steps of the two."""
_MANY_PAIRS = 120_000
"""Pairs beyond which greedy heuristics are asked only where the search finds nothing; beyond four times as
many, one thread searches: several would wait for memory."""
_EXACT_SLOTS = 8_000
"""Live pairs up to which nodes are bounded by exact searches in the end."""
_SEARCH_NODES = 300_000
"""Size at which the exact search of a node is given up."""
_FIRST_DRAWS, _GROWTH, _MOST_DRAWS = 100, 4, 25_600
"""Draws of each demand in the first round of annealing, how they grow, and in the longest round."""
_IDLE_ROUNDS = 5
"""Longest rounds without a better placement after which the search ends."""
LOOSER, _TIGHTER = 1.1, 0.5
"""Shares of a placement's tolerance by which limits are loosened for bounds, and for placements."""


def solve(problem: PlacementProblem, options: Options) -> Claim:
    """Bound and place within the time limit, 30 s if none is set; serves demands whole.

    Parameters
    ----------
    problem : PlacementProblem
        The problem; with ``split=True`` the bound holds for splits, and the placement does not use them.
    options : Options
        Gap, time limit, seed and observer.  Compiling the loops, once per installation, does not count as
        time.
    """
    compile_loops()
    started = time.perf_counter()
    limit_s = DEFAULT_TIME_S if options.time_limit_s is None else options.time_limit_s
    options = replace(options, time_limit_s=limit_s)
    reporter = Reporter(options.observer)
    start = prepare(problem, options, heuristics=problem.num_pairs <= _MANY_PAIRS)
    reporter.bound(start.bound)
    reporter.objective(start.cost)
    if start.closed:
        return claim_of_start(problem, start)
    arranged = arrange(problem, start.reduction)
    gap = options.gap or 0.0
    point = bounded(problem, arranged, start, gap, started + _BOUND_SHARE * limit_s, reporter)
    bound = max(start.bound, round_up(point.bound, start.step))
    pairs = placed(arranged, start, point, replace(options, gap=gap), bound, started + limit_s, reporter)
    if pairs is None:
        pairs = best_start(problem)
    timed_out = remaining_s(options, started) <= 0
    return Claim(
        demand_pair=pairs,
        bound=bound,
        stop_reason=StopReason.TIME_LIMIT if timed_out else StopReason.NO_PROGRESS,
    )


@cache
def compile_loops() -> None:
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
            paces=_PACES,
        )
    search = Search(at, choices_of(at), point.price, np.random.default_rng(0))
    search.anneal(point.served, None, 100, np.inf)


def bounded(
    problem: PlacementProblem,
    arranged: Arrangement,
    start: Start,
    gap: float,
    until: float,
    reporter: Reporter,
) -> Multipliers:
    """Return the best multipliers found: priced capacities first, exact nodes in the end if there are few.

    Parameters
    ----------
    problem : PlacementProblem
        The problem.
    arranged : Arrangement
        What the start leaves of it.
    start : Start
        Its cost ends the ascent, when the bound is within the gap.
    gap : float
        Relative gap.
    until : float
        Value of :func:`time.perf_counter` at which to end.
    reporter : Reporter
        Is told each better bound.
    """
    loose = with_tolerance(arranged, LOOSER)
    most_tried = 0 if problem.split else MOST_TRIED
    best = ascend(
        loose,
        first_multipliers(loose),
        upper=start.cost,
        gap=gap,
        until=until,
        most_tried=most_tried,
        most_steps=_MOST_STEPS,
        paces=_PACES,
        watch=reporter.bound,
    )
    if problem.split or arranged.num_slots > _EXACT_SLOTS or relative_gap(start.cost, best.bound) <= gap:
        return best
    exact = ascend(
        loose,
        (best.value, best.price),
        upper=start.cost,
        gap=gap,
        until=until,
        most_nodes=_SEARCH_NODES,
        most_tried=most_tried,
        most_steps=_EXACT_STEPS,
        paces=_EXACT_PACES,
        watch=reporter.bound,
    )
    return exact if exact.bound > best.bound else best


def placed(
    arranged: Arrangement,
    start: Start,
    point: Multipliers,
    options: Options,
    bound: float,
    until: float,
    reporter: Reporter,
) -> IntArray | None:
    """Return the pairs of the best placement found, (D,), ``None`` without any.

    Candidates are the placement at hand, the relaxation's rounded, and those of rounds of annealing, one for
    each thread.  Rounds grow by a factor; the last takes the time that is left, when that would not do for
    two more.

    Parameters
    ----------
    arranged : Arrangement
        What the start leaves of the problem.
    start : Start
        With the placement at hand.
    point : Multipliers
        The relaxation's solution, and the prices at which to search.
    options : Options
        Gap, which is given, seed and threads.
    bound : float
        A lower bound: a placement within the gap of it ends the search.
    until : float
        Value of :func:`time.perf_counter` at which to end.
    reporter : Reporter
        Is told the cost of each better placement.
    """
    likely = likely_slots(arranged, point)
    if not likely.all():
        arranged, point = narrowed(arranged, likely), replace(point, served=point.served[likely])
    tight = with_tolerance(arranged, _TIGHTER)
    choices = choices_of(tight)
    num_threads = options.threads if arranged.num_slots <= 4 * _MANY_PAIRS else 1
    generators = np.random.default_rng(options.seed).spawn(num_threads)
    searches = [Search(tight, choices, point.price, rng) for rng in generators]
    search = searches[0]
    known = _slots_of_start(arranged, start)
    found = (slots for slots in (search.first(point.served), known) if slots is not None)
    best = min(found, key=search.cost, default=None)
    least = math.inf if best is None else search.cost(best)
    enough = bound + (options.gap or 0.0) * abs(bound)
    draws, idle = _FIRST_DRAWS * arranged.num_demands, 0
    longest = _MOST_DRAWS * arranged.num_demands
    while idle < _IDLE_ROUNDS and least > enough:
        reporter.objective(least)
        begun = time.perf_counter()
        if begun >= until:
            break
        idle += draws == longest
        for slots in _annealed(searches, (point.served, best, draws, until, enough), reporter):
            if slots is not None and search.cost(slots) < least:
                best, least, idle = slots, search.cost(slots), 0
        now = time.perf_counter()
        affordable = int(draws * (until - now) / max(now - begun, 1e-9))
        draws = min(_GROWTH * draws, longest)
        if draws < longest and affordable < _GROWTH * draws:
            draws = max(min(affordable, longest), 1)
    return _pairs(arranged, best, start)


def _annealed(
    searches: list[Search],
    round_: tuple[FloatArray, IntArray | None, int, float, float],
    reporter: Reporter,
) -> list[IntArray | None]:
    """Return what a round of each search finds; compiled loops run side by side."""
    watch = reporter.objective
    if len(searches) == 1:
        return [searches[0].anneal(*round_, watch=watch)]
    with ThreadPoolExecutor(len(searches)) as pool:
        return list(pool.map(lambda search: search.anneal(*round_, watch=watch), searches))


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
