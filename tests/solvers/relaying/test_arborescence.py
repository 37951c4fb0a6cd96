"""Both arborescence routines agree with networkx, and the sparse one proves its value by prices."""

import networkx as nx
import numpy as np
import pytest

from solvers.relaying.arborescence import minimum_arborescence_to
from solvers.relaying.sparse_arborescence import minimum_arborescence, reduced_costs


def random_links(rng, num_nodes, density, *, ties):
    child, parent = np.nonzero(rng.random((num_nodes, num_nodes)) < density)
    child, parent = child[child != parent], parent[child != parent]
    cost = rng.integers(0, 4, child.size).astype(float) if ties else rng.random(child.size)
    return child, parent, cost


def networkx_value(num_nodes, child, parent, cost, root):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(num_nodes))
    for low, high, weight in zip(child.tolist(), parent.tolist(), cost.tolist(), strict=True):
        if low != root:
            graph.add_edge(high, low, weight=weight)
    try:
        return nx.minimum_spanning_arborescence(graph).size(weight="weight")
    except nx.NetworkXException:
        return None


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_values_agree_with_networkx(seed, ties):
    rng = np.random.default_rng([seed, ties])
    for _ in range(40):
        num_nodes = int(rng.integers(1, 25))
        child, parent, cost = random_links(rng, num_nodes, rng.uniform(0.1, 0.9), ties=ties)
        expected = networkx_value(num_nodes, child, parent, cost, 0)
        dense = np.full((num_nodes, num_nodes), np.inf)
        dense[child, parent] = cost
        tree = minimum_arborescence_to(dense, 0)
        found = minimum_arborescence(num_nodes, child, parent, cost, 0)
        assert (tree is None) == (found is None) == (expected is None)
        if expected is None:
            continue
        others = np.arange(1, num_nodes)
        assert dense[others, tree[others]].sum() == pytest.approx(expected, abs=1e-12)
        assert cost[found.link[others]].sum() == pytest.approx(expected, abs=1e-12)
        assert found.value == pytest.approx(expected, abs=1e-12)
        assert np.array_equal(child[found.link[others]], others)


def test_a_link_costs_at_least_its_reduced_cost_more():
    rng = np.random.default_rng(7)
    for _ in range(30):
        num_nodes = int(rng.integers(2, 8))
        child, parent, cost = random_links(rng, num_nodes, 0.8, ties=False)
        found = minimum_arborescence(num_nodes, child, parent, cost, 0)
        if found is None:
            continue
        reduced = reduced_costs(found, child, parent, cost, 0)
        assert np.all(reduced[child != 0] >= -1e-12)
        assert np.all(np.abs(reduced[found.link[1:]]) <= 1e-12)
        for link in np.flatnonzero(child != 0):
            others = (child != child[link]) | (np.arange(child.size) == link)
            forced = minimum_arborescence(num_nodes, child[others], parent[others], cost[others], 0)
            assert forced is None or forced.value >= found.value + reduced[link] - 1e-12


def test_the_first_of_equal_links_is_taken_whatever_the_run():
    child, parent = np.nonzero(~np.eye(9, dtype=bool))
    first = minimum_arborescence(9, child, parent, np.ones(child.size), 3)
    again = minimum_arborescence(9, child, parent, np.ones(child.size), 3)
    assert first.value == 8.0
    assert np.array_equal(first.link, again.link)
