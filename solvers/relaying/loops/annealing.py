"""One block of simulated annealing over the parents of a tree; compiled."""

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.compiled import compiled
from solvers.relaying.loops.tree import (
    BITS,
    BROADCAST,
    DELAY_S,
    FIRST,
    HAS_S,
    IS_RELAY,
    LINK,
    MOST_MOVES,
    NEXT,
    NUM_MOVES,
    PARENT,
    PRICE,
    ROOT,
    ROOT_CHILDREN,
    S_PER_BIT,
    SECOND_PRICE,
    TOTAL,
    Tree,
    begin,
    complete_s,
    depth_below,
    height_of,
    relink,
    undo,
)


@compiled
def anneal(
    t: Tree,
    senders: IntArray,
    start: IntArray,
    link: IntArray,
    time_price: float,
    child_price: float,
    max_root_children: int,
    max_hops: int,
    draw: FloatArray,
    threshold: FloatArray,
    best: IntArray,
    best_value: FloatArray,
) -> None:
    """Try one move for each column of ``draw``; keep those that cost no more than the threshold.

    Parameters
    ----------
    t : Tree
        Changed in place.
    senders : (S,) int
        Nodes that may move.
    start : (N + 1,) int
    link : (C,) int
        Links that a node may take, ``link[start[n]:start[n + 1]]``, the likely ones first.
    time_price : float
        Objective per second of makespan.
    child_price : float
        Objective per child that the root has too many.
    max_root_children, max_hops : int
        Limits; that on hops is kept by every move.
    draw : (4, B) float
        Uniform numbers in [0, 1) that choose.
    threshold : (B,) float
        By how much each move may raise the objective: temperature times an exponential number.
    best : (N,) int
        Links of the best tree so far, changed in place.
    best_value : (2,) float
        Objective and excess of the root's children of that tree, changed in place.
    """
    root, since = t.size[ROOT], 0
    value = t.total[TOTAL] + time_price * t.node_f[root, HAS_S]
    is_limited = min(max_root_children, max_hops) < t.node_i.shape[0]
    for turn in range(threshold.size):
        node = senders[int(draw[0, turn] * senders.size)]
        num = start[node + 1] - start[node]
        if num == 0 or t.node_i[node, LINK] < 0:
            continue
        new = link[start[node] + int(draw[1, turn] * draw[1, turn] * num)]
        if new == t.node_i[node, LINK]:
            continue
        depth = depth_below(t, t.link_parent[new], node)
        exchanges = is_limited and draw[2, turn] < 0.5 and _is_grandparent(t, node, t.link_parent[new])
        if depth >= 0 and not exchanges and _is_hopeless(t, node, new, threshold[turn]):
            continue
        children = t.size[ROOT_CHILDREN]
        begin(t)
        if exchanges:
            done = _exchange(t, node, new, start, link, draw[3, turn])
        else:
            done = _change(t, node, new, depth, start, link, draw[2, turn], draw[3, turn])
        if not done:
            undo(t)
            continue
        if t.size[ROOT_CHILDREN] > max_root_children and t.size[ROOT_CHILDREN] > children:
            _make_room(t, node, start, link, (8.0 * draw[2, turn]) % 1.0, draw[3, turn])
        _drop_idle(t)
        after = t.total[TOTAL] + time_price * t.node_f[root, HAS_S]
        excess = max(t.size[ROOT_CHILDREN] - max_root_children, 0)
        excess_before = max(children - max_root_children, 0)
        change = after - value + child_price * (excess - excess_before)
        if change > threshold[turn] or not _keeps_hops(t, max_hops):
            undo(t)
            continue
        value = after
        since += 1
        if excess < best_value[1] or (
            excess == best_value[1] and value < best_value[0] and since > best.size // 8
        ):
            since = 0
            best_value[0], best_value[1] = value, excess
            for at in range(best.size):
                best[at] = t.node_i[at, LINK]


@compiled
def _is_hopeless(t: Tree, node: int, new: int, threshold: float) -> bool:
    """Return whether the move costs more than allowed because the clock cannot gain from it.

    Where payloads are all the same and sendings have their own price, and the parent has everything as late
    without the node, nothing above ends earlier.
    """
    if t.item_bits.size > 0 or t.size[BROADCAST] == 1:
        return False
    busy_s = t.link_f[new, DELAY_S] + t.node_f[node, BITS] * t.link_f[new, S_PER_BIT]
    if t.link_f[new, SECOND_PRICE] * busy_s - t.node_f[node, PRICE] <= threshold:
        return False
    above = t.node_i[node, PARENT]
    if t.node_i[above, IS_RELAY] == 1:
        return False
    return complete_s(t, above, node) == t.node_f[above, HAS_S]


@compiled
def _change(
    t: Tree, node: int, new: int, depth: int, start: IntArray, link: IntArray, first: float, second: float
) -> bool:
    """Give a node another link; what is in the way moves as well. Return whether that led to a tree."""
    target = t.link_parent[new]
    if depth == -1:  # the new parent is below: one on the way down to it must leave first
        leaver = target
        if first < 0.5:
            while t.node_i[leaver, PARENT] != node:
                leaver = t.node_i[leaver, PARENT]
        if not _leave_for_another(t, leaver, node, start, link, second):
            return False
    elif depth == -2 and not _leave_for_another(t, target, node, start, link, second):
        return False
    relink(t, node, new)
    return True


@compiled
def _is_grandparent(t: Tree, node: int, target: int) -> bool:
    above = t.node_i[node, PARENT]
    return above != t.size[ROOT] and t.node_i[above, PARENT] == target


@compiled
def _exchange(t: Tree, node: int, new: int, start: IntArray, link: IntArray, draw: float) -> bool:
    """Let a node take its parent's place: the parent and its other children send to the node if they can.

    Under limits on hops and on the root's children, trees may differ in nothing less.
    """
    above, num = t.node_i[node, PARENT], 0
    child = t.node_i[above, FIRST]
    while child >= 0:
        num += 1
        child = t.node_i[child, NEXT]
    if num > MOST_MOVES - 3:  # with the parent, and one that makes room
        return False
    relink(t, node, new)
    child = t.node_i[above, FIRST]
    while child >= 0:
        after = t.node_i[child, NEXT]
        if not _send_to(t, child, node, start, link) and not _leave_for_another(
            t, child, child, start, link, draw
        ):
            return False
        child = after
    if t.node_i[above, IS_RELAY] == 1 or _send_to(t, above, node, start, link):
        return True
    return _leave_for_another(t, above, above, start, link, draw)


@compiled
def _send_to(t: Tree, node: int, target: int, start: IntArray, link: IntArray) -> bool:
    """Send a node to a parent that is not below it; return whether there is a link."""
    for place in range(start[node], start[node + 1]):
        if t.link_parent[link[place]] == target:
            relink(t, node, link[place])
            return True
    return False


@compiled
def _leave_for_another(t: Tree, leaver: int, top: int, start: IntArray, link: IntArray, draw: float) -> bool:
    """Send a node to a parent in the tree, not below ``top`` or itself; return whether one is found."""
    num = start[leaver + 1] - start[leaver]
    offset = int(draw * draw * num)
    for turn in range(num):
        other = link[start[leaver] + (offset + turn) % num]
        target = t.link_parent[other]
        if target == t.node_i[leaver, PARENT]:
            continue
        if depth_below(t, target, top) >= 0 and depth_below(t, target, leaver) >= 0:
            relink(t, leaver, other)
            return True
    return False


@compiled
def _make_room(t: Tree, node: int, start: IntArray, link: IntArray, first: float, second: float) -> None:
    """Send a child of the root other than ``node`` elsewhere."""
    skip, child = int(first * (t.size[ROOT_CHILDREN] - 1)), t.node_i[t.size[ROOT], FIRST]
    while child >= 0:
        if child != node:
            if skip == 0:
                break
            skip -= 1
        child = t.node_i[child, NEXT]
    if child >= 0:
        _leave_for_another(t, child, child, start, link, second)


@compiled
def _drop_idle(t: Tree) -> None:
    """Take relays that lost their last child out of the tree."""
    turn = 0
    while turn < t.size[NUM_MOVES] and t.size[NUM_MOVES] < MOST_MOVES:
        old = t.moved[turn, 1]
        turn += 1
        if old < 0:
            continue
        above = t.link_parent[old]
        if t.node_i[above, IS_RELAY] == 1 and t.node_i[above, FIRST] < 0 and t.node_i[above, LINK] >= 0:
            relink(t, above, -1)


@compiled
def _keeps_hops(t: Tree, max_hops: int) -> bool:
    if max_hops > t.node_i.shape[0]:
        return True
    for turn in range(t.size[NUM_MOVES]):
        node = t.moved[turn, 0]
        if t.node_i[node, LINK] < 0:
            continue
        if depth_below(t, node, -1) + height_of(t, node) > max_hops:
            return False
    return True


@compiled
def choose_links(start: IntArray, score: FloatArray, most: int, chosen: IntArray) -> None:
    """Mark the ``most`` links of least score of each child, (L,) in ``chosen``, with the rank plus one."""
    least = np.empty(most, dtype=np.int64)
    for node in range(start.size - 1):
        num = 0
        for link in range(start[node], start[node + 1]):
            if num == most and score[link] >= score[least[num - 1]]:
                continue
            place = min(num, most - 1)
            while place > 0 and score[least[place - 1]] > score[link]:
                least[place] = least[place - 1]
                place -= 1
            least[place] = link
            num = min(num + 1, most)
        for place in range(num):
            if chosen[least[place]] == 0 or chosen[least[place]] > place + 1:
                chosen[least[place]] = place + 1
