"""Compiling ahead compiles all that a method then runs, so that no time limit pays for it."""

from types import ModuleType

import numpy as np
import pytest

from solvers.common import Options
from solvers.common.compiled import has_compiler
from solvers.relaying import solve, solve_aggregators, sparse_arborescence
from solvers.relaying.first_use import compile_loops
from solvers.relaying.loops import annealing, cuts, growing, prices, tree

MODULES: tuple[ModuleType, ...] = (annealing, cuts, growing, prices, sparse_arborescence, tree)


def num_compiled() -> dict[str, int]:
    """Return how many kinds of arguments each loop has been compiled for."""
    loops = {f"{module.__name__}.{name}": value for module in MODULES for name, value in vars(module).items()}
    return {name: len(loop.signatures) for name, loop in loops.items() if hasattr(loop, "signatures")}


@pytest.mark.skipif(not has_compiler(), reason="numba is not installed")
def test_nothing_is_left_to_compile_after_the_first_use(make_cluster):
    compile_loops()
    before = num_compiled()
    quick = Options(time_limit_s=0.2, threads=1)
    for seed in range(12):
        problem = make_cluster(np.random.default_rng([41, seed]), 9)
        for method in ("local_search", "branch_and_bound", "best_baseline"):
            solve(problem, method=method, options=quick)
    solve_aggregators(make_cluster(np.random.default_rng(42), 9, 1.0, members=None, roots=None), 2, quick)
    assert len(before) > 20
    assert num_compiled() == before
