"""The data of one consensus problem: who may exchange with whom, and what an exchange takes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray, float_array, frozen, index_array
from solvers.common.errors import InvalidProblem


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsensusProblem:
    """Nodes that average their values with neighbours, sweep by sweep, until all hold the mean.

    In a sweep each node replaces its value by a weighted sum of its own and its neighbours':
    ``x <- W x``, with ``W`` symmetric, rows that sum to one, and zero where there is no edge. The distance
    from the mean shrinks by the spectral factor of ``W`` in each sweep; the least factor is sought.

    Parameters
    ----------
    num_nodes : int
        N >= 1.
    edge_source, edge_target : (E,) int
        Ends of the pairs that may exchange; at most one edge for each pair, in either order.
    bits : float
        >= 0, bit that each end of an edge sends in a sweep.
    rate_bps : float or (E, 2) float
        > 0, bit/s from source to target and from target to source; ``inf`` where only the delay counts.
    power_w : float or (E, 2) float
        >= 0, W while such a transfer lasts.
    delay_s : float or (E, 2) float
        >= 0, s before such a transfer.
    half_duplex : bool or (N,) bool
        Where true, the node's radio has one transfer at a time.
    nonnegative : bool
        Whether no entry of ``W`` may be below zero (``W`` is then doubly stochastic).
    accuracy : float
        In (0, 1): the part of the initial distance from the mean that may be left after the last sweep.

    Raises
    ------
    InvalidProblem
        At the first value that has no meaning.
    """

    num_nodes: int
    edge_source: IntArray
    edge_target: IntArray
    bits: float = 0.0
    rate_bps: FloatArray = np.inf  # type: ignore[assignment]
    power_w: FloatArray = 0.0  # type: ignore[assignment]
    delay_s: FloatArray = 0.0  # type: ignore[assignment]
    half_duplex: BoolArray = False  # type: ignore[assignment]
    nonnegative: bool = False
    accuracy: float = 1e-3

    def __post_init__(self) -> None:
        if not isinstance(self.num_nodes, int | np.integer) or self.num_nodes < 1:
            raise InvalidProblem("num_nodes", None, self.num_nodes, "a whole number >= 1")
        self._check_edges()
        shape = (self.edge_source.size, 2)
        self._set("bits", float(float_array("bits", self.bits, ())))
        self._set("rate_bps", float_array("rate_bps", self.rate_bps, shape, positive=True, allow_inf=True))
        self._set("power_w", float_array("power_w", self.power_w, shape))
        self._set("delay_s", float_array("delay_s", self.delay_s, shape))
        half = np.asarray(self.half_duplex)
        if half.dtype != np.bool_ or half.shape not in ((), (self.num_nodes,)):
            found = f"{half.dtype} of shape {half.shape}"
            raise InvalidProblem("half_duplex", None, found, f"true, false or of shape {(self.num_nodes,)}")
        self._set("half_duplex", frozen(np.array(np.broadcast_to(half, (self.num_nodes,)))))
        if not 0 < self.accuracy < 1:
            raise InvalidProblem("accuracy", None, self.accuracy, "above 0 and below 1")

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def _check_edges(self) -> None:
        source = index_array("edge_source", self.edge_source, below=self.num_nodes)
        target = index_array("edge_target", self.edge_target, below=self.num_nodes, length=source.size)
        loops = np.flatnonzero(source == target)
        if loops.size:
            raise InvalidProblem("edge_target", int(loops[0]), int(target[loops[0]]), "another node")
        code = np.minimum(source, target) * self.num_nodes + np.maximum(source, target)
        _, first = np.unique(code, return_index=True)
        if first.size < code.size:
            again = int(np.setdiff1d(np.arange(code.size), first)[0])
            pair = f"a second edge between {source[again]} and {target[again]}"
            raise InvalidProblem("edge_source", again, pair, "the only one for this pair")
        self._set("edge_source", source)
        self._set("edge_target", target)

    @cached_property
    def degree(self) -> IntArray:
        """Number of edges of each node, (N,)."""
        ends = np.concatenate([self.edge_source, self.edge_target])
        return frozen(np.bincount(ends, minlength=self.num_nodes))

    @cached_property
    def transfer_s(self) -> FloatArray:
        """Seconds of each transfer, (E, 2): from source to target, and from target to source."""
        return frozen(self.delay_s + self.bits / self.rate_bps)
