"""What devices may choose from where power or frequency come in levels, and what each choice costs."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from solvers.allocation.fleet import Transmitters
from solvers.allocation.problem import AllocationProblem
from solvers.allocation.respond import respond
from solvers.common.arrays import BoolArray, FloatArray, IntArray, float_array
from solvers.common.errors import InvalidProblem

_ROUNDING = 1e-12
"""Share of a cost, and of what time is worth in it, by which a root's rounding may set it above the least."""


@dataclass(frozen=True)
class LevelOptions:
    """Each device's choices of a power and a frequency; all arrays have shape (N, O).

    Parameters
    ----------
    problem : AllocationProblem
        One cell.
    power, frequency : FloatArray, shape (2, N, O)
        Least and most W and Hz of a choice: equal where it is a level.
    allowed : BoolArray
        Which choices there are: devices may have fewer than O.
    group : Transmitters
        The choices as devices, (N * O,); the fields of a device without payload mean nothing.
    computing_only : BoolArray, shape (N,)
        Devices without payload.
    """

    problem: AllocationProblem
    power: FloatArray
    frequency: FloatArray
    allowed: BoolArray
    group: Transmitters
    computing_only: BoolArray

    @property
    def fastest(self) -> IntArray:
        """The choice (N,) with the most power and the highest frequency."""
        pace = np.where(self.allowed, self.power[1], -1.0)
        best = pace == pace.max(axis=1, keepdims=True)
        fastest: IntArray = np.argmax(np.where(best & self.allowed, self.frequency[1], -1.0), axis=1)
        return fastest

    def fixed_to(self, choices: IntArray) -> AllocationProblem:
        """Return the problem with each device held to its choice, one cell for each row of (K, N)."""
        count, num = choices.shape
        device = np.tile(np.arange(num), count)
        taken = choices.ravel()
        names = ("bits", "gain", "noise_w_per_hz", "cycles", "capacitance")
        rows = {name: cast("FloatArray", getattr(self.problem, name))[device] for name in names}
        numbers = {
            name: np.full(count, float(cast("FloatArray", getattr(self.problem, name))))
            for name in ("band_hz", "energy_weight", "time_weight")
        }
        if self.problem.deadline_s is not None:
            numbers["deadline_s"] = np.full(count, float(cast("FloatArray", self.problem.deadline_s)))
        return AllocationProblem(
            **rows,
            **numbers,
            min_power_w=self.power[0][device, taken],
            max_power_w=self.power[1][device, taken],
            min_frequency_hz=self.frequency[0][device, taken],
            max_frequency_hz=self.frequency[1][device, taken],
            cell=np.repeat(np.arange(count), num),
        )

    def cost(self, deadline: float, mu: float) -> "Costs":
        """Return the least cost of each choice at a deadline, with rent for bandwidth at price ``mu``."""
        shape, group = self.allowed.shape, self.group
        margin = deadline - group.c_min - group.t_floor
        sends = np.repeat(~self.computing_only, shape[1]) & (margin > 0) & self.allowed.ravel()
        value, width, price = np.full(margin.shape, np.inf), np.zeros_like(margin), np.zeros_like(margin)
        at = np.flatnonzero(sends)
        if len(at):
            part = Transmitters(**{name: values[at] for name, values in vars(group).items()})
            reply = respond(part, np.full(len(at), mu), margin[at])
            b, t = reply.bandwidth, np.minimum(reply.airtime, margin[at] + part.t_floor)
            power = np.clip(part.n * b * np.expm1(part.a / (b * t)), part.floor, part.cap)
            value[at] = part.energy_price * power * t + _computing(part, deadline - t) + mu * b
            width[at], price[at] = b, reply.price
        only = np.repeat(self.computing_only, shape[1]) & (group.c_min <= deadline) & self.allowed.ravel()
        value[only] = _computing(group, np.full_like(margin, deadline))[only]
        hurried = only & (deadline < group.c_max)
        price[hurried] = (group.K[hurried] / deadline) ** 3
        finite = np.isfinite(value)
        value[finite] -= _ROUNDING * (value + price * deadline)[finite]
        return Costs(value.reshape(shape), width.reshape(shape), price.reshape(shape))


@dataclass(frozen=True)
class Costs:
    """``value`` least cost, ``inf`` where too late; ``width`` Hz it takes; ``price`` minus its slope by T."""

    value: FloatArray
    width: FloatArray
    price: FloatArray


def level_options(
    problem: AllocationProblem,
    power_levels_w: npt.ArrayLike | None,
    frequency_levels_hz: npt.ArrayLike | None,
) -> LevelOptions:
    """Return the choices of each device: its levels within its limits, or all between where there are none.

    Raises
    ------
    InvalidProblem
        If levels have no meaning, or a device has none within its limits.
    """
    num = problem.num_devices
    bits, cycles = cast("FloatArray", problem.bits), cast("FloatArray", problem.cycles)
    power = _ranges("power_levels_w", power_levels_w, problem, ("min_power_w", "max_power_w"), bits > 0)
    frequency = _ranges(
        "frequency_levels_hz",
        frequency_levels_hz,
        problem,
        ("min_frequency_hz", "max_frequency_hz"),
        cycles > 0,
    )
    pairs = [(p, f) for p in range(power.shape[2]) for f in range(frequency.shape[2])]
    power, frequency = power[:, :, [p for p, _ in pairs]], frequency[:, :, [f for _, f in pairs]]
    allowed = ~np.isnan(power[0]) & ~np.isnan(frequency[0])
    power, frequency = np.where(allowed, power, 1.0), np.where(allowed, frequency, 1.0)
    device = np.repeat(np.arange(num), len(pairs))
    weight = float(cast("FloatArray", problem.energy_weight))
    a = bits[device] * np.log(2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = cast("FloatArray", problem.noise_w_per_hz)[device] / cast("FloatArray", problem.gain)[device]
        t_floor = np.where(a > 0, a * n / power[1].ravel(), 0.0)
        c_min, c_max = (
            np.where(cycles[device] > 0, cycles[device] / limit.ravel(), 0.0)
            for limit in (frequency[1], frequency[0])
        )
    group = Transmitters(
        index=device,
        a=a,
        n=n,
        cap=power[1].ravel(),
        floor=power[0].ravel(),
        energy_price=np.full(len(device), weight),
        c_min=c_min,
        c_max=c_max,
        t_floor=t_floor,
        K=cycles[device] * np.cbrt(2.0 * weight * cast("FloatArray", problem.capacitance)[device]),
        slack=np.zeros(len(device)),
    )
    return LevelOptions(problem, power, frequency, allowed, group, bits == 0)


def _ranges(
    field: str,
    levels: npt.ArrayLike | None,
    problem: AllocationProblem,
    limits: tuple[str, str],
    used: BoolArray,
) -> FloatArray:
    """Return least and most of each choice, shape (2, N, L); nan for a level beyond a device's limits."""
    low, high = (cast("FloatArray", getattr(problem, name)) for name in limits)
    if levels is None:
        return np.stack([low, high])[:, :, None]
    num = problem.num_devices
    shape = np.shape(levels)
    wanted = shape if len(shape) == 1 and shape[0] > 0 else (num, shape[-1] if len(shape) > 1 else 1)
    given = np.broadcast_to(float_array(field, levels, wanted, positive=True), (num, wanted[-1]))
    inside = (given >= low[:, None]) & (given <= high[:, None])
    for place in np.flatnonzero(used & ~inside.any(axis=1))[:1]:
        expected = (
            f"a level within the limits of device {place}, {float(low[place])!r} to {float(high[place])!r}"
        )
        raise InvalidProblem(field, None if len(shape) == 1 else int(place), given[place].tolist(), expected)
    chosen = np.where(inside, given, np.nan)
    first = np.full(wanted[-1], np.nan)
    first[0] = 1.0  # a device that does not use any has one choice
    chosen = np.where(used[:, None], chosen, first)
    return np.stack([chosen, chosen])


def _computing(group: Transmitters, time: FloatArray) -> FloatArray:
    """Return the least computing cost K^3 / (2 c^2) within a time, c at most ``c_max``."""
    c = np.clip(time, group.c_min, np.maximum(group.c_max, group.c_min))
    ratio = np.divide(group.K, c, out=np.zeros_like(c), where=(group.K > 0) & (c > 0))
    cost: FloatArray = 0.5 * group.K * ratio * ratio
    return cost
