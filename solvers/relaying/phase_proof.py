"""What is known about one phase of one root: its best tree, and a bound raised by dearer and dearer means."""

import math
import time

import numpy as np

from solvers.common.arrays import IntArray
from solvers.common.options import Options
from solvers.relaying.path_prices import PathPrices
from solvers.relaying.phase import Phase
from solvers.relaying.phase_problem import phase_plan, phase_problem, phase_tree
from solvers.relaying.tree_branching import branch
from solvers.relaying.tree_search import TreeSearch
from solvers.relaying.via_cp_sat import run_cp_sat

STEPS = (60, 1500)
"""Steps of prices in the first two means; the third is CP-SAT, the fourth branching."""
NUM_MEANS = 4
_MOVES_PER_NODE = 200
"""Moves of a search for a tree of a root that was not searched before."""
CP_SAT_NODES, CP_SAT_LINKS = 60, 3_000
"""Largest trees, and most useful links, that CP-SAT is asked about."""
_CP_SAT_PART, _MOST_SECONDS = 0.5, 1e6
"""Part of the time that CP-SAT may take, as branching may follow, and at most."""


class PhaseProof:
    """The bound of a phase, and its best tree.

    Parameters
    ----------
    phase : Phase
    search : TreeSearch or None
        A search that has been through it.
    seed, threads : int
    """

    def __init__(self, phase: Phase, search: TreeSearch | None, seed: int, threads: int) -> None:
        self.phase = phase
        self._search, self._seed, self._threads = search, seed, threads
        parent = search.parent if search is not None and math.isfinite(search.value) else None
        self._prices = PathPrices(phase, parent)
        self._bound, self._useful = -math.inf, np.arange(phase.num_links)
        self._next = 0

    @property
    def bound(self) -> float:
        """Below the price of every tree that costs no more than the targets so far; ``inf`` without any."""
        return max(self._bound, self._prices.value)

    @property
    def has_means(self) -> bool:
        """Whether something is left that may raise the bound."""
        return self._next < NUM_MEANS

    @property
    def num_asked(self) -> int:
        """How many means have been applied."""
        return self._next

    @property
    def parent(self) -> IntArray | None:
        """The best tree known, (N,), or ``None``."""
        if self._search is None or not math.isfinite(self._search.value):
            return None
        return self._search.parent

    def raise_bound(self, target: float, until: float, enough: float) -> None:
        """Apply the next means to raise the bound to ``target - enough``, and perhaps find a better tree."""
        means, self._next = self._next, self._next + 1
        if means >= len(STEPS):
            self.search_tree(until)
        if self._search is not None:  # proven best is as good as proven dearer than the target
            target = min(target, self._search.value)
        if means < len(STEPS):
            self._prices.climb(STEPS[means], target, until)
            return
        self._useful = np.intersect1d(self._useful, self._prices.useful_links(target))
        left_s = until - time.perf_counter()
        if left_s <= 0 or self.bound >= target:
            return
        if means == len(STEPS):
            if not self._is_exact:
                self._ask_cp_sat(target, min(_CP_SAT_PART * left_s, _MOST_SECONDS))
        elif not self.phase.relay.any():
            self._branch(target, until, enough)

    def search_tree(self, until: float) -> None:
        """Search for a tree if none was searched for."""
        if self._search is None:
            self._search = TreeSearch(self.phase, np.random.default_rng([self._seed, self.phase.root]))
            self._search.begin()
            moves = max(_MOVES_PER_NODE * int(self.phase.member.sum()), 20_000)
            self._search.improve(moves, until)

    @property
    def _is_exact(self) -> bool:
        """Whether seconds and prices are what the prices of paths take them to be."""
        connects = self.phase.member | self.phase.relay
        connects[self.phase.root] = True
        return self.phase.is_plain and not self.phase.half_duplex[connects].any()

    def _ask_cp_sat(self, target: float, time_limit_s: float) -> None:
        """Ask CP-SAT for a better tree over the useful links; in no tree of at most ``target`` are others."""
        phase = self.phase
        size = int((phase.member | phase.relay).sum()) + 1
        if size > CP_SAT_NODES or self._useful.size > CP_SAT_LINKS:
            return
        parent, kept = self.parent, self._useful
        incumbent = None
        if parent is not None:
            used = np.flatnonzero(parent[phase.child] == phase.parent)
            kept = np.union1d(kept, used)
            incumbent = phase_plan(phase_problem(phase, kept), phase, parent)
        options = Options(time_limit_s=max(time_limit_s, 1e-3), seed=self._seed, threads=self._threads)
        found = run_cp_sat(phase_problem(phase, kept), options, incumbent)
        if found.plan is not None:
            self._offer(phase_tree(phase, found.plan))
        self._raise_to(found.bound, target)

    def _branch(self, target: float, until: float, enough: float) -> None:
        assert self._search is not None, "searched before"
        found = branch(self._prices, self._useful, target, until, self._search.price_of, enough)
        if found.links is not None:
            self._search.offer(found.links)
        self._raise_to(found.bound, target)

    def _raise_to(self, bound: float, target: float) -> None:
        """Take a bound over the useful links: all trees that use others cost more than ``target``."""
        self._bound = max(self._bound, min(bound, target))

    def _offer(self, parent: IntArray) -> None:
        if self._search is None:
            return
        links = np.full(self.phase.num_nodes, -1)
        used = np.flatnonzero(parent[self.phase.child] == self.phase.parent)
        links[self.phase.child[used]] = used
        self._search.offer(links)
