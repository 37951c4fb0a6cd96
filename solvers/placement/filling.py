"""A placement under construction."""

import numpy as np

from solvers.placement.evaluate import RELATIVE_TOLERANCE
from solvers.placement.problem import PlacementProblem
from solvers.placement.reduce import reduction_by_limits


class Filling:
    """What is chosen, hosted and left; plain lists, which Python loops read fast."""

    def __init__(self, problem: PlacementProblem) -> None:
        live = reduction_by_limits(problem).live_pair
        if problem.split:  # a demand served whole must fit whole
            live = live & (problem.pair_work <= problem.node_capacity[problem.pair_node])
        self.pairs_of: list[list[int]] = [[] for _ in range(problem.num_demands)]
        for pair, demand in zip(
            np.flatnonzero(live).tolist(), problem.pair_demand[live].tolist(), strict=True
        ):
            self.pairs_of[demand].append(pair)
        self.demand: list[int] = problem.pair_demand.tolist()
        self.node: list[int] = problem.pair_node.tolist()
        self.host: list[int] = problem.pair_host.tolist()
        self.cost: list[float] = problem.pair_cost.tolist()
        self.work: list[float] = problem.pair_work.tolist()
        self.host_cost: list[float] = problem.host_cost.tolist()
        self.bytes: list[float] = problem.item_memory[problem.host_item].tolist()
        self.memory_left: list[float] = (problem.node_memory * (1 + RELATIVE_TOLERANCE / 2)).tolist()
        self.capacity_left: list[float] = (problem.node_capacity * (1 + RELATIVE_TOLERANCE / 2)).tolist()
        self.num_users = [0] * problem.num_hosts
        self.hosted = [False] * problem.num_hosts
        self.chosen = [-1] * problem.num_demands

    def fits(self, pair: int) -> bool:
        """Return whether the pair's node has room for its work and, if new, its replica."""
        node, host = self.node[pair], self.host[pair]
        if self.work[pair] > self.capacity_left[node]:
            return False
        return self.hosted[host] or self.bytes[host] <= self.memory_left[node]

    def price(self, pair: int) -> float:
        """Return the cost that choosing the pair adds now, with its replica if new."""
        host = self.host[pair]
        return self.cost[pair] if self.hosted[host] else self.cost[pair] + self.host_cost[host]

    def choose(self, pair: int) -> bool:
        """Serve the pair's demand by it; return whether that opened a replica."""
        node, host = self.node[pair], self.host[pair]
        self.chosen[self.demand[pair]] = pair
        self.capacity_left[node] -= self.work[pair]
        self.num_users[host] += 1
        if self.hosted[host]:
            return False
        self.hosted[host] = True
        self.memory_left[node] -= self.bytes[host]
        return True

    def fitting(self, demand: int) -> list[int]:
        """Return the demand's pairs that fit now."""
        return [pair for pair in self.pairs_of[demand] if self.fits(pair)]

    def release(self, demand: int) -> int:
        """Take a demand off its pair, close the replica if that was its last; return the pair."""
        pair = self.chosen[demand]
        node, host = self.node[pair], self.host[pair]
        self.chosen[demand] = -1
        self.capacity_left[node] += self.work[pair]
        self.num_users[host] -= 1
        if not self.num_users[host]:
            self.hosted[host] = False
            self.memory_left[node] += self.bytes[host]
        return pair

    def saving(self, demand: int) -> float:
        """Return what releasing the demand would save."""
        pair = self.chosen[demand]
        host = self.host[pair]
        alone = self.num_users[host] == 1
        return self.cost[pair] + self.host_cost[host] if alone else self.cost[pair]
