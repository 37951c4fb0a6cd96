"""One way of one larger cluster: the best tree of each root so far, priced and improved by loops."""

from dataclasses import dataclass

import numpy as np

from solvers.clusters.loops.descent import COARSE, cost_of, descend, hang, is_below
from solvers.clusters.loops.link import least_cost
from solvers.clusters.loops.prices import first_price
from solvers.clusters.loops.search import POLISHED
from solvers.clusters.loops.shape import capped_table, free_table
from solvers.common.arrays import FloatArray, IntArray
from solvers.relaying.arborescence import minimum_arborescence_to

_TRIES = 20_000
"""Trees that one descent tries at most."""
_KICKED = 3
"""Nodes that a kick moves."""


@dataclass(frozen=True)
class Way:
    """A way up, or a way back read backwards in time.

    ``data`` is a row as in :mod:`solvers.clusters.loops.fields`; ``items`` (N,) are sets of items as
    numbers, and ``item_nats`` their payloads (none where every transfer carries the union).  Row r of
    ``parent``, ``order`` and ``alpha`` (N, N) is the tree of root r with its time prices; ``cost`` (N,) and
    ``mu`` (N,) are its cost and its price of the band.  These five are written to.
    """

    data: FloatArray
    half_duplex: bool
    items: IntArray
    item_nats: FloatArray
    cost: FloatArray
    mu: FloatArray
    parent: IntArray
    order: IntArray
    alpha: FloatArray

    @classmethod
    def empty(cls, data: FloatArray, half_duplex: bool, items: IntArray, item_nats: FloatArray) -> "Way":
        """Return a way without trees."""
        num = len(items)
        return cls(
            data=data.copy(),
            half_duplex=half_duplex,
            items=items,
            item_nats=item_nats,
            cost=np.full(num, np.inf),
            mu=np.zeros(num),
            parent=np.full((num, num), -1),
            order=np.zeros((num, num), dtype=np.int64),
            alpha=np.zeros((num, num)),
        )

    @property
    def num_nodes(self) -> int:
        """N."""
        return len(self.items)

    @property
    def weight(self) -> float:
        """Price of the makespan, 1/s."""
        num = self.num_nodes
        return float(self.data[4 * num * num + 3 * num + 1])

    def start(self, root: int) -> None:
        """Give a root its first tree: the star, or one that is cheap at uniform prices."""
        num = self.num_nodes
        star = np.full(num, root)
        star[root] = -1
        candidates = [star]
        mu = first_price(num, self.data)
        for share in (1.0 / num, 0.5):
            tree = minimum_arborescence_to(link_costs(self, np.full(num, share * self.weight), mu), root)
            if tree is not None:
                candidates.append(tree)
        for tree in candidates:
            order = _ranks(tree)
            alpha = np.full(num, self.weight / num)
            cost, _, price = self._price(root, tree, order, alpha, mu, COARSE, np.empty(3 * num))
            if cost < self.cost[root]:
                self.cost[root], self.mu[root] = cost, price
                self.parent[root], self.order[root], self.alpha[root] = tree, order, alpha

    def improve(self, root: int, kicks: int, rng: np.random.Generator) -> None:
        """Let the tree of a root descend until no move helps, again after each of some kicks."""
        self._descend(root)
        for _ in range(kicks):
            before = self.cost[root], self.mu[root], *(rows[root].copy() for rows in self._rows())
            self._kick(root, rng)
            self._descend(root)
            if not self.cost[root] < before[0]:
                self.cost[root], self.mu[root] = before[:2]
                for rows, row in zip(self._rows(), before[2:], strict=True):
                    rows[root] = row

    def _rows(self) -> tuple[IntArray, IntArray, FloatArray]:
        return self.parent, self.order, self.alpha

    def _kick(self, root: int, rng: np.random.Generator) -> None:
        """Hang some random nodes elsewhere; without a link the cost is infinite, and any move helps."""
        parent, order = self.parent[root], self.order[root]
        for _ in range(_KICKED):
            node, above = rng.choice(self.num_nodes, 2, replace=False).tolist()
            if node != root and not is_below(root, parent, above, node):
                hang(parent, order, node, above, 0)
        self.alpha[root] = self.weight / self.num_nodes
        self.cost[root], _, self.mu[root] = self._price(
            root, parent, order, self.alpha[root], self.mu[root], COARSE, np.empty(3 * self.num_nodes)
        )

    def _descend(self, root: int) -> None:
        self.cost[root], self.mu[root], _ = descend(
            self.num_nodes, self.data, free_table(), capped_table(), root, self.parent[root],
            self.order[root], self.half_duplex, self.items, self.item_nats, self.alpha[root], self.mu[root],
            self.cost[root], _TRIES,
        )  # fmt: skip

    def allocate(self, root: int) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Return a bound of a root's tree, and seconds of computing, bandwidths and airtimes, (N,) each."""
        num = self.num_nodes
        out = np.zeros(3 * num)
        _, bound, self.mu[root] = self._price(
            root, self.parent[root], self.order[root], self.alpha[root], self.mu[root], POLISHED, out
        )
        others = np.flatnonzero(np.arange(num) != root)
        band, seconds = np.zeros(num), np.zeros(num)
        band[others], seconds[others] = out[num : 2 * num - 1], out[2 * num : 3 * num - 1]
        return bound, out[:num], band, seconds

    def _price(
        self,
        root: int,
        parent: IntArray,
        order: IntArray,
        alpha: FloatArray,
        mu: float,
        gap: float,
        out: FloatArray,
    ) -> tuple[float, float, float]:
        return cost_of(
            self.num_nodes, self.data, free_table(), capped_table(), root, parent, order, self.half_duplex,
            self.items, self.item_nats, alpha, mu, np.inf, gap, out,
        )  # fmt: skip


def link_costs(way: Way, price: FloatArray, mu: float) -> FloatArray:
    """Return the least cost of each node (row) sending its own payload to each other at time prices (N,)."""
    num = way.num_nodes
    noise, spend, cap, idle = way.data[: 4 * num * num].reshape(4, num, num)
    cost = np.full((num, num), np.inf)
    for u in range(num):
        nats = way.data[-1]
        if way.item_nats.size:
            nats = sum(bits for item, bits in enumerate(way.item_nats.tolist()) if way.items[u] >> item & 1)
        for v in range(num):
            if u != v and np.isfinite(noise[u, v]):
                cost[u, v] = least_cost(
                    free_table(),
                    capped_table(),
                    nats,
                    noise[u, v],
                    spend[u, v],
                    cap[u, v],
                    mu,
                    price[u] + idle[u, v],
                )
    return cost


def _ranks(parent: IntArray) -> IntArray:
    """Return ranks among the children of the same parent, by number."""
    node = np.arange(len(parent))
    same = (parent[:, None] == parent[None, :]) & (node[None, :] < node[:, None])
    return np.where(parent >= 0, same.sum(axis=1), -1)
