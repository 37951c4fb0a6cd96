"""A first placement at the best common deadline: what the turns of the planner start from."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hfedfm_opt.planning.cluster_options import readiness
from hfedfm_opt.planning.deadline_prices import Hull, busy_seconds, deadline_of, deadline_prices, hulls_of
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.place import Placed, place
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.network import Network
from solvers.common import Options

MOST_TURNS = 6
"""Placements tried at most."""
LATE = 1.05
"""A device that is ready after so many times the deadline is late: its price doubles."""
LEAST_PRICE = 1e-5
"""Price of a second on a device that is late although it paid nothing, in parts of all prices."""
GAIN = 1e-4
"""Relative gain of a turn below which the turns end."""


@dataclass(frozen=True)
class Start:
    """The placement of the best turn, and the prices of time that bound all placements."""

    placed: Placed
    bound_prices: TimePrices


def place_by_deadline(
    network: Network, task: PlacementTask, method: str, turn_limit_s: float, stop_at: float, seed: int
) -> Start:
    """Return the placement whose devices train with the least energy and longest training, weighted.

    Each turn prices time at the best common deadline, as the hosts are loaded, and doubles the price of the
    devices that were late before.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    method : str
        Method of ``solvers.placement``.
    turn_limit_s : float
        Wall seconds for each placement.
    stop_at : float
        On the monotonic clock, when to end at the latest; the first placement is made in any case.
    seed : int
        Seed of the placement method.

    Raises
    ------
    NoPlacement
        If there is none.
    """
    weights = network.instance.objective
    options = Options(time_limit_s=None if math.isinf(turn_limit_s) else turn_limit_s, seed=seed)
    raised: dict[str, float] = {}
    best: Start | None = None
    best_value = math.inf
    hulls = hulls_of(network, task, {})
    placed: Placed | None = None
    for _ in range(MOST_TURNS):
        lower, prices = deadline_prices(network, hulls, placed.servings if placed else ())
        placed = place(network, price(network, task, _raised(prices, raised)), method, options)
        ready = readiness(with_training(network, placed.servings), placed.servings)
        value = weights.energy_weight_per_j * sum(ready.joules.values())
        value += weights.time_weight_per_s * max(ready.seconds.values())
        gained = value < best_value * (1.0 - GAIN)
        if value < best_value:
            best, best_value = Start(placed, lower), value
        late = _late(network, hulls, ready.seconds)
        if not (gained or late - raised.keys()) or time.monotonic() >= stop_at:
            break
        raised |= {device: 2.0 * raised.get(device, 1.0) for device in late}
        hulls = hulls_of(network, task, busy_seconds(network, task, placed.servings))
    assert best is not None, "the first turn gives a placement or raises"
    return best


def _late(network: Network, hulls: Mapping[str, Hull], seconds: Mapping[str, float]) -> set[str]:
    deadline_s = LATE * deadline_of(network, hulls)
    return {device for device, ready_s in seconds.items() if ready_s > deadline_s}


def _raised(prices: TimePrices, factors: Mapping[str, float]) -> TimePrices:
    weights = {
        device: factors[device] * max(weight, LEAST_PRICE) if device in factors else weight
        for device, weight in prices.device_weight.items()
    }
    return replace(prices, device_weight=weights)
