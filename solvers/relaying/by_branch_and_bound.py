"""Local search, then bounds of single roots and phases, raised where the bound of the problem is least.

Per root and phase: prices of paths (path_prices.py), which also rule out links; then, over the links that are
left, CP-SAT where prices do not know all of the clock, and branching (tree_branching.py). The bound of a root
is the sum over its phases, the bound of the problem the least over the roots.
"""

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from solvers.common.arrays import FloatArray
from solvers.common.options import Options
from solvers.relaying.bounds import ROUNDING, root_bounds
from solvers.relaying.by_local_search import RootSearch, best_roots
from solvers.relaying.evaluate import evaluate, violations
from solvers.relaying.first_use import compile_loops
from solvers.relaying.outcome import Outcome
from solvers.relaying.phase import phases_of, root_price
from solvers.relaying.phase_proof import PhaseProof
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import RelayingSolution
from solvers.relaying.via_cp_sat import solve_cp_sat

SEARCH_PART = 0.35
"""Part of the time limit that the search may take."""
PROOF_LIMIT_S = 60.0
"""Seconds of the proof where there is no time limit."""
FEW_NODES = 40
"""Nodes up to which CP-SAT is asked for any plan at all where the search finds none within the limits."""
STOP_GAP = 1e-7
"""Relative gap at which the proof ends, unless the options ask for less."""


@dataclass(eq=False)
class _RootProof:
    """The proofs of a root's phases."""

    root: int
    extra: float
    phases: list[PhaseProof]

    @property
    def bound(self) -> float:
        return (self.extra + sum(phase.bound for phase in self.phases)) * (1.0 - ROUNDING)

    @property
    def has_means(self) -> bool:
        return any(phase.has_means for phase in self.phases)

    def raise_bound(self, objective: float, until: float, enough: float) -> None:
        """Raise the phase that has been asked least, as far as a plan better than ``objective`` needs."""
        phase = min((phase for phase in self.phases if phase.has_means), key=lambda phase: phase.num_asked)
        others = sum(other.bound for other in self.phases if other is not phase)
        phase.raise_bound(objective - self.extra - others, until, enough / len(self.phases))

    def plan(self, problem: RelayingProblem) -> RelayingSolution | None:
        """Return the plan of the best trees known."""
        trees = [phase.parent for phase in self.phases]
        if any(tree is None for tree in trees):
            return None
        plan = evaluate(problem, self.root, *trees)  # type: ignore[arg-type]
        return None if violations(problem, plan) else plan


def branch_and_bound(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan of a local search and of the proof, with the best bound of all means.

    Compiling the loops, once per installation, does not count as time.
    """
    compile_loops()
    begun = time.perf_counter()
    limit_s = math.inf if options.time_limit_s is None else options.time_limit_s
    bounds = root_bounds(problem)
    plan, searches = best_roots(problem, bounds, options.seed, begun + SEARCH_PART * limit_s)
    until = time.perf_counter() + PROOF_LIMIT_S if math.isinf(limit_s) else begun + limit_s
    proof = _Proof(problem, options, bounds, plan, searches)
    proof.run(until)
    if proof.plan is None and problem.num_nodes <= FEW_NODES and time.perf_counter() < until:
        left = replace(options, time_limit_s=until - time.perf_counter())
        return solve_cp_sat(problem, left)
    stopped = options.time_limit_s is not None and time.perf_counter() >= until
    if proof.plan is None and math.isinf(proof.bound):
        return Outcome(infeasible=True, explanation="no root has a tree within the limits")
    return Outcome(plan=proof.plan, bound=proof.bound, timed_out=stopped, explanation=proof.explanation)


class _Proof:
    """The bounds of all roots, of which the least is raised next."""

    def __init__(
        self,
        problem: RelayingProblem,
        options: Options,
        bounds: FloatArray,
        plan: RelayingSolution | None,
        searches: list[RootSearch],
    ) -> None:
        self._problem, self._options = problem, options
        self._stop_gap = STOP_GAP if options.gap is None else options.gap / 2
        self._bounds, self.plan = bounds.copy(), plan
        self._searches = {search.root: search.searches for search in searches}
        self._roots: dict[int, _RootProof] = {}

    @property
    def bound(self) -> float:
        """The best bound of the problem."""
        return min(float(self._bounds.min()), self._objective)

    @property
    def explanation(self) -> str:
        num_open = int((self._bounds < self._objective * (1.0 - self._stop_gap)).sum())
        return f"{num_open} of {self._bounds.size} roots are not ruled out" if num_open else ""

    @property
    def _objective(self) -> float:
        return math.inf if self.plan is None else self.plan.objective

    def run(self, until: float) -> None:
        """Raise the least bound until it meets the best plan, its means are used up, or time is."""
        while time.perf_counter() < until:
            k = int(np.argmin(self._bounds))
            if self._bounds[k] >= self._objective * (1.0 - self._stop_gap) or np.isinf(self._bounds[k]):
                return
            proof = self._root(k)
            if not proof.has_means or self.plan is None:
                return
            proof.raise_bound(self._objective, until, self._stop_gap * abs(self._objective))
            self._bounds[k] = max(self._bounds[k], proof.bound)
            found = proof.plan(self._problem)
            if found is not None and found.objective < self._objective:
                self.plan = found

    def _root(self, k: int) -> _RootProof:
        if k not in self._roots:
            root = int(self._problem.roots[k])
            phases = phases_of(self._problem, root)
            searches = self._searches.get(root, [None] * len(phases))
            proofs = [
                PhaseProof(*pair, self._options.seed, self._options.threads)
                for pair in zip(phases, searches, strict=True)
            ]
            self._roots[k] = _RootProof(root, root_price(self._problem, root), proofs)
        return self._roots[k]
