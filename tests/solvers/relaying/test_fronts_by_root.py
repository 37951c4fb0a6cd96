"""The front of each root by itself, and trees over links that are not there."""

import math
from dataclasses import replace

import numpy as np
import pytest

from solvers.relaying import evaluate, pareto_front, pareto_fronts
from solvers.relaying.by_enumeration import _parts
from solvers.relaying.trees import tree_table


@pytest.mark.parametrize("seed", range(40))
def test_each_root_has_the_front_of_the_problem_with_that_root_alone(make_cluster, seed):
    rng = np.random.default_rng(seed)
    problem = make_cluster(rng, int(rng.integers(1, 7)), density=float(rng.uniform(0.2, 1.0)))
    fronts = pareto_fronts(problem)
    assert len(fronts) == problem.roots.size
    for root, front in zip(problem.roots.tolist(), fronts, strict=True):
        alone = pareto_front(replace(problem, roots=np.array([root])))
        for name in ("latency_s", "energy_j", "root", "parent", "return_parent", "leg_parent"):
            assert np.array_equal(getattr(front, name), getattr(alone, name)), name


@pytest.mark.parametrize("seed", range(20))
def test_the_front_of_all_roots_is_what_no_root_betters(make_cluster, seed):
    rng = np.random.default_rng(100 + seed)
    problem = make_cluster(rng, int(rng.integers(2, 6)), density=0.7)
    points = sorted(
        (float(seconds), float(joules))
        for front in pareto_fronts(problem)
        for seconds, joules in zip(front.latency_s, front.energy_j, strict=True)
    )
    kept, least_j = [], math.inf
    for seconds, joules in points:
        if joules < least_j:
            kept.append((seconds, joules))
            least_j = joules
    whole = pareto_front(problem)
    assert list(zip(whole.latency_s.tolist(), whole.energy_j.tolist(), strict=True)) == kept


def test_only_trees_whose_links_are_there_are_priced():
    table = tree_table(4)
    seconds = np.full((1, 4, 4, 16), np.inf)
    for child, parent in ((1, 0), (2, 0), (2, 1), (3, 2)):
        seconds[0, child, parent] = 1.0
    (trees,) = _parts(table, seconds, np.zeros(16, dtype=np.bool_))
    assert table.parent[1:, trees].T.tolist() == [[0, 0, 2], [0, 1, 2]]


def test_a_root_out_of_reach_has_an_empty_front(make_cluster):
    problem = make_cluster(np.random.default_rng(3), 5, density=1.0, members=np.ones(5, dtype=bool))
    problem = replace(problem, roots=np.arange(5), max_hops=None, max_root_children=None)
    keeps = problem.link_target != 2
    fields = ("link_source", "link_target", "link_rate_bps", "link_power_w", "link_delay_s")
    cut = replace(problem, **{name: getattr(problem, name)[keeps] for name in fields})
    fronts = pareto_fronts(cut)
    assert [len(front) > 0 for front in fronts] == [True, True, False, True, True]
    for front in fronts:
        for row in range(len(front)):
            trees = (front.parent[row], front.return_parent[row], front.leg_parent[row])
            assert evaluate(cut, int(front.root[row]), *trees).latency_s == front.latency_s[row]
