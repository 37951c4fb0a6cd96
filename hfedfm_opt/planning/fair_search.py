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
from hfedfm_opt.planning.cluster_pressure import Pressure
from hfedfm_opt.planning.device_energy import objective_of
from hfedfm_opt.planning.hops import MissingLink
from hfedfm_opt.planning.joule_multipliers import Demands, Multipliers
from hfedfm_opt.planning.joule_prices import with_joule_prices, without_device_limits
from hfedfm_opt.planning.least_energy import least_energy
from hfedfm_opt.planning.multiplier_model import Model
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.plan_pool import Found, PlanPool
from hfedfm_opt.planning.violations import TOLERANCE
from hfedfm_opt.system.decisions import GapPart
from hfedfm_opt.system.network import Network
from solvers.common import StopReason, relative_gap

Search = Callable[[Network, SearchSettings], tuple[Placed, Arrangement]]
"""The plain search: the best placement and arrangement for a network, with a bound over all."""

MOST_RAISED = 24
"""Most turns for the bound in a spell."""
MOST_PRESSED = 14
"""Most turns that press on clusters in a spell."""
PATIENCE = 5
"""Turns without a clearly smaller gap after which the search for a bound ends."""
BETTER = 0.97
"""What a clearly smaller gap is, in parts of the one before."""
UNKNOWN_GAP = 1e-3
"""Gap that is thought to be open as long as no plan keeps the limits."""
WIDEST = 1e4
"""Width of the box beyond which it is not widened."""
FIRST_PRICED = 8
"""Devices among which the price of fairness is first divided, at the least."""
WIDER, NARROWER = 2.0, 0.4
"""What becomes of the box after a better bound, and after none."""
LEAST_GAIN = 0.05
"""Part of the gap that the model must promise at least; otherwise its box is widened."""
PART_OF_THE_GAP = 0.01
"""Part of the gap to which a turn is searched."""
PART_OF_THE_FIRST, PART_OF_A_TURN = 0.25, 0.12
"""Parts of the time that is left which the first search, and each further turn, may take."""
MOST_NAMED = 3
"""Devices that an error names."""
PRICES_PROOF = "what the multipliers of limits and of fairness leave open"


@dataclass(frozen=True)
class _Bound:
    """A bound, the multipliers that proved it, and the plan that the search at them found.

    ``searched`` is what that plan costs at the multipliers: what is left above it they leave open, what is
    between it and the bound the search.
    """

    value: float
    searched: float
    multipliers: Multipliers
    found: Found

    @property
    def level(self) -> float:
        """The bound, or where it would be if the search proved anything."""
        return self.value if math.isfinite(self.value) else self.searched


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
    _refuse_impossible(network, rhythm, demands, settings)
    return _Turns(network, rhythm, demands, settings, search).run()


class _Turns:
    """The turns: a pool of plans, the best bound, and the box of the next multipliers."""

    def __init__(
        self, network: Network, rhythm: Rhythm, demands: Demands, settings: SearchSettings, search: Search
    ) -> None:
        self.network, self.demands, self.settings, self.search = network, demands, settings, search
        self.began = time.monotonic()
        self.stop_at = self.began + settings.time_limit_s
        self.pool = PlanPool(network, rhythm, demands)
        self.last_s = 0.0
        self.timed_out = False
        self.promised = math.inf
        plain = without_device_limits(network)
        placed, arrangement = self._searched(plain, settings.max_energy_j, settings.gap)
        found = self.pool.add(placed, arrangement)
        prices = network.instance.objective
        searched = objective_of(network.instance, plain.instance.objective, found.cost)
        self.bound = _Bound(arrangement.bound, searched, Multipliers(), found)
        spent = sum(found.cost.node_energy_j.get(device, 0.0) for device in network.devices)
        value = objective_of(network.instance, prices, found.cost)
        self.unit = prices.energy_weight_per_j or value / max(spent, 1e-300)
        self.first_radius = max(1.0, demands.fairness / (FIRST_PRICED * self.unit))
        self.radius = self.first_radius

    def run(self) -> tuple[Placed, Arrangement]:
        """Return the best plan of two spells: turns for the bound, then turns that press on clusters."""
        self._raise_bound()
        if self.demands.limit_j:
            self._press(even=True)
        if self.demands.limit_j and self.pool.best is not None:
            self.radius = self.first_radius
            self._raise_bound()
            self._press(even=False)
        return self._result()

    def _raise_bound(self) -> None:
        """Try the multipliers that the model promises most of, as long as the gap closes."""
        open_before, since_better = math.inf, 0
        for _ in range(MOST_RAISED):
            if not self._goes_on() or since_better >= PATIENCE:
                break
            multipliers = self._next()
            if multipliers is None:
                break
            self._turn(multipliers)
            value = self.pool.best_value if self.pool.best is not None else self.promised
            open_now = value - self.bound.level
            better = open_now < BETTER * open_before
            open_before, since_better = (open_now, 0) if better else (open_before, since_better + 1)

    def _goes_on(self) -> bool:
        """Return whether other multipliers could close the gap, and there is time for another turn."""
        best = self.pool.best_value
        if math.isfinite(best) and best - self.bound.searched <= self.settings.gap * abs(best):
            return False
        if self._gap() <= self.settings.gap:
            return False
        self.timed_out = self.stop_at - time.monotonic() < self.last_s
        return not self.timed_out

    def _gap(self) -> float:
        return relative_gap(self.pool.best_value, self.bound.value)

    def _gap_thought(self) -> float:
        return UNKNOWN_GAP if self.pool.best is None else relative_gap(self.pool.best_value, self.bound.level)

    def _next(self) -> Multipliers | None:
        """Return the next multipliers for the bound; ``None`` where the model promises no better one."""
        model, centre = self._model(), self.bound.multipliers
        goal = max(LEAST_GAIN * self._gap_thought(), self.settings.gap) * abs(self.bound.level)
        while True:
            step = model.next_multipliers(centre, self.radius, self.unit)
            if step.promised >= self.bound.level + goal:
                self.promised = step.promised
                return step.multipliers
            if self.radius > WIDEST:
                return None
            self.radius /= NARROWER

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

    def _press(self, *, even: bool) -> None:
        """Find for each cluster the least pressure under which its devices keep their limits."""
        caps = self.demands.limit_j
        clusters = self.pool.plans[0].arrangement.clusters
        pressure = Pressure(caps, clusters, self.bound.multipliers, self.unit, even=even)
        pressure.note(self.bound.found.cost.node_energy_j)
        known = self.bound.multipliers
        for _ in range(MOST_PRESSED):
            prices = pressure.next_prices()
            if not prices or not self._goes_on():
                break
            found = self._turn(Multipliers(prices, known.fairness, known.total))
            if found is None:
                break
            pressure.heard(found.cost.node_energy_j)

    def _turn(self, multipliers: Multipliers) -> Found | None:
        """Return the plan at given multipliers, if there is one; it joins the pool.

        Its bound counts if the multipliers are proper ones.
        """
        any_joule = self.network.instance.objective.energy_weight_per_j + multipliers.total
        multipliers = multipliers.floored(any_joule, self.network.devices, self.demands)
        prices = {name: any_joule + multipliers.of_device(name) for name in self.network.devices}
        priced = with_joule_prices(self.network, prices, any_joule)
        try:
            gap = max(self.settings.gap, PART_OF_THE_GAP * min(self._gap_thought(), 1.0))
            placed, arrangement = self._searched(priced, math.inf, gap)
        except (NoPlacement, MissingLink):
            self.radius *= NARROWER
            return None
        found = self.pool.add(placed, arrangement)
        spent, constant = found.cost.node_energy_j, multipliers.constant(self.demands)
        weighted = sum(prices.get(node, any_joule) * joules for node, joules in spent.items())
        weighted += self.network.instance.objective.time_weight_per_s * found.cost.latency_s
        bound = _Bound(arrangement.bound - constant, weighted - constant, multipliers, found)
        better = bound.level > self.bound.level and multipliers.are_proper(self.demands)
        self.radius *= WIDER if better else NARROWER
        if better:
            self.bound = bound
        return found

    def _searched(self, network: Network, max_energy_j: float, gap: float) -> tuple[Placed, Arrangement]:
        began = time.monotonic()
        left = self.stop_at - began
        part = PART_OF_A_TURN if self.pool.plans else PART_OF_THE_FIRST
        limit = left if math.isinf(left) else max(part * left, 1e-3)
        settings = replace(self.settings, time_limit_s=limit, gap=gap, max_energy_j=max_energy_j)
        answer = self.search(network, settings)
        self.last_s = time.monotonic() - began
        return answer

    def _result(self) -> tuple[Placed, Arrangement]:
        best, bound = self.pool.best, self.bound
        if best is None:
            raise self._nothing()
        parts = bound.found.arrangement.gap_parts
        rest = self.pool.best_value - bound.value - sum(part.amount for part in parts)
        if parts and bound.multipliers != Multipliers():
            parts = (*parts, GapPart(part="prices", amount=rest, proof=PRICES_PROOF))
        arrangement = replace(
            best.arrangement,
            bound=bound.value,
            proof=bound.found.arrangement.proof + self._note(),
            timed_out=self.timed_out or best.arrangement.timed_out,
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
        """Return the error of limits that no plan was found for, with the least that devices took in any."""
        plans, limits = [found.cost.node_energy_j for found in self.pool.plans], self.demands.limit_j
        least = {device: min(spent.get(device, 0.0) for spent in plans) for device in limits}
        short = sorted(limits, key=lambda device: limits[device] - least[device])
        over = [device for device in short if least[device] > limits[device]][:MOST_NAMED]
        why = [
            f"device {device!r} may spend {limits[device]:.6g} J a round and spent at least "
            f"{least[device]:.6g} J in the {len(plans)} plans tried"
            for device in over
        ]
        what = "; ".join(why) or "each limit was kept by some plan, but all of them by none"
        return NoPlacement(
            f"no plan was found within the limits on the energy of devices: {what}: raise these limits, or "
            "let the round take longer (max_latency_s, a lower price of a second)",
            StopReason.TIME_LIMIT if self.timed_out else StopReason.NO_PROGRESS,
        )


def _refuse_impossible(network: Network, rhythm: Rhythm, demands: Demands, settings: SearchSettings) -> None:
    """Raise if a device needs more than it may spend in any plan."""
    for device, limit in demands.limit_j.items():
        least = least_energy(network, device, rhythm, settings.max_latency_s, allocate=settings.allocate)
        if least.joules > limit * (1 + TOLERANCE):
            raise NoPlacement(
                f"device {device!r} may spend {limit:.6g} J a round, but needs at least {least.joules:.6g} J "
                f"({least.training_j:.6g} J to train, {least.sending_j:.6g} J to send): raise its limit",
                StopReason.PROVEN_INFEASIBLE,
            )
