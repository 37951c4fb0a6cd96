"""The price of limits: by hand, and never promising less than what more of a limit saves."""

from dataclasses import replace

import numpy as np
import pytest

from solvers.placement import LimitKind, PlacementProblem, price_limits


def two_demands(*, same_item: bool, memory: float, capacity: float) -> PlacementProblem:
    """Two demands of one unit of work: node 0 serves one for 1, node 1 without limits for 4."""
    item = [0, 0] if same_item else [0, 1]
    num_items = max(item) + 1
    return PlacementProblem(
        demand_item=item,
        pair_demand=[0, 0, 1, 1],
        pair_node=[0, 1, 0, 1],
        pair_cost=[1.0, 4.0, 1.0, 4.0],
        pair_work=1.0,
        host_item=np.repeat(np.arange(num_items), 2),
        host_node=np.tile([0, 1], num_items),
        host_cost=0.0,
        item_memory=np.full(num_items, 10.0),
        node_memory=[memory, np.inf],
        node_capacity=[capacity, np.inf],
    )


def test_capacity_for_one_more_demand_is_worth_what_it_saves():
    prices = price_limits(two_demands(same_item=True, memory=np.inf, capacity=1.0))

    assert [(price.node, price.kind) for price in prices.prices] == [(0, LimitKind.CAPACITY)]
    assert prices.prices[0].price == pytest.approx(3.0, rel=1e-3)
    assert prices.bound == pytest.approx(5.0, rel=1e-4)
    assert "capacity of node 0" in str(prices.prices[0])


def test_memory_for_one_more_replica_is_worth_what_it_saves():
    prices = price_limits(two_demands(same_item=False, memory=10.0, capacity=np.inf))

    assert [(price.node, price.kind) for price in prices.prices] == [(0, LimitKind.MEMORY)]
    assert prices.prices[0].price == pytest.approx(0.3, rel=1e-3)


def test_limits_that_do_not_bind_have_no_price():
    assert price_limits(two_demands(same_item=False, memory=20.0, capacity=2.0)).prices == ()


def test_a_demand_without_a_place_leaves_no_prices():
    nowhere = replace(two_demands(same_item=True, memory=1.0, capacity=9.0), node_memory=[1.0, 1.0])

    assert price_limits(nowhere).bound == np.inf


def test_more_of_a_limit_never_saves_more_than_its_price(make_problem, brute):
    rng = np.random.default_rng(1)
    num_priced = 0
    for seed in range(60):
        problem = make_problem(seed)
        prices = price_limits(problem)
        num_priced += bool(prices.prices)
        memory, capacity = problem.node_memory.copy(), problem.node_capacity.copy()
        promised = prices.bound
        for price in prices.prices:
            more = rng.uniform(0.0, 2.0)
            (memory if price.kind is LimitKind.MEMORY else capacity)[price.node] += more
            promised -= price.price * more
        changed = replace(problem, node_memory=memory, node_capacity=capacity)

        assert brute(changed) >= promised * (1 - 1e-9 * np.sign(promised)), seed
    assert num_priced > 15
