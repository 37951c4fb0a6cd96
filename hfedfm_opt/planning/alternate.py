"""Placement and clusters in turn: what the clusters wait for prices the next placement."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.check import check_plan
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.deadline_turns import Turns, place_by_deadline, training_cost
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement
from hfedfm_opt.planning.hops import MissingLink, OutOfLimits
from hfedfm_opt.planning.hulls import second_j_of
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.pace import best_moment_s, pace_of, slowable_devices
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.placement_bound import PLACEMENT_PROOF, BoundSettings, bound_over_placements
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.time_prices import TimePrices, even_prices, repriced
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import GapPart, Serving
from hfedfm_opt.system.network import Network
from solvers.common import Options, StopReason, relative_gap

MAX_TURNS = 24
"""Most turns of placing and arranging."""
PATIENCE = 8
"""Turns without a better plan after which the alternation ends."""
FIRST_STEP = 4.0
"""How strongly the first turn presses on slow devices; the k-th presses 1 / sqrt(k) as much."""
PART_OF_A_PLACEMENT = 0.04
"""Part of the time limit that one placement may take."""
PART_OF_A_BOUND = 0.15
"""Part of the time limit that a bound may take."""
RELAXED_GAP = 1e-4
"""Relative gap to which a relaxation over all placements is searched: it is not tight anyway."""
PART_OF_THE_START = 0.3
"""Part of the time limit after which the first placement is taken as it is."""
PART_OF_A_GAP = 0.01
"""Part of the gap over all placements to which the clusters of one placement are decided."""
JOINT_TURNS = 5.0
"""Turns in whose time the clusters of the best placement should be decided at once."""
WORTH_ARRANGING = 0.02
"""How much worse than the best, relatively, the training of a placement may be to be arranged."""
WORTH_DECIDING = 0.003
"""The same of a plan at nominal D2D links whose clusters are decided at once."""
MOST_DECIDED = 2
"""Placements whose clusters are decided at once at most."""
LATER = (1.5, 2.5, 5.0, 12.0)
"""Moments, in best ones, that are tried where a limit on energy forbids the best one."""


@dataclass(frozen=True)
class _Turn:
    """A placement with its arrangement, what both cost, and how long arranging took.

    Without an arrangement that keeps the limits of a round, the value is inf, and ``refusal`` says why.
    """

    placed: Placed
    arrangement: Arrangement | None
    value: float
    latency_s: float
    seconds: float
    refusal: str = ""


def alternate(
    network: Network, task: PlacementTask, method: str, rhythm: Rhythm, settings: SearchSettings, seed: int
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found by turns, with a bound over all of them.

    The first turn arranges the placement at the best common deadline of training.  Each further turn places
    under prices of time, arranges the clusters exactly for that placement, and raises the prices of the
    devices that kept the others waiting.  Under a time limit a turn begins only if it should end in time.
    Where modules may be trained elsewhere, a turn before the first leaves all of them on their devices.
    Turns take D2D links at nominal resources; the clusters of the best placements are then decided at once.

    Parameters
    ----------
    network : Network
        The network.
    task : PlacementTask
        Who may run what.
    method : str
        Method of ``solvers.placement``.
    rhythm : Rhythm
        How often the cloud averages.
    settings : SearchSettings
        How to search; the time limit is for all turns together.
    seed : int
        Seed of the placement method.

    Raises
    ------
    NoPlacement, MissingLink
        If there is no placement, or clusters cannot average, or nothing was found within the limits.
    """
    alone = all(candidate.host == candidate.device for candidate in task.candidates)
    if len(task.candidates) == len(task.demands) and (alone or not settings.allocate):
        limit = None if math.isinf(settings.time_limit_s) else max(settings.time_limit_s, 1e-3)
        placed = place(network, task, method, Options(time_limit_s=limit, seed=seed))
        return placed, optimise(with_training(network, placed.servings), placed, rhythm, settings)
    return _Alternation(network, task, method, rhythm, settings, seed).run()


def arrange_placed(
    network: Network, task: PlacementTask, placed: Placed, rhythm: Rhythm, settings: SearchSettings
) -> Arrangement:
    """Return the best arrangement of a placement that is given, without a bound over other placements.

    The parameters are those of :func:`alternate`, with the placement.

    Raises
    ------
    NoPlacement, MissingLink
        If clusters cannot average, or nothing was found within the limits.
    """
    turns = _Alternation(network, task, "", rhythm, settings, 0)
    arrangement = turns.turn(placed, settings).arrangement
    if arrangement is None:
        raise NoPlacement("nothing was found for the placement within the limits", StopReason.NO_PROGRESS)
    return arrangement


@dataclass
class _Alternation:
    """The turns: what is known, and what was tried."""

    network: Network
    task: PlacementTask
    method: str
    rhythm: Rhythm
    settings: SearchSettings
    seed: int
    began: float = field(default_factory=time.monotonic)
    tried: dict[tuple[Serving, ...], _Turn] = field(default_factory=dict)
    bound: float = -math.inf
    proof: str = ""
    timed_out: bool = False

    def __post_init__(self) -> None:
        limit_s = self.settings.time_limit_s
        self.stop_at = self.began + limit_s
        self.placement_s = limit_s * PART_OF_A_PLACEMENT
        slows = self.settings.allocate and not self.settings.left_out.cpu
        self.slowable = slowable_devices(self.network) if slows else frozenset[str]()
        self.in_turns = replace(
            self.settings, joint=False, counts_joint=self.settings.joint
        )  # unless limits forbid that
        self.turns = Turns(
            self.method,
            self.placement_s,
            self.began + limit_s * PART_OF_THE_START,
            self.seed,
            self.slowable,
        )

    def run(self) -> tuple[Placed, Arrangement]:
        """Take all turns; return the best."""
        start = place_by_deadline(self.network, self.task, self.turns)
        self._first(start.placed)
        home = self._at_home()
        self._prove(start.bound_prices, relays=home is None)
        self._take_turns()
        best = self._decided_at_once() if self.settings.joint else self.best
        return best.placed, self._bounded(best)

    @property
    def best(self) -> _Turn:
        """The best turn at which everything was arranged as in turns."""
        return min(self.tried.values(), key=lambda turn: turn.value)

    def _longest_s(self) -> float:
        return max(turn.seconds for turn in self.tried.values())

    def _left_s(self) -> float:
        return self.stop_at - time.monotonic()

    def _first(self, placed: Placed) -> None:
        """Arrange the first placement: at nominal D2D links, if the limits allow that."""
        try:
            self._arrange(placed)
        except MissingLink:
            if not self.settings.joint:
                raise
        if self.settings.joint and not (self.tried and self.best.arrangement):
            self.tried.clear()
            self.in_turns = self.settings
            self._arrange(placed)

    def _at_home(self) -> PlacementTask | None:
        """Arrange the placement whose trainable modules stay on their devices; ``None`` if they all do."""
        home = formulate_placement(self.network)
        if len(home.candidates) == len(self.task.candidates):
            return None
        try:
            self._arrange(self.turns.place(self.network, home, even_prices(self.network)))
        except NoPlacement:
            pass  # some modules must leave
        return home

    def _prove(self, prices: TimePrices, *, relays: bool) -> None:
        """Bound all placements; where trainable modules may leave, what leaves sends no updates."""
        limit_s = self.settings.time_limit_s * PART_OF_A_BOUND
        bounds = replace(self.settings, time_limit_s=limit_s, gap=max(self.settings.gap, RELAXED_GAP))
        known = self.best.arrangement if relays else None
        relaying_j = 0.0 if known is None else known.relaying_j
        by = BoundSettings(prices, relaying_j, self._left_s() > 2.0 * self._longest_s())
        self.bound, self.proof = bound_over_placements(self.network, self.task, self.rhythm, bounds, by)

    def _is_good(self) -> bool:
        return relative_gap(self.best.value, self.bound) <= self.settings.gap

    def _take_turns(self) -> None:
        """Place and arrange in turn, until nothing is gained."""
        reserved = 1.0 + (JOINT_TURNS if self.settings.joint else 0.0)
        prices, since_best = even_prices(self.network), 0
        least = training_cost(self.network, self.best.placed, self.slowable)
        for number in range(1, MAX_TURNS + 1):
            if since_best >= PATIENCE or self._is_good():
                break
            self.timed_out = self._left_s() < reserved * self._longest_s() + self.placement_s
            if self.timed_out:
                break
            placed = self.turns.place(self.network, self.task, prices)
            cost, before = training_cost(self.network, placed, self.slowable), self.best.value
            if cost <= least * (1.0 + WORTH_ARRANGING):
                self._arrange(placed)
            least = min(least, cost)
            since_best = 0 if self.best.value < before else since_best + 1
            seconds = readiness(self.network, placed.servings).seconds
            prices = repriced(prices, seconds, placed.servings, FIRST_STEP / math.sqrt(number))

    def _decided_at_once(self) -> _Turn:
        """Decide the clusters of the best placements at once; return the best turn of all."""
        best = self.best
        left_open = min(relative_gap(best.value, self.bound), 1.0)
        finer = replace(self.settings, gap=max(self.settings.gap, PART_OF_A_GAP * left_open))
        promising = sorted(self.tried.values(), key=lambda turn: turn.value)[:MOST_DECIDED]
        worth = [turn for turn in promising if turn.value <= promising[0].value * (1.0 + WORTH_DECIDING)]
        for number, turn in enumerate(worth):
            if number and self._left_s() < best.seconds:
                break
            together = self.turn(turn.placed, finer)
            best = together if together.value <= best.value else best
        return best

    def _arrange(self, placed: Placed) -> None:
        """Arrange a placement as in turns, unless it was."""
        if placed.servings not in self.tried:
            self.tried[placed.servings] = self.turn(placed, self.in_turns)

    def turn(self, placed: Placed, settings: SearchSettings) -> _Turn:
        """Return a placement with its best arrangement, at the first moment that the limits allow."""
        began, errors = time.monotonic(), list[OutOfLimits | NoPlacement]()
        for moment_s in self._moments(placed):
            try:
                turn = self._turn_at(placed, settings, moment_s)
            except (OutOfLimits, NoPlacement) as error:
                errors.append(error)
                continue
            if errors and moment_s is None:
                return self._slower(placed, settings, turn)
            return turn
        return _Turn(placed, None, math.inf, math.inf, time.monotonic() - began, str(errors[-1]))

    def _moments(self, placed: Placed) -> Iterator[float | None]:
        """Yield when all devices may be ready: the best moment, others that limits may allow, at once."""
        if self.slowable:
            pace = pace_of(self.network, readiness(self.network, placed.servings))
            best_s = best_moment_s(pace, second_j_of(self.network))
            yield best_s
            if math.isfinite(self.settings.max_energy_j):
                yield from (part * best_s for part in LATER)
        yield None

    def _slower(self, placed: Placed, settings: SearchSettings, fast: _Turn) -> _Turn:
        """Return the better of a turn at full speed and one that uses what a limit on latency leaves."""
        spare_s = self.settings.max_latency_s - fast.latency_s
        ready_s = max(readiness(self.network, placed.servings).seconds.values())
        if not self.slowable or not math.isfinite(spare_s):
            return fast
        try:
            slow = self._turn_at(placed, settings, ready_s + spare_s)
        except (OutOfLimits, NoPlacement):
            return fast
        return min(fast, slow, key=lambda turn: turn.value)

    def _turn_at(self, placed: Placed, settings: SearchSettings, moment_s: float | None) -> _Turn:
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
        return _Turn(placed, arrangement, value, cost.latency_s, time.monotonic() - began)

    def _bounded(self, best: _Turn) -> Arrangement:
        """Return the best arrangement with the bound over all placements, and what that leaves open."""
        arrangement = best.arrangement
        if arrangement is None and self.bound == math.inf:
            raise OutOfLimits(best.refusal)
        if arrangement is None:
            raise NoPlacement(f"of the placements tried: {best.refusal}", StopReason.NO_PROGRESS)
        parts = arrangement.gap_parts
        if parts:
            amount = arrangement.bound - self.bound
            parts = (*parts, GapPart(part="placement", amount=amount, proof=PLACEMENT_PROOF))
        return replace(
            arrangement,
            bound=self.bound,
            proof=self.proof,
            gap_parts=parts,
            timed_out=self.timed_out or arrangement.timed_out,
        )
