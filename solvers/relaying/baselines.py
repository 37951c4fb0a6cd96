"""The trees that one would write down without a solver, each at its best root.

Every baseline makes a gather tree and a return tree for a root; the roots are tried by rising lower bound
until no further root can do better than the best plan found.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.options import Options
from solvers.relaying.bounds import least_link_costs, root_bounds
from solvers.relaying.evaluate import evaluate, violations
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.prune import pruned
from solvers.relaying.reach import shortest_paths_to, usable_links
from solvers.relaying.sparse_arborescence import minimum_arborescence as sparse_arborescence

_TreeMaker = Callable[[RelayingProblem, int, bool], IntArray | None]

_MAX_ROOTS = 50
"""Roots that a baseline tries at most."""


def shortest_paths(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the fastest path of each node to the root, priced with the union as payload."""
    del options
    return _best_root(problem, _shortest_path_tree)


def minimum_spanning_tree(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the spanning tree of least min(latency, reverse latency), directed to the root."""
    del options
    return _best_root(problem, _spanning_tree)


def star(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the tree in which every node is a child of the root."""
    del options
    return _best_root(problem, _star_tree)


def minimum_arborescence(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the trees of least energy, priced with each node's own items as payload."""
    del options
    return _best_root(problem, _cheapest_tree)


def best_baseline(problem: RelayingProblem, options: Options) -> Outcome:
    """Return the best plan of all baselines."""
    outcomes = [
        method(problem, options)
        for method in (shortest_paths, minimum_arborescence, minimum_spanning_tree, star)
    ]
    return min(outcomes, key=lambda outcome: outcome.plan.objective if outcome.plan else np.inf)


def _best_root(problem: RelayingProblem, make_tree: _TreeMaker) -> Outcome:
    bounds = root_bounds(problem)
    best = Outcome(bound=float(bounds.min()), explanation="no root has such a tree within the limits")
    for k in np.argsort(bounds, kind="stable")[:_MAX_ROOTS].tolist():
        if best.plan is not None and bounds[k] >= best.plan.objective:
            break
        root = int(problem.roots[k])
        parent = make_tree(problem, root, False)
        return_parent = make_tree(problem, root, True) if problem.has_return else None
        if parent is None or (problem.has_return and return_parent is None):
            continue
        if return_parent is not None:
            return_parent = pruned(problem, return_parent)
        plan = evaluate(problem, root, pruned(problem, parent), return_parent)
        if violations(problem, plan):
            continue
        if best.plan is None or plan.objective < best.plan.objective:
            best = Outcome(plan=plan, bound=best.bound)
    return best


def _shortest_path_tree(problem: RelayingProblem, root: int, back: bool) -> IntArray | None:
    distance, parent = shortest_paths_to(problem, root, _union_seconds(problem, back), back=back)
    return parent if np.isfinite(distance[problem.members]).all() else None


def _star_tree(problem: RelayingProblem, root: int, back: bool) -> IntArray | None:
    _, child, parent = usable_links(problem, root, back=back)
    tree = np.full(problem.num_nodes, -1)
    tree[child[(parent == root) & problem.members[child]]] = root
    return tree if _is_complete(problem, root, tree) else None


def _cheapest_tree(problem: RelayingProblem, root: int, back: bool) -> IntArray | None:
    _, joules = least_link_costs(problem, back=back)
    connected = _within_reach(problem, root, back)
    links, child, parent = usable_links(problem, root, back=back)
    kept = connected[child] & connected[parent]
    links, child, parent = links[kept], child[kept], parent[kept]
    top = np.flatnonzero(~connected)  # nodes outside the tree hang on the root for nothing
    child, parent = np.concatenate([child, top]), np.concatenate([parent, np.full(top.size, root)])
    cost = np.concatenate([joules[links], np.zeros(top.size)])
    tree = sparse_arborescence(problem.num_nodes, child, parent, cost, root)
    if tree is None:
        return None
    used = np.where(connected, tree.link, -1)
    return np.where(used >= 0, np.append(parent, -1)[used], -1)


def _within_reach(problem: RelayingProblem, root: int, back: bool) -> BoolArray:
    """Return the root, the members, and the relays that have a path to the root."""
    num_links = problem.return_link_source.size if back else problem.link_source.size
    hops, _ = shortest_paths_to(problem, root, np.ones(num_links), back=back)
    connected: BoolArray = problem.members | (problem.relays & np.isfinite(hops))
    connected[root] = True
    return connected


def _spanning_tree(problem: RelayingProblem, root: int, back: bool) -> IntArray | None:
    links, child, parent = usable_links(problem, root, back=back)
    if links.size == 0:
        return None if (np.flatnonzero(problem.members) != root).any() else np.full(problem.num_nodes, -1)
    seconds, num_nodes = _union_seconds(problem, back)[links], problem.num_nodes
    low, high = np.minimum(child, parent), np.maximum(child, parent)
    pair, of_link = np.unique(low * num_nodes + high, return_inverse=True)
    either = np.full(pair.size, np.inf)
    np.minimum.at(either, of_link, seconds)
    # only the order of the seconds decides; counted from 1, as 0 would be no link
    rank = 1.0 + np.unique(either, return_inverse=True)[1]
    ways = sparse.csr_array((rank, (pair // num_nodes, pair % num_nodes)), shape=(num_nodes, num_nodes))
    _, before = csgraph.breadth_first_order(csgraph.minimum_spanning_tree(ways), root, directed=False)
    tree = np.where(before < 0, -1, before).astype(np.int64)
    nodes = np.flatnonzero(tree >= 0)
    exists = np.isin(nodes * num_nodes + tree[nodes], child * num_nodes + parent).all()
    return tree if exists and _is_complete(problem, root, tree) else None


def _is_complete(problem: RelayingProblem, root: int, tree: IntArray) -> bool:
    needed = problem.members.copy()
    needed[root] = False
    return bool((tree[needed] >= 0).all())


def _union_seconds(problem: RelayingProblem, back: bool) -> FloatArray:
    if back:
        return problem.return_link_delay_s + problem.union_bits / problem.return_link_rate_bps
    return problem.link_delay_s + problem.union_bits / problem.link_rate_bps
