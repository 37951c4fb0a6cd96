"""Both exact methods against brute force, on many small problems, plain and degenerate."""

import math

import pytest

from solvers.common import Options, Status, StopReason
from solvers.placement import METHODS, solve
from solvers.placement.evaluate import objective_value, violations_of

KINDS = [
    "plain",
    "whole numbers",
    "one node",
    "no memory",
    "equal costs",
    "no work",
    "huge spread",
    "tiny units",
]
HERE = {name for name, method in METHODS.items() if "pyomo" not in method.needs}
"""Methods whose packages share a process; test_via_pyomo.py has the other one."""
EXACT = sorted(name for name in HERE if METHODS[name].exact)
SEEDS = range(40)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", EXACT)
def test_exact_method_finds_the_optimum_of_brute_force(method, kind, brute, make_problem):
    for seed in SEEDS:
        problem = make_problem(seed, kind)
        best = brute(problem)

        result = solve(problem, method, Options(threads=1))

        if math.isinf(best):
            assert result.status is Status.INFEASIBLE, (seed, result)
            assert result.stop_reason is StopReason.PROVEN_INFEASIBLE
        else:
            assert result.status is Status.OPTIMAL, (seed, result)
            assert result.objective == pytest.approx(best, rel=2e-6, abs=0), seed
            assert result.objective >= best * (1 - 1e-12) if best > 0 else True
            assert result.bound <= best + 1e-12 * abs(best), (seed, result)
            assert violations_of(problem, result.solution) == ()
            assert objective_value(problem, result.solution) == result.objective


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(HERE - set(EXACT)))
def test_heuristic_certifies_what_it_finds(method, kind, brute, make_problem):
    found = 0
    for seed in SEEDS:
        problem = make_problem(seed, kind)
        best = brute(problem)

        result = solve(problem, method, Options(time_limit_s=0.03))

        assert result.bound <= best + 1e-12 * abs(best), seed
        if result.solution is None:
            assert result.status in (Status.UNKNOWN, Status.INFEASIBLE)
            assert result.status is Status.UNKNOWN or math.isinf(best)
        else:
            found += 1
            assert violations_of(problem, result.solution) == ()
            assert result.objective >= best - 1e-12 * abs(best)
    assert found >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_splitting_demands_never_costs_more(kind, brute, make_problem):
    for seed in SEEDS:
        problem = make_problem(seed, kind, split=True)

        result = solve(problem, "via_highs")

        best = brute(problem)
        if math.isinf(best):
            continue
        if result.objective != 0:  # no relative gap can be proven of a profit that cancels out
            assert result.status is Status.OPTIMAL, (seed, result)
        assert result.bound <= best + 1e-12 * abs(best)
        assert result.objective <= best + 2e-6 * abs(best)
        assert result.solution.pair_fraction is not None
        assert violations_of(problem, result.solution) == ()
