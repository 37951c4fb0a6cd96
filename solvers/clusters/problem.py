"""The data of many small clusters: whose items must come together, over which channels, at which prices."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import BoolArray, FloatArray, IntArray, float_array, frozen
from solvers.common.errors import InvalidProblem

_BY_NODE = ("max_power_w", "leg_max_power_w", "leg_band_hz")
"""Numbers > 0 of each node."""
_BY_NODE_FROM_ZERO = (
    "noise_w_per_hz",
    "circuit_power_w",
    "receive_power_w",
    "cycles",
    "capacitance",
    "min_frequency_hz",
    "leg_gain",
    "leg_receive_power_w",
    "root_seconds",
    "root_joules",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterProblem:
    """Clusters of N nodes, each of which gathers the items of its nodes at a root and brings the union back.

    Every node computes, waits until everything below it in a tree has arrived, and sends the union of the
    items below it to its parent, once. Decided together are root, trees, and every transfer's bandwidth and
    power and every node's CPU frequency. With ``T = num_round_trips`` and ``L = num_root_legs``

    ``latency = T * (gather + return) + L * (gather + leg)`` and the same for joules;

    minimised is ``energy_weight * energy + time_weight * latency``. Shapes are those of M clusters; where
    ``gain`` is (N, N) there is one, M falls away everywhere, and answers are numbers.

    Parameters
    ----------
    gain : (M, N, N) or (N, N) float
        >= 0, power gain from the first to the second node; 0 where there is no link. The diagonal is not
        read.
    noise_w_per_hz : float or (M, N) float
        > 0, noise density with the noise figure at the receiver, W/Hz.
    band_hz : float or (M,) float
        > 0, band that the transfers of a way up, or of a way back, share: a transfer's share is its own for
        the whole way.
    item_bits : float or (M, I) float
        >= 0, bit of each item (a number: one item).
    node_items : (M, N, I) bool or None
        Which nodes hold which items; ``None``: every node holds all.
    max_power_w : float or (M, N) float
        > 0, W, limit of the radiated power of one transfer of the sender.
    efficiency : float or (M, N) float
        In (0, 1]: radiated power over power drawn for it.
    circuit_power_w, receive_power_w : float or (M, N) float
        >= 0, W that a sender and a receiver draw besides during a transfer.
    cycles, capacitance : float or (M, N) float
        >= 0, work of a node before it sends, cycle; effective capacitance, J s^2/cycle^3.
    max_frequency_hz, min_frequency_hz : float or (M, N) float
        Limits of the CPU frequency, Hz; the upper one > 0, ``inf`` only where there are no cycles.
    energy_weight, time_weight : float or (M,) float
        >= 0 and > 0: prices of a joule and of a second.
    num_round_trips, num_root_legs : float or (M,) float
        >= 0, not both 0; without round trips there is no way back.
    roots : (M, N) bool or None
        Candidate roots; ``None``: all nodes.
    leg_gain : float or (M, N) float
        >= 0, gain of the wireless leg of a root; 0 where a node has none. Not read if all are 0.
    leg_band_hz, leg_max_power_w : float or (M, N) float
        > 0, band and limit of radiated power of that leg; its noise density is ``leg_noise_w_per_hz``.
    leg_noise_w_per_hz : float or (M, N) float
        > 0.
    leg_receive_power_w : float or (M, N) float
        >= 0, W that the receiver of a root's leg draws during it.
    root_seconds, root_joules : float or (M, N) float
        >= 0: what a root leg takes besides, whatever is decided, by root.
    half_duplex : bool
        Whether a node's radio has one transfer at a time; the order is decided too.

    Raises
    ------
    InvalidProblem
        At the first value that has no meaning.
    """

    gain: FloatArray
    noise_w_per_hz: FloatArray
    band_hz: FloatArray
    item_bits: FloatArray
    max_power_w: FloatArray
    energy_weight: FloatArray
    time_weight: FloatArray
    node_items: BoolArray = None  # type: ignore[assignment]
    efficiency: FloatArray = 1.0  # type: ignore[assignment]
    circuit_power_w: FloatArray = 0.0  # type: ignore[assignment]
    receive_power_w: FloatArray = 0.0  # type: ignore[assignment]
    cycles: FloatArray = 0.0  # type: ignore[assignment]
    capacitance: FloatArray = 0.0  # type: ignore[assignment]
    max_frequency_hz: FloatArray = np.inf  # type: ignore[assignment]
    min_frequency_hz: FloatArray = 0.0  # type: ignore[assignment]
    num_round_trips: FloatArray = 1.0  # type: ignore[assignment]
    num_root_legs: FloatArray = 0.0  # type: ignore[assignment]
    roots: BoolArray = None  # type: ignore[assignment]
    leg_gain: FloatArray = 0.0  # type: ignore[assignment]
    leg_noise_w_per_hz: FloatArray = 1.0  # type: ignore[assignment]
    leg_band_hz: FloatArray = 1.0  # type: ignore[assignment]
    leg_max_power_w: FloatArray = 1.0  # type: ignore[assignment]
    leg_receive_power_w: FloatArray = 0.0  # type: ignore[assignment]
    root_seconds: FloatArray = 0.0  # type: ignore[assignment]
    root_joules: FloatArray = 0.0  # type: ignore[assignment]
    half_duplex: bool = False

    def __post_init__(self) -> None:
        shape = np.shape(self.gain)
        if len(shape) not in (2, 3) or shape[-1] != shape[-2] or shape[-1] < 2 or 0 in shape:
            expected = "of shape (M, N, N) or (N, N) with M >= 1 and N >= 2"
            raise InvalidProblem("gain", None, f"an array of shape {shape}", expected)
        clusters, nodes = shape[:-2], shape[:-1]
        gain = np.array(self.gain, dtype=np.float64)
        gain[..., np.arange(shape[-1]), np.arange(shape[-1])] = 0.0
        self._set("gain", float_array("gain", gain, shape))
        for field in _BY_NODE_FROM_ZERO:
            positive = field == "noise_w_per_hz"
            self._set(field, float_array(field, getattr(self, field), nodes, positive=positive))
        for field in (*_BY_NODE, "leg_noise_w_per_hz", "efficiency"):
            self._set(field, float_array(field, getattr(self, field), nodes, positive=True))
        for field in ("band_hz", "time_weight"):
            self._set(field, float_array(field, getattr(self, field), clusters, positive=True))
        for field in ("energy_weight", "num_round_trips", "num_root_legs"):
            self._set(field, float_array(field, getattr(self, field), clusters))
        highest = float_array("max_frequency_hz", self.max_frequency_hz, nodes, positive=True, allow_inf=True)
        self._set("max_frequency_hz", highest)
        self._check_items(clusters, nodes)
        roots = np.ones(nodes, dtype=np.bool_) if self.roots is None else np.asarray(self.roots)
        self._set("roots", _flags("roots", roots, nodes))
        self._check_combinations()

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def _check_items(self, clusters: tuple[int, ...], nodes: tuple[int, ...]) -> None:
        num_items = 1 if np.ndim(self.item_bits) == 0 else np.shape(self.item_bits)[-1]
        self._set("item_bits", float_array("item_bits", self.item_bits, (*clusters, num_items)))
        shape = (*nodes, num_items)
        held = np.ones(shape, dtype=np.bool_) if self.node_items is None else np.asarray(self.node_items)
        self._set("node_items", _flags("node_items", held, shape))

    def _check_combinations(self) -> None:
        _refuse("efficiency", self.efficiency, self.efficiency > 1, "above 0 and at most 1")
        endless = (self.cycles > 0) & np.isinf(self.max_frequency_hz)
        _refuse("max_frequency_hz", self.max_frequency_hz, endless, "finite where there are cycles")
        low = self.min_frequency_hz > self.max_frequency_hz
        _refuse("min_frequency_hz", self.min_frequency_hz, low, "at most max_frequency_hz")
        idle = self.num_gathers == 0
        _refuse("num_round_trips", self.num_round_trips, idle, "above 0 where num_root_legs is 0")
        empty = ~self.roots.any(axis=-1)
        _refuse("roots", empty, empty, "true for at least one node of each cluster")

    @property
    def num_nodes(self) -> int:
        """N."""
        return int(self.gain.shape[-1])

    @property
    def is_single(self) -> bool:
        """Whether there is one cluster, without the axis M."""
        return self.gain.ndim == 2

    @property
    def num_clusters(self) -> int:
        """M."""
        return 1 if self.is_single else int(self.gain.shape[0])

    @property
    def has_leg(self) -> bool:
        """Whether root legs have a wireless part."""
        return bool(np.any(self.leg_gain > 0)) and bool(np.any(self.num_root_legs > 0))

    @cached_property
    def num_gathers(self) -> FloatArray:
        """T + L, (M,)."""
        return frozen(np.asarray(self.num_round_trips + self.num_root_legs))

    @cached_property
    def union_bits(self) -> FloatArray:
        """Bits of the union of all items of a cluster, (M,)."""
        return frozen(np.asarray((self.item_bits * self.node_items.any(axis=-2)).sum(axis=-1)))

    def as_many(self) -> "ClusterProblem":
        """Return the problem with the axis M."""
        if not self.is_single:
            return self
        return replace(self, **{name: value[None] for name, value in self._arrays().items()})

    def of_clusters(self, chosen: slice | IntArray) -> "ClusterProblem":
        """Return the problem of some clusters; it must have the axis M."""
        return replace(self, **{name: value[chosen] for name, value in self._arrays().items()})

    def _arrays(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "half_duplex"}


def _flags(field: str, values: npt.NDArray[Any], shape: tuple[int, ...]) -> BoolArray:
    if values.dtype != np.bool_ or values.shape != shape:
        raise InvalidProblem(field, None, f"{values.dtype} of shape {values.shape}", f"bool of shape {shape}")
    return frozen(values.copy())


def _refuse(field: str, values: Any, bad: Any, expected: str) -> None:
    if not np.any(bad):
        return
    place = tuple(int(part) for part in np.argwhere(bad)[0])
    index = place[0] if len(place) == 1 else place or None
    raise InvalidProblem(field, index, np.asarray(values)[place].item(), expected)
