"""From a problem to the compiled loops and back: arrays in their order, cells shared among threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import cast

import numpy as np

from solvers.allocation.fleet import cells_of
from solvers.allocation.loops.cells import Numbers, balance_some, bound_some
from solvers.allocation.loops.device import Tables
from solvers.allocation.loops.scratch import Data, Order
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.snr import Inverse, inverse_table
from solvers.allocation.solution import Prices, Proposal
from solvers.common.arrays import BoolArray, FloatArray, IntArray

_THREADED_FROM = 20_000
"""Devices from which several cells are shared among threads: below, starting these takes longer."""


def balanced_cells(
    problem: AllocationProblem, threads: int, *, thorough: bool = False
) -> tuple[Proposal, BoolArray]:
    """Return a proposal with its prices, and which cells (M,) have one: the rows of others mean nothing.

    The balance of large cells is less exact than that of small ones, unless it has to be ``thorough``.
    """
    order, starts = _grouped(problem)
    num, count = problem.num_devices, problem.num_cells
    bandwidth, airtime, prices, guesses, power, frequency = (np.zeros(num) for _ in range(6))
    found = (bandwidth, airtime, prices, guesses, power)
    mu, deadline = np.zeros(count), np.zeros(count)
    data, numbers, tables = _data(problem), _numbers(problem), _tables("chi", "excess")

    def work(first: int, last: int) -> None:
        balance_some(
            data, order, starts, numbers, found, frequency, mu, deadline, tables, thorough, first, last
        )

    _share(work, starts, threads)
    proposal = Proposal(
        bandwidth_hz=bandwidth,
        power_w=power,
        frequency_hz=frequency,
        transmit_s=airtime,
        deadline_s=deadline,
        prices=Prices(bandwidth=mu, time=prices),
    )
    return proposal, ~np.isnan(deadline)


def dual_values(problem: AllocationProblem, prices: Prices, threads: int) -> tuple[FloatArray, FloatArray]:
    """Return the dual value of each cell (M,) at some prices, and the sum of its terms' sizes."""
    order, starts = _grouped(problem)
    value, size = np.zeros(problem.num_cells), np.zeros(problem.num_cells)
    data, numbers, tables = _data(problem), _numbers(problem), _tables("chi2_over_q", "capped_price")
    mu, price = np.array(prices.bandwidth), np.require(prices.time, requirements=["C", "W"])

    def work(first: int, last: int) -> None:
        bound_some(data, order, starts, numbers, mu, price, value, size, tables, first, last)

    _share(work, starts, threads)
    return value, size


def _grouped(problem: AllocationProblem) -> tuple[Order, IntArray]:
    """Return the devices in the order of their cells, and where each cell starts (M + 1,)."""
    if problem.cell is None:
        return np.arange(problem.num_devices, dtype=np.int32), np.array([0, problem.num_devices])
    cell = cells_of(problem)
    starts = np.zeros(problem.num_cells + 1, dtype=np.int64)
    np.cumsum(np.bincount(cell, minlength=problem.num_cells), out=starts[1:])
    return np.argsort(cell, kind="stable").astype(np.int32), starts


def _data(problem: AllocationProblem) -> Data:
    names = (
        "bits",
        "gain",
        "noise_w_per_hz",
        "max_power_w",
        "cycles",
        "max_frequency_hz",
        "capacitance",
        "min_power_w",
        "min_frequency_hz",
    )
    return tuple(cast("FloatArray", getattr(problem, name)) for name in names)


def _numbers(problem: AllocationProblem) -> Numbers:
    given = np.zeros(problem.num_cells) if problem.deadline_s is None else problem.deadline_s
    weight, price, band, deadline = (
        np.array(values, dtype=np.float64, ndmin=1)  # copies: the loops are compiled for arrays of one kind
        for values in (problem.energy_weight, problem.time_weight, problem.band_hz, given)
    )
    return weight, price, band, deadline


@cache
def _tables(first: Inverse, second: Inverse) -> Tables:
    return inverse_table(first), inverse_table(second)


def _share(work: Callable[[int, int], None], starts: IntArray, threads: int) -> None:
    """Do the cells in parts of about as many devices, each part in a thread."""
    count = len(starts) - 1
    if threads == 1 or count < threads or starts[-1] < _THREADED_FROM:
        work(0, count)
        return
    ends = np.searchsorted(starts, starts[-1] * np.arange(threads + 1) / threads)
    ends[0], ends[-1] = 0, count
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, int(a), int(b)) for a, b in pairwise(ends)]:
            done.result()
