"""The one place where an answer is judged: cost and violations from the problem's own arrays."""

from typing import cast

import numpy as np

from solvers.allocation.cells import Cells
from solvers.allocation.fleet import cells_of
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray
from solvers.common.result import Violation

TOLERANCE = 1e-12
"""Share of a limit by which rounding may exceed it: some thousand units in the last place."""


def cost(problem: AllocationProblem, proposal: Proposal) -> FloatArray:
    """Return energy_weight * joules + time_weight * deadline of each cell (M,)."""
    cells = Cells(cells_of(problem), problem.num_cells)
    computing = _f(problem.capacitance) * _f(problem.cycles) * proposal.frequency_hz**2
    joules = cells.sum(computing + proposal.power_w * proposal.transmit_s)
    weighted: FloatArray = _f(problem.energy_weight) * joules + _f(problem.time_weight) * proposal.deadline_s
    return weighted


def violations(problem: AllocationProblem, proposal: Proposal) -> tuple[Violation, ...]:
    """Return every limit that a proposal breaks by more than :data:`TOLERANCE` of it."""
    cells = Cells(cells_of(problem), problem.num_cells)
    deadline = cells.spread(proposal.deadline_s)
    found = [
        *_over(
            "payload of device {} still to send", _undelivered(problem, proposal), _f(problem.bits), "bit"
        ),
        *_over("deadline of device {}", _seconds(problem, proposal) - deadline, deadline, "s"),
        *_over(
            "band of cell {}",
            cells.sum(proposal.bandwidth_hz) - _f(problem.band_hz),
            _f(problem.band_hz),
            "Hz",
        ),
        *_over(
            "power of device {}", proposal.power_w - _f(problem.max_power_w), _f(problem.max_power_w), "W"
        ),
        *_over(
            "frequency of device {}",
            proposal.frequency_hz - _f(problem.max_frequency_hz),
            _f(problem.max_frequency_hz),
            "Hz",
        ),
    ]
    for name in ("bandwidth_hz", "power_w", "frequency_hz", "transmit_s"):
        found += _over(f"least {name} (zero) of device {{}}", -getattr(proposal, name), np.zeros(1), "")
    if problem.deadline_s is not None:
        given = _f(problem.deadline_s)
        found += _over("deadline given to cell {}", proposal.deadline_s - given, given, "s")
    return tuple(found)


def _undelivered(problem: AllocationProblem, proposal: Proposal) -> FloatArray:
    """Return payload minus t b log2(1 + p g / (N0 b)) of each device in bits, Shannon's formula."""
    b = proposal.bandwidth_hz
    sending = b > 0
    ratio = np.zeros_like(b)
    noise = _f(problem.noise_w_per_hz) * b
    np.divide(proposal.power_w * _f(problem.gain), noise, out=ratio, where=sending)
    rate = b * np.log1p(ratio) / np.log(2.0)
    missing: FloatArray = _f(problem.bits) - rate * proposal.transmit_s
    return missing


def _seconds(problem: AllocationProblem, proposal: Proposal) -> FloatArray:
    cycles = _f(problem.cycles)
    computing = np.where(cycles > 0, np.inf, 0.0)
    usable = (cycles > 0) & (proposal.frequency_hz > 0)
    np.divide(cycles, proposal.frequency_hz, out=computing, where=usable)
    return computing + proposal.transmit_s


def _over(limit: str, amount: FloatArray, size: FloatArray, unit: str) -> list[Violation]:
    """Return the violations of one kind; NaN counts as broken."""
    amount = np.atleast_1d(amount)
    allowed = TOLERANCE * np.broadcast_to(size, amount.shape)
    broken = np.flatnonzero(~(amount <= allowed))
    return [Violation(limit.format(place), float(amount[place]), unit) for place in broken]


def _f(values: object) -> FloatArray:
    return cast("FloatArray", values)
