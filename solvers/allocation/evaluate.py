"""The one place where an answer is judged: cost and violations from the problem's own arrays."""

from collections.abc import Iterator
from typing import cast

import numpy as np

from solvers.allocation.blocks import blocks
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray, IntArray
from solvers.common.result import Violation

TOLERANCE = 1e-12
"""Share of a limit by which rounding may exceed it: some thousand units in the last place."""
_MEANS = ("bandwidth_hz", "power_w", "frequency_hz", "transmit_s")


def cost(problem: AllocationProblem, proposal: Proposal) -> FloatArray:
    """Return energy_weight * joules + time_weight * deadline of each cell (M,)."""
    joules = np.zeros(problem.num_cells)
    for part in blocks(problem.num_devices):
        f = proposal.frequency_hz[part]
        computing = _f(problem.capacitance)[part] * _f(problem.cycles)[part] * f * f
        _add(problem, joules, part, computing + proposal.power_w[part] * proposal.transmit_s[part])
    weighted: FloatArray = _f(problem.energy_weight) * joules + _f(problem.time_weight) * proposal.deadline_s
    return weighted


def violations(problem: AllocationProblem, proposal: Proposal) -> tuple[Violation, ...]:
    """Return every limit that a proposal breaks by more than :data:`TOLERANCE` of it."""
    band, given = np.atleast_1d(_f(problem.band_hz)), problem.deadline_s
    used = np.zeros(problem.num_cells)
    found: list[Violation] = []
    for part in blocks(problem.num_devices):
        _add(problem, used, part, proposal.bandwidth_hz[part])
        found += _of_devices(problem, proposal, part)
    found += _over("band of cell {}", used - band, band, "Hz", 0)
    if given is not None:
        limit = np.atleast_1d(_f(given))
        found += _over("deadline given to cell {}", proposal.deadline_s - limit, limit, "s", 0)
    return tuple(found)


def _of_devices(problem: AllocationProblem, proposal: Proposal, part: slice) -> Iterator[Violation]:
    bits, cycles = _f(problem.bits)[part], _f(problem.cycles)[part]
    power, frequency = proposal.power_w[part], proposal.frequency_hz[part]
    missing, seconds = _undelivered(problem, proposal, part), _seconds(problem, proposal, part)
    deadline = proposal.deadline_s[_cell(problem, part)] if problem.cell is not None else proposal.deadline_s
    caps, floors = _f(problem.max_power_w)[part], _f(problem.min_power_w)[part]
    fastest, slowest = _f(problem.max_frequency_hz)[part], _f(problem.min_frequency_hz)[part]
    first = part.start
    yield from _over("payload of device {} still to send", missing, bits, "bit", first)
    yield from _over("deadline of device {}", seconds - deadline, deadline, "s", first)
    yield from _over("power of device {}", power - caps, caps, "W", first)
    yield from _over("frequency of device {}", frequency - fastest, fastest, "Hz", first)
    if floors.any():
        lacking = np.where(bits > 0, floors - power, 0.0)
        yield from _over("least power less the power of device {}", lacking, floors, "W", first)
    if slowest.any():
        lacking = np.where(cycles > 0, slowest - frequency, 0.0)
        yield from _over("least frequency less the frequency of device {}", lacking, slowest, "Hz", first)
    for name in _MEANS:
        values = getattr(proposal, name)[part]
        if not (values >= 0).all():
            yield from _over(f"least {name} (zero) of device {{}}", -values, np.zeros(1), "", first)


def _undelivered(problem: AllocationProblem, proposal: Proposal, part: slice) -> FloatArray:
    """Return payload minus t b log2(1 + p g / (N0 b)) of some devices in bits, Shannon's formula."""
    b = proposal.bandwidth_hz[part]
    ratio = np.zeros_like(b)
    noise = _f(problem.noise_w_per_hz)[part] * b
    np.divide(proposal.power_w[part] * _f(problem.gain)[part], noise, out=ratio, where=b > 0)
    rate = b * np.log1p(ratio) / np.log(2.0)
    missing: FloatArray = _f(problem.bits)[part] - rate * proposal.transmit_s[part]
    return missing


def _seconds(problem: AllocationProblem, proposal: Proposal, part: slice) -> FloatArray:
    cycles, frequency = _f(problem.cycles)[part], proposal.frequency_hz[part]
    computing = np.where(cycles > 0, np.inf, 0.0)
    np.divide(cycles, frequency, out=computing, where=(cycles > 0) & (frequency > 0))
    return computing + proposal.transmit_s[part]


def _over(limit: str, amount: FloatArray, size: FloatArray, unit: str, first: int) -> list[Violation]:
    """Return the violations of one kind; NaN counts as broken, and numbers count from ``first``."""
    within = amount <= TOLERANCE * size
    if within.all():
        return []
    broken = np.flatnonzero(~within)
    return [Violation(limit.format(first + place), float(amount[place]), unit) for place in broken]


def _add(problem: AllocationProblem, total: FloatArray, part: slice, values: FloatArray) -> None:
    """Add the values of some devices to the totals of their cells."""
    if problem.cell is None:
        total += values.sum()
    else:
        total += np.bincount(_cell(problem, part), values, minlength=len(total))


def _cell(problem: AllocationProblem, part: slice) -> IntArray:
    return cast("IntArray", problem.cell)[part]


def _f(values: object) -> FloatArray:
    return cast("FloatArray", values)
