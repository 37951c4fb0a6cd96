"""Many clusters, one after the other; each has its own best root, trees and prices."""

import numpy as np

from solvers.clusters.loops.search import search
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled


@compiled
def solve_clusters(
    num_nodes: int,
    up: FloatArray,
    back: FloatArray,
    trips: FloatArray,
    constant: FloatArray,
    free_pieces: FloatArray,
    capped_pieces: FloatArray,
    pair: IntArray,
    payload: IntArray,
    flow: IntArray,
    transfer: IntArray,
    root: IntArray,
    back_pair: IntArray,
    back_payload: IntArray,
    back_flow: IntArray,
    back_transfer: IntArray,
    back_root: IntArray,
    back_first: IntArray,
    gap: float,
    max_turns: int,
    chosen: IntArray,
    bound: FloatArray,
    allocation: FloatArray,
) -> None:
    """Write trees, bound and allocations of all clusters of a batch.

    Costs are per gather: ``trips`` (M,) is how many ways back there are for each, ``constant`` (M, N) what a
    root costs besides, infinite for no candidate.  ``chosen`` (M, 2) becomes the trees up and back, -1 for
    none; ``allocation`` (M, 2, 3 N) those of the two ways, as ``search`` writes them.
    """
    n = num_nodes
    most = max(root.size, back_root.size)
    lower, alive = np.empty(most), np.empty(most, np.int64)
    kinds = max(pair.size, back_pair.size)
    table, made, work = np.empty(kinds), np.empty(kinds, np.int64), np.empty(n * n + 11 * n)
    alpha, out = np.zeros(n), np.zeros(3 * n)
    ways, ways_out = np.empty(n, np.int64), np.empty((n, 3 * n))
    value_of, bound_of, nothing = np.empty(n), np.empty(n), np.zeros(n)
    for m in range(up.shape[0]):
        for r in range(n):
            value_of[r] = bound_of[r] = constant[m, r]
            ways[r] = -1
        if trips[m] > 0.0:
            mu = 0.0
            for r in range(n):
                if constant[m, r] == np.inf:
                    continue
                value, which, least, price = search(
                    n, back[m], free_pieces, capped_pieces,
                    back_pair, back_payload, back_flow, back_transfer, back_root,
                    back_first[r], back_first[r + 1], nothing, nothing, gap, max_turns, alpha, mu,
                    lower, alive, table, made, work, out,
                )  # fmt: skip
                ways[r] = which
                ways_out[r] = out
                value_of[r] += trips[m] * value
                bound_of[r] += trips[m] * least
                mu = price if which >= 0 else 0.0
        _, which, least, _ = search(
            n, up[m], free_pieces, capped_pieces, pair, payload, flow, transfer, root,
            0, root.size, value_of, bound_of, gap, max_turns, alpha, 0.0,
            lower, alive, table, made, work, out,
        )  # fmt: skip
        bound[m] = least
        chosen[m, 0] = which
        chosen[m, 1] = -1
        allocation[m, 0] = out
        if which >= 0:
            chosen[m, 1] = ways[root[which]]
            allocation[m, 1] = ways_out[root[which]]
