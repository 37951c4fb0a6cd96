"""A first placement at the best common deadline: what the turns of the planner start from."""

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from hfedfm_opt.planning.deadline_prices import busy_seconds, deadline_of, deadline_prices
from hfedfm_opt.planning.formulate_placement import PlacementTask, price
from hfedfm_opt.planning.hulls import Hull, hulls_of, second_j_of
from hfedfm_opt.planning.pace import best_moment_s, pace_of, paced
from hfedfm_opt.planning.place import Placed, place
from hfedfm_opt.planning.polish import polished
from hfedfm_opt.planning.readiness import Readiness, readiness
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.network import Network
from solvers.common import Options

MOST_TURNS = 6
"""Placements tried at most."""
POLISHINGS = 3
"""Times that the devices of a placement are improved one by one at most."""
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


@dataclass(frozen=True)
class Turns:
    """How placements are made.

    Parameters
    ----------
    method : str
        Method of the placement solver.
    limit_s : float
        Wall seconds for each placement.
    stop_at : float
        On the monotonic clock, when to end at the latest; the first placement is made in any case, and not
        improved if it is late.
    seed : int
        Seed of the placement method.
    slowable : collection of str
        Devices that may slow down their CPU.
    """

    method: str
    limit_s: float
    stop_at: float
    seed: int
    slowable: Collection[str] = frozenset()

    def place(self, network: Network, task: PlacementTask, prices: TimePrices) -> Placed:
        """Return a placement under prices of time, its devices then improved one by one."""
        options = Options(time_limit_s=None if math.isinf(self.limit_s) else self.limit_s, seed=self.seed)
        priced = price(network, task, prices, slowable=self.slowable)
        placed = place(network, priced, self.method, options)
        for _ in range(POLISHINGS):
            if time.monotonic() >= self.stop_at:
                break
            better = polished(network, task, placed, self.slowable)
            if self.cost(network, task, better) >= self.cost(network, task, placed):
                break
            placed = better
        return placed

    def cost(self, network: Network, task: PlacementTask, placed: Placed) -> float:
        """Return what a placement's training costs in a round: its joules, and the longest of it.

        If devices may slow down, all are ready at the best common moment.  What a device could have trained
        elsewhere counts with its update.
        """
        weights, ready = network.instance.objective, _ready(network, placed)
        if self.slowable:
            pace = pace_of(network, ready)
            ready, _ = paced(ready, pace, best_moment_s(pace, second_j_of(network)))
        seconds, joules = dict(ready.seconds), sum(ready.joules.values())
        served = {(serving.device, serving.module) for serving in placed.servings}
        for candidate in task.candidates:
            own = candidate.host == candidate.device and candidate.update_joules > 0
            if own and (candidate.device, candidate.module) not in served:
                seconds[candidate.device] += candidate.update_seconds
                joules += candidate.update_joules
        return weights.energy_weight_per_j * joules + weights.time_weight_per_s * max(seconds.values())


def place_by_deadline(network: Network, task: PlacementTask, turns: Turns) -> Start:
    """Return the placement whose devices train with the least energy and longest training, weighted.

    Each turn prices time at the best common deadline, as the hosts are loaded, and doubles the price of the
    devices that were late before.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    turns : Turns
        How to place.

    Raises
    ------
    NoPlacement
        If there is none.
    """
    raised: dict[str, float] = {}
    best: Start | None = None
    best_value = math.inf
    hulls = hulls_of(network, task, {}, turns.slowable)
    placed: Placed | None = None
    for _ in range(MOST_TURNS):
        lower, prices = deadline_prices(network, hulls, placed.servings if placed else ())
        placed = turns.place(network, task, _raised(prices, raised))
        value = turns.cost(network, task, placed)
        gained = value < best_value * (1.0 - GAIN)
        if value < best_value:
            best, best_value = Start(placed, best.bound_prices if best else lower), value
        late = _late(network, hulls, _ready(network, placed).seconds)
        if not (gained or late - raised.keys()) or time.monotonic() >= turns.stop_at:
            break
        raised |= {device: 2.0 * raised.get(device, 1.0) for device in late}
        hulls = hulls_of(network, task, busy_seconds(network, task, placed.servings), turns.slowable)
    assert best is not None, "the first turn gives a placement or raises"
    return best


def _ready(network: Network, placed: Placed) -> Readiness:
    return readiness(with_training(network, placed.servings), placed.servings)


def _late(network: Network, hulls: Mapping[str, Hull], seconds: Mapping[str, float]) -> set[str]:
    deadline_s = LATE * deadline_of(network, hulls)
    return {device for device, ready_s in seconds.items() if ready_s > deadline_s}


def _raised(prices: TimePrices, factors: Mapping[str, float]) -> TimePrices:
    weights = {
        device: factors[device] * max(weight, LEAST_PRICE) if device in factors else weight
        for device, weight in prices.device_weight.items()
    }
    return replace(prices, device_weight=weights)
