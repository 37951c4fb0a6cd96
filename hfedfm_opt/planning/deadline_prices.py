"""Prices of time from what each device would pay to be ready sooner: one deadline for all devices.

Let ``e_d(T)`` be the least energy with which device d trains within T, over all ways to run its modules that
fit its own memory, with the load of the hosts as it is.  The best common deadline minimises
``w_E sum_d e_d(T) + w_T T``; where the e_d are replaced by their convex hulls, the slopes of the hulls at the
best T are the prices of a second on each device, which sum to ``w_T / w_E`` unless a device cannot be faster.
"""

from collections.abc import Mapping

import numpy as np

from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.hulls import Hull, second_j_of
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.system.decisions import Serving
from hfedfm_opt.system.network import Network

ROUNDING = 1e-12
"""Relative distance of times below which they are one."""


def deadline_prices(
    network: Network, hulls: Mapping[str, Hull], servings: tuple[Serving, ...]
) -> tuple[TimePrices, TimePrices]:
    """Return the prices of time at the best common deadline: for a bound, and, a little higher, for a plan.

    Those of a plan are such that each device takes a way that ends in time.

    Parameters
    ----------
    network : Network
        The network.
    hulls : mapping of str to Hull
        What each device can do, see :func:`hulls_of`.
    servings : tuple of Serving
        Who worked for whom in the last plan: a host is pressed by all whom it serves.
    """
    target_w = second_j_of(network)
    deadline_s = deadline_of(network, hulls)
    slope_w = {device: _slope_at(hull, deadline_s) for device, hull in hulls.items()}
    total = sum(slope_w.values())
    rest = max(0.0, target_w - total)
    last = max(hulls, key=lambda device: float(hulls[device].seconds[0]))
    slope_w[last] += rest
    share = {device: slope / max(total + rest, 1e-300) for device, slope in slope_w.items()}
    in_time_w = {device: _price_at(hull, deadline_s) for device, hull in hulls.items()}
    in_time_w[last] = max(in_time_w[last], slope_w[last])
    higher = {device: price_w / max(target_w, 1e-300) for device, price_w in in_time_w.items()}
    pressure: dict[str, float] = {}
    for device, host in dict.fromkeys((serving.device, serving.host) for serving in servings):
        pressure[host] = pressure.get(host, 0.0) + share[device]
    return TimePrices(share, {}), TimePrices(higher, pressure)


def deadline_of(network: Network, hulls: Mapping[str, Hull]) -> float:
    """Return the deadline at which the energy of all hulls and the time cost least together."""
    floor_s = max(float(hull.seconds[0]) for hull in hulls.values())
    return max(floor_s, _crossing_s(hulls, second_j_of(network)))


def busy_seconds(network: Network, task: PlacementTask, servings: tuple[Serving, ...]) -> dict[str, float]:
    """Return how long each host takes for all that it was given."""
    alone = {(c.device, c.module, c.host): c.host_seconds for c in task.candidates}
    busy: dict[str, float] = {}
    for serving in servings:
        seconds = alone[serving.device, serving.module, serving.host]
        busy[serving.host] = busy.get(serving.host, 0.0) + seconds
    return busy


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


def _price_at(hull: Hull, deadline_s: float) -> float:
    """Return a price at which a device takes the last way of its hull that ends by a deadline, in joules."""
    index = int(np.searchsorted(hull.seconds, deadline_s * (1.0 + ROUNDING), side="right")) - 1
    return float(hull.price_w[max(index, 0)])
