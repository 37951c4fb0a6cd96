"""From an almost feasible point to a feasible one that costs only second-order more."""

from typing import cast

import numpy as np

from solvers.allocation.fleet import Fleet
from solvers.allocation.minimum_deadline import full_power_shape
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.solution import Prices, Proposal
from solvers.common.arrays import FloatArray, IntArray


def repaired(
    problem: AllocationProblem,
    fleet: Fleet,
    bandwidth: FloatArray,
    airtime: FloatArray,
    margin: FloatArray,
    prices: Prices | None = None,
    *,
    full_speed: bool = False,
) -> Proposal:
    """Return a feasible proposal near a point of a method.

    Each device gets the least bandwidth that meets the deadline at full power, and what is left of the band
    is shared like the rest of ``bandwidth``.  Airtime is kept between its least at full power and what
    computing at full frequency leaves; power and frequency then follow from payload and deadline, within
    their limits.

    Parameters
    ----------
    problem : AllocationProblem
        The problem.
    fleet : Fleet
        Its devices.
    bandwidth, airtime : FloatArray, shape (number of transmitters,)
        Hz and s, in the order of ``fleet.transmitters``.
    margin : FloatArray, shape (M,)
        Seconds of each deadline above ``fleet.base``, at least the least margin.
    prices : Prices or None
        Passed on.
    full_speed : bool
        Whether to compute at full frequency even where a lower one is in time.
    """
    group, cells = fleet.transmitters, fleet.transmitter_cells
    deadline = fleet.base + margin if fleet.deadline is None else fleet.deadline
    least = np.empty_like(group.a)
    for block in fleet.blocks:
        shape = full_power_shape(block.group, block.cells.spread(margin[block.rows]))
        least[block.mine] = block.group.cap / (block.group.n * shape.x)
    spare = np.maximum(bandwidth - least, 0.0)
    wanted, left = cells.sum(spare), fleet.band - cells.sum(least)
    share = np.where((wanted > 0) & (left > 0), left / np.where(wanted > 0, wanted, 1.0), 0.0)
    b = least + spare * cells.spread(share)
    quickest = group.a / (b * np.log1p(group.cap / (group.n * b)))
    room = margin_room(fleet, margin)
    with np.errstate(divide="ignore"):
        slowest = group.a / (b * np.log1p(group.floor / (group.n * b)))
    t = np.minimum(np.clip(airtime, quickest, np.maximum(room, quickest)), slowest)
    power = np.clip(group.n * b * np.expm1(group.a / (b * t)), group.floor, group.cap)
    frequency = np.zeros(problem.num_devices)
    own = cells.spread(deadline)
    frequency[group.index] = _frequency(problem, group.index, group.c_min, 0.0 * t if full_speed else own - t)
    workers = fleet.computers
    own = fleet.computer_cells.spread(deadline)
    frequency[workers.index] = _frequency(
        problem, workers.index, workers.c_min, 0.0 * workers.c_min if full_speed else own
    )
    return Proposal(
        bandwidth_hz=_placed(group.index, b, problem.num_devices),
        power_w=_placed(group.index, power, problem.num_devices),
        frequency_hz=frequency,
        transmit_s=_placed(group.index, t, problem.num_devices),
        deadline_s=deadline,
        prices=prices,
    )


def _placed(index: IntArray, values: FloatArray, length: int) -> FloatArray:
    full = np.zeros(length)
    full[index] = values
    return full


def margin_room(fleet: Fleet, margin: FloatArray) -> FloatArray:
    """Return the airtime (s) that full frequency leaves each transmitter at a margin (M,)."""
    group = fleet.transmitters
    room: FloatArray = fleet.transmitter_cells.spread(margin) + group.slack + group.t_floor
    return room


def _frequency(
    problem: AllocationProblem, index: IntArray, c_min: FloatArray, time: FloatArray
) -> FloatArray:
    """Return the frequency (Hz) that ends on time; full frequency where it costs no energy."""
    cycles = cast("FloatArray", problem.cycles)[index]
    fastest = cast("FloatArray", problem.max_frequency_hz)[index]
    slowest = cast("FloatArray", problem.min_frequency_hz)[index]
    free = cast("FloatArray", problem.capacitance)[index] == 0
    busy = cycles > 0
    exact = np.divide(cycles, np.maximum(time, c_min), out=np.zeros_like(cycles), where=busy)
    exact = np.where(busy, np.clip(exact, slowest, fastest), 0.0)
    chosen: FloatArray = np.where(busy & free, fastest, exact)
    return chosen
