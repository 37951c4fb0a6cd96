"""Minimum-cost arborescence over lists of links, near-linear, with the prices that prove it.

H. N. Gabow, Z. Galil, T. Spencer, R. E. Tarjan, "Efficient algorithms for finding minimum spanning trees in
undirected and directed graphs", Combinatorica 6 (1986), 109-122, doi:10.1007/BF02579168: walk from a node
along cheapest links; where the walk meets itself, the cycle becomes one node, whose heap of links is the
merged heaps of its parts. The price of a node, contracted or not, is what its cheapest link still costs when
it is chosen. Prices are feasible in the dual linear program (one for each set of nodes that a tree must
leave), so that their sum is the least cost; what is left of a link's cost, its reduced cost, is what a tree
with that link costs more at least.
"""

from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled


@dataclass(frozen=True, eq=False)
class Arborescence:
    """A tree of least cost, with the proof.

    Parameters
    ----------
    link : (n,) int
        The link that leads each node to its parent; -1 for the root.
    value : float
        Sum of the prices: the least cost.
    above : (2n,) int
        The contracted node, numbered from n, that holds a node or a contracted node; -1 for none.
    price : (2n,) float
        What leaving each node or contracted node costs at least.
    """

    link: IntArray
    value: float
    above: IntArray
    price: FloatArray


def minimum_arborescence(
    num_nodes: int, child: IntArray, parent: IntArray, cost: FloatArray, root: int
) -> Arborescence | None:
    """Return the tree of least total cost that leads every node to ``root``, or ``None`` without one.

    Of equally cheap links, the first in the list is preferred.

    Parameters
    ----------
    num_nodes : int
    child, parent : (L,) int
        A link leads from child to parent; links of the root are ignored.
    cost : (L,) float
        Any finite numbers.
    root : int
    """
    order = np.argsort(child, kind="stable")
    order = order[(child[order] != root) & (child[order] != parent[order])]
    start = np.searchsorted(child[order], np.arange(num_nodes + 1))
    above, chosen = np.full(2 * num_nodes, -1), np.full(2 * num_nodes, -1)
    price = np.zeros(2 * num_nodes)
    num_sets = _contract(order, start, parent, cost, root, above, price, chosen)
    if num_sets < 0:
        return None
    link = np.full(num_nodes, -1)
    _expand(num_nodes, num_sets, child, above, chosen, link)
    return Arborescence(link, float(price.sum()), above, price)


def reduced_costs(
    tree: Arborescence, child: IntArray, parent: IntArray, cost: FloatArray, root: int
) -> FloatArray:
    """Return what a tree with each link costs at least beyond ``tree.value``, (L,).

    That is the link's cost less the prices of all sets that it leaves: those that hold its child, but not its
    parent; ``inf`` for the root's own links. With the prices summed from each set to the outermost, it takes
    the innermost set that holds both.
    """
    num_sets = tree.above.size
    depth, total = np.zeros(num_sets, dtype=np.int64), np.append(tree.price, 0.0)
    outside = num_sets  # stands for no set at all
    above = np.append(np.where(tree.above < 0, outside, tree.above), outside)
    for inner in range(num_sets - 1, -1, -1):  # outer sets have higher numbers
        if tree.above[inner] >= 0:
            depth[inner] = depth[tree.above[inner]] + 1
            total[inner] += total[tree.above[inner]]
    depth = np.append(depth, -1)
    jumps = [above]
    while 1 << len(jumps) <= depth.max() + 1:
        jumps.append(jumps[-1][jumps[-1]])
    low, high = child.copy(), parent.copy()
    for power in range(len(jumps) - 1, -1, -1):  # climb to the same depth
        for one, other in ((low, high), (high, low)):
            deeper = depth[one] - depth[other] >= 1 << power
            one[deeper] = jumps[power][one[deeper]]
    for jump in reversed(jumps):
        apart = jump[low] != jump[high]
        low[apart], high[apart] = jump[low[apart]], jump[high[apart]]
    both = np.where(low == high, low, above[low])
    reduced: FloatArray = np.where(child == root, np.inf, cost - (total[child] - total[both]))
    return reduced


@compiled
def _contract(  # noqa: PLR0912 - one walk, as its source has it
    order: IntArray,
    start: IntArray,
    parent: IntArray,
    cost: FloatArray,
    root: int,
    above: IntArray,
    price: FloatArray,
    chosen: IntArray,
) -> int:
    """Choose a link for each node and contracted node; return their number, or -1 if one has no way out."""
    num_nodes = start.size - 1
    left, right = np.full(cost.size, -1), np.full(cost.size, -1)
    lazy, key = np.zeros(cost.size), cost.copy()
    heap = np.full(2 * num_nodes, -1)
    for node in range(num_nodes):
        heap[node] = _heap(order[start[node] : start[node + 1]].copy(), left, right, lazy, key)
    top = np.arange(2 * num_nodes)  # union and find over contracted nodes
    state = np.zeros(2 * num_nodes, dtype=np.int64)  # 0 new, 1 on the walk, 2 done
    state[root] = 2
    walk = np.empty(2 * num_nodes, dtype=np.int64)
    num_sets = num_nodes
    for first in range(num_nodes):
        if state[first] != 0 or above[first] >= 0:
            continue
        length, at = 0, first
        while True:
            state[at] = 1
            walk[length] = at
            length += 1
            target = at
            while heap[at] >= 0:  # the cheapest link that leaves the set
                link = heap[at]
                target = _find(top, parent[link])
                if target != at:
                    break
                heap[at] = _pop(link, left, right, lazy, key)
            if heap[at] < 0:
                return -1
            link = heap[at]
            chosen[at], price[at] = link, key[link]
            heap[at] = _pop(link, left, right, lazy, key)
            if heap[at] >= 0:
                key[heap[at]] -= price[at]
                lazy[heap[at]] -= price[at]
            if state[target] == 2:
                break
            if state[target] == 0:
                at = target
                continue
            merged = -1
            while True:  # the walk met itself: contract down to the node that it met
                length -= 1
                part = walk[length]
                above[part], top[part] = num_sets, num_sets
                merged = _merge(merged, heap[part], left, right, lazy, key)
                if part == target:
                    break
            heap[num_sets] = merged
            at = num_sets
            num_sets += 1
        for place in range(length):
            state[walk[place]] = 2
    return num_sets


@compiled
def _heap(links: IntArray, left: IntArray, right: IntArray, lazy: FloatArray, key: FloatArray) -> int:
    """Return the heap of a list of links, which is used up: pairs are merged until one is left."""
    size = links.size
    while size > 1:
        half = (size + 1) // 2
        for place in range(size // 2):
            links[place] = _merge(links[place], links[place + half], left, right, lazy, key)
        size = half
    return links[0] if size == 1 else -1


@compiled
def _find(top: IntArray, node: int) -> int:
    found = node
    while top[found] != found:
        found = top[found]
    while top[node] != found:
        top[node], node = found, top[node]
    return found


@compiled
def _pop(link: int, left: IntArray, right: IntArray, lazy: FloatArray, key: FloatArray) -> int:
    """Return the heap without its top."""
    _push(link, left, right, lazy, key)
    return _merge(left[link], right[link], left, right, lazy, key)


@compiled
def _push(link: int, left: IntArray, right: IntArray, lazy: FloatArray, key: FloatArray) -> None:
    """Hand what is still to be added to all keys below a link to its two children."""
    if lazy[link] != 0.0:
        for below in (left[link], right[link]):
            if below >= 0:
                key[below] += lazy[link]
                lazy[below] += lazy[link]
        lazy[link] = 0.0


@compiled
def _merge(one: int, two: int, left: IntArray, right: IntArray, lazy: FloatArray, key: FloatArray) -> int:
    """Return the union of two skew heaps."""
    if one < 0 or two < 0:
        return max(one, two)
    if key[two] < key[one] or (key[two] == key[one] and two < one):
        one, two = two, one
    top, at = one, one
    while True:
        _push(at, left, right, lazy, key)
        right[at], left[at] = left[at], right[at]
        below = left[at]
        if below < 0:
            left[at] = two
            return top
        if key[two] < key[below] or (key[two] == key[below] and two < below):
            below, two = two, below
        left[at] = below
        at = below


@compiled
def _expand(
    num_nodes: int, num_sets: int, child: IntArray, above: IntArray, chosen: IntArray, link: IntArray
) -> None:
    """Open the contracted nodes from the outermost: the set's own link replaces that of one of its parts."""
    for outer in range(num_sets - 1, -1, -1):
        if chosen[outer] < 0:
            continue
        part = child[chosen[outer]]  # its sets up to this one leave by this link
        if outer < num_nodes:
            link[outer] = chosen[outer]
        while part != outer:
            chosen[part] = chosen[outer] if part < num_nodes else -1
            part = above[part]
