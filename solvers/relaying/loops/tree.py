"""A tree whose clock and price are kept exact while single nodes change their parents; compiled.

Every node keeps when it has everything below it. A node that moves changes this along the way to the root,
and no further up than it makes a difference.
"""

from typing import NamedTuple

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.compiled import compiled

LINK, PARENT, FIRST, NEXT, BEFORE, IN_SERIES, IS_RELAY = 0, 1, 2, 3, 4, 5, 6
"""Columns of ``Tree.node_i``: link and parent, -1 for none; first child; next and previous child of the same
parent; whether the node receives in series; whether a tree need not use it."""
HAS_S, READY_S, BUSY_S, PRICE, BITS, SEND_PRICE, HEAR_PRICE = 0, 1, 2, 3, 4, 5, 6
"""Columns of ``Tree.node_f``: when it has everything below it; when its own items are ready; how long its
sending takes; what its sending (its broadcast) costs; its payload; price of a second of its broadcast, and of
hearing one."""
DELAY_S, S_PER_BIT, SECOND_PRICE = 0, 1, 2
"""Columns of ``Tree.link_f``."""
ROOT, BROADCAST, NUM_LOGGED, NUM_MOVES, ROOT_CHILDREN = 0, 1, 2, 3, 4
"""Places of ``Tree.size``."""
TOTAL, SAVED, FIXED_BITS = 0, 1, 2
"""Places of ``Tree.total``: price of all sendings, now and before the move that may be undone."""
MOST_MOVES = 32
"""Changes of parents in one move."""


class Tree(NamedTuple):
    """A tree in arrays, with the memory of one move.

    Parameters
    ----------
    node_i : (N, 7) int
    node_f : (N, 7) float
    link_parent : (L,) int
    link_f : (L, 3) float
    holds : (N, M) int
        1 where a node has an item of its own.
    bringers : (N, M) int
        How many children's sendings bring an item, and the node itself.
    item_bits : (M,) float
    moving : (M,) bool
        Room for the items that come or go.
    served : (N, 2) float
        Room for the children of a node, by rising readiness.
    stack : (N,) int
        Room for walks.
    logged : (32 * (4 * N + 8),) int
        Room for ``MOST_MOVES`` changes of parents, each of which changes 4 N + 1 clocks at most.
    logged_f : (32 * (4 * N + 8), 4) float
        What the first columns of ``node_f`` (but readiness) were before.
    moved : (32, 2) int
        Nodes that moved, and the links that they had.
    size : (5,) int
    total : (3,) float
    """

    node_i: IntArray
    node_f: FloatArray
    link_parent: IntArray
    link_f: FloatArray
    holds: IntArray
    bringers: IntArray
    item_bits: FloatArray
    moving: BoolArray
    served: FloatArray
    stack: IntArray
    logged: IntArray
    logged_f: FloatArray
    moved: IntArray
    size: IntArray
    total: FloatArray


@compiled
def complete_s(t: Tree, node: int, without: int) -> float:
    """Return when a node has everything below it but for the child ``without`` (-1: with all)."""
    last = t.node_f[node, READY_S]
    child = t.node_i[node, FIRST]
    if t.size[BROADCAST] == 1:
        slowest, tail = 0.0, 0.0
        while child >= 0:
            if child != without:
                slowest = max(slowest, t.node_f[child, BUSY_S])
                tail = max(tail, t.node_f[child, HAS_S])
            child = t.node_i[child, NEXT]
        return slowest + tail
    if t.node_i[node, IN_SERIES] == 0:
        while child >= 0:
            if child != without:
                last = max(last, t.node_f[child, HAS_S] + t.node_f[child, BUSY_S])
            child = t.node_i[child, NEXT]
        return last
    num = 0
    while child >= 0:
        if child != without:
            key, place = t.node_f[child, HAS_S], num
            while place > 0 and t.served[place - 1, 0] > key:
                t.served[place, 0] = t.served[place - 1, 0]
                t.served[place, 1] = t.served[place - 1, 1]
                place -= 1
            t.served[place, 0], t.served[place, 1] = key, t.node_f[child, BUSY_S]
            num += 1
        child = t.node_i[child, NEXT]
    free = 0.0
    for place in range(num):
        free = max(free, t.served[place, 0]) + t.served[place, 1]
    return max(last, free)


@compiled
def begin(t: Tree) -> None:
    """Forget the last move: what follows can be undone."""
    t.size[NUM_LOGGED] = 0
    t.size[NUM_MOVES] = 0
    t.total[SAVED] = t.total[TOTAL]


@compiled
def relink(t: Tree, node: int, link: int) -> None:
    """Let a node send over another link, or over none (-1); its new parent must not be below it."""
    old = t.node_i[node, LINK]
    t.moved[t.size[NUM_MOVES], 0], t.moved[t.size[NUM_MOVES], 1] = node, old
    t.size[NUM_MOVES] += 1
    if old >= 0:
        above = t.node_i[node, PARENT]
        _leave(t, node)
        _renew(t, above, _carry(t, above, node, -1))
    _log(t, node)
    if link >= 0:
        _join(t, node, link)
        _send(t, node)
        above = t.node_i[node, PARENT]
        _renew(t, above, _carry(t, above, node, 1))
    else:
        t.total[TOTAL] -= t.node_f[node, PRICE]
        t.node_f[node, PRICE] = 0.0
        t.node_f[node, BUSY_S] = 0.0


@compiled
def undo(t: Tree) -> None:
    """Take back everything since :func:`begin`."""
    for turn in range(t.size[NUM_MOVES] - 1, -1, -1):
        node, old = t.moved[turn, 0], t.moved[turn, 1]
        if t.node_i[node, LINK] >= 0:
            above = t.node_i[node, PARENT]
            _leave(t, node)
            _carry(t, above, node, -1)
        if old >= 0:
            _join(t, node, old)
            _carry(t, t.node_i[node, PARENT], node, 1)
    for turn in range(t.size[NUM_LOGGED] - 1, -1, -1):
        node = t.logged[turn]
        t.node_f[node, HAS_S] = t.logged_f[turn, 0]
        t.node_f[node, BUSY_S] = t.logged_f[turn, 1]
        t.node_f[node, PRICE] = t.logged_f[turn, 2]
        t.node_f[node, BITS] = t.logged_f[turn, 3]
    t.total[TOTAL] = t.total[SAVED]
    begin(t)


@compiled
def rebuild(t: Tree, link: IntArray) -> None:
    """Set the tree from the link of each node, (N,); -1 for the root and for nodes that it does not use."""
    num_nodes = link.size
    for node in range(num_nodes):
        t.node_i[node, LINK], t.node_i[node, PARENT] = -1, -1
        t.node_i[node, FIRST], t.node_i[node, NEXT], t.node_i[node, BEFORE] = -1, -1, -1
        t.node_f[node, PRICE], t.node_f[node, BUSY_S] = 0.0, 0.0
        t.node_f[node, HAS_S] = t.node_f[node, READY_S]
        for item in range(t.item_bits.size):
            t.bringers[node, item] = t.holds[node, item]
        _weigh(t, node)
    t.size[ROOT_CHILDREN] = 0
    for node in range(num_nodes):
        if link[node] >= 0:
            _join(t, node, link[node])
    t.total[TOTAL] = 0.0
    length, at = 1, 0
    t.stack[0] = t.size[ROOT]
    while at < length:
        child = t.node_i[t.stack[at], FIRST]
        while child >= 0:
            t.stack[length] = child
            length += 1
            child = t.node_i[child, NEXT]
        at += 1
    for place in range(length - 1, -1, -1):
        node = t.stack[place]
        for item in range(t.item_bits.size):
            t.bringers[node, item] = t.holds[node, item]
            child = t.node_i[node, FIRST]
            while child >= 0:
                t.bringers[node, item] += t.bringers[child, item] > 0
                child = t.node_i[child, NEXT]
        _weigh(t, node)
        t.node_f[node, HAS_S] = complete_s(t, node, -1)
        _serve(t, node)
        if place > 0:
            _send(t, node)
    begin(t)


@compiled
def depth_below(t: Tree, node: int, top: int) -> int:
    """Return the hops of a node below the root; -1 if it is ``top`` or below it, -2 if not in the tree."""
    hops, at, root = 0, node, t.size[ROOT]
    while at != root:
        if at == top:
            return -1
        at = t.node_i[at, PARENT]
        hops += 1
        if at < 0:
            return -2
    return hops


@compiled
def height_of(t: Tree, top: int) -> int:
    """Return the most hops from a node below ``top`` up to it."""
    highest, hops, at = 0, 0, top
    while True:
        if t.node_i[at, FIRST] >= 0:
            at = t.node_i[at, FIRST]
            hops += 1
            highest = max(highest, hops)
            continue
        while at != top and t.node_i[at, NEXT] < 0:
            at = t.node_i[at, PARENT]
            hops -= 1
        if at == top:
            return highest
        at = t.node_i[at, NEXT]


@compiled
def _leave(t: Tree, node: int) -> None:
    above, before, after = t.node_i[node, PARENT], t.node_i[node, BEFORE], t.node_i[node, NEXT]
    if before >= 0:
        t.node_i[before, NEXT] = after
    else:
        t.node_i[above, FIRST] = after
    if after >= 0:
        t.node_i[after, BEFORE] = before
    t.size[ROOT_CHILDREN] -= above == t.size[ROOT]
    t.node_i[node, LINK], t.node_i[node, PARENT] = -1, -1
    t.node_i[node, BEFORE], t.node_i[node, NEXT] = -1, -1


@compiled
def _join(t: Tree, node: int, link: int) -> None:
    above = t.link_parent[link]
    first = t.node_i[above, FIRST]
    t.node_i[node, LINK], t.node_i[node, PARENT] = link, above
    t.node_i[node, BEFORE], t.node_i[node, NEXT] = -1, first
    if first >= 0:
        t.node_i[first, BEFORE] = node
    t.node_i[above, FIRST] = node
    t.size[ROOT_CHILDREN] += above == t.size[ROOT]


@compiled
def _carry(t: Tree, above: int, node: int, sign: int) -> int:
    """Count what a node brings, or no longer brings; return how many nodes from ``above`` up see a change."""
    if t.item_bits.size == 0:
        return 0
    left = 0
    for item in range(t.item_bits.size):
        t.moving[item] = t.bringers[node, item] > 0
        left += t.moving[item]
    changed, at = 0, above
    while left > 0 and at >= 0:
        for item in range(t.item_bits.size):
            if t.moving[item]:
                t.bringers[at, item] += sign
                if t.bringers[at, item] != (sign + 1) // 2:  # it has, or had, the item from elsewhere
                    t.moving[item] = False
                    left -= 1
        changed += left > 0
        at = t.node_i[at, PARENT]
    return changed


@compiled
def _renew(t: Tree, above: int, changed: int) -> None:
    """Set clocks and prices anew from a node up, whose children or first ``changed`` payloads are others."""
    at = above
    for _ in range(changed):
        _log(t, at)
        _weigh(t, at)
        if t.node_i[at, LINK] >= 0:
            _send(t, at)
        at = t.node_i[at, PARENT]
    at, steps = above, 0
    while at >= 0:
        has_s = complete_s(t, at, -1)
        if steps == 0 and t.size[BROADCAST] == 1:
            _log(t, at)
            _serve(t, at)
        elif has_s == t.node_f[at, HAS_S]:
            if steps >= changed:
                return
        else:
            _log(t, at)
        t.node_f[at, HAS_S] = has_s
        at = t.node_i[at, PARENT]
        steps += 1


@compiled
def _weigh(t: Tree, node: int) -> None:
    """Set a node's payload from the items that are below it."""
    bits = t.total[FIXED_BITS]
    for item in range(t.item_bits.size):
        if t.bringers[node, item] > 0:
            bits += t.item_bits[item]
    t.node_f[node, BITS] = bits


@compiled
def _send(t: Tree, node: int) -> None:
    """Set the seconds and the price of a node's sending."""
    link = t.node_i[node, LINK]
    busy_s = t.link_f[link, DELAY_S] + t.node_f[node, BITS] * t.link_f[link, S_PER_BIT]
    t.node_f[node, BUSY_S] = busy_s
    if t.size[BROADCAST] == 0:
        price = t.link_f[link, SECOND_PRICE] * busy_s
        t.total[TOTAL] += price - t.node_f[node, PRICE]
        t.node_f[node, PRICE] = price


@compiled
def _serve(t: Tree, node: int) -> None:
    """Set the price of a node's broadcast."""
    if t.size[BROADCAST] == 0:
        return
    child, slowest, per_s = t.node_i[node, FIRST], 0.0, 0.0
    if child >= 0:
        per_s = t.node_f[node, SEND_PRICE]
    while child >= 0:
        slowest = max(slowest, t.node_f[child, BUSY_S])
        per_s += t.node_f[child, HEAR_PRICE]
        child = t.node_i[child, NEXT]
    price = per_s * slowest
    t.total[TOTAL] += price - t.node_f[node, PRICE]
    t.node_f[node, PRICE] = price


@compiled
def _log(t: Tree, node: int) -> None:
    turn = t.size[NUM_LOGGED]
    t.logged[turn] = node
    t.logged_f[turn, 0] = t.node_f[node, HAS_S]
    t.logged_f[turn, 1] = t.node_f[node, BUSY_S]
    t.logged_f[turn, 2] = t.node_f[node, PRICE]
    t.logged_f[turn, 3] = t.node_f[node, BITS]
    t.size[NUM_LOGGED] += 1
