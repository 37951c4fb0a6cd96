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
from solvers.relaying.arborescence import minimum_arborescence_to
from solvers.relaying.bounds import energy_matrix, root_bounds
from solvers.relaying.evaluate import evaluate, violations
from solvers.relaying.outcome import Outcome
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.prune import pruned
from solvers.relaying.reach import shortest_paths_to, usable_links

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
    connected = _within_reach(problem, root, back)
    nodes = np.flatnonzero(connected)
    cost = energy_matrix(problem, root, back=back)[np.ix_(nodes, nodes)]
    parent = minimum_arborescence_to(cost, int(np.searchsorted(nodes, root)))
    if parent is None:
        return None
    tree = np.full(problem.num_nodes, -1)
    tree[nodes] = np.where(parent < 0, -1, nodes[parent])
    return tree


def _within_reach(problem: RelayingProblem, root: int, back: bool) -> BoolArray:
    """Return the root, the members, and the relays that have a path to the root."""
    num_links = problem.return_link_source.size if back else problem.link_source.size
    hops, _ = shortest_paths_to(problem, root, np.ones(num_links), back=back)
    connected: BoolArray = problem.members | (problem.relays & np.isfinite(hops))
    connected[root] = True
    return connected


def _spanning_tree(problem: RelayingProblem, root: int, back: bool) -> IntArray | None:
    links, child, parent = usable_links(problem, root, back=back)
    seconds = _union_seconds(problem, back)[links]
    dense = np.full((problem.num_nodes, problem.num_nodes), np.inf)
    dense[child, parent] = seconds
    either = np.triu(np.minimum(dense, dense.T))
    row, column = np.nonzero(np.isfinite(either) & ~np.tri(problem.num_nodes, dtype=np.bool_))
    # only the order of the seconds decides; counted from 1, as 0 would be no link
    rank = 1.0 + np.unique(either[row, column], return_inverse=True)[1]
    spanning = csgraph.minimum_spanning_tree(sparse.csr_matrix((rank, (row, column)), shape=dense.shape))
    _, before = csgraph.breadth_first_order(spanning, root, directed=False)
    tree = np.where(before < 0, -1, before).astype(np.int64)
    nodes = np.flatnonzero(tree >= 0)
    exists = np.isfinite(dense[nodes, tree[nodes]]).all()
    return tree if exists and _is_complete(problem, root, tree) else None


def _is_complete(problem: RelayingProblem, root: int, tree: IntArray) -> bool:
    needed = problem.members.copy()
    needed[root] = False
    return bool((tree[needed] >= 0).all())


def _union_seconds(problem: RelayingProblem, back: bool) -> FloatArray:
    if back:
        return problem.return_link_delay_s + problem.union_bits / problem.return_link_rate_bps
    return problem.link_delay_s + problem.union_bits / problem.link_rate_bps
