"""The least energy with which a device trains within each time, as a convex hull of all its ways."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.formulate_placement import PlacementTask
from hfedfm_opt.planning.ways import Ways, choices_of, ways_of
from hfedfm_opt.system.network import Network
from solvers.common.arrays import FloatArray

PRICES_OF_TIME = np.append(np.geomspace(1e-5, 1.0, 72), 1e4)
"""Prices at which hulls of devices that slow down are sampled, in the price of a second of a round."""
LEAST_SECOND_J = 1e-12
"""What a second is taken to be worth at least, J, so that there are prices to sample at."""
ABOVE = 1.001
"""How far above the slope a price is set, so that the faster of two ways that cost the same is taken."""


@dataclass(frozen=True)
class Hull:
    """The lower convex hull of a device's ways to train: seconds rise, joules fall.

    Parameters
    ----------
    seconds, joules : FloatArray
        Its corners, (n,).
    price_w : FloatArray
        A price of a second, in joules, at which each of them is the best, (n,), falling.
    """

    seconds: FloatArray
    joules: FloatArray
    price_w: FloatArray

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
        Devices that may slow down their CPU.
    """
    price_w = max(second_j_of(network), LEAST_SECOND_J) * PRICES_OF_TIME
    found = {}
    for device, candidates in choices_of(task.candidates).items():
        ways = ways_of(network, device, candidates, busy_s, slows=device in slowable)
        found[device] = _slowed_hull(ways, price_w) if ways.slows and ways.full_w > 0 else _hull(ways)
    return found


def second_j_of(network: Network) -> float:
    """Return how many joules a second is worth."""
    weights = network.instance.objective
    return weights.time_weight_per_s / max(weights.energy_weight_per_j, 1e-12)


def _hull(ways: Ways) -> Hull:
    """Return the hull of all ways at full frequency."""
    seconds, joules = ways.seconds + ways.own_s, ways.joules + ways.full_w * ways.own_s
    seconds, joules = _lower_hull(seconds, joules)
    slopes_w = -np.diff(joules) / np.diff(seconds)
    return Hull(seconds, joules, np.append(ABOVE * slopes_w, 0.0))


def _slowed_hull(ways: Ways, price_w: FloatArray) -> Hull:
    """Return the hull of all ways at all frequencies, exact at some prices of time.

    At the price p a joule and 1 / p seconds cost alike.  With the power g at full frequency, own work of S
    seconds costs ``S (g x^2 + p / x)`` at the part x, least at ``x = min(1, (p / 2 g)^(1/3))`` whatever the
    way: so a way costs ``joules + p seconds`` and this.
    """
    part = np.minimum(1.0, (price_w / (2.0 * ways.full_w)) ** (1.0 / 3.0))
    own_j = ways.full_w * part**2 + price_w / part
    cost = ways.seconds[:, None] * price_w + ways.joules[:, None] + ways.own_s[:, None] * own_j
    best = cost.argmin(axis=0)  # (prices,)
    seconds = ways.seconds[best] + ways.own_s[best] / part
    joules = ways.joules[best] + ways.full_w * ways.own_s[best] * part**2
    corners_s, corners_j = _lower_hull(seconds, joules)
    price_at = dict(zip(seconds.tolist(), price_w.tolist(), strict=True))
    return Hull(corners_s, corners_j, np.array([price_at[second] for second in corners_s.tolist()]))


def _lower_hull(seconds: FloatArray, joules: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the lower convex hull of points, (n,) each, from left to right, falling."""
    order = np.lexsort((joules, seconds))
    least = np.minimum.accumulate(joules[order])
    falls = np.concatenate([[True], least[1:] < least[:-1]])
    corners: list[tuple[float, float]] = []
    for x, y in zip(seconds[order][falls].tolist(), joules[order][falls].tolist(), strict=True):
        while len(corners) > 1 and (corners[-1][1] - corners[-2][1]) * (x - corners[-2][0]) >= (
            y - corners[-2][1]
        ) * (corners[-1][0] - corners[-2][0]):
            corners.pop()
        corners.append((x, y))
    array = np.array(corners)
    return array[:, 0], array[:, 1]
