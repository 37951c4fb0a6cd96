"""A band of equal resource blocks, of which each device gets a whole number: certified search."""

import heapq
import itertools
import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from solvers.allocation.evaluate import cost, violations
from solvers.allocation.fixed_bandwidth import best_deadline, fixed_bandwidth
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import Proposal
from solvers.allocation.solve import DEFAULT_GAP, solve
from solvers.allocation.whole_blocks import BlockTable, Look, block_table, look
from solvers.common.arrays import FloatArray, IntArray, float_array, frozen
from solvers.common.errors import BackendFailure, InvalidProblem
from solvers.common.options import Options
from solvers.common.result import Result, Status, StopReason, relative_gap

_SLACK = 1e-12
"""Share by which a deadline may be below the least one, or blocks exceed the band, and still count as met."""


@dataclass(frozen=True, kw_only=True)
class BlockSolution:
    """Blocks and means of each device (N,), and the deadline.

    Parameters
    ----------
    blocks : IntArray, shape (N,)
        Number of resource blocks; they sum to at most those of the band.
    bandwidth_hz, power_w, frequency_hz, transmit_s : FloatArray, shape (N,)
        As in :class:`solvers.allocation.AllocationSolution`; ``bandwidth_hz`` is ``blocks * block_hz``.
    deadline_s : float
        The deadline T, chosen or given, s.
    """

    blocks: IntArray
    bandwidth_hz: FloatArray
    power_w: FloatArray
    frequency_hz: FloatArray
    transmit_s: FloatArray
    deadline_s: float


def solve_resource_blocks(
    problem: AllocationProblem, block_hz: float, options: Options | None = None
) -> Result[BlockSolution]:
    """Return the least cost at which each device has a whole number of resource blocks, with a proof.

    At a given deadline the answer is exact.  Where the deadline is to be decided, intervals of it are
    bounded and split until the gap asked for is reached; the work grows with devices times blocks.

    Parameters
    ----------
    problem : AllocationProblem
        One cell (``cell`` is ``None``); the band has ``floor(band_hz / block_hz)`` blocks.
    block_hz : float
        Width of a block, Hz, > 0; 180 kHz in LTE, 360 kHz at 30 kHz subcarrier spacing in NR.
    options : Options or None
        When to stop; the default gap is 1e-9.

    Returns
    -------
    Result of BlockSolution
        Checked against the problem's own arrays; infeasible where whole blocks cannot meet the deadline.

    Raises
    ------
    InvalidProblem
        If ``block_hz`` has no meaning or the problem has several cells.
    """
    started = time.perf_counter()
    options = options or Options()
    block_hz = float(float_array("block_hz", block_hz, (), positive=True))
    if problem.cell is not None:
        raise InvalidProblem("cell", None, "an array", "None: blocks are shared in one cell at a time")
    total = int(float(cast("FloatArray", problem.band_hz)) / block_hz * (1.0 + _SLACK))
    table = block_table(problem, block_hz, total)
    least = table.least_deadline
    given = None if problem.deadline_s is None else float(cast("FloatArray", problem.deadline_s))
    if not np.isfinite(least) or (given is not None and given < least * (1.0 - _SLACK)):
        return _infeasible(least, given, total, started)
    search = _Search(problem, block_hz, table)
    wanted = DEFAULT_GAP if options.gap is None else options.gap
    if given is not None:
        at = look(table, max(given, least))
        search.offer(at.blocks, given)
        search.bound = at.bound(at.deadline)
        late = False
    else:
        late = search.run(wanted, started + (options.time_limit_s or np.inf))
    bound, value = min(search.bound, search.value), search.value
    optimal = relative_gap(value, bound) <= wanted
    ended = StopReason.TIME_LIMIT if late else StopReason.NO_PROGRESS
    return Result(
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        stop_reason=StopReason.GAP_REACHED if optimal else ended,
        solution=search.best,
        objective=value,
        bound=bound,
        method="resource_blocks",
        seconds=time.perf_counter() - started,
    )


class _Search:
    """Best-first search over intervals of the deadline, and the best answer so far."""

    def __init__(self, problem: AllocationProblem, block_hz: float, table: BlockTable) -> None:
        self.problem, self.block_hz, self.table = problem, block_hz, table
        self.best: BlockSolution | None = None
        self.value, self.bound = np.inf, -np.inf
        self._seen: set[bytes] = set()

    def run(self, gap: float, end: float) -> bool:
        """Search until the gap is reached, and return whether time ran out before."""
        least, weight = self.table.least_deadline, self.table.time_weight
        relaxed = solve(replace(self.problem, band_hz=self.block_hz * self.table.total))
        start = least if relaxed.solution is None else float(relaxed.solution.deadline_s)
        first = self._look(max(start, least))
        number = itertools.count()
        open_: list[tuple[float, int, float, Look]] = [(first.bound(least), next(number), least, first)]
        latest = self.value / weight  # beyond it time alone costs more than the best answer
        if latest > first.deadline:
            last = self._look(latest)
            heapq.heappush(open_, (last.bound(first.deadline), next(number), first.deadline, last))
        while True:
            self.bound = max(float(relaxed.bound), open_[0][0] if open_ else self.value)
            if relative_gap(self.value, self.bound) <= gap:
                return False
            if time.perf_counter() > end:
                return True
            _, _, low, node = heapq.heappop(open_)
            middle = _between(low, node.deadline)
            if not low < middle < node.deadline:
                return False  # nothing is left to split: rounding is what keeps the gap open
            for early, part in ((low, self._look(middle)), (middle, node)):
                bound = part.bound(early)
                if bound < self.value:
                    heapq.heappush(open_, (bound, next(number), early, part))

    def _look(self, deadline: float) -> Look:
        at = look(self.table, deadline)
        key = at.blocks.tobytes()
        if key not in self._seen:
            self._seen.add(key)
            devices = fixed_bandwidth(self.problem, _band(self.block_hz, at.blocks))
            self.offer(at.blocks, best_deadline(devices, self.table.time_weight))
        return at

    def offer(self, blocks: IntArray, deadline: float) -> None:
        """Keep these blocks at this deadline if they cost less than the best so far."""
        solution = _solution(self.problem, self.block_hz, blocks, deadline)
        value = _checked_cost(self.problem, solution)
        if value < self.value:
            self.best, self.value = solution, value


def _band(block_hz: float, blocks: IntArray) -> FloatArray:
    return block_hz * blocks.astype(np.float64)


def _between(low: float, high: float) -> float:
    return float(np.sqrt(low * high)) if high > 2.0 * low > 0.0 else 0.5 * (low + high)


def _solution(
    problem: AllocationProblem, block_hz: float, blocks: IntArray, deadline: float
) -> BlockSolution:
    """Return the best power, frequency and airtime for these blocks and this deadline."""
    b = _band(block_hz, blocks)
    devices = fixed_bandwidth(problem, b)
    t = devices.respond(max(deadline, float(np.max(devices.least_deadline, initial=0.0)))).airtime
    sends = devices.a > 0
    power = np.zeros_like(b)
    power[sends] = (devices.n * b)[sends] * np.expm1((devices.a / np.where(sends, b * t, 1.0))[sends])
    cycles, fastest, slowest, capacitance = (
        cast("FloatArray", getattr(problem, name))
        for name in ("cycles", "max_frequency_hz", "min_frequency_hz", "capacitance")
    )
    c = np.maximum(deadline - t, devices.c_min)
    slow = np.divide(cycles, c, out=np.zeros_like(c), where=cycles > 0)
    frequency = np.where((capacitance == 0) & (cycles > 0), fastest, np.clip(slow, slowest, fastest))
    frequency = np.where(cycles > 0, frequency, 0.0)
    least = np.where(sends, cast("FloatArray", problem.min_power_w), 0.0)
    return BlockSolution(
        blocks=frozen(blocks),
        bandwidth_hz=frozen(b),
        power_w=frozen(np.clip(power, least, cast("FloatArray", problem.max_power_w))),
        frequency_hz=frozen(frequency),
        transmit_s=frozen(t),
        deadline_s=deadline,
    )


def _checked_cost(problem: AllocationProblem, found: BlockSolution) -> float:
    proposal = Proposal(
        bandwidth_hz=found.bandwidth_hz,
        power_w=found.power_w,
        frequency_hz=found.frequency_hz,
        transmit_s=found.transmit_s,
        deadline_s=np.array([found.deadline_s]),
    )
    broken = violations(problem, proposal)
    if broken:
        raise BackendFailure(f"allocation of resource blocks breaks a limit: {broken[0]}")
    return float(cost(problem, proposal)[0])


def _infeasible(least: float, given: float | None, total: int, started: float) -> Result[BlockSolution]:
    if np.isfinite(least):
        why = f"{total} whole blocks cannot meet {given!r} s: they need at least {least!r} s"
    else:
        why = f"{total} whole blocks leave a device that can never finish"
    return Result(
        status=Status.INFEASIBLE,
        stop_reason=StopReason.PROVEN_INFEASIBLE,
        solution=None,
        objective=np.inf,
        bound=np.inf,
        method="resource_blocks",
        seconds=time.perf_counter() - started,
        explanation=why,
    )
