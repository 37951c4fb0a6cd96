"""Minimum-cost arborescence by Chu-Liu and Edmonds, contracting all cycles of a level at once."""

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray


def minimum_arborescence_to(cost: FloatArray, root: int) -> IntArray | None:
    """Return the tree of least total cost that leads every node to ``root``.

    J. Edmonds, "Optimum branchings", J. Res. Nat. Bur. Standards 71B (1967), 233-240: each node takes its
    cheapest parent; each cycle becomes one node, whose ways out cost what they add over the cycle's own link.

    Parameters
    ----------
    cost : (n, n) float
        Cost of node u having parent p at ``[u, p]``; ``inf`` where that is not possible.
    root : int

    Returns
    -------
    (n,) int or None
        Parents, -1 for the root; ``None`` if a node has no path to the root.
    """
    num_nodes = cost.shape[0]
    cost = cost.copy()
    np.fill_diagonal(cost, np.inf)
    parent: IntArray = cost.argmin(axis=1)
    others = np.arange(num_nodes) != root
    if not np.isfinite(cost[others, parent[others]]).all():
        return None
    parent[root] = -1
    on_cycle = _on_cycle(parent)
    if not on_cycle.any():
        return parent
    group = _groups(parent, on_cycle)
    added = cost - np.where(on_cycle, cost[np.arange(num_nodes), parent], 0.0)[:, None]
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    smaller = np.minimum.reduceat(added[order], starts, axis=0)
    smaller = np.minimum.reduceat(smaller[:, order], starts, axis=1)
    above = minimum_arborescence_to(smaller, int(group[root]))
    if above is None:
        return None
    return _opened(added, parent, on_cycle, group, above)


def _opened(
    added: FloatArray, parent: IntArray, on_cycle: BoolArray, group: IntArray, above: IntArray
) -> IntArray:
    """Return the tree of this level from that of the contracted one: each cycle loses one link."""
    opened = np.where(on_cycle, parent, -1)
    for inside, outside in enumerate(above.tolist()):
        if outside < 0:
            continue
        nodes, targets = np.flatnonzero(group == inside), np.flatnonzero(group == outside)
        best = int(added[np.ix_(nodes, targets)].argmin())
        opened[nodes[best // targets.size]] = targets[best % targets.size]
    return opened


def _on_cycle(parent: IntArray) -> BoolArray:
    """Return which nodes lie on a cycle of the parent pointers."""
    num_nodes = parent.size
    pointer = np.append(np.where(parent < 0, num_nodes, parent), num_nodes)
    far = pointer
    steps = 1
    while steps < num_nodes:
        far, steps = far[far], 2 * steps
    on_cycle = np.zeros(num_nodes + 1, dtype=np.bool_)
    on_cycle[far] = (
        True  # nodes that are at least num_nodes steps above another lie on a cycle, or are the sink
    )
    while not np.array_equal(on_cycle, on_cycle | _image(on_cycle, pointer)):
        on_cycle |= _image(on_cycle, pointer)
    return on_cycle[:-1]


def _image(chosen: BoolArray, pointer: IntArray) -> BoolArray:
    image = np.zeros_like(chosen)
    image[pointer[chosen]] = True
    return image


def _groups(parent: IntArray, on_cycle: BoolArray) -> IntArray:
    """Return a number from 0 for each node, the same along a cycle and its own for any other node."""
    group = np.arange(parent.size)
    for node in np.flatnonzero(on_cycle).tolist():
        if group[node] != node:
            continue
        at = int(parent[node])
        while at != node:
            group[at] = node
            at = int(parent[at])
    numbers: IntArray = np.unique(group, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return numbers
