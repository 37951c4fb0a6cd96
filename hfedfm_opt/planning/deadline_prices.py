"""Prices of time from what each device would pay to be ready sooner: one deadline for all devices.

Let ``e_d(T)`` be the least energy with which device d trains within T, over all ways to run its modules that
fit its own memory, with the load of the hosts as it is.  The best common deadline minimises
``w_E sum_d e_d(T) + w_T T``; where the e_d are replaced by their convex hulls, the slopes of the hulls at the
best T are the prices of a second on each device, which sum to ``w_T / w_E`` unless a device cannot be faster.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.candidates import Candidate
from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.system.decisions import Serving
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

MOST_WAYS = 512
"""Ways to run a device's modules that are kept, module after module; beyond, every second one is dropped."""
PARTS_OF_A_FREQUENCY = np.geomspace(1.0, 1e-2, 47)
"""Frequencies at which hulls are sampled, as parts of the highest."""
ABOVE = 1.001
"""How far above the slope a price is set, so that the faster of two ways that cost the same is taken."""


@dataclass(frozen=True)
class Hull:
    """The lower convex hull of a device's ways to train: seconds rise, joules fall, both (n,)."""

    seconds: FloatArray
    joules: FloatArray

    def slopes_w(self) -> FloatArray:
        """Return joules saved for each second more, from each point to the next, (n - 1,), falling."""
        saved: FloatArray = -np.diff(self.joules) / np.diff(self.seconds)
        return saved


def hulls_of(
    network: Network,
    task: PlacementTask,
    busy_s: Mapping[str, float],
    slowable: Collection[str] = frozenset(),
) -> dict[str, Hull]:
    """Return what each device can do.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    busy_s : mapping of str to float
        How long a host takes for all that it was given; a module that runs there waits as long.
    slowable : collection of str
        Devices that may slow down their CPU if they run everything themselves.
    """
    choices: dict[str, dict[str, list[Candidate]]] = {}
    for candidate in task.candidates:
        choices.setdefault(candidate.device, {}).setdefault(candidate.module, []).append(candidate)
    hulls = {device: _hull(network, device, found, busy_s) for device, found in choices.items()}
    return {
        device: _slowed(hull, device, choices[device]) if device in slowable else hull
        for device, hull in hulls.items()
    }


def _slowed(hull: Hull, device: str, choices: Mapping[str, list[Candidate]]) -> Hull:
    """Return the hull of a device that may also run everything itself at a part of its full frequency."""
    own = [candidate for found in choices.values() for candidate in found if candidate.host == device]
    if len(own) < len(choices):
        return hull
    seconds = sum(candidate.host_seconds for candidate in own)
    joules = sum(candidate.joules + candidate.update_joules for candidate in own)
    return _lower_hull(
        np.concatenate([hull.seconds, seconds / PARTS_OF_A_FREQUENCY]),
        np.concatenate([hull.joules, joules * PARTS_OF_A_FREQUENCY**2]),
    )


def deadline_prices(
    network: Network, hulls: Mapping[str, Hull], servings: tuple[Serving, ...]
) -> tuple[TimePrices, TimePrices]:
    """Return the prices of time at the best common deadline: for a bound, and, a little higher, for a plan.

    Parameters
    ----------
    network : Network
        The network.
    hulls : mapping of str to Hull
        What each device can do, see :func:`hulls_of`.
    servings : tuple of Serving
        Who worked for whom in the last plan: a host is pressed by all whom it serves.
    """
    target_w = _watts(network)
    deadline_s = deadline_of(network, hulls)
    slope_w = {device: _slope_at(hull, deadline_s) for device, hull in hulls.items()}
    total = sum(slope_w.values())
    rest = max(0.0, target_w - total)
    last = max(hulls, key=lambda device: float(hulls[device].seconds[0]))
    slope_w[last] += rest
    share = {device: slope / max(total + rest, 1e-300) for device, slope in slope_w.items()}
    higher = {device: ABOVE * slope / max(target_w, 1e-300) for device, slope in slope_w.items()}
    pressure: dict[str, float] = {}
    for device, host in dict.fromkeys((serving.device, serving.host) for serving in servings):
        pressure[host] = pressure.get(host, 0.0) + share[device]
    return TimePrices(share, {}), TimePrices(higher, pressure)


def deadline_of(network: Network, hulls: Mapping[str, Hull]) -> float:
    """Return the deadline at which the energy of all hulls and the time cost least together."""
    floor_s = max(float(hull.seconds[0]) for hull in hulls.values())
    return max(floor_s, _crossing_s(hulls, _watts(network)))


def busy_seconds(network: Network, task: PlacementTask, servings: tuple[Serving, ...]) -> dict[str, float]:
    """Return how long each host takes for all that it was given."""
    alone = {(c.device, c.module, c.host): c.host_seconds for c in task.candidates}
    busy: dict[str, float] = {}
    for serving in servings:
        seconds = alone[serving.device, serving.module, serving.host]
        busy[serving.host] = busy.get(serving.host, 0.0) + seconds
    return busy


def _watts(network: Network) -> float:
    """Return how many joules a second is worth."""
    weights = network.instance.objective
    return weights.time_weight_per_s / max(weights.energy_weight_per_j, 1e-12)


def _hull(
    network: Network, device: str, choices: Mapping[str, list[Candidate]], busy_s: Mapping[str, float]
) -> Hull:
    """Return the hull of all ways: each module at each of its hosts, within the device's memory."""
    memory = network.nodes[device].memory_bytes
    ways = np.zeros((1, 3))  # (ways, seconds joules bytes)
    for module, found in choices.items():
        size = network.modules[module].memory_bytes
        steps = np.array(
            [
                (
                    candidate.link_seconds + _host_seconds(candidate, busy_s) + candidate.update_seconds,
                    candidate.joules + candidate.update_joules,
                    size if candidate.host == device else 0.0,
                )
                for candidate in found
            ]
        )
        ways = (ways[:, None] + steps[None]).reshape(-1, 3)
        if memory is not None and (ways[:, 2] <= memory).any():
            ways = ways[ways[:, 2] <= memory]
        while len(ways) > MOST_WAYS:
            ways = _thinned(ways)
    return _lower_hull(ways[:, 0], ways[:, 1])


def _host_seconds(candidate: Candidate, busy_s: Mapping[str, float]) -> float:
    if candidate.host == candidate.device:
        return candidate.host_seconds
    return max(candidate.host_seconds, busy_s.get(candidate.host, 0.0))


def _thinned(ways: FloatArray) -> FloatArray:
    """Return the ways that no way with as few bytes betters; if all are left, every second one."""
    order = np.lexsort((ways[:, 1], ways[:, 0], ways[:, 2]))
    ways = ways[order]
    keep = np.ones(len(ways), dtype=np.bool_)
    for size in np.unique(ways[:, 2]):
        at = np.flatnonzero(ways[:, 2] == size)
        least = np.minimum.accumulate(ways[at, 1])
        keep[at[1:]] = ways[at[1:], 1] < least[:-1]
    return ways[keep] if not keep.all() else ways[::2]


def _lower_hull(seconds: FloatArray, joules: FloatArray) -> Hull:
    points: list[tuple[float, float]] = []
    for x, y in sorted(zip(seconds.tolist(), joules.tolist(), strict=True)):
        if points and y >= points[-1][1]:
            continue
        while len(points) > 1 and (points[-1][1] - points[-2][1]) * (x - points[-2][0]) >= (
            y - points[-2][1]
        ) * (points[-1][0] - points[-2][0]):
            points.pop()
        if points and x == points[-1][0]:
            points.pop()
        points.append((x, y))
    array = np.array(points)
    return Hull(array[:, 0], array[:, 1])


def _crossing_s(hulls: Mapping[str, Hull], target_w: float) -> float:
    """Return the deadline at which the slopes of all hulls together fall to a target."""
    starts, ends, slopes = [], [], []
    for hull in hulls.values():
        starts.append(hull.seconds[:-1])
        ends.append(hull.seconds[1:])
        slopes.append(hull.slopes_w())
    changes = np.concatenate([*starts, *ends])
    steps = np.concatenate([*slopes, *(-slope for slope in slopes)])
    order = np.argsort(changes, kind="stable")
    if not len(order):
        return 0.0
    total = np.cumsum(steps[order])
    # hulls that start late are not priced before; from the last start on, the sum only falls
    above = np.flatnonzero(total > target_w)
    if not len(above):
        return 0.0
    return float(changes[order][min(above[-1] + 1, len(order) - 1)])  # rounding may keep it above to the end


def _slope_at(hull: Hull, deadline_s: float) -> float:
    """Return the joules that a device would pay for the last second before a deadline."""
    if len(hull.seconds) < 2 or deadline_s > hull.seconds[-1]:
        return 0.0
    index = int(np.searchsorted(hull.seconds, deadline_s, side="left"))
    return float(hull.slopes_w()[max(index - 1, 0)])
