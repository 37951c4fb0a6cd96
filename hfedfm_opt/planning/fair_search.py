"""Plans under limits of single devices and fairness, by the plain search at prices of joules.

Each turn searches a network in which joules cost what multipliers make of them (``joule_multipliers``): its
bound, less what the limits take off, is a bound on all plans that keep the limits, and its plan joins a pool.
The best plan of the pool that keeps the limits, or mixture of its plans, survives.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.joule_multipliers import Demands, Multipliers
from hfedfm_opt.planning.joule_prices import with_joule_prices, without_device_limits
from hfedfm_opt.planning.multiplier_model import Model
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.plan_pool import PlanPool
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.common import StopReason, relative_gap

Search = Callable[[Network, SearchSettings], tuple[Placed, Arrangement]]
"""The plain search: the best placement and arrangement for a network, with a bound over all."""

MOST_TURNS = 40
"""Most searches at prices of joules."""
PATIENCE = 8
"""Turns without a smaller gap after which the search ends."""
FIRST_RADIUS = 1.0
"""How far the first multipliers may be from zero, in prices of a joule."""
WIDER, NARROWER = 2.0, 0.4
"""What becomes of the box after a better bound, and after none."""
LEAST_GAIN = 0.05
"""Part of the gap that the model must promise at least; otherwise its box is widened."""
PART_OF_A_TURN = 0.3
"""Part of the time that is left which a turn may take."""
LEAST_SHARE = 1e-5
"""Least price of a joule of a device, in parts of the largest: a device whose joules are free is no device."""
PRICES_PROOF = "what the multipliers of limits and of fairness leave open"


@dataclass(frozen=True)
class _Bound:
    """A bound, the multipliers and the search that proved it, and what that search found."""

    value: float
    multipliers: Multipliers
    arrangement: Arrangement
    searched: float


def search_fairly(
    network: Network, rhythm: Rhythm, demands: Demands, settings: SearchSettings, search: Search
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found that keep the limits, with a bound over all that do.

    Parameters
    ----------
    network : Network
        The network, with its limits and prices.
    rhythm : Rhythm
        How often the cloud averages.
    demands : Demands
        Limits and price of the energy of devices.
    settings : SearchSettings
        How to search; the time limit is for all turns together.
    search : callable
        The plain search.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no plan, or none was found that keeps the limits; the message says which to relax.
    """
    return _Turns(network, rhythm, demands, settings, search).run()


class _Turns:
    """The turns: a pool of plans, the best bound, and the box in which the next multipliers are looked for."""

    def __init__(
        self, network: Network, rhythm: Rhythm, demands: Demands, settings: SearchSettings, search: Search
    ) -> None:
        self.network, self.demands, self.settings, self.search = network, demands, settings, search
        self.began = time.monotonic()
        self.stop_at = self.began + settings.time_limit_s
        self.pool = PlanPool(network, rhythm, demands)
        self.radius = FIRST_RADIUS
        self.longest_s = 0.0
        self.timed_out = False
        placed, arrangement = self._searched(without_device_limits(network), settings.max_energy_j)
        found = self.pool.add(placed, arrangement)
        prices = network.instance.objective
        value = prices.energy_weight_per_j * found.cost.energy_j
        value += prices.time_weight_per_s * found.cost.latency_s
        self.bound = _Bound(arrangement.bound, Multipliers(), arrangement, value)
        spent = sum(found.cost.node_energy_j.get(device, 0.0) for device in network.devices)
        self.unit = prices.energy_weight_per_j or value / max(spent, 1e-300)

    def run(self) -> tuple[Placed, Arrangement]:
        since_better, gap = 0, self._gap()
        for _ in range(MOST_TURNS):
            if gap <= self.settings.gap or since_better >= PATIENCE:
                break
            self.timed_out = self.stop_at - time.monotonic() < self.longest_s
            if self.timed_out:
                break
            multipliers = self._next()
            if multipliers is None:
                break
            self._turn(multipliers)
            since_better = 0 if self._gap() < gap else since_better + 1
            gap = self._gap()
        return self._result()

    def _gap(self) -> float:
        return relative_gap(self.pool.best_value, self.bound.value)

    def _next(self) -> Multipliers | None:
        model = self._model()
        goal = LEAST_GAIN * (self.pool.best_value - self.bound.value) if self.pool.best else 0.0
        multipliers, promised = model.next_multipliers(self.bound.multipliers, self.radius, self.unit)
        while promised < self.bound.value + goal and self.radius < 1e6:
            self.radius *= 1.0 / NARROWER
            multipliers, promised = model.next_multipliers(self.bound.multipliers, self.radius, self.unit)
        return multipliers

    def _model(self) -> Model:
        limits = self.demands.limit_j
        devices = [name for name in self.network.devices if self.demands.fairness > 0 or name in limits]
        clusters = self.pool.plans[0].arrangement.clusters
        cluster_of = {name: place for place, cluster in enumerate(clusters) for name in cluster.members}
        prices = self.network.instance.objective
        return Model(
            devices=devices,
            cluster=[cluster_of[name] for name in devices],
            groups=self.pool.known(devices),
            energy=prices.energy_weight_per_j,
            time=prices.time_weight_per_s,
            demands=self.demands,
        )

    def _turn(self, multipliers: Multipliers) -> None:
        prices = self._joule_prices(multipliers)
        any_joule = self.network.instance.objective.energy_weight_per_j + multipliers.total
        priced = with_joule_prices(self.network, prices, any_joule)
        try:
            placed, arrangement = self._searched(priced, math.inf)
        except (NoPlacement, MissingLink):
            self.radius *= NARROWER
            return
        found = self.pool.add(placed, arrangement)
        spent = found.cost.node_energy_j
        weighted = sum(prices.get(node, any_joule) * joules for node, joules in spent.items())
        weighted += self.network.instance.objective.time_weight_per_s * found.cost.latency_s
        constant = multipliers.constant(self.demands)
        bound = arrangement.bound - constant
        better = bound > self.bound.value
        self.radius *= WIDER if better else NARROWER
        if better:
            self.bound = _Bound(bound, multipliers, arrangement, weighted - constant)

    def _joule_prices(self, multipliers: Multipliers) -> dict[str, float]:
        any_joule = self.network.instance.objective.energy_weight_per_j + multipliers.total
        return {device: any_joule + multipliers.of_device(device) for device in self.network.devices}

    def _searched(self, network: Network, max_energy_j: float) -> tuple[Placed, Arrangement]:
        began = time.monotonic()
        left = self.stop_at - began
        limit = left if math.isinf(left) else max(PART_OF_A_TURN * left, 1e-3)
        settings = replace(self.settings, time_limit_s=limit, max_energy_j=max_energy_j)
        answer = self.search(network, settings)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return answer

    def _result(self) -> tuple[Placed, Arrangement]:
        best, bound = self.pool.best, self.bound
        if best is None:
            raise self._nothing()
        parts = bound.arrangement.gap_parts
        counted = bound.value + sum(part.amount for part in parts)
        rest = self.pool.best_value - counted
        if parts:
            parts = (*parts, GapPart(part="prices", amount=rest, proof=PRICES_PROOF))
        arrangement = replace(
            best.arrangement,
            bound=bound.value,
            proof=bound.arrangement.proof + self._note(),
            timed_out=self.timed_out,
            gap_parts=parts,
        )
        return best.placed, arrangement

    def _note(self) -> str:
        multipliers = self.bound.multipliers
        priced = [name for name in self.network.devices if multipliers.of_device(name) > 0]
        if not priced and multipliers.total == 0:
            return ""
        return (
            f"; limits of devices and fairness relaxed with prices on the joules of {len(priced)} devices "
            "(Lagrangian relaxation)"
        )

    def _nothing(self) -> NoPlacement:
        return NoPlacement("no plan was found within the limits of devices", StopReason.NO_PROGRESS)
