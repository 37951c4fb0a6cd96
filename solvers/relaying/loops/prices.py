"""Prices of single nodes' paths: one step after another of a Lagrangian bound; compiled."""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.relaying.loops.growing import pop, push
from solvers.relaying.sparse_arborescence import _contract, _expand

BEST, STEP, SINCE, PATIENCE = 0, 1, 2, 3
"""Places of ``state``: best bound so far, length of steps, steps since it rose, and how many may be."""
_EVEN = 1e-7
"""Part of the price of time that all paths share alike."""
_NEWEST = 0.1
"""Weight of a new tree in the usage of links."""
_SHORTER = 0.8
"""What steps are multiplied by when the bound has not risen for long."""


@compiled
def raise_bound(  # noqa: PLR0912, PLR0915 - one walk through arrays that it makes once
    root: int,
    start: IntArray,
    child: IntArray,
    parent: IntArray,
    price: FloatArray,
    seconds: FloatArray,
    member: BoolArray,
    is_steiner: bool,
    end: IntArray,
    end_s: FloatArray,
    end_in_series: BoolArray,
    time_price: float,
    target: float,
    num_steps: int,
    part: FloatArray,
    toll: FloatArray,
    best_part: FloatArray,
    best_toll: FloatArray,
    state: FloatArray,
    best_link: IntArray,
    usage: FloatArray,
) -> None:
    """Take ``num_steps`` subgradient steps on the prices of paths; keep the best.

    Parameters
    ----------
    root : int
    start : (N + 1,) int
        Links of child n: ``start[n]`` to ``start[n + 1]``.
    child, parent : (L,) int
    price, seconds : (L,) float
    member : (N,) bool
    is_steiner : bool
        Whether other nodes may stay unused.
    end : (K,) int
    end_s : (K,) float
    end_in_series : (K,) bool
        Nodes whose paths are priced, when they are ready, and whether it is what they receive in series that
        goes ahead of the path.
    time_price, target : float
        Objective per second of makespan; a value that some tree has, to which steps are measured.
    num_steps : int
    part : (K,) float
        Parts of ``time_price`` of each path, of sum 1; changed in place.
    toll : (K, L) float
        What each path pays for each link; changed in place.
    best_part, best_toll, best_link : arrays
        The prices of the best bound, and the tree under them, (N,).
    state : (4,) float
    usage : (L,) float
        How often the trees of late steps use each link, from 0 to 1; changed in place.
    """
    num_nodes, num_links, num_ends = start.size - 1, child.size, end.size
    reduced, extra = np.empty(num_links), np.zeros(num_nodes)
    load = np.zeros(num_links)
    for k in range(num_ends):
        for link in range(num_links):
            load[link] += toll[k, link]
    tree = np.empty(num_nodes, dtype=np.int64)
    path, length = np.empty((num_ends, num_nodes), dtype=np.int64), np.zeros(num_ends, dtype=np.int64)
    arrives_s = np.empty(num_ends)
    order = np.arange(num_links)
    key, heap = np.empty(num_links + 1), np.empty(num_links + 1, dtype=np.int64)
    distance, before = np.empty(num_nodes), np.empty(num_nodes, dtype=np.int64)
    used = np.zeros(num_links, dtype=np.bool_)
    for _ in range(num_steps):
        extra[:] = 0.0
        for k in range(num_ends):
            if end_in_series[k]:
                extra[end[k]] += time_price * part[k]
        for link in range(num_links):
            reduced[link] = price[link] - load[link] + extra[parent[link]] * seconds[link]
        value = _least_tree(root, order, start, child, parent, reduced, member, is_steiner, tree)
        if value == np.inf:
            state[BEST] = np.inf
            return
        used[:] = False
        for node in range(num_nodes):
            if tree[node] >= 0:
                used[tree[node]] = True
        for link in range(num_links):
            usage[link] += _NEWEST * (used[link] - usage[link])
        mean_s = 0.0
        for k in range(num_ends):
            rate = time_price * part[k]
            value += rate * end_s[k]
            value += _least_path(
                root, start, parent, seconds, rate, toll[k], end[k], key, heap, distance, before
            )
            arrives_s[k], length[k], at = end_s[k], 0, root
            while at != end[k]:
                link = before[at]
                arrives_s[k] += seconds[link]
                path[k, length[k]] = link
                length[k] += 1
                at = child[link]
            if end_in_series[k]:
                for node in range(num_nodes):
                    if tree[node] >= 0 and parent[tree[node]] == end[k]:
                        arrives_s[k] += seconds[tree[node]]
            mean_s += arrives_s[k] / num_ends
        state[SINCE] += 1.0
        if value > state[BEST]:
            if value > state[BEST] + 1e-4 * abs(target - state[BEST]):
                state[SINCE] = 0.0
            state[BEST] = value
            best_part[:] = part
            best_toll[:] = toll
            best_link[:] = tree
        if state[SINCE] >= state[PATIENCE]:
            state[STEP] *= _SHORTER
            state[SINCE] = 0.0
        norm = 0.0
        for k in range(num_ends):
            norm += (time_price * (arrives_s[k] - mean_s)) ** 2
            for node in range(num_nodes):
                norm += tree[node] >= 0 and toll[k, tree[node]] > 0.0
            for place in range(length[k]):
                link = path[k, place]
                norm += 1.0 if not used[link] else (-1.0 if toll[k, link] > 0.0 else 0.0)
        if norm <= 1e-12 or value >= target:
            return
        step = state[STEP] * (target - value) / norm
        for k in range(num_ends):
            for place in range(length[k]):
                toll[k, path[k, place]] += step
                load[path[k, place]] += step
            for node in range(num_nodes):
                link = tree[node]
                if link >= 0 and toll[k, link] > 0.0:
                    less = min(step, toll[k, link])
                    toll[k, link] -= less
                    load[link] -= less
            part[k] += step * time_price * (arrives_s[k] - mean_s)
        _onto_simplex(part)


@compiled
def _least_tree(
    root: int,
    order: IntArray,
    start: IntArray,
    child: IntArray,
    parent: IntArray,
    price: FloatArray,
    member: BoolArray,
    is_steiner: bool,
    tree: IntArray,
) -> float:
    """Fill in the links of the cheapest tree and return its price; of a Steiner tree, of each node alone."""
    num_nodes = start.size - 1
    if is_steiner:
        value = 0.0
        for node in range(num_nodes):
            tree[node] = -1
            least = np.inf if member[node] else 0.0
            for link in range(start[node], start[node + 1]):
                if price[link] < least:
                    least, tree[node] = price[link], link
            value += least
        return value
    above, chosen = np.full(2 * num_nodes, -1), np.full(2 * num_nodes, -1)
    prices = np.zeros(2 * num_nodes)
    num_sets = _contract(order, start, parent, price, root, above, prices, chosen)
    if num_sets < 0:
        return np.inf
    tree[:] = -1
    _expand(num_nodes, num_sets, child, above, chosen, tree)
    value = 0.0
    for node in range(num_nodes):
        if tree[node] >= 0:
            value += price[tree[node]]
    return min(value, prices.sum())


@compiled
def _least_path(
    root: int,
    start: IntArray,
    parent: IntArray,
    seconds: FloatArray,
    rate: float,
    toll: FloatArray,
    first: int,
    key: FloatArray,
    heap: IntArray,
    distance: FloatArray,
    before: IntArray,
) -> float:
    """Return the least ``rate * seconds + toll`` of a path to the root; ``before`` has its links."""
    distance[:] = np.inf
    distance[first] = 0.0
    size = 1
    key[0], heap[0] = 0.0, first
    while size > 0:
        reached, node = key[0], heap[0]
        pop(key, heap, size)
        size -= 1
        if reached > distance[node]:
            continue
        if node == root:
            return reached
        for link in range(start[node], start[node + 1]):
            longer = reached + rate * seconds[link] + toll[link]
            if longer < distance[parent[link]]:
                distance[parent[link]] = longer
                before[parent[link]] = link
                push(key, heap, size, longer, parent[link])
                size += 1
    return np.inf


@compiled
def _onto_simplex(part: FloatArray) -> None:
    """Move to the nearest point with parts of at least 0 and of sum 1 (J. Held et al. 1974)."""
    falling = np.sort(part)[::-1]
    total, shift = 0.0, 0.0
    for rank in range(part.size):
        total += falling[rank]
        if falling[rank] > (total - 1.0) / (rank + 1):
            shift = (total - 1.0) / (rank + 1)
    for k in range(part.size):
        part[k] = max(part[k] - shift, 0.0)
    total = part.sum()
    for k in range(part.size):  # a little of each, so that paths without a toll are the fastest
        part[k] = (1.0 - _EVEN) * part[k] / total + _EVEN / part.size
