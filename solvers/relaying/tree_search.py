"""Search for a good tree of one phase: grown between the cheapest and the fastest, then annealed."""

import math
import time
from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.relaying.loops import tree as columns
from solvers.relaying.loops.annealing import anneal, choose_links
from solvers.relaying.loops.growing import grow
from solvers.relaying.loops.tree import Tree, rebuild
from solvers.relaying.phase import NO_LIMIT, Phase

LINKS_PER_SCORE = 6
"""Links of each node that are kept by each of the scores of :func:`_likely_links`."""
PULLS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Parts of the price of the makespan at which trees are grown."""
HOTTEST, HOTTER_BELOW_NODES, COLDEST = 0.3, 40, 0.003
"""First and last temperature of a round, in mean prices of a node's likeliest links; small trees, in which
every move is a large part, start hotter: 0.3 + 40 / (20 + nodes)."""
CHILD_PRICE, DEARER, CHEAPER = 1.0, 2.0, 0.7
"""Least price of a child of the root above the limit, in the same unit, and what it is multiplied by after a
block of moves that ends with too many children, and after others: where time alone counts, a child too many
may save several mean prices, and a search that can pay for it never comes back within the limit."""
MOST_HUBS = 24
"""Children of the root below each of which trees are grown where the root may have few."""
MOVES_IN_BLOCK = 20_000
"""Moves between two looks at the clock."""


@dataclass(eq=False)
class TreeSearch:
    """A phase with the best tree found so far.

    Parameters
    ----------
    phase : Phase
    rng : numpy.random.Generator
        Source of all choices.
    """

    phase: Phase
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self._tree = _empty_tree(self.phase)
        self._start, self._link = _likely_links(self.phase)
        self._senders = np.flatnonzero(self.phase.member | self.phase.relay)
        self.links: IntArray = np.full(self.phase.num_nodes, -1)
        self._best = np.array([math.inf, math.inf])

    @property
    def value(self) -> float:
        """Price of the best tree found; ``inf`` if none keeps the limits."""
        return float(self._best[0]) if self._best[1] == 0 else math.inf

    @property
    def parent(self) -> IntArray:
        """Parents in the best tree found, (N,)."""
        if self.links.max(initial=-1) < 0:
            return np.full(self.phase.num_nodes, -1)
        return np.where(self.links >= 0, self.phase.parent[self.links], -1)

    def begin(self) -> None:
        """Grow trees at several prices of the makespan and keep the best."""
        phase = self.phase
        some = np.unique(self._link)
        for kept, limit in (
            (some, True),
            (np.arange(phase.num_links), True),
            (np.arange(phase.num_links), False),
        ):
            for pull in PULLS:
                self.offer(self._grown(kept, pull * phase.time_price, limit=limit))
            if limit and phase.max_root_children < NO_LIMIT:
                self._grow_below_hubs(kept)
            if math.isfinite(self._best[0]):
                return
        fewest_hops = self._grown(np.arange(phase.num_links), math.inf, limit=False)
        self.offer(fewest_hops)

    def _grow_below_hubs(self, kept: IntArray) -> None:
        """Grow trees whose root has other children than the nearest: each likely one, and what it lacks."""
        phase = self.phase
        to_root = phase.parent[kept] == phase.root
        near = kept[to_root][np.argsort(phase.least_s[kept[to_root]], kind="stable")]
        for hub in phase.child[near[:MOST_HUBS]].tolist():
            hubs = _with_others(phase, hub, kept)
            some = kept[~to_root | hubs[phase.child[kept]]]
            for pull in (PULLS[0], PULLS[-1]):
                self.offer(self._grown(some, pull * phase.time_price, limit=True))
            self.offer(self._grown(some, math.inf, limit=True))

    def offer(self, links: IntArray | None) -> None:
        """Take a tree, given by the link of each node, if it is better than the best so far."""
        if links is None:
            return
        links = _without_idle_relays(self.phase, links)
        value = self._value_of(links)
        if tuple(value[::-1]) < tuple(self._best[::-1]):
            self.links, self._best = links, value

    def improve(self, moves: int, until: float) -> None:
        """Run one round of annealing from the best tree; shortened to end at a time of ``perf_counter``."""
        phase, tree = self.phase, self._tree
        if self._senders.size < 2 or not math.isfinite(self._best[0]):
            return
        num_blocks = max(math.ceil(moves / MOVES_IN_BLOCK), 8)
        size = max(moves // num_blocks, 1)
        scale, begun, done, share = self._scale(), time.perf_counter(), 0, 0.0
        hottest = HOTTEST + HOTTER_BELOW_NODES / (20 + self._senders.size)
        now_links, child_price = self.links, CHILD_PRICE
        while share < 1:
            heat = scale * hottest * (COLDEST / hottest) ** share
            draw, wait = self.rng.random((4, size)), self.rng.standard_exponential(size)
            rebuild(tree, now_links)
            anneal(
                tree,
                self._senders,
                self._start,
                self._link,
                phase.time_price,
                child_price * scale,
                phase.max_root_children,
                phase.max_hops,
                draw,
                heat * wait,
                self.links,
                self._best,
            )
            now_links = tree.node_i[:, columns.LINK].copy()
            too_many = tree.size[columns.ROOT_CHILDREN] > phase.max_root_children
            child_price = child_price * DEARER if too_many else max(child_price * CHEAPER, CHILD_PRICE)
            done += 1
            now = time.perf_counter()
            passed = (now - begun) / (until - begun) if now < until else 1.0
            share = max(done / num_blocks, passed)
        self.offer(now_links)
        self._best = self._value_of(self.links)

    def price_of(self, links: IntArray) -> float:
        """Return the price of a tree given by the link of each node; ``inf`` if it breaks a limit."""
        value = self._value_of(links)
        parent = np.where(links >= 0, self.phase.parent[links], -1)
        hops, above = 0, parent
        while np.any(above >= 0) and hops <= self.phase.num_nodes:
            hops, above = hops + 1, np.where(above >= 0, parent[above], -1)
        broken = value[1] > 0 or hops > min(self.phase.max_hops, self.phase.num_nodes)
        return math.inf if broken else float(value[0])

    def _value_of(self, links: IntArray) -> FloatArray:
        """Return the price of a tree and how many children too many its root has, (2,)."""
        rebuild(self._tree, links)
        clock_s = float(self._tree.node_f[self.phase.root, columns.HAS_S])
        children = int(self._tree.size[columns.ROOT_CHILDREN])
        excess = max(children - self.phase.max_root_children, 0)
        return np.array([self._tree.total[columns.TOTAL] + self.phase.time_price * clock_s, excess])

    def _grown(self, kept: IntArray, pull: float, *, limit: bool) -> IntArray | None:
        phase = self.phase
        if phase.num_links == 0:
            return None if phase.member.any() else np.full(phase.num_nodes, -1)
        child, parent = phase.child[kept], phase.parent[kept]
        order = np.argsort(parent, kind="stable")
        start = np.searchsorted(parent[order], np.arange(phase.num_nodes + 1))
        seconds, price = phase.least_s[kept], self._price()[kept]
        if math.isinf(pull):
            pull, seconds, price = 1.0, np.ones(kept.size), np.zeros(kept.size)
        link = np.empty(phase.num_nodes, dtype=np.int64)
        most = phase.max_root_children if limit else NO_LIMIT
        series = phase.half_duplex
        grow(
            phase.root, order, start, child, parent, price, seconds, pull, series, most, phase.max_hops, link
        )
        if (link[phase.member] < 0).any():
            return None
        return np.where(link >= 0, kept[link], -1)

    def _price(self) -> FloatArray:
        """Return a price of each link that breaks ties in favour of the faster ones, (L,)."""
        phase = self.phase
        price = phase.least_price + 1e-3 * phase.time_price * phase.least_s
        if phase.broadcast_price is not None:
            price = price + phase.broadcast_price[phase.parent] * phase.least_s / 4
        return price

    def _scale(self) -> float:
        first = self._link[self._start[:-1][np.diff(self._start) > 0]]
        return float((self._price()[first] + 0.3 * self.phase.time_price * self.phase.least_s[first]).mean())


def _likely_links(phase: Phase) -> tuple[IntArray, IntArray]:
    """Return for each node, by ``start`` (N + 1,), the links that good trees use, the likeliest first."""
    seconds, price, late = phase.least_s, phase.least_price, phase.time_price
    if phase.broadcast_price is not None:
        price = price + phase.broadcast_price[phase.parent] * seconds / 4
    detour_s = _detours(phase)
    scores = [price + 1e-3 * late * seconds, price + 0.1 * late * detour_s, price + late * detour_s, seconds]
    rank = np.zeros(phase.num_links, dtype=np.int64)
    for score in scores:
        choose_links(phase.start, score, LINKS_PER_SCORE, rank)
    to_root = phase.parent == phase.root
    rank[to_root & (rank == 0)] = LINKS_PER_SCORE + 1
    kept = np.flatnonzero(rank)
    kept = kept[np.lexsort((scores[1][kept], rank[kept], phase.child[kept]))]
    return np.searchsorted(phase.child[kept], np.arange(phase.num_nodes + 1)), kept


def _with_others(phase: Phase, hub: int, kept: IntArray) -> BoolArray:
    """Return a choice of the root's children with ``hub``, (N,): each next one hears most nodes not heard."""
    chosen, heard = np.zeros(phase.num_nodes, dtype=np.bool_), ~phase.member
    may = np.zeros(phase.num_nodes, dtype=np.bool_)
    may[phase.child[kept[phase.parent[kept] == phase.root]]] = True
    child, parent, node = phase.child[kept], phase.parent[kept], hub
    for _ in range(phase.max_root_children):
        chosen[node], heard[node] = True, True
        heard[child[parent == node]] = True
        new = np.bincount(parent[~heard[child]], minlength=phase.num_nodes) + ~heard
        new = np.where(may & ~chosen, new, 0)
        node = int(np.argmax(new))
        if new[node] == 0:
            break
    return chosen


def _detours(phase: Phase) -> FloatArray:
    """Return how much later than on the fastest path a node's items come over each link, (L,)."""
    order = np.argsort(phase.parent, kind="stable")
    start = np.searchsorted(phase.parent[order], np.arange(phase.num_nodes + 1))
    link = np.empty(phase.num_nodes, dtype=np.int64)
    parallel = np.zeros(phase.num_nodes, dtype=np.bool_)
    free_price = np.zeros(phase.num_links)
    seconds = phase.least_s
    args = (order, start, phase.child, phase.parent, free_price, seconds, 1.0, parallel, NO_LIMIT, NO_LIMIT)
    grow(phase.root, *args, link)
    distance = _distances(phase, link)
    with np.errstate(invalid="ignore"):
        detour = seconds + distance[phase.parent] - distance[phase.child]
    return np.where(np.isfinite(detour), np.maximum(detour, 0.0), seconds + float(seconds.sum()))


def _distances(phase: Phase, link: IntArray) -> FloatArray:
    """Return the seconds from each node to the root along the links of a tree, (N,); inf if not in it."""
    distance = np.where(link >= 0, phase.least_s[link] if phase.num_links else 0.0, np.inf)
    distance[phase.root] = 0.0
    above = np.where(link >= 0, phase.parent[link] if phase.num_links else 0, phase.root)
    while (above != phase.root).any():  # each step doubles the hops that are summed
        distance, above = distance + np.where(above != phase.root, distance[above], 0.0), above[above]
    return distance


def _without_idle_relays(phase: Phase, links: IntArray) -> IntArray:
    links = links.copy()
    while phase.relay.any():
        has_child = np.zeros(phase.num_nodes, dtype=np.bool_)
        has_child[phase.parent[links[links >= 0]]] = True
        idle = phase.relay & ~has_child & (links >= 0)
        if not idle.any():
            break
        links[idle] = -1
    return links


def _empty_tree(phase: Phase) -> Tree:
    num_nodes, num_items = phase.holds.shape
    node_i, node_f = np.full((num_nodes, 7), -1), np.zeros((num_nodes, 7))
    node_i[:, columns.IN_SERIES] = phase.half_duplex
    node_i[:, columns.IS_RELAY] = phase.relay
    node_f[:, columns.READY_S] = phase.ready_s
    is_broadcast = phase.broadcast_price is not None
    if phase.broadcast_price is not None and phase.receive_price is not None:
        node_f[:, columns.SEND_PRICE] = phase.broadcast_price
        node_f[:, columns.HEAR_PRICE] = phase.receive_price
    return Tree(
        node_i=node_i,
        node_f=node_f,
        link_parent=phase.parent.copy(),
        link_f=np.stack([phase.delay_s, phase.s_per_bit, phase.second_price], axis=1),
        holds=phase.holds.astype(np.int64),
        bringers=np.zeros((num_nodes, num_items), dtype=np.int64),
        item_bits=phase.item_bits.copy(),
        moving=np.zeros(num_items, dtype=np.bool_),
        served=np.zeros((num_nodes, 2)),
        stack=np.zeros(num_nodes, dtype=np.int64),
        logged=np.zeros(columns.MOST_MOVES * (4 * num_nodes + 8), dtype=np.int64),
        logged_f=np.zeros((columns.MOST_MOVES * (4 * num_nodes + 8), 4)),
        moved=np.zeros((columns.MOST_MOVES, 2), dtype=np.int64),
        size=np.array([phase.root, int(is_broadcast), 0, 0, 0]),
        total=np.array([0.0, 0.0, phase.fixed_bits]),
    )
