"""Enumeration, CP-SAT and a plain search through all trees and all orders find the same optimum."""

import itertools
import math

import numpy as np
import pytest

from solvers.common import Options, Status
from solvers.relaying import METHODS, RelayingProblem, solve


def plain_optimum(problem: RelayingProblem) -> float:
    """Every root, every tree, every order of every node's children: nothing clever, nothing shared."""
    best = math.inf
    trips, legs = problem.num_round_trips, problem.num_root_legs
    for root in problem.roots.tolist():
        extra = legs * (
            problem.time_weight * problem.root_seconds[root]
            + problem.energy_weight * problem.root_joules[root]
        )
        gathers = [_gather_cost(problem, root, tree) for tree in _trees(problem, root, back=False)]
        least_gather = min(gathers, default=math.inf)
        returns = (_return_cost(problem, root, tree) for tree in _trees(problem, root, back=True))
        least_return = min(returns, default=math.inf) if trips else 0.0
        best = min(best, (trips + legs) * least_gather + trips * least_return + extra)
    return best


def _trees(problem, root, *, back):
    links = {
        (int(a), int(b))
        for a, b in zip(
            problem.return_link_target if back else problem.link_source,
            problem.return_link_source if back else problem.link_target,
            strict=True,
        )
    }
    free = [n for n in range(problem.num_nodes) if problem.relays[n] and n != root]
    for used in itertools.chain(*(itertools.combinations(free, k) for k in range(len(free) + 1))):
        yield from _trees_on(problem, links, root, used)


def _trees_on(problem, links, root, used):
    nodes = [n for n in range(problem.num_nodes) if (problem.members[n] or n in used) and n != root]
    choices = [[p for p in [*nodes, root] if (n, p) in links] for n in nodes]
    for parents in itertools.product(*choices):
        tree = dict(zip(nodes, parents, strict=True))
        if not set(used) <= set(parents):
            continue
        hops = [_hops(tree, node, root) for node in nodes]
        if None in hops or max(hops, default=0) > (problem.max_hops or math.inf):
            continue
        if parents.count(root) <= (problem.max_root_children or math.inf):
            yield tree


def _hops(tree, node, root):
    for hops in range(len(tree) + 1):
        if node == root:
            return hops
        node = tree[node]
    return None


def _subtree(tree, node):
    return {node}.union(*(_subtree(tree, child) for child in tree if tree[child] == node))


def _gather_cost(problem, root, tree):
    busy_s, joules = {}, 0.0
    for child, parent in tree.items():
        held = np.flatnonzero(problem.items_of_node[list(_subtree(tree, child))].any(axis=0))
        link = problem.link_of[child, parent]
        bits = sum(problem.item_bits[item] for item in held)
        busy_s[child] = problem.link_delay_s[link] + bits / problem.link_rate_bps[link]
        joules += problem.link_power_w[link] * busy_s[child]

    def complete_s(node):
        children = [(complete_s(child), busy_s[child]) for child in tree if tree[child] == node]
        if not problem.half_duplex[node]:
            return max([problem.ready_s[node], *(ready + busy for ready, busy in children)])
        best = math.inf
        for order in itertools.permutations(children):
            clock = 0.0
            for ready, busy in order:
                clock = max(clock, ready) + busy
            best = min(best, clock)
        return max(problem.ready_s[node], best)

    return problem.time_weight * complete_s(root) + problem.energy_weight * joules


def _return_cost(problem, root, tree):
    bits = sum(problem.item_bits[item] for item in np.flatnonzero(problem.items_of_node.any(axis=0)))
    busy_s, joules = {}, 0.0
    for child, parent in tree.items():
        link = problem.return_link_of[parent, child]
        busy_s[child] = problem.return_link_delay_s[link] + bits / problem.return_link_rate_bps[link]
        joules += problem.return_link_power_w[link] * busy_s[child]

    if problem.broadcast_power_w is not None:
        joules = 0.0
        alone_s, busy_s = busy_s, {}
        for node in set(tree.values()):
            children = [child for child in tree if tree[child] == node]
            slowest_s = max(alone_s[child] for child in children)
            busy_s |= dict.fromkeys(children, slowest_s)
            heard_w = sum(problem.receive_power_w[child] for child in children)
            joules += (problem.broadcast_power_w[node] + heard_w) * slowest_s

    def all_served_s(node):
        children = [(child, all_served_s(child)) for child in tree if tree[child] == node]
        if not problem.half_duplex[node] or problem.broadcast_power_w is not None:
            return max((busy_s[child] + tail for child, tail in children), default=0.0)
        best = math.inf
        for order in itertools.permutations(children):
            clock, last = 0.0, 0.0
            for child, tail in order:
                clock += busy_s[child]
                last = max(last, clock + tail)
            best = min(best, last)
        return best

    return problem.time_weight * all_served_s(root) + problem.energy_weight * joules


VARIANTS = {
    "anything": {},
    "full duplex": {"half_duplex": False},
    "half duplex": {"half_duplex": True},
    "energy alone": {"energy_weight": 1.0, "time_weight": 0.0},
    "makespan alone": {"energy_weight": 0.0, "time_weight": 1.0},
    "weighted": {"energy_weight": 1.0, "time_weight": 3.0, "half_duplex": True, "num_round_trips": 1},
    "few children of the root": {"max_root_children": 2},
    "few hops": {"max_hops": 2},
    "way back by unicast": {"broadcast_power_w": None, "num_round_trips": 1, "num_root_legs": 0},
    "way back by broadcast": {
        "broadcast_power_w": 0.7,
        "receive_power_w": 0.1,
        "num_round_trips": 2,
        "energy_weight": 1.0,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", ["enumeration", "cp_sat"])
def test_exact_methods_prove_the_optimum_of_a_plain_search(make_cluster, variant, method):
    rng = np.random.default_rng([1, *variant.encode()])
    for k in range(50):
        size, density = (int(rng.integers(1, 6)), 0.85) if k < 40 else (int(rng.integers(6, 8)), 0.3)
        problem = make_cluster(rng, size, density, **VARIANTS[variant])
        result = solve(problem, method=method, options=Options(threads=1))
        optimum = plain_optimum(problem)
        assert result.objective == pytest.approx(optimum, rel=1e-9, abs=1e-12)
        assert result.bound <= optimum * (1 + 1e-12)
        assert result.status is (Status.OPTIMAL if math.isfinite(optimum) else Status.INFEASIBLE)


@pytest.mark.parametrize("seed", range(5))
def test_no_method_is_below_the_optimum_and_no_bound_above(make_cluster, seed):
    rng = np.random.default_rng([seed, 3])
    for _ in range(20):
        problem = make_cluster(rng, int(rng.integers(2, 6)))
        exact = solve(problem, method="enumeration")
        for name in METHODS:
            if name in ("cp_sat", "branch_and_bound") or exact.solution is None:
                continue
            result = solve(problem, method=name)
            assert result.bound <= exact.objective * (1 + 1e-12)
            assert result.objective >= exact.objective * (1 - 1e-12)


def test_seven_nodes_agree_with_cp_sat(make_cluster):
    problem = make_cluster(
        np.random.default_rng(7), 7, members=None, roots=None, max_hops=None, max_root_children=None
    )
    exact = solve(problem, method="enumeration")
    assert solve(problem, method="cp_sat").objective == pytest.approx(exact.objective, rel=1e-9)


def test_shortest_paths_are_optimal_for_time_alone_in_full_duplex_with_common_items(make_cluster):
    for seed in range(20):
        problem = make_cluster(
            np.random.default_rng(seed),
            5,
            item_bits=[1e6],
            node_item_start=range(6),
            node_item=[0] * 5,
            members=None,
            roots=None,
            max_hops=None,
            max_root_children=None,
            broadcast_power_w=None,
            half_duplex=False,
            energy_weight=0.0,
            time_weight=1.0,
        )
        result = solve(problem, method="shortest_paths")
        exact = solve(problem, method="enumeration")
        assert result.objective == pytest.approx(exact.objective, rel=1e-12)
        assert result.status is exact.status


def test_minimum_arborescence_is_optimal_for_energy_alone_with_common_items(make_cluster):
    for seed in range(20):
        problem = make_cluster(
            np.random.default_rng(seed),
            6,
            item_bits=[1e6],
            node_item_start=range(7),
            node_item=[0] * 6,
            members=None,
            roots=None,
            max_hops=None,
            max_root_children=None,
            broadcast_power_w=None,
            energy_weight=1.0,
            time_weight=0.0,
        )
        result = solve(problem, method="minimum_arborescence")
        exact = solve(problem, method="enumeration")
        assert result.objective == pytest.approx(exact.objective, rel=1e-12)
        assert result.status is exact.status
