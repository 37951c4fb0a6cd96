"""Graphs for the tests of consensus."""

import numpy as np
import pytest

from solvers.consensus import ConsensusProblem


def graph(num_nodes, edges, **fields):
    """Return a problem over undirected pairs."""
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return ConsensusProblem(num_nodes=num_nodes, edge_source=ends[:, 0], edge_target=ends[:, 1], **fields)


def connected_graph(rng, num_nodes, **fields):
    """Return a random tree with random edges added to it."""
    edges = {(int(rng.integers(node)), node) for node in range(1, num_nodes)}
    edges |= {(i, j) for j in range(num_nodes) for i in range(j) if rng.random() < 0.3}
    return graph(num_nodes, sorted(edges), **fields)


@pytest.fixture
def make_graph():
    return graph


@pytest.fixture
def make_connected():
    return connected_graph
