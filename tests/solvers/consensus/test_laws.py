"""What must hold for every graph."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvers.common import Status
from solvers.consensus import ConsensusProblem, solve
from solvers.consensus.certificate import factor_bound

BASELINES = ("best_constant", "metropolis", "max_degree")
laws = settings(
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
seeds = st.integers(0, 2**32 - 1)


def draw(make_connected, seed, **fields):
    rng = np.random.default_rng(seed)
    return make_connected(rng, int(rng.integers(2, 12)), **fields), rng


@laws
@given(seed=seeds, nonnegative=st.booleans())
def test_fastest_weights_are_proven_and_no_baseline_is_faster(make_connected, seed, nonnegative):
    problem, _ = draw(make_connected, seed, nonnegative=nonnegative)
    best = solve(problem)
    assert best.status is Status.OPTIMAL
    for name in BASELINES:
        assert best.objective <= solve(problem, method=name).objective


@laws
@given(seed=seeds, nonnegative=st.booleans())
def test_two_solvers_agree(make_connected, seed, nonnegative):
    problem, _ = draw(make_connected, seed, nonnegative=nonnegative)
    first, second = solve(problem, method="clarabel"), solve(problem, method="scs")
    assert second.objective == pytest.approx(first.objective, rel=1e-3, abs=1e-6)
    assert max(first.bound, second.bound) <= min(first.objective, second.objective)


@laws
@given(seed=seeds)
def test_the_matrix_is_symmetric_keeps_the_mean_and_has_no_other_edges(make_connected, seed):
    problem, _ = draw(make_connected, seed)
    solution = solve(problem).solution
    matrix = solution.matrix
    assert np.array_equal(matrix, matrix.T)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-15 * problem.num_nodes)
    off = np.ones(matrix.shape, dtype=bool)
    np.fill_diagonal(off, False)
    off[problem.edge_source, problem.edge_target] = off[problem.edge_target, problem.edge_source] = False
    assert np.all(matrix[off] == 0)


@laws
@given(seed=seeds)
def test_the_distance_from_the_mean_shrinks_as_told(make_connected, seed):
    problem, rng = draw(make_connected, seed, accuracy=1e-4)
    solution = solve(problem).solution
    values = rng.normal(size=problem.num_nodes)
    start = np.linalg.norm(values - values.mean())
    after = np.linalg.matrix_power(solution.matrix, solution.num_sweeps) @ values
    assert np.linalg.norm(after - values.mean()) <= 1e-4 * start * (1 + 1e-9)
    assert solution.factor == 0 or solution.factor ** (solution.num_sweeps - 1) > 1e-4


@laws
@given(seed=seeds, nonnegative=st.booleans())
def test_an_edge_more_never_slows_the_fastest_weights(make_connected, seed, nonnegative):
    problem, rng = draw(make_connected, seed, nonnegative=nonnegative)
    pairs = {tuple(sorted(pair)) for pair in zip(problem.edge_source, problem.edge_target, strict=True)}
    absent = [(i, j) for j in range(problem.num_nodes) for i in range(j) if (i, j) not in pairs]
    if not absent:
        return
    i, j = absent[int(rng.integers(len(absent)))]
    more = ConsensusProblem(
        num_nodes=problem.num_nodes,
        edge_source=[*problem.edge_source, i],
        edge_target=[*problem.edge_target, j],
        nonnegative=nonnegative,
    )
    assert solve(more).objective <= solve(problem).objective + 1e-7


@laws
@given(seed=seeds, nonnegative=st.booleans())
def test_any_dual_gives_a_bound_that_no_weights_beat(make_connected, seed, nonnegative):
    problem, rng = draw(make_connected, seed, nonnegative=nonnegative)
    num_nodes = problem.num_nodes
    dual, charge = rng.normal(size=(num_nodes, num_nodes)), rng.normal(size=num_nodes)
    assert factor_bound(problem, dual, charge) <= solve(problem).objective


@laws
@given(seed=seeds)
def test_relabelling_nodes_changes_nothing(make_connected, seed):
    problem, rng = draw(make_connected, seed)
    new = rng.permutation(problem.num_nodes)
    renamed = ConsensusProblem(
        num_nodes=problem.num_nodes,
        edge_source=new[problem.edge_source],
        edge_target=new[problem.edge_target],
    )
    assert solve(renamed).objective == pytest.approx(solve(problem).objective, abs=1e-8)


@laws
@given(seed=seeds)
def test_half_duplex_radios_never_do_two_things_at_once(make_connected, seed):
    problem, rng = draw(make_connected, seed)
    num_edges = problem.edge_source.size
    slow = ConsensusProblem(
        num_nodes=problem.num_nodes,
        edge_source=problem.edge_source,
        edge_target=problem.edge_target,
        bits=1.0,
        rate_bps=rng.uniform(0.5, 2.0, (num_edges, 2)),
        half_duplex=rng.random(problem.num_nodes) < 0.7,
    )
    solution = solve(slow, method="metropolis").solution
    np.testing.assert_allclose(solution.end_s - solution.start_s, slow.transfer_s, rtol=1e-12)
    for node in np.flatnonzero(slow.half_duplex):
        mine = (slow.edge_source == node) | (slow.edge_target == node)
        start, end = solution.start_s[mine].ravel(), solution.end_s[mine].ravel()
        order = np.argsort(start, kind="stable")
        assert np.all(start[order][1:] >= end[order][:-1] - 1e-12)
