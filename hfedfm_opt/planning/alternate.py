"""Placement and clusters in turn: what the clusters wait for prices the next placement."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hfedfm_opt.planning.arrange_turn import Arranger, Turn
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.deadline_turns import Turns, place_by_deadline
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement
from hfedfm_opt.planning.hops import MissingLink, OutOfLimits
from hfedfm_opt.planning.moment_bound import moment_bound
from hfedfm_opt.planning.optimise import SearchSettings, optimise
from hfedfm_opt.planning.pace import slowable_devices
from hfedfm_opt.planning.place import NoPlacement, Placed, place
from hfedfm_opt.planning.placement_bound import PLACEMENT_PROOF, BoundSettings, bound_over_placements
from hfedfm_opt.planning.polish import polished
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.time_prices import TimePrices, even_prices, repriced
from hfedfm_opt.planning.trained_elsewhere import with_training
from hfedfm_opt.system.decisions import GapPart, Serving
from hfedfm_opt.system.network import Network
from solvers.common import Options, StopReason, relative_gap

MAX_TURNS = 24
"""Most turns of placing."""
PATIENCE = 8
"""Turns without a better placement after which the turns end."""
FIRST_STEP = 4.0
"""How strongly the first turn presses on slow devices; the k-th presses 1 / sqrt(k) as much."""
PART_OF_A_PLACEMENT = 0.04
"""Part of the time limit that one placement may take."""
PART_OF_A_BOUND = 0.15
"""Part of the time limit that a bound may take."""
RELAXED_GAP = 1e-4
"""Relative gap to which a relaxation over all placements is searched: it is not tight anyway."""
PART_OF_PLACING = 0.3
"""Part of the time limit after which no further placement is made."""
PART_OF_A_GAP = 0.01
"""Part of the gap over all placements to which the clusters of one placement are decided."""
FIRST_GAP = 0.02
"""Gap over all placements that is expected before a bound is known."""
GOOD_TRAINING = 1e-3
"""Relative gap of the training alone at which no further placement is made."""
WORTH_ARRANGING = 0.02
"""How much worse than the best, relatively, the training of a placement may be to be arranged."""
WORTH_DECIDING = 0.003
"""The same where D2D links are decided too."""
MOST_DECIDED = 3
"""Placements that are arranged at most where D2D links are decided too."""
PARTS_OF_LIMITS = (0.97, 0.9, 0.75, 0.5)
"""Parts of the limits on a round that training alone may take."""


def alternate(
    network: Network, task: PlacementTask, method: str, rhythm: Rhythm, settings: SearchSettings, seed: int
) -> tuple[Placed, Arrangement]:
    """Return the best placement and arrangement found by turns, with a bound over all of them.

    The first turn places at the best common deadline of training.  Each further turn places under prices of
    time, and raises the prices of the devices that keep the others waiting.  Where modules may be trained
    elsewhere, one turn leaves all of them on their devices.  The placements whose training costs least are
    then arranged, the best first: their clusters are decided for that placement.  Under a time limit a step
    begins only if it should end in time.

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
    if len(task.candidates) == len(task.demands):
        limit = None if math.isinf(settings.time_limit_s) else max(settings.time_limit_s, 1e-3)
        placed = place(network, task, method, Options(time_limit_s=limit, seed=seed))
        return placed, optimise(with_training(network, placed.servings), placed, rhythm, settings)
    return _Alternation(network, task, method, rhythm, settings, seed).run()


def arrange_placed(network: Network, placed: Placed, rhythm: Rhythm, settings: SearchSettings) -> Arrangement:
    """Return the best arrangement of a placement that is given, without a bound over other placements.

    The parameters are those of :func:`alternate`, with the placement.

    Raises
    ------
    NoPlacement, MissingLink
        If clusters cannot average, or nothing was found within the limits.
    """
    slows = settings.allocate and not settings.left_out.cpu
    slowable = slowable_devices(network) if slows else frozenset[str]()
    stop_at = time.monotonic() + settings.time_limit_s
    turn = Arranger(network, rhythm, slowable, stop_at).turn(placed, settings)
    if turn.arrangement is None:
        raise NoPlacement(f"of the placement given: {turn.refusal}", StopReason.NO_PROGRESS)
    return turn.arrangement


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
    placements: dict[tuple[Serving, ...], tuple[float, Placed]] = field(default_factory=dict)
    arranged: list[Turn] = field(default_factory=list)
    bound: float = -math.inf
    proof: str = ""
    timed_out: bool = False

    def __post_init__(self) -> None:
        limit_s = self.settings.time_limit_s
        self.stop_at = self.began + limit_s
        self.placement_s = limit_s * PART_OF_A_PLACEMENT
        slows = self.settings.allocate and not self.settings.left_out.cpu
        self.slowable = slowable_devices(self.network) if slows else frozenset[str]()
        start_ends = self.began + limit_s * PART_OF_PLACING
        self.turns = Turns(self.method, self.placement_s, start_ends, self.seed, self.slowable)
        self.arranger = Arranger(self.network, self.rhythm, self.slowable, self.stop_at)

    def run(self) -> tuple[Placed, Arrangement]:
        """Place in turns, arrange the best placements, and bound all of them; return the best."""
        start = place_by_deadline(self.network, self.task, self.turns)
        self._note(start.placed)
        self._take_turns()
        self._note_limited(start.placed)
        home = self._at_home()
        best_first = [placed for _, placed in sorted(self.placements.values(), key=lambda one: one[0])]
        self._arrange_first(best_first)
        if home is not None:
            self._arrange(home)
        self._prove(start.bound_prices, relays=home is None)
        self._arrange_more(best_first[1:])
        best = self.best
        return best.placed, self._bounded(best)

    @property
    def best(self) -> Turn:
        """The best turn of those that were arranged."""
        return min(self.arranged, key=lambda turn: turn.value)

    def _left_s(self) -> float:
        return self.stop_at - time.monotonic()

    def _note(self, placed: Placed) -> float:
        """Note a placement; return what its training costs."""
        cost = self.turns.cost(self.network, self.task, placed)
        self.placements.setdefault(placed.servings, (cost, placed))
        return cost

    def _take_turns(self) -> None:
        """Place under prices that press on slow devices, until nothing is gained."""
        prices, since_best = even_prices(self.network), 0
        least = min(cost for cost, _ in self.placements.values())
        slows, left_s = bool(self.slowable), self.turns.stop_at - time.monotonic()
        bound = moment_bound(
            self.network, self.task, {}, slows=slows, gap=GOOD_TRAINING, limit_s=0.5 * left_s
        )
        for number in range(1, MAX_TURNS + 1):
            if since_best >= PATIENCE or relative_gap(least, bound) <= GOOD_TRAINING:
                break
            if time.monotonic() + self.placement_s >= self.turns.stop_at:
                break
            placed = self.turns.place(self.network, self.task, prices)
            cost = self._note(placed)
            least, since_best = (cost, 0) if cost < least else (least, since_best + 1)
            seconds = readiness(self.network, placed.servings).seconds
            prices = repriced(prices, seconds, placed.servings, FIRST_STEP / math.sqrt(number))

    def _note_limited(self, placed: Placed) -> None:
        """Note placements whose training leaves more and more of the limits of a round to the rest."""
        latest_s, most_j = self.settings.max_latency_s, self.settings.max_energy_j
        for part in PARTS_OF_LIMITS if math.isfinite(min(latest_s, most_j)) else ():
            limits = part * latest_s, part * most_j
            self._note(polished(self.network, self.task, placed, self.slowable, *limits))

    def _at_home(self) -> Placed | None:
        """Return a placement whose trainable modules stay on their devices; ``None`` if they all do."""
        home = formulate_placement(self.network)
        if len(home.candidates) == len(self.task.candidates):
            return None
        try:
            return self.turns.place(self.network, home, even_prices(self.network))
        except NoPlacement:  # some modules must leave
            return next(iter(self.placements.values()))[1]

    def _prove(self, prices: TimePrices, *, relays: bool) -> None:
        """Bound all placements; where trainable modules may leave, what leaves sends no updates."""
        limit_s = self.settings.time_limit_s * PART_OF_A_BOUND
        bounds = replace(self.settings, time_limit_s=limit_s, gap=max(self.settings.gap, RELAXED_GAP))
        known = self.best.arrangement if relays else None
        relaying_j = {} if known is None else known.relaying_j
        by = BoundSettings(prices, relaying_j, self._left_s() > 2.0 * self.best.seconds)
        self.bound, self.proof = bound_over_placements(self.network, self.task, self.rhythm, bounds, by)

    def _arrange_more(self, best_first: Sequence[Placed]) -> None:
        """Arrange placements whose training costs little more than the best, while there is time."""
        most, worth = len(best_first), WORTH_ARRANGING
        if self.settings.joint:
            most, worth = MOST_DECIDED - 1, WORTH_DECIDING
        least = min(cost for cost, _ in self.placements.values())
        for placed in best_first[:most]:
            if self.placements[placed.servings][0] > least * (1.0 + worth):
                break
            if relative_gap(self.best.value, self.bound) <= self.settings.gap:
                break
            self.timed_out = self._left_s() < max(turn.seconds for turn in self.arranged)
            if self.timed_out:
                break
            self._arrange(placed)

    def _arrange_first(self, best_first: Sequence[Placed]) -> None:
        """Arrange placements until one is within the limits, if there are any."""
        limited = math.isfinite(min(self.settings.max_latency_s, self.settings.max_energy_j))
        for placed in best_first:
            self._arrange(placed)
            if self.best.arrangement is not None or not limited or self._left_s() <= 0:
                return

    def _arrange(self, placed: Placed) -> None:
        """Arrange a placement, unless it was; at nominal D2D links where all at once gives no sound plan."""
        if any(turn.placed.servings == placed.servings for turn in self.arranged):
            return
        together = None
        if self.settings.joint:
            left_open = relative_gap(self.best.value, self.bound) if self.arranged else FIRST_GAP
            gap = max(self.settings.gap, PART_OF_A_GAP * min(left_open, FIRST_GAP))
            together = self.arranger.turn(placed, replace(self.settings, gap=gap))
            if math.isfinite(together.value):
                self.arranged.append(together)
                return
        nominal = replace(self.settings, joint=False, counts_joint=self.settings.joint)
        try:
            self.arranged.append(self.arranger.turn(placed, nominal))
        except MissingLink:
            if together is None:
                raise
            self.arranged.append(together)

    def _bounded(self, best: Turn) -> Arrangement:
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
