"""Cuts bound trees that may leave relays out: by hand, against all trees, and better than cheapest links."""

import numpy as np
import pytest

from solvers.common import Options
from solvers.relaying import RelayingProblem, solve
from solvers.relaying.bounds import cheapest_links, least_price
from solvers.relaying.loops.cuts import price_of_cuts
from solvers.relaying.path_prices import PathPrices
from solvers.relaying.phase import phases_of, root_price


def test_a_relay_that_all_need_is_paid_for_once():
    start, parent = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1])  # 2 and 3 send to relay 1, and it to 0
    member, residual = np.array([False, False, True, True]), np.array([5.0, 1.0, 2.0])
    assert price_of_cuts(0, start, parent, member, residual, 100) == 8.0
    assert residual.tolist() == [0.0, 0.0, 0.0]


def test_members_without_a_way_have_no_tree():
    start, parent = np.array([0, 0, 1, 2]), np.array([2, 1])
    member = np.array([False, True, True])
    assert price_of_cuts(0, start, parent, member, np.array([1.0, 1.0]), 100) == np.inf


def tiers(rng, num_members, num_relays, **fields):
    """Members that reach relays, relays that reach each other and the root, node 0."""
    num_nodes = 1 + num_members + num_relays
    relays = np.arange(num_nodes) > num_members
    source, target = np.nonzero(~np.eye(num_nodes, dtype=bool))
    kept = (relays[source] | relays[target]) & (rng.random(source.size) < 0.8) & (source != 0)
    source, target = source[kept], target[kept]
    given = {"num_round_trips": 0.0, "num_root_legs": 1.0, "item_bits": [1e6]}
    return RelayingProblem(
        num_nodes=num_nodes,
        link_source=source,
        link_target=target,
        link_rate_bps=rng.uniform(1e6, 1e7, source.size),
        link_power_w=rng.uniform(0.5, 1.0, source.size),
        node_item_start=np.minimum(np.arange(num_nodes + 1), num_members + 1),
        node_item=[0] * (num_members + 1),
        members=~relays,
        relays=relays,
        roots=[0],
        **(given | fields),
    )


@pytest.mark.parametrize("seed", range(10))
def test_cuts_are_between_the_cheapest_links_and_the_best_tree(seed):
    rng = np.random.default_rng([51, seed])
    problem = tiers(rng, 4, 2, time_weight=0.0)
    (phase,) = phases_of(problem, 0)
    cuts = least_price(phase, phase.least_price)
    best = solve(problem, method="enumeration").objective
    cheapest = float(cheapest_links(phase, phase.least_price)[phase.member].sum())
    assert cheapest <= cuts * (1 + 1e-12)
    assert cuts <= best * (1 + 1e-12) or np.isinf(best)


@pytest.mark.parametrize("seed", range(10))
def test_prices_with_cuts_rule_out_no_link_of_a_best_tree(seed):
    rng = np.random.default_rng([52, seed])
    problem = tiers(rng, 4, 2, time_weight=1.0)
    exact = solve(problem, method="enumeration")
    if exact.solution is None:
        return
    (phase,) = phases_of(problem, 0)
    prices = PathPrices(phase)
    target = exact.objective * (1 + 1e-9) - root_price(problem, 0)
    assert prices.climb(100, target) <= target
    useful = prices.useful_links(target)
    used = np.flatnonzero(exact.solution.parent[phase.child] == phase.parent)
    assert np.isin(used, useful).all()


def test_branch_and_bound_proves_tiers():
    problem = tiers(np.random.default_rng(53), 8, 4, time_weight=0.3)
    result = solve(problem, method="branch_and_bound", options=Options(time_limit_s=8.0, threads=1))
    assert result.gap < 0.05
