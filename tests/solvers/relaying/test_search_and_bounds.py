"""Local search, prices of paths and branching against all trees, and what they promise of time and seeds."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from solvers.common import Options, Status
from solvers.relaying import RelayingProblem, evaluate, solve
from solvers.relaying.loops import tree as columns
from solvers.relaying.loops.tree import begin, depth_below, rebuild, relink, undo
from solvers.relaying.path_prices import PathPrices
from solvers.relaying.phase import phases_of, root_price
from solvers.relaying.tree_search import TreeSearch

QUICK = Options(threads=1)


def wide_cluster(num_nodes, num_neighbours, *, seed=0, **fields):
    """Nodes in a square, each linked with those next to it, both ways."""
    rng = np.random.default_rng(seed)
    place = np.sqrt(num_nodes) * rng.random((num_nodes, 2))
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    near = np.argsort(distance, axis=1)[:, 1 : num_neighbours + 1]
    pairs = {(a, int(b)) for a in range(num_nodes) for b in near[a]}
    source, target = np.array(sorted(pairs | {(b, a) for a, b in pairs})).T
    rate_bps = 1e6 * rng.uniform(0.5, 1.5, source.size) / distance[source, target]
    given = {"roots": [0], "link_power_w": 0.5, "item_bits": [1e6], "node_item": [0] * num_nodes}
    return RelayingProblem(
        num_nodes=num_nodes,
        link_source=source,
        link_target=target,
        link_rate_bps=rate_bps,
        node_item_start=range(num_nodes + 1),
        **(given | fields),
    )


VARIANTS = {
    "anything": {},
    "full duplex": {"half_duplex": False},
    "half duplex": {"half_duplex": True},
    "energy alone": {"energy_weight": 1.0, "time_weight": 0.0},
    "makespan alone": {"energy_weight": 0.0, "time_weight": 1.0},
    "few children of the root": {"max_root_children": 2},
    "few hops": {"max_hops": 2},
    "own leg tree": {"own_leg_tree": True, "num_round_trips": 2.5, "num_root_legs": 1.0},
    "broadcast": {"broadcast_power_w": 0.7, "receive_power_w": 0.1, "num_round_trips": 2},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_branch_and_bound_proves_the_optimum_of_all_trees(make_cluster, variant):
    rng = np.random.default_rng([5, *variant.encode()])
    for _ in range(3):
        problem = make_cluster(rng, int(rng.integers(3, 7)), **VARIANTS[variant])
        exact = solve(problem, method="enumeration")
        result = solve(problem, method="branch_and_bound", options=QUICK)
        assert result.status is exact.status
        assert result.objective == pytest.approx(exact.objective, rel=1e-7, abs=1e-12)
        assert result.bound <= exact.objective * (1 + 1e-12)


def test_branch_and_bound_proves_larger_weighted_clusters():
    problem = wide_cluster(14, 6, num_round_trips=0.0, num_root_legs=1.0)
    result = solve(problem, method="branch_and_bound", options=QUICK)
    other = solve(problem, method="cp_sat", options=QUICK)
    assert result.status is other.status is Status.OPTIMAL
    assert result.objective == pytest.approx(other.objective, rel=1e-6)


@pytest.mark.parametrize("half_duplex", [False, True])
def test_local_search_is_within_a_hundredth_of_the_bound_of_a_wide_cluster(half_duplex):
    problem = wide_cluster(60, 8, half_duplex=half_duplex, time_weight=0.05)
    result = solve(problem, method="local_search")
    assert result.gap < 0.03
    assert result.objective <= solve(problem, method="best_baseline").objective


@pytest.mark.parametrize("seed", [13, 28, 77])
def test_local_search_changes_who_is_the_only_child_of_the_root(make_cluster, seed):
    limits = {"max_hops": 2, "max_root_children": 1, "energy_weight": 0.0, "time_weight": 1.0}
    problem = make_cluster(np.random.default_rng(seed), 6, **limits)
    exact = solve(problem, method="enumeration")
    assert solve(problem, method="local_search").objective == pytest.approx(exact.objective, rel=1e-9)


def test_the_same_seed_gives_the_same_bytes():
    problem = wide_cluster(40, 6, roots=None)
    plans = [solve(problem, method="local_search", options=Options(seed=3)).solution for _ in range(2)]
    assert plans[0].parent.tobytes() == plans[1].parent.tobytes()
    assert plans[0].return_parent.tobytes() == plans[1].return_parent.tobytes()


@pytest.mark.parametrize("method", ["local_search", "branch_and_bound"])
def test_a_time_limit_is_kept_with_a_checked_plan(method):
    problem = wide_cluster(300, 8, roots=None)
    solve(problem, method=method, options=Options(time_limit_s=0.01))  # compiles
    begun = time.perf_counter()
    result = solve(problem, method=method, options=Options(time_limit_s=1.0))
    assert time.perf_counter() - begun < 5.0
    assert result.bound <= result.objective < np.inf


@pytest.mark.parametrize("seed", range(3))
def test_a_tree_whose_nodes_move_keeps_the_clock_of_the_evaluation(make_cluster, seed):
    rng = np.random.default_rng([7, seed])
    problem = make_cluster(rng, 9, 1.0, roots=[0], members=None, max_hops=None, max_root_children=None)
    for phase in phases_of(problem, 0):
        search = TreeSearch(phase, rng)
        search.begin()
        tree = search._tree
        rebuild(tree, search.links)
        for _ in range(60):
            begin(tree)
            link = int(rng.integers(phase.num_links))
            if depth_below(tree, int(phase.parent[link]), int(phase.child[link])) < 0:
                continue
            before = tree.node_f.copy()
            relink(tree, int(phase.child[link]), link)
            if rng.random() < 0.5:
                undo(tree)
                assert np.array_equal(tree.node_f[:, :5], before[:, :5])
            now = (tree.total[columns.TOTAL], tree.node_f[0, columns.HAS_S])
            links = tree.node_i[:, columns.LINK].copy()
            rebuild(tree, links)
            assert now == pytest.approx((tree.total[columns.TOTAL], tree.node_f[0, columns.HAS_S]), rel=1e-12)


def test_the_price_of_trees_is_the_objective(make_cluster):
    for seed in range(20):
        rng = np.random.default_rng([8, seed])
        problem = make_cluster(rng, 7, 1.0, roots=[0], max_hops=None, max_root_children=None)
        searches = [TreeSearch(phase, rng) for phase in phases_of(problem, 0)]
        for search in searches:
            search.begin()
        plan = evaluate(problem, 0, *[search.parent for search in searches])
        price = root_price(problem, 0) + sum(search.value for search in searches)
        assert plan.objective == pytest.approx(price, rel=1e-12)


def test_no_price_of_paths_proves_more_than_the_best_tree(make_cluster):
    for seed in range(20):
        rng = np.random.default_rng([9, seed])
        problem = make_cluster(rng, 6, 1.0, roots=[0])
        best = solve(problem, method="enumeration").objective
        if not np.isfinite(best):
            continue
        phases = [PathPrices(phase) for phase in phases_of(problem, 0)]
        bound = root_price(problem, 0) + sum(phase.climb(200, 10.0 * best) for phase in phases)
        assert bound <= best * (1 + 1e-9)


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from test_search_and_bounds import wide_cluster
from solvers.relaying import by_local_search, solve
by_local_search.FEWEST_MOVES = by_local_search.FEWEST_IN_ROUND = by_local_search.MOVES_PER_NODE = 200
plan = solve(wide_cluster(9, 4), method="local_search").solution
print(plan.parent.tolist(), plan.return_parent.tolist(), repr(plan.objective))
"""


def test_compiled_and_plain_loops_find_the_same_plan():
    answers = []
    for switch in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(folder=os.path.dirname(__file__))],
            env=os.environ | {"NUMBA_DISABLE_JIT": switch},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(run.stdout)
    assert answers[0] == answers[1]


def test_links_without_a_tree_prove_that_there_is_none():
    (phase,) = phases_of(wide_cluster(8, 4, num_round_trips=0.0, num_root_legs=1.0), 0)
    prices = PathPrices(phase)
    prices.climb(50, 1e6)
    cut_off = prices.whole.among(phase.parent[prices.whole.links] != 0)
    assert prices.raised(cut_off, 10, 1e6).bound == np.inf
