"""One way through a tree of one root: the part of a relaying problem that has no ties to its other parts.

Given the root, seconds and joules of the gather and of the way back only add up, so each is minimised alone.
A root leg that may have its own gather tree has the same best tree as a round trip: both weigh seconds
against joules alike. The way back is a gather over reversed links with the union as payload and nobody to
wait for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.reach import path_seconds, usable_links

NO_LIMIT = 1 << 40
"""Children of the root, or hops, that no tree has."""

ANY_ROOT = -1
"""Stands for the root where only links between members and relays matter, and roots outside are left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Phase:
    """Minimise the price of a tree's busy seconds plus ``time_price`` times its makespan.

    Parameters
    ----------
    num_nodes, root : int
    back : bool
        Whether this is the way back.
    start : (N + 1,) int
        Links of child n: ``start[n]`` to ``start[n + 1]``; the root and nodes outside have none.
    child, parent : (L,) int
        Ends of the usable links.
    delay_s, s_per_bit : (L,) float
        A link that carries ``bits`` is busy for ``delay_s + bits * s_per_bit``.
    second_price : (L,) float
        Objective per busy second of a link.
    time_price : float
        Objective per second of makespan.
    fixed_bits : float
        Bits that every sending carries: the items that all members hold.
    item_bits : (M,) float
    holds : (N, M) bool
        The other items, merged where they have the same holders, and who holds them.
    ready_s : (N,) float
    half_duplex : (N,) bool
        Nodes that receive in series.
    member, relay : (N,) bool
        Nodes that a tree connects, and nodes that it may use; neither has the root.
    max_root_children, max_hops : int
        ``NO_LIMIT`` without a limit.
    broadcast_price, receive_price : (N,) float or None
        On the way back by broadcast: objective per second that a node sends, and that it receives.
    """

    num_nodes: int
    root: int
    back: bool
    start: IntArray
    child: IntArray
    parent: IntArray
    delay_s: FloatArray
    s_per_bit: FloatArray
    second_price: FloatArray
    time_price: float
    fixed_bits: float
    item_bits: FloatArray
    holds: BoolArray
    ready_s: FloatArray
    half_duplex: BoolArray
    member: BoolArray
    relay: BoolArray
    max_root_children: int
    max_hops: int
    broadcast_price: FloatArray | None = None
    receive_price: FloatArray | None = None

    @property
    def num_links(self) -> int:
        """Return L."""
        return int(self.child.size)

    @property
    def is_plain(self) -> bool:
        """Whether seconds and price of a link do not depend on the rest of the tree."""
        return self.item_bits.size == 0 and self.broadcast_price is None

    @cached_property
    def least_s(self) -> FloatArray:
        """Return the seconds of each link with the child's own items, (L,); a relay has those of a member."""
        own_bits = self.fixed_bits + self.holds @ self.item_bits
        own_bits[self.relay] = own_bits[self.member].min(initial=np.inf) if self.member.any() else 0.0
        seconds: FloatArray = self.delay_s + own_bits[self.child] * self.s_per_bit
        return seconds

    @cached_property
    def least_price(self) -> FloatArray:
        """Return the least price of using each link, (L,); of a broadcast, what the receiver draws."""
        if self.receive_price is not None:
            return self.receive_price[self.child] * self.least_s
        return self.second_price * self.least_s

    @cached_property
    def distances_s(self) -> FloatArray:
        """Return the least seconds on a path of each node to the root, (N,); ``inf`` without one."""
        return path_seconds(self.num_nodes, self.parent, self.child, self.least_s, self.root)


def phases_of(problem: RelayingProblem, root: int) -> list[Phase]:
    """Return the phases of a root: the gather, and the way back if there is one."""
    phases = [_phase(problem, root, back=False)]
    if problem.has_return:
        phases.append(_phase(problem, root, back=True))
    return phases


def root_price(problem: RelayingProblem, root: int) -> float:
    """Return what the root itself adds to the objective, whatever its trees."""
    seconds, joules = float(problem.root_seconds[root]), float(problem.root_joules[root])
    return problem.num_root_legs * (problem.time_weight * seconds + problem.energy_weight * joules)


def _phase(problem: RelayingProblem, root: int, *, back: bool) -> Phase:
    links, child, parent = usable_links(problem, root, back=back)
    order = np.lexsort((parent, child))
    links, child, parent = links[order], child[order], parent[order]
    prefix = "return_link" if back else "link"
    rate_bps, delay_s, power_w = (
        getattr(problem, f"{prefix}_{name}")[links] for name in ("rate_bps", "delay_s", "power_w")
    )
    times = problem.num_round_trips if back else problem.num_round_trips + problem.num_root_legs
    joule_price = times * problem.energy_weight
    fixed_bits, item_bits, holds = _items(problem, back=back)
    others = np.arange(problem.num_nodes) != root
    broadcast = receive = None
    if back and problem.broadcast_power_w is not None:
        broadcast, receive = joule_price * problem.broadcast_power_w, joule_price * problem.receive_power_w
    return Phase(
        num_nodes=problem.num_nodes,
        root=root,
        back=back,
        start=np.searchsorted(child, np.arange(problem.num_nodes + 1)),
        child=child,
        parent=parent,
        delay_s=delay_s,
        s_per_bit=1.0 / rate_bps,
        second_price=joule_price * power_w,
        time_price=times * problem.time_weight,
        fixed_bits=fixed_bits,
        item_bits=item_bits,
        holds=holds,
        ready_s=np.zeros(problem.num_nodes) if back else problem.ready_s,
        half_duplex=problem.half_duplex & (broadcast is None),
        member=problem.members & others,
        relay=problem.relays & others,
        max_root_children=NO_LIMIT if problem.max_root_children is None else problem.max_root_children,
        max_hops=NO_LIMIT if problem.max_hops is None else problem.max_hops,
        broadcast_price=broadcast,
        receive_price=receive,
    )


def _items(problem: RelayingProblem, *, back: bool) -> tuple[float, FloatArray, BoolArray]:
    """Return the bits on every link, and the bits (M,) and holders (N, M) of all other items."""
    if back:
        return problem.union_bits, np.zeros(0), np.zeros((problem.num_nodes, 0), dtype=np.bool_)
    holds, bits = problem.items_of_node, problem.item_bits
    everywhere = holds[problem.members].all(axis=0)
    varies = holds.any(axis=0) & ~everywhere
    fixed_bits = float(bits[everywhere].sum())
    if not varies.any():
        return fixed_bits, np.zeros(0), np.zeros((problem.num_nodes, 0), dtype=np.bool_)
    patterns, which = np.unique(holds[:, varies], axis=1, return_inverse=True)
    merged = np.bincount(which.reshape(-1), weights=bits[varies], minlength=patterns.shape[1])
    return fixed_bits, merged.astype(np.float64), patterns
