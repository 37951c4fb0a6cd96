"""Graphs whose fastest weights are known in closed form."""

import itertools
import math

import numpy as np
import pytest

from solvers.common import Status
from solvers.consensus import solve

PATH = {n: [(i, i + 1) for i in range(n - 1)] for n in (2, 3, 5, 9)}
CYCLE = {n: [(i, (i + 1) % n) for i in range(n)] for n in (3, 4, 7, 10)}
STAR = {n: [(0, i) for i in range(1, n)] for n in (3, 4, 8, 12)}
COMPLETE = {n: list(itertools.combinations(range(n), 2)) for n in (2, 3, 6, 11)}


def cycle_factor(n):
    """Return (l_N - l_2) / (l_N + l_2): by symmetry one weight is best; l_k = 2 - 2 cos(2 pi k / n)."""
    eigenvalues = [2 - 2 * math.cos(2 * math.pi * k / n) for k in range(1, n)]
    return (max(eigenvalues) - min(eigenvalues)) / (max(eigenvalues) + min(eigenvalues))


@pytest.mark.parametrize("n", PATH)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_a_path_mixes_at_the_cosine_of_pi_over_n(make_graph, n, nonnegative):
    result = solve(make_graph(n, PATH[n], nonnegative=nonnegative))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(math.cos(math.pi / n), abs=1e-9)


@pytest.mark.parametrize("n", CYCLE)
def test_a_cycle_mixes_with_one_weight(make_graph, n):
    result = solve(make_graph(n, CYCLE[n]))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(cycle_factor(n), abs=1e-9)


@pytest.mark.parametrize("n", STAR)
def test_a_star_mixes_at_n_minus_one_over_n_plus_one(make_graph, n):
    result = solve(make_graph(n, STAR[n]))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx((n - 1) / (n + 1), abs=1e-9)
    np.testing.assert_allclose(result.solution.weight, 2 / (n + 1), atol=1e-4)


@pytest.mark.parametrize("n", STAR)
def test_a_star_without_negative_entries_is_limited_by_its_centre(make_graph, n):
    result = solve(make_graph(n, STAR[n], nonnegative=True))
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx((n - 2) / (n - 1), abs=1e-7)


@pytest.mark.parametrize("n", COMPLETE)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_a_complete_graph_agrees_in_one_sweep(make_graph, n, nonnegative):
    result = solve(make_graph(n, COMPLETE[n], nonnegative=nonnegative))
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 0.0, 0.0)
    assert result.solution.num_sweeps == 1
    np.testing.assert_allclose(result.solution.matrix, 1 / n, atol=1e-12)


def test_one_node_agrees_with_itself(make_graph):
    result = solve(make_graph(1, []))
    assert (result.status, result.objective, result.solution.num_sweeps) == (Status.OPTIMAL, 0.0, 0)
