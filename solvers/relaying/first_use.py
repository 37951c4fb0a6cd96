"""Compiling the loops ahead, so that it takes none of the time that a method is given."""

from functools import cache

import numpy as np

from solvers.relaying.loops.cuts import price_of_cuts
from solvers.relaying.path_prices import PathPrices
from solvers.relaying.phase import phases_of
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.sparse_arborescence import minimum_arborescence
from solvers.relaying.tree_search import TreeSearch


@cache
def compile_arborescences() -> None:
    """Find a tiny arborescence and price its cuts: bounds and baselines need no other compiled loop."""
    links = (np.array([0, 0, 2, 4]), np.array([0, 2, 0, 1]), np.array([False, True, True]))
    price_of_cuts(0, *links, np.array([2.0, 1.0, 2.0, 1.0]), 100)
    minimum_arborescence(3, np.array([1, 1, 2, 2]), np.array([0, 2, 0, 1]), np.array([2.0, 1.0, 2.0, 1.0]), 0)


@cache
def compile_loops() -> None:
    """Run all loops on a tiny problem: compiling them, once per installation, takes no search time."""
    source, target = np.nonzero(~np.eye(3, dtype=np.bool_))
    problem = RelayingProblem(
        num_nodes=3,
        link_source=source,
        link_target=target,
        link_rate_bps=np.full(6, 1e6),
        link_power_w=np.ones(6),
        item_bits=np.full(2, 1e6),
        node_item_start=np.arange(4),
        node_item=np.array([0, 1, 1]),
    )
    compile_arborescences()
    for phase in phases_of(problem, 0):
        search = TreeSearch(phase, np.random.default_rng(0))
        search.begin()
        search.improve(8, np.inf)
        PathPrices(phase).climb(2, 1e3)
