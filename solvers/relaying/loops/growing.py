"""Trees grown from the root, between the cheapest and the fastest; compiled."""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import compiled


@compiled
def grow(
    root: int,
    order: IntArray,
    start: IntArray,
    child: IntArray,
    parent: IntArray,
    price: FloatArray,
    seconds: FloatArray,
    pull: float,
    in_series: BoolArray,
    max_root_children: int,
    max_hops: int,
    link: IntArray,
) -> int:
    """Add the node next whose link has the least ``price + pull * seconds until it is served``.

    With ``pull`` 0 that is Prim's rule, with a large one Dijkstra's (C. J. Alpert et al., "Prim-Dijkstra
    tradeoffs for improved performance-driven routing tree design", IEEE Trans. CAD 14 (1995), 890-896,
    doi:10.1109/43.391737). A node in series serves its children one after another, read backwards in time.

    Parameters
    ----------
    root : int
    order : (L,) int
    start : (N + 1,) int
        Links to node p: ``order[start[p]:start[p + 1]]``.
    child, parent : (L,) int
    price, seconds : (L,) float
    pull : float
        Objective per second.
    in_series : (N,) bool
    max_root_children, max_hops : int
    link : (N,) int
        Filled with the link of each node, -1 for the root and nodes not reached.

    Returns
    -------
    int
        Nodes reached, the root too.
    """
    num_nodes = start.size - 1
    free_s = np.zeros(num_nodes)
    hops = np.zeros(num_nodes, dtype=np.int64)
    inside = np.zeros(num_nodes, dtype=np.bool_)
    key, heap = np.empty(order.size + 1), np.empty(order.size + 1, dtype=np.int64)
    link[:] = -1
    inside[root] = True
    size, reached, root_children, node = 0, 1, 0, root
    while True:
        if hops[node] < max_hops:
            for place in range(start[node], start[node + 1]):
                new = order[place]
                if not inside[child[new]]:
                    push(key, heap, size, price[new] + pull * (free_s[node] + seconds[new]), new)
                    size += 1
        node = -1
        while size > 0 and node < 0:
            old, new = key[0], heap[0]
            pop(key, heap, size)
            size -= 1
            above = parent[new]
            if inside[child[new]] or (above == root and root_children >= max_root_children):
                continue
            now = price[new] + pull * (free_s[above] + seconds[new])
            if now > old:
                push(key, heap, size, now, new)
                size += 1
                continue
            node = child[new]
            link[node] = new
            inside[node] = True
            root_children += above == root
            free_s[node] = free_s[above] + seconds[new]
            if in_series[above]:
                free_s[above] = free_s[node]
            hops[node] = hops[above] + 1
            reached += 1
        if node < 0:
            return reached


@compiled
def push(key: FloatArray, heap: IntArray, size: int, new_key: float, new: int) -> None:
    """Add a key to a heap of ``size`` keys."""
    at = size
    while at > 0 and key[(at - 1) // 2] > new_key:
        key[at], heap[at] = key[(at - 1) // 2], heap[(at - 1) // 2]
        at = (at - 1) // 2
    key[at], heap[at] = new_key, new


@compiled
def pop(key: FloatArray, heap: IntArray, size: int) -> None:
    """Take the least key out of a heap of ``size`` keys."""
    last_key, last = key[size - 1], heap[size - 1]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size - 1:
            break
        if below + 1 < size - 1 and key[below + 1] < key[below]:
            below += 1
        if key[below] >= last_key:
            break
        key[at], heap[at] = key[below], heap[below]
        at = below
    key[at], heap[at] = last_key, last
