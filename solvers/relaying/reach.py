"""Whether every member can reach a root at all, and how far each root is: shortest paths over the links."""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from solvers.common.arrays import FloatArray, IntArray
from solvers.relaying.problem import RelayingProblem


def usable_links(problem: RelayingProblem, root: int, *, back: bool) -> tuple[IntArray, IntArray, IntArray]:
    """Return (links, child, parent) of the links that a tree of ``root`` may use.

    A child must be a member or a relay other than the root; a parent may be the root as well.
    """
    source, target = problem.link_source, problem.link_target
    if back:
        source, target = problem.return_link_target, problem.return_link_source
    connects = problem.members | problem.relays
    usable = connects[source] & (source != root) & (connects[target] | (target == root))
    links = np.flatnonzero(usable)
    return links, source[links], target[links]


def shortest_paths_to(
    problem: RelayingProblem, root: int, weight: FloatArray, *, back: bool
) -> tuple[FloatArray, IntArray]:
    """Return the least sum of ``weight`` (L,) on a path of each node to ``root``, (N,), and parents, (N,).

    The sum is inf and the parent -1 where there is no path; the root's parent is -1. On the way back, paths
    run from the root.
    """
    links, child, parent = usable_links(problem, root, back=back)
    shape = (problem.num_nodes, problem.num_nodes)
    graph = sparse.csr_matrix((weight[links], (parent, child)), shape=shape)
    distance, before = csgraph.dijkstra(graph, indices=np.array([root]), return_predecessors=True)
    return distance[0], np.where(before[0] < 0, -1, before[0]).astype(np.int64)


def path_seconds(
    num_nodes: int, source: IntArray, target: IntArray, seconds: FloatArray, start: int
) -> FloatArray:
    """Return the least sum of ``seconds`` (L,) on a path from ``start`` to each node, (N,); ``inf``: none."""
    graph = sparse.csr_matrix((seconds, (source, target)), shape=(num_nodes, num_nodes))
    distance, _ = csgraph.dijkstra(graph, indices=np.array([start]), return_predecessors=True)
    least: FloatArray = distance[0].astype(np.float64)
    return least


def why_no_root(problem: RelayingProblem) -> str:
    """Return why no candidate root can serve all members, or nothing if one can as far as paths tell."""
    reason = ""
    for root in problem.roots.tolist():
        reason = reason or _why_not(problem, root)
        if not _why_not(problem, root):
            return ""
    return reason


def _why_not(problem: RelayingProblem, root: int) -> str:
    ways = {"to": False, "from": True} if problem.has_return else {"to": False}
    for word, back in ways.items():
        num_links = problem.return_link_source.size if back else problem.link_source.size
        hops, _ = shortest_paths_to(problem, root, np.ones(num_links), back=back)
        lost = np.flatnonzero(problem.members & ~np.isfinite(hops))
        if lost.size:
            return f"node {lost[0]} has no path {word} root {root}"
        if problem.max_hops is not None:
            far = np.flatnonzero(problem.members & (hops > problem.max_hops))
            if far.size:
                least = int(hops[far[0]])
                return f"node {far[0]} is {least} hops {word} root {root}, max_hops is {problem.max_hops}"
    return ""
