"""Local search: the likeliest roots, each with trees grown and annealed by phase."""

import time
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.options import Options
from solvers.relaying.bounds import root_bounds
from solvers.relaying.evaluate import evaluate, violations
from solvers.relaying.first_use import compile_loops
from solvers.relaying.outcome import Outcome
from solvers.relaying.phase import phases_of
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution
from solvers.relaying.tree_search import TreeSearch

MOVES_PER_NODE = 2000
"""Moves of the whole search for each node of a tree and phase where time does not limit it."""
FEWEST_MOVES, FEWEST_IN_ROUND, MOST_PER_NODE = 400_000, 20_000, 20_000
"""Moves of the whole search, and of one round, of small trees; but at most so many for each node."""
HEATS = ((8, 0.2), (4, 0.2), (2, 0.2), (1, 0.4))
"""Roots in each heat, and its part of the search: the best of a heat go on to the next."""
_STARTING_SHARE = 0.25
"""Part of the time after which no further root is started."""


@dataclass(eq=False)
class RootSearch:
    """The searches of one root's phases.

    Parameters
    ----------
    problem : RelayingProblem
    root : int
    rng : numpy.random.Generator
    """

    problem: RelayingProblem
    root: int
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.searches = [TreeSearch(phase, self.rng) for phase in phases_of(self.problem, self.root)]
        for search in self.searches:
            search.begin()
        self.plan = self._plan()

    @property
    def objective(self) -> float:
        """Objective of the best plan; ``inf`` without one."""
        return np.inf if self.plan is None else self.plan.objective

    def improve(self, moves: int, until: float) -> None:
        """Anneal the tree of each phase, and keep what is better on the problem's own clock."""
        for k, search in enumerate(self.searches):
            now = time.perf_counter()
            search.improve(moves, now + (until - now) / (len(self.searches) - k))
        plan = self._plan()
        if plan is not None and plan.objective < self.objective:
            self.plan = plan

    def _plan(self) -> RelayingSolution | None:
        if not all(np.isfinite(search.value) for search in self.searches):
            return None
        trees = [search.parent for search in self.searches]
        plan = evaluate(self.problem, self.root, *trees)
        return None if violations(self.problem, plan) else plan


def local_search(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan of a local search; without a time limit, the same seed gives the same plan.

    Compiling the loops, once per installation, does not count as time.
    """
    compile_loops()
    begun = time.perf_counter()
    bounds = root_bounds(problem)
    until = np.inf if options.time_limit_s is None else begun + options.time_limit_s
    plan, _ = best_roots(problem, bounds, options.seed, until)
    explanation = "" if plan else "the search found no plan within the limits"
    timed_out = options.time_limit_s is not None and time.perf_counter() >= until
    return Outcome(plan=plan, bound=float(bounds.min()), timed_out=timed_out, explanation=explanation)


def best_roots(
    problem: RelayingProblem, bounds: FloatArray, seed: int, until: float
) -> tuple[RelayingSolution | None, list[RootSearch]]:
    """Return the best plan, and the searches of the roots that were tried last, the best first.

    Parameters
    ----------
    problem : RelayingProblem
    bounds : (R,) float
        Lower bound of each root.
    seed : int
    until : float
        Value of :func:`time.perf_counter` at which to stop; ``inf`` for a search of fixed length.
    """
    begun = time.perf_counter()
    order = np.argsort(bounds, kind="stable")
    order = order[np.isfinite(bounds[order])][: HEATS[0][0]]
    searches: list[RootSearch] = []
    for rank, k in enumerate(order.tolist()):
        if searches and time.perf_counter() - begun > _STARTING_SHARE * (until - begun):
            break
        searches.append(RootSearch(problem, int(problem.roots[k]), np.random.default_rng([seed, rank])))
    heats = [
        heat for heat, after in zip(HEATS, (*HEATS[1:], (0, 0.0)), strict=True) if after[0] < len(searches)
    ]
    size = int((problem.members | problem.relays).sum())
    moves = max(MOVES_PER_NODE * size, min(FEWEST_MOVES, MOST_PER_NODE * size))
    for turn, (num_roots, share) in enumerate(heats):
        searches = sorted(searches, key=lambda search: search.objective)[:num_roots]
        part = share / sum(share for _, share in heats[turn:])
        now = time.perf_counter()
        ends = now + part * (until - now)
        for k, search in enumerate(searches):
            now = time.perf_counter()
            share_of_moves = int(moves * share / sum(share for _, share in heats) / num_roots)
            search.improve(max(share_of_moves, FEWEST_IN_ROUND), now + (ends - now) / (len(searches) - k))
    searches.sort(key=lambda search: search.objective)
    return (searches[0].plan if searches else None), searches
