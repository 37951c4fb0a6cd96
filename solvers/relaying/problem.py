"""The data of one relaying problem: nodes, links, items, weights and limits."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.common.arrays import BoolArray, FloatArray, IntArray, float_array, frozen, index_array
from solvers.common.errors import InvalidProblem


@dataclass(frozen=True, kw_only=True, eq=False)
class RelayingProblem:
    """Nodes that get their items to a root over a tree of links, and the union back to every node.

    A link that carries ``bits`` is busy for ``delay + bits / rate`` seconds and costs ``power * seconds``
    joules. A member sends once, after everything below it has arrived; what it sends is the union of the
    items below it, each item once. The plan is used ``num_round_trips`` times with and ``num_root_legs``
    times without a way back, so that its latency and energy are

    ``latency = num_round_trips * (gather + return) + num_root_legs * (leg gather + root_seconds[root])``

    and the same for joules, where the gather of a root leg is the other gather unless ``own_leg_tree``;
    minimised is ``energy_weight * energy + time_weight * latency``. Counts need not
    be whole: ``(E - 1) / E`` and ``1 / E`` make every figure a mean over a cycle of ``E`` rounds.

    Parameters
    ----------
    num_nodes : int
        N >= 1, candidate roots included.
    link_source, link_target : (L,) int
        Ends of the possible hops; at most one link for each ordered pair.
    link_rate_bps : float or (L,) float
        > 0, bit/s; ``inf`` for a link whose seconds are its delay.
    link_power_w : float or (L,) float
        >= 0, W while the link is busy.
    link_delay_s : float or (L,) float
        >= 0, s.
    item_bits : (M,) float
        >= 0, bit.
    node_item_start : (N + 1,) int
    node_item : (K,) int
        Items of node n: ``node_item[node_item_start[n]:node_item_start[n + 1]]``.
    ready_s : float or (N,) float
        >= 0, s: when a node's own items are ready; it may receive before.
    members : (N,) bool or None
        Nodes that must be connected; ``None``: all. Any other node has no items and appears in a plan only as
        its root (such as an edge server that could aggregate).
    relays : (N,) bool or None
        Nodes without items that a tree may use as relays but need not (such as fog nodes); ``None``: none.
        They may be candidate roots too.
    roots : (R,) int or None
        Candidate roots, of which the plan chooses one; ``None``: all members.
    half_duplex : bool or (N,) bool
        Where true, the node's radio does one thing at a time: receptions and sendings in series.
    max_root_children, max_hops : int or None
        >= 1; limits of both trees.
    energy_weight, time_weight : float
        >= 0, objective per J and per s; not both 0.
    num_round_trips, num_root_legs : float
        >= 0, not both 0; without round trips there is no way back.
    own_leg_tree : bool
        Whether a root leg may gather over a tree of its own; otherwise every round uses the same gather tree.
    root_seconds, root_joules : float or (N,) float
        >= 0: what follows a gather in a root leg, by chosen root (such as the root's own uplink).
    return_link_source, return_link_target, return_link_rate_bps, return_link_power_w, return_link_delay_s
        The links of the way back, in the direction of travel; all ``None``: the same links as above.
    broadcast_power_w : float or (N,) float or None
        ``None``: on the way back a node sends to each of its children by itself (unicast). Otherwise it sends
        once to all of them, at the rate of the slowest, and draws this many W meanwhile, >= 0;
        ``return_link_power_w`` is then not read.
    receive_power_w : float or (N,) float
        >= 0, W that a node draws while it receives a broadcast.

    Raises
    ------
    InvalidProblem
        At the first value that has no meaning.
    """

    num_nodes: int
    link_source: IntArray
    link_target: IntArray
    link_rate_bps: FloatArray
    link_power_w: FloatArray
    item_bits: FloatArray
    node_item_start: IntArray
    node_item: IntArray
    link_delay_s: FloatArray = 0.0  # type: ignore[assignment]
    ready_s: FloatArray = 0.0  # type: ignore[assignment]
    members: BoolArray = None  # type: ignore[assignment]
    roots: IntArray = None  # type: ignore[assignment]
    half_duplex: BoolArray = False  # type: ignore[assignment]
    max_root_children: int | None = None
    max_hops: int | None = None
    energy_weight: float = 1.0
    time_weight: float = 1.0
    num_round_trips: float = 1.0
    num_root_legs: float = 0.0
    own_leg_tree: bool = False
    root_seconds: FloatArray = 0.0  # type: ignore[assignment]
    root_joules: FloatArray = 0.0  # type: ignore[assignment]
    return_link_source: IntArray = None  # type: ignore[assignment]
    return_link_target: IntArray = None  # type: ignore[assignment]
    return_link_rate_bps: FloatArray = None  # type: ignore[assignment]
    return_link_power_w: FloatArray = None  # type: ignore[assignment]
    return_link_delay_s: FloatArray = None  # type: ignore[assignment]
    relays: BoolArray = None  # type: ignore[assignment]
    broadcast_power_w: FloatArray | None = None
    receive_power_w: FloatArray = 0.0  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if not isinstance(self.num_nodes, int | np.integer) or self.num_nodes < 1:
            raise InvalidProblem("num_nodes", None, self.num_nodes, "a whole number >= 1")
        self._check_numbers()
        self._check_nodes()
        self._check_items()
        self._check_links("link")
        self._check_return_links()

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def _check_numbers(self) -> None:
        for field in ("energy_weight", "time_weight", "num_round_trips", "num_root_legs"):
            self._set(field, float(float_array(field, getattr(self, field), ())))
        for first, second in (("energy_weight", "time_weight"), ("num_round_trips", "num_root_legs")):
            if getattr(self, first) == 0 and getattr(self, second) == 0:
                raise InvalidProblem(first, None, 0.0, f"> 0 where {second} is 0")
        for field in ("max_root_children", "max_hops"):
            limit = getattr(self, field)
            if limit is not None and (not isinstance(limit, int | np.integer) or limit < 1):
                raise InvalidProblem(field, None, limit, "a whole number >= 1, or None")

    def _check_nodes(self) -> None:
        shape = (self.num_nodes,)
        for field in ("ready_s", "root_seconds", "root_joules", "receive_power_w"):
            self._set(field, float_array(field, getattr(self, field), shape))
        if self.broadcast_power_w is not None:
            watts = float_array("broadcast_power_w", self.broadcast_power_w, shape)
            self._set("broadcast_power_w", watts)
        members = True if self.members is None else self.members
        self._set("members", _bool_array("members", members, shape))
        self._set("half_duplex", _bool_array("half_duplex", self.half_duplex, shape))
        if not self.members.any():
            raise InvalidProblem("members", None, "all false", "true for at least one node")
        relays = False if self.relays is None else self.relays
        self._set("relays", _bool_array("relays", relays, shape))
        both = np.flatnonzero(self.relays & self.members)
        if both.size:
            raise InvalidProblem("relays", int(both[0]), True, "false, as the node is a member")
        roots = np.flatnonzero(self.members) if self.roots is None else self.roots
        self._set("roots", index_array("roots", roots, below=self.num_nodes))
        if self.roots.size == 0:
            raise InvalidProblem("roots", None, "empty", "at least one candidate root")
        if np.unique(self.roots).size < self.roots.size:
            raise InvalidProblem("roots", None, self.roots.tolist(), "without repetition")

    def _check_items(self) -> None:
        bits = np.asarray(self.item_bits)
        if bits.ndim != 1:
            raise InvalidProblem("item_bits", None, f"an array of shape {bits.shape}", "in one dimension")
        self._set("item_bits", float_array("item_bits", bits, bits.shape))
        item = index_array("node_item", self.node_item, below=max(bits.size, 1))
        start = index_array(
            "node_item_start", self.node_item_start, below=item.size + 1, length=self.num_nodes + 1
        )
        if start[0] != 0 or start[-1] != item.size or np.any(np.diff(start) < 0):
            raise InvalidProblem(
                "node_item_start",
                None,
                start.tolist(),
                f"ascending from 0 to {item.size} (length of node_item)",
            )
        if item.size and bits.size == 0:
            raise InvalidProblem("node_item", 0, int(item[0]), "absent: there are no items")
        idle = np.flatnonzero(~self.members & (np.diff(start) > 0))
        if idle.size:
            raise InvalidProblem("members", int(idle[0]), False, "true, as the node has items")
        self._set("node_item", item)
        self._set("node_item_start", start)

    def _check_links(self, prefix: str) -> None:
        source = index_array(f"{prefix}_source", getattr(self, f"{prefix}_source"), below=self.num_nodes)
        target = index_array(
            f"{prefix}_target", getattr(self, f"{prefix}_target"), below=self.num_nodes, length=source.size
        )
        loops = np.flatnonzero(source == target)
        if loops.size:
            raise InvalidProblem(f"{prefix}_target", int(loops[0]), int(target[loops[0]]), "another node")
        code = source * self.num_nodes + target
        _, first = np.unique(code, return_index=True)
        if first.size < code.size:
            again = int(np.setdiff1d(np.arange(code.size), first)[0])
            pair = f"a second link from {source[again]} to {target[again]}"
            raise InvalidProblem(f"{prefix}_source", again, pair, "the only one for this pair")
        self._set(f"{prefix}_source", source)
        self._set(f"{prefix}_target", target)
        shape = source.shape
        rate = getattr(self, f"{prefix}_rate_bps")
        power = getattr(self, f"{prefix}_power_w")
        delay = getattr(self, f"{prefix}_delay_s")
        self._set(
            f"{prefix}_rate_bps",
            float_array(f"{prefix}_rate_bps", rate, shape, positive=True, allow_inf=True),
        )
        self._set(f"{prefix}_power_w", float_array(f"{prefix}_power_w", power, shape))
        self._set(f"{prefix}_delay_s", float_array(f"{prefix}_delay_s", delay, shape))

    def _check_return_links(self) -> None:
        names = ("source", "target", "rate_bps", "power_w", "delay_s")
        given = [name for name in names if getattr(self, f"return_link_{name}") is not None]
        if not given:
            for name in names:
                self._set(f"return_link_{name}", getattr(self, f"link_{name}"))
            return
        if given == list(names[:4]):
            self._set("return_link_delay_s", 0.0)
        missing = [name for name in names if getattr(self, f"return_link_{name}") is None]
        if missing:
            raise InvalidProblem(
                f"return_link_{missing[0]}", None, None, f"given, as return_link_{given[0]} is"
            )
        self._check_links("return_link")

    @property
    def has_return(self) -> bool:
        """Whether the union travels back, that is whether ``num_round_trips > 0``."""
        return self.num_round_trips > 0

    @property
    def has_leg_tree(self) -> bool:
        """Whether root legs have a gather tree to be chosen besides that of the round trips."""
        return self.own_leg_tree and self.num_round_trips > 0 and self.num_root_legs > 0

    @property
    def num_gathers(self) -> float:
        """How often the tree ``parent`` is used: in all rounds, or in round trips if legs have their own."""
        return self.num_round_trips + (0.0 if self.has_leg_tree else self.num_root_legs)

    @property
    def has_broadcast(self) -> bool:
        """Whether a node serves all its children at once on the way back."""
        return self.has_return and self.broadcast_power_w is not None

    def links_between(self, child: IntArray, parent: IntArray, *, back: bool) -> IntArray:
        """Return the link of each (child, parent) pair, -1 without one; a return link on the way back."""
        code, order = self._return_codes if back else self._codes
        wanted = child * self.num_nodes + parent
        place = np.minimum(np.searchsorted(code, wanted), max(code.size - 1, 0))
        if code.size == 0:
            return np.full(child.size, -1)
        return np.where(code[place] == wanted, order[place], -1)

    @cached_property
    def _codes(self) -> tuple[IntArray, IntArray]:
        return _sorted_codes(self.link_source * self.num_nodes + self.link_target)

    @cached_property
    def _return_codes(self) -> tuple[IntArray, IntArray]:
        return _sorted_codes(self.return_link_target * self.num_nodes + self.return_link_source)

    @cached_property
    def items_of_node(self) -> BoolArray:
        """Which items each node contributes, (N, M) bool."""
        has = np.zeros((self.num_nodes, self.item_bits.size), dtype=np.bool_)
        has[np.repeat(np.arange(self.num_nodes), np.diff(self.node_item_start)), self.node_item] = True
        return frozen(has)

    @cached_property
    def link_of(self) -> dict[tuple[int, int], int]:
        """Index of the link of each (source, target)."""
        return _links_by_pair(self.link_source, self.link_target)

    @cached_property
    def return_link_of(self) -> dict[tuple[int, int], int]:
        """Index of the return link of each (source, target), in the direction of travel."""
        return _links_by_pair(self.return_link_source, self.return_link_target)

    @cached_property
    def union_bits(self) -> float:
        """Bits of the union of all items: what travels back."""
        return float(self.item_bits[self.items_of_node.any(axis=0)].sum())


def _sorted_codes(code: IntArray) -> tuple[IntArray, IntArray]:
    order = np.argsort(code, kind="stable")
    return code[order], order


def _links_by_pair(source: IntArray, target: IntArray) -> dict[tuple[int, int], int]:
    return {pair: link for link, pair in enumerate(zip(source.tolist(), target.tolist(), strict=True))}


def _bool_array(field: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    raw = np.asarray(values)
    if raw.dtype != np.bool_:
        raise InvalidProblem(field, None, f"{raw.dtype} of shape {raw.shape}", "true or false values")
    if raw.ndim and raw.shape != shape:
        raise InvalidProblem(
            field, None, f"an array of shape {raw.shape}", f"true, false or of shape {shape}"
        )
    return frozen(np.array(np.broadcast_to(raw, shape)))
