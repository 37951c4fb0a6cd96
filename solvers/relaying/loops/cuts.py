"""The price of a tree that may leave relays out, bounded by cuts; compiled."""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import compiled


@compiled
def price_of_cuts(  # noqa: PLR0912 - one walk
    root: int, start: IntArray, parent: IntArray, member: BoolArray, residual: FloatArray, most_work: int
) -> float:
    """Return a lower bound on the price of trees that connect the members, ``inf`` if there is none.

    Dual ascent (R. T. Wong, Math. Programming 28 (1984), 271-287, doi:10.1007/BF02612335): a member that has
    no way to the root over links of residual price 0 is inside a set that every tree leaves; all links out of
    the set give the least of their residual prices to the bound. First, each member's links give the least of
    them, and each relay's as well if that is negative: a relay has one link at most.

    Parameters
    ----------
    root : int
    start : (N + 1,) int
        Links of child n: ``start[n]`` to ``start[n + 1]``.
    parent : (L,) int
    member : (N,) bool
        Without the root; other nodes may stay unused.
    residual : (L,) float
        Prices; changed in place to what a tree with the link costs more than the bound at least.
    most_work : int
        Links looked at after which the ascent ends; the bound holds all the same.
    """
    num_nodes, value, work = start.size - 1, 0.0, 0
    for node in range(num_nodes):
        if node == root:
            continue
        least = np.inf if member[node] else 0.0
        for link in range(start[node], start[node + 1]):
            least = min(least, residual[link])
        if least == np.inf:
            return np.inf
        value += least
        for link in range(start[node], start[node + 1]):
            residual[link] -= least
    done = ~member
    inside, stack = np.zeros(num_nodes, dtype=np.bool_), np.empty(num_nodes, dtype=np.int64)
    num_open = 1
    while num_open > 0:
        num_open = 0
        for first in range(num_nodes):
            if done[first] or work > most_work:
                continue
            inside[:] = False
            inside[first], stack[0], size, at = True, first, 1, 0
            least = np.inf
            while at < size and not inside[root]:
                node = stack[at]
                at += 1
                work += start[node + 1] - start[node]
                for link in range(start[node], start[node + 1]):
                    above = parent[link]
                    if residual[link] <= 0.0 and not inside[above]:
                        inside[above] = True
                        stack[size] = above
                        size += 1
            if inside[root]:
                done[first] = True
                continue
            for place in range(size):
                for link in range(start[stack[place]], start[stack[place] + 1]):
                    if not inside[parent[link]]:
                        least = min(least, residual[link])
            if least == np.inf:
                return np.inf
            for place in range(size):
                for link in range(start[stack[place]], start[stack[place] + 1]):
                    if not inside[parent[link]]:
                        residual[link] -= least
            value += least
            num_open += 1
    return value
