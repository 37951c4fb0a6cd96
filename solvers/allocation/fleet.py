"""The problem's devices in the letters of the derivation, sorted by cell: what the methods compute with."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TypeVar, cast

import numpy as np

from solvers.allocation.blocks import BLOCK, blocks
from solvers.allocation.cells import Cells
from solvers.allocation.problem import AllocationProblem
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_SAMPLE = 1024
"""Half the devices of the stand-in that is solved before a large cell."""
Group = TypeVar("Group", "Transmitters", "Computers")


@dataclass(frozen=True)
class Transmitters:
    """Devices with something to send; every array has shape (number of transmitters,).

    ``a`` payload in nats; ``n`` noise density over gain, W/Hz; ``cap`` and ``floor`` most and least power,
    W; ``energy_price`` 1/J; ``c_min`` and ``c_max`` least and longest computing time, s; ``t_floor`` =
    n a / cap, the airtime over an endless band at full power, s; ``K`` = cycles (2 energy_price
    capacitance)^(1/3), so that a deadline price of K^3/c^3 makes c seconds of computing the best; ``slack``
    seconds by which c_min + t_floor is below the largest of the cell; ``index`` place in the problem's
    arrays.
    """

    index: IntArray
    a: FloatArray
    n: FloatArray
    cap: FloatArray
    floor: FloatArray
    energy_price: FloatArray
    c_min: FloatArray
    c_max: FloatArray
    t_floor: FloatArray
    K: FloatArray
    slack: FloatArray


@dataclass(frozen=True)
class Computers:
    """Devices that only compute: ``index``, ``c_min``, ``c_max`` and ``K`` as for :class:`Transmitters`."""

    index: IntArray
    c_min: FloatArray
    c_max: FloatArray
    K: FloatArray


@dataclass(frozen=True)
class Block:
    """Some neighbouring transmitters: places ``mine``, of the cells ``rows``, numbered anew in ``cells``.

    ``near`` holds the last root of each transmitter, a hint for the next one; it is written to.
    """

    group: Transmitters
    cells: Cells
    mine: slice
    rows: slice
    near: FloatArray


@dataclass(frozen=True)
class Fleet:
    """All devices of M cells, with the cells' own numbers of shape (M,).

    ``base`` is the largest c_min + t_floor (or c_min) of each cell in s: no deadline is below it.
    ``deadline`` is the deadline given, or ``None``.
    """

    transmitters: Transmitters
    transmitter_cells: Cells
    computers: Computers
    computer_cells: Cells
    band: FloatArray
    energy_weight: FloatArray
    time_weight: FloatArray
    deadline: FloatArray | None
    base: FloatArray

    @property
    def count(self) -> int:
        """Number of cells M."""
        return len(self.band)

    @cached_property
    def senders(self) -> FloatArray:
        """Number of transmitters of each cell (M,)."""
        return np.bincount(self.transmitter_cells.cell, minlength=self.count).astype(np.float64)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The transmitters in blocks of at most :data:`BLOCK`, as views."""
        group, cells = self.transmitters, self.transmitter_cells
        length = len(group.a)
        if length <= BLOCK:
            return (Block(group, cells, slice(0, length), slice(0, self.count), np.full(length, -np.inf)),)
        found = []
        for mine in blocks(length):
            numbers = cells.cell[mine]
            first, last = int(numbers[0]), int(numbers[-1])
            part = Transmitters(**{name: values[mine] for name, values in vars(group).items()})
            rows = slice(first, last + 1)
            found.append(
                Block(
                    part, Cells(numbers - first, last + 1 - first), mine, rows, np.full(len(numbers), -np.inf)
                )
            )
        return tuple(found)

    @cached_property
    def sample(self) -> "Fleet | None":
        """A small stand-in of one large cell, ``None`` for others: where it is in balance the cell nearly is.

        The devices with the least slack, which a hurried cell depends on, are there themselves.  Of the
        others each that is there stands for some like it: w devices with a, cap and K ask for the bandwidth
        and the deadline price of one with w a, w cap, w floor and w^(1/3) K.
        """
        length = len(self.transmitters.a)
        if self.count > 1 or length < 4 * _SAMPLE:
            return None
        tight = np.argpartition(self.transmitters.slack, _SAMPLE)[:_SAMPLE]
        others = np.setdiff1d(np.arange(0, length, length // _SAMPLE), tight)
        weight = np.ones(len(tight) + len(others))
        weight[len(tight) :] = (length - len(tight)) / len(others)
        chosen = np.concatenate((tight, others))
        senders = Transmitters(**{name: values[chosen] for name, values in vars(self.transmitters).items()})
        senders = replace(
            senders,
            a=senders.a * weight,
            cap=senders.cap * weight,
            floor=senders.floor * weight,
            K=senders.K * np.cbrt(weight),
        )
        return replace(
            self,
            transmitters=senders,
            transmitter_cells=Cells(np.zeros(len(chosen), dtype=np.int64), 1),
        )

    def of_cells(self, chosen: IntArray) -> "Fleet":
        """Return the fleet of some cells, numbered anew in the order of ``chosen`` (ascending)."""
        if len(chosen) == self.count:
            return self
        number = np.full(self.count, -1)
        number[chosen] = np.arange(len(chosen))
        senders = number[self.transmitter_cells.cell]
        workers = number[self.computer_cells.cell]
        return Fleet(
            transmitters=_pick(self.transmitters, senders >= 0),
            transmitter_cells=Cells(senders[senders >= 0], len(chosen)),
            computers=_pick(self.computers, workers >= 0),
            computer_cells=Cells(workers[workers >= 0], len(chosen)),
            band=self.band[chosen],
            energy_weight=self.energy_weight[chosen],
            time_weight=self.time_weight[chosen],
            deadline=None if self.deadline is None else self.deadline[chosen],
            base=self.base[chosen],
        )


def fleet_of(problem: AllocationProblem) -> Fleet:
    """Return the devices of ``problem`` sorted by cell; idle devices (no bits, no cycles) are left out.

    A device that can never finish has an infinite ``c_min`` or ``t_floor``; its cell's ``base`` is infinite.
    """
    count = problem.num_cells
    cell = cells_of(problem)
    bits, cycles = cast("FloatArray", problem.bits), cast("FloatArray", problem.cycles)
    order = np.argsort(cell, kind="stable") if count > 1 else np.arange(problem.num_devices)
    senders = order[bits[order] > 0]
    workers = order[(bits[order] == 0) & (cycles[order] > 0)]
    sending, working = Cells(cell[senders], count), Cells(cell[workers], count)
    energy_weight = np.atleast_1d(cast("FloatArray", problem.energy_weight))
    a = bits[senders] * np.log(2.0)
    cap = cast("FloatArray", problem.max_power_w)[senders]
    with np.errstate(divide="ignore"):
        n = cast("FloatArray", problem.noise_w_per_hz)[senders] / cast("FloatArray", problem.gain)[senders]
        t_floor = a * n / cap
    c_min, c_max, K = _computing(problem, senders, energy_weight[cell[senders]])
    c_min_worker, c_max_worker, K_worker = _computing(problem, workers, energy_weight[cell[workers]])
    least = c_min + t_floor
    base = np.maximum(sending.max(least), working.max(c_min_worker))
    top = base[sending.cell]
    with np.errstate(invalid="ignore"):
        slack = np.where(np.isfinite(top), (top - c_min) - t_floor, 0.0)
    return Fleet(
        transmitters=Transmitters(
            senders,
            a,
            n,
            cap,
            cast("FloatArray", problem.min_power_w)[senders],
            energy_weight[sending.cell] if count > 1 else energy_weight[np.zeros(len(senders), int)],
            c_min,
            c_max,
            t_floor,
            K,
            np.where(least == top, 0.0, np.maximum(slack, 0.0)),
        ),
        transmitter_cells=sending,
        computers=Computers(workers, c_min_worker, c_max_worker, K_worker),
        computer_cells=working,
        band=np.atleast_1d(cast("FloatArray", problem.band_hz)),
        energy_weight=energy_weight,
        time_weight=np.atleast_1d(cast("FloatArray", problem.time_weight)),
        deadline=None if problem.deadline_s is None else np.atleast_1d(problem.deadline_s),
        base=base,
    )


def cells_of(problem: AllocationProblem) -> IntArray:
    """Return the cell of each device (N,), zeros without ``cell``."""
    if problem.cell is None:
        return np.zeros(problem.num_devices, dtype=np.int64)
    return cast("IntArray", problem.cell)


def _computing(
    problem: AllocationProblem, index: IntArray, price: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the least and the longest computing time (s) and K of some devices."""
    cycles = cast("FloatArray", problem.cycles)[index]
    frequency = cast("FloatArray", problem.max_frequency_hz)[index]
    capacitance = cast("FloatArray", problem.capacitance)[index]
    slowest = cast("FloatArray", problem.min_frequency_hz)[index]
    c_min, c_max = np.zeros(len(index)), np.zeros(len(index))
    with np.errstate(divide="ignore"):
        np.divide(cycles, frequency, out=c_min, where=cycles > 0)
        np.divide(cycles, slowest, out=c_max, where=cycles > 0)
    return c_min, c_max, cycles * np.cbrt(2.0 * price * capacitance)


def _pick(group: Group, mask: BoolArray) -> Group:
    chosen = np.flatnonzero(mask)
    return type(group)(*(getattr(group, field.name).take(chosen) for field in fields(group)))
