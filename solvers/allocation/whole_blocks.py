"""Whole resource blocks at one deadline: the optimal split, and a bound that holds on an interval."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from solvers.allocation.fixed_bandwidth import FixedBandwidth, Responses, fixed_bandwidth
from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_ROUNDING = 1e-13
"""Share of the terms' sizes by which a bound is lowered: some hundred units in the last place."""


@dataclass(frozen=True)
class BlockTable:
    """What each device does with 0, 1, ..., ``total`` blocks; arrays of shape (N, total + 1)."""

    devices: FixedBandwidth
    sends: BoolArray
    total: int
    time_weight: float

    @cached_property
    def least_deadline(self) -> float:
        """The least deadline that whole blocks can meet, s; ``inf`` if none."""
        ends = np.broadcast_to(self.devices.least_deadline, (len(self.sends), self.total + 1))
        candidates = np.unique(ends[np.isfinite(ends)])
        low, high = 0, len(candidates)
        while low < high:
            middle = (low + high) // 2
            if self._needed(ends, candidates[middle]) <= self.total:
                high = middle
            else:
                low = middle + 1
        return float(candidates[low]) if low < len(candidates) else (0.0 if not len(ends) else np.inf)

    @staticmethod
    def _needed(ends: FloatArray, deadline: float) -> int:
        return int(np.sum(ends > deadline))


def block_table(problem: AllocationProblem, block_hz: float, total: int) -> BlockTable:
    """Return the table of a problem of one cell."""
    bandwidth = np.broadcast_to(block_hz * np.arange(total + 1), (problem.num_devices, total + 1))
    return BlockTable(
        fixed_bandwidth(problem, bandwidth),
        cast("FloatArray", problem.bits) > 0,
        total,
        float(cast("FloatArray", problem.time_weight)),
    )


@dataclass(frozen=True)
class Look:
    """The table at one deadline, and the blocks (N,) that cost the least there."""

    table: BlockTable
    deadline: float
    responses: Responses
    blocks: IntArray
    price: float

    def bound(self, earliest: float) -> float:
        """Return a lower bound on the cost at every deadline from ``earliest`` to that of the look.

        With a price mu on each block the devices part.  Device i's cost with m blocks is convex in T, so it
        is above its tangent at the deadline looked at; the least over m of these lines, summed over the
        devices, is concave in T, and so lowest at an end of the interval.
        """
        late, cost = self.deadline, self.responses.cost
        early = cost + self.responses.price * (late - earliest)
        prices = [self.price]
        if earliest < late:
            other = _cheapest(early, self.table)[1]
            prices += [other, 0.5 * (self.price + other)]
        return max(min(self._dual(cost, late, mu), self._dual(early, earliest, mu)) for mu in prices)

    def _dual(self, cost: FloatArray, deadline: float, mu: float) -> float:
        number = np.arange(self.table.total + 1)
        least = float(np.min(cost + mu * number, axis=1).sum())
        time, rent = self.table.time_weight * deadline, mu * self.table.total
        return time + least - rent - _ROUNDING * (time + least + rent)


def look(table: BlockTable, deadline: float) -> Look:
    """Return the optimal blocks at a deadline, at least ``table.least_deadline``.

    The cost of a device is convex in its number of blocks, so taking the largest saving of one more block
    again and again is optimal (Fox, 1966, Management Science 13(3), doi:10.1287/mnsc.13.3.210).
    """
    shape = (len(table.sends), table.total + 1)
    found = table.devices.respond(deadline)
    responses = Responses(*(np.broadcast_to(values, shape) for values in vars(found).values()))
    blocks, price = _cheapest(responses.cost, table)
    return Look(table, deadline, responses, blocks, price)


def _cheapest(cost: FloatArray, table: BlockTable) -> tuple[IntArray, float]:
    """Return the greedy blocks (N,) and a price between the last saving taken and the first one left."""
    total, senders = table.total, np.flatnonzero(table.sends)
    blocks = np.zeros(len(cost), dtype=np.int64)
    if total == 0 or len(senders) == 0:
        return blocks, 0.0
    own = cost[senders]
    needed = np.arange(total) < np.argmax(np.isfinite(own), axis=1)[:, None]
    finite = np.where(np.isfinite(own), own, 0.0)
    saving = np.where(needed, np.inf, finite[:, :-1] - finite[:, 1:])
    saving = np.minimum.accumulate(saving, axis=1)  # convex: only rounding can make a saving grow
    order = np.argsort(-saving, axis=None, kind="stable")
    blocks[senders] = np.bincount(order[:total] // total, minlength=len(senders))
    ranked = saving.ravel()[order]
    following = max(float(ranked[total]), 0.0) if len(ranked) > total else 0.0
    last = float(ranked[total - 1])
    return blocks, 0.5 * (following + last) if np.isfinite(last) else following
