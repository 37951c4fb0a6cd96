"""A placement with its clusters: at the best common moment of training, or what limits allow."""

import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.hops import OutOfLimits
from hfedfm_opt.planning.hulls import second_j_of
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.pace import best_moment_s, pace_of
from hfedfm_opt.planning.place import NoPlacement, Placed
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.network import Network

LATER = (1.5, 2.5, 5.0, 12.0)
"""Moments, in best ones, that are tried where a limit on energy forbids the best one."""


@dataclass(frozen=True)
class Turn:
    """A placement with its arrangement, what both cost, and how long arranging took.

    Parameters
    ----------
    placed : Placed
        The placement.
    arrangement : Arrangement or None
        Its clusters; ``None`` where nothing was found within the limits of a round.
    value : float
        Objective; ``inf`` where the plan breaks a limit.
    latency_s : float
        Of a round.
    seconds : float
        Wall time of arranging.
    refusal : str
        Why there are no clusters.
    """

    placed: Placed
    arrangement: Arrangement | None
    value: float
    latency_s: float
    seconds: float
    refusal: str = ""


@dataclass(frozen=True)
class Arranger:
    """Arranges placements.

    Parameters
    ----------
    network : Network
        The network.
    rhythm : Rhythm
        How often the cloud averages.
    slowable : collection of str
        Devices that may slow down their CPU.
    stop_at : float
        On the monotonic clock, when to end.
    """

    network: Network
    rhythm: Rhythm
    slowable: Collection[str]
    stop_at: float

    def turn(self, placed: Placed, settings: SearchSettings) -> Turn:
        """Return a placement with its best arrangement, at the first moment that the limits allow.

        Raises
        ------
        MissingLink
            If clusters cannot average, whatever the limits.
        """
        began, errors = time.monotonic(), list[OutOfLimits | NoPlacement]()
        for moment_s in self._moments(placed, settings):
            try:
                turn = self._turn_at(placed, settings, moment_s)
            except (OutOfLimits, NoPlacement) as error:
                errors.append(error)
                continue
            if errors and moment_s is None:
                return self._slower(placed, settings, turn)
            return turn
        return Turn(placed, None, math.inf, math.inf, time.monotonic() - began, str(errors[-1]))

    def _moments(self, placed: Placed, settings: SearchSettings) -> Iterator[float | None]:
        """Yield when all devices may be ready: the best moment, others that limits may allow, at once."""
        if self.slowable:
            pace = pace_of(self.network, readiness(self.network, placed.servings))
            best_s = best_moment_s(pace, second_j_of(self.network))
            yield best_s
            if math.isfinite(settings.max_energy_j):
                yield from (part * best_s for part in LATER)
        yield None

    def _slower(self, placed: Placed, settings: SearchSettings, fast: Turn) -> Turn:
        """Return the better of a turn at full speed and one that uses what a limit on latency leaves."""
        spare_s = settings.max_latency_s - fast.latency_s
        ready_s = max(readiness(self.network, placed.servings).seconds.values())
        if not self.slowable or not math.isfinite(spare_s):
            return fast
        try:
            slow = self._turn_at(placed, settings, ready_s + spare_s)
        except (OutOfLimits, NoPlacement):
            return fast
        return min(fast, slow, key=lambda turn: turn.value)

    def _turn_at(self, placed: Placed, settings: SearchSettings, moment_s: float | None) -> Turn:
        """Return a placement with its best arrangement where devices are ready at a moment."""
        began = time.monotonic()
        limited = replace(settings, time_limit_s=max(self.stop_at - began, 1e-3))
        served = with_training(self.network, placed.servings)
        arrangement = optimise(served, placed, self.rhythm, limited, moment_s)
        decisions = assemble(served, "alternation", self.rhythm.period, placed, arrangement)
        cost, weights = predict(served, decisions), self.network.instance.objective
        value = weights.energy_weight_per_j * cost.energy_j + weights.time_weight_per_s * cost.latency_s
        if settings.joint and check_plan(served, decisions):
            value = math.inf
        return Turn(placed, arrangement, value, cost.latency_s, time.monotonic() - began)
