"""Improve a placement by simulated annealing over demands and replicas."""

import math
import random
import time

import numpy as np

from solvers.common.arrays import IntArray
from solvers.placement.evaluate import objective_value, solution_from_pairs
from solvers.placement.filling import Filling
from solvers.placement.problem import PlacementProblem

HOTTEST = 1.0
"""First temperature, in mean costs of serving a demand."""
COLDEST = 0.03
"""Last temperature, as a share of the first."""
MOVES_PER_S = 2e5
"""Moves that a second has room for, about: decides how hot to begin."""
MOVES_TO_FORGET = 1000.0
"""Moves per demand that recover from the hottest beginning; with fewer, the beginning is colder."""
DEMANDS_PER_REPLICA = 30
"""Moves of one demand between two moves of a replica."""
MOVES_PER_LOOK = 300
"""Moves between two looks at the clock."""


def improve(
    problem: PlacementProblem,
    demand_pair: IntArray,
    rng: np.random.Generator,
    until: float,
    *,
    enough: float = -math.inf,
) -> IntArray:
    """Return a placement that costs no more.

    Moves: a demand to another of its pairs; a replica closed, its users going to their best other pairs; a
    replica opened, attracting all that gain, after another of its node was closed where memory lacks.

    Parameters
    ----------
    problem : PlacementProblem
        The problem; demands are served whole.
    demand_pair : (D,) int
        A placement within the limits.
    rng : numpy.random.Generator
        Source of all choices.
    until : float
        Value of :func:`time.perf_counter` at which to stop.
    enough : float
        Cost at which to stop before.
    """
    search = _Search(problem, demand_pair, random.Random(int(rng.integers(2**62))))
    cost = objective_value(problem, solution_from_pairs(problem, demand_pair))
    return np.array(search.run(until, enough - cost), dtype=np.int64)


class _Search:
    """A placement in motion, and the log that undoes the move under way."""

    def __init__(self, problem: PlacementProblem, demand_pair: IntArray, draw: random.Random) -> None:
        self.filling = Filling(problem)
        self.draw = draw
        self.log: list[tuple[int, int]] = []
        self.pairs_of_host: list[list[int]] = [[] for _ in range(problem.num_hosts)]
        for pairs in self.filling.pairs_of:
            for pair in pairs:
                self.pairs_of_host[self.filling.host[pair]].append(pair)
        self.hosts_of_node: list[list[int]] = [[] for _ in range(problem.num_nodes)]
        self.node_of_host: list[int] = problem.host_node.tolist()
        self.hosts = [host for host, pairs in enumerate(self.pairs_of_host) if pairs]
        for host in self.hosts:
            self.hosts_of_node[self.node_of_host[host]].append(host)
        for pair in demand_pair.tolist():
            self.filling.choose(pair)
        self.movable = [demand for demand, pairs in enumerate(self.filling.pairs_of) if len(pairs) > 1]

    def run(self, until: float, enough: float) -> list[int]:
        """Return the best placement met; a change of cost of ``enough`` ends the search early."""
        best, best_change, change = list(self.filling.chosen), 0.0, 0.0
        if not self.movable:
            return best
        started = time.perf_counter()
        savings = [abs(self.filling.saving(demand)) for demand in self.movable]
        moves_per_demand = MOVES_PER_S * max(until - started, 0.0) / len(self.movable)
        heat = min(max(moves_per_demand / MOVES_TO_FORGET, COLDEST), 1.0)
        hottest = HOTTEST * heat * sum(savings) / len(savings)
        while (now := time.perf_counter()) < until and best_change > enough:
            temperature = hottest * COLDEST ** ((now - started) / (until - started))
            for turn in range(MOVES_PER_LOOK):
                change += self._step(turn, -temperature * math.log(1.0 - self.draw.random()))
            if change < best_change:
                best, best_change = list(self.filling.chosen), change
        return best

    def _step(self, turn: int, threshold: float) -> float:
        """Try one move; return its change of cost, zero if it was undone for costing above the threshold."""
        self.log.clear()
        if turn % DEMANDS_PER_REPLICA:
            demand = self.draw.choice(self.movable)
            pair = self.draw.choice(self.filling.pairs_of[demand])
            if pair == self.filling.chosen[demand] or self._gain(pair) < -threshold:
                return 0.0
            change = self._move(demand, pair)
        else:
            host = self.draw.choice(self.hosts)
            change = self._close(host) if self.filling.hosted[host] else self._open(host)
        if change <= threshold:
            return change
        for demand, before in reversed(self.log):
            self.filling.release(demand)
            self.filling.choose(before)
        return 0.0

    def _gain(self, pair: int) -> float:
        """Return what moving the pair's demand to it would save."""
        return self.filling.saving(self.filling.demand[pair]) - self.filling.price(pair)

    def _move(self, demand: int, pair: int) -> float:
        """Move a demand; return the change of cost, ``inf`` if it does not fit and stays."""
        filling = self.filling
        saving = filling.saving(demand)
        before = filling.release(demand)
        if not filling.fits(pair):
            filling.choose(before)
            return math.inf
        price = filling.price(pair)
        filling.choose(pair)
        self.log.append((demand, before))
        return price - saving

    def _close(self, host: int) -> float:
        """Move all users of a replica to their best other pairs; ``inf`` if one has none."""
        filling, change = self.filling, 0.0
        for pair in self.pairs_of_host[host]:
            demand = filling.demand[pair]
            if filling.chosen[demand] != pair:
                continue
            others = [other for other in filling.fitting(demand) if filling.host[other] != host]
            if not others:
                return math.inf
            change += self._move(demand, min(others, key=filling.price))
        return change

    def _open(self, host: int) -> float:
        """Attract all that gain to a new replica, after closing another of the node if memory lacks."""
        filling, node, change = self.filling, self.node_of_host[host], 0.0
        if filling.bytes[host] > filling.memory_left[node]:
            hosted = [other for other in self.hosts_of_node[node] if filling.hosted[other]]
            if not hosted:
                return math.inf
            change = self._close(self.draw.choice(hosted))
            if change == math.inf or filling.bytes[host] > filling.memory_left[node]:
                return math.inf
        first = filling.host_cost[host]
        gains = sorted(((self._gain(pair) + first, pair) for pair in self.pairs_of_host[host]), reverse=True)
        for gain, pair in gains:
            if gain <= 0:
                break
            if filling.fits(pair):
                change += self._move(filling.demand[pair], pair)
        return change
