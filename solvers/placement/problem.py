"""The placement problem as arrays, validated at construction."""

from dataclasses import dataclass, field

import numpy as np

from solvers.common.arrays import FloatArray, IntArray, float_array, frozen, index_array
from solvers.common.errors import InvalidProblem


@dataclass(frozen=True, eq=False)
class PlacementProblem:
    """Who may serve which demand at which cost, where replicas may be, and what nodes can bear.

    D demands, K candidate pairs, H possible replicas (hosts), M items and N nodes.  A scalar stands for an
    array of equal values wherever floats are asked, except for ``item_memory`` and for one of the two node
    limits, whose lengths give M and N.

    Parameters
    ----------
    demand_item : (D,) int
        The item that each demand asks for, in [0, M).
    pair_demand, pair_node : (K,) int
        Candidate pairs: the demand, in [0, D) and not decreasing, and a node that may serve it.
    pair_cost : (K,) float
        Cost of serving the demand by that node; finite, below zero where serving is a profit.
    pair_work : (K,) float
        Work that it puts on the node, >= 0, in the unit of ``node_capacity``.
    host_item, host_node : (H,) int
        Where a replica of which item may be; each (item, node) at most once.
    host_cost : (H,) float
        Cost of that replica, >= 0, paid once if it is hosted.
    item_memory : (M,) float
        Bytes of a replica, >= 0.
    node_memory, node_capacity : (N,) float
        Limits of each node on the bytes hosted and on the work taken, >= 0; ``inf`` is no limit.
    split : bool
        Whether a demand may be shared among its candidate nodes in fractions that sum to one.

    Attributes
    ----------
    pair_host : (K,) int
        The replica that each pair needs, an index into the host arrays.

    Raises
    ------
    InvalidProblem
        At the first value without meaning, unsorted pair, replica listed twice, or pair whose node has no
        host entry for the item.  A demand without pairs is valid: it makes the problem infeasible.
    """

    demand_item: IntArray
    pair_demand: IntArray
    pair_node: IntArray
    pair_cost: FloatArray
    pair_work: FloatArray
    host_item: IntArray
    host_node: IntArray
    host_cost: FloatArray
    item_memory: FloatArray
    node_memory: FloatArray
    node_capacity: FloatArray
    split: bool = False
    pair_host: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        num_items = _length("item_memory", self.item_memory)
        limits = "node_memory" if np.ndim(self.node_memory) else "node_capacity"
        num_nodes = _length(limits, getattr(self, limits))
        demand_item = index_array("demand_item", self.demand_item, below=num_items)
        pair_demand = index_array("pair_demand", self.pair_demand, below=demand_item.size)
        pair_node = index_array("pair_node", self.pair_node, below=num_nodes, length=pair_demand.size)
        host_item = index_array("host_item", self.host_item, below=num_items)
        host_node = index_array("host_node", self.host_node, below=num_nodes, length=host_item.size)
        _check_sorted(pair_demand)
        pairs, hosts = (pair_demand.size,), (host_item.size,)
        for name, values in {
            "demand_item": demand_item,
            "pair_demand": pair_demand,
            "pair_node": pair_node,
            "pair_cost": float_array("pair_cost", self.pair_cost, pairs, allow_negative=True),
            "pair_work": float_array("pair_work", self.pair_work, pairs),
            "host_item": host_item,
            "host_node": host_node,
            "host_cost": float_array("host_cost", self.host_cost, hosts),
            "item_memory": float_array("item_memory", self.item_memory, (num_items,)),
            "node_memory": float_array("node_memory", self.node_memory, (num_nodes,), allow_inf=True),
            "node_capacity": float_array("node_capacity", self.node_capacity, (num_nodes,), allow_inf=True),
        }.items():
            object.__setattr__(self, name, values)
        object.__setattr__(self, "pair_host", frozen(_host_of_pairs(self)))

    @property
    def num_demands(self) -> int:
        """D, the number of demands."""
        return self.demand_item.size

    @property
    def num_pairs(self) -> int:
        """K, the number of candidate pairs."""
        return self.pair_demand.size

    @property
    def num_hosts(self) -> int:
        """H, the number of possible replicas."""
        return self.host_item.size

    @property
    def num_nodes(self) -> int:
        """N, the number of nodes."""
        return self.node_memory.size


def _length(name: str, values: object) -> int:
    shape = np.shape(np.asarray(values))
    if len(shape) != 1:
        raise InvalidProblem(name, None, f"of shape {shape}", "an array in one dimension")
    return int(shape[0])


def _check_sorted(pair_demand: IntArray) -> None:
    falls = np.flatnonzero(np.diff(pair_demand) < 0)
    if falls.size:
        index = int(falls[0]) + 1
        before = int(pair_demand[index - 1])
        raise InvalidProblem(
            "pair_demand", index, int(pair_demand[index]), f"at least {before}, as pairs are sorted by demand"
        )


def _host_of_pairs(problem: PlacementProblem) -> IntArray:
    """Return the index of the replica that each pair needs."""
    host_key = problem.host_item * problem.num_nodes + problem.host_node
    order = np.argsort(host_key, kind="stable")
    sorted_key = host_key[order]
    twice = np.flatnonzero(np.diff(sorted_key) == 0)
    if twice.size:
        index = int(order[twice[0] + 1])
        item = int(problem.host_item[index])
        raise InvalidProblem(
            "host_node", index, int(problem.host_node[index]), f"a node not listed before for item {item}"
        )
    pair_item = problem.demand_item[problem.pair_demand]
    pair_key = pair_item * problem.num_nodes + problem.pair_node
    place = np.searchsorted(sorted_key, pair_key)
    found = np.zeros(pair_key.shape, dtype=bool)
    inside = place < sorted_key.size
    found[inside] = sorted_key[place[inside]] == pair_key[inside]
    if not np.all(found):
        index = int(np.flatnonzero(~found)[0])
        item = int(pair_item[index])
        raise InvalidProblem(
            "pair_node", index, int(problem.pair_node[index]), f"a node with a host entry for item {item}"
        )
    return order[place]
