"""What a sweep is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from fl_runtime.packing import FULL_BITS
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.sweeping.candidates import Bits, Candidate, Period
from hfedfm_opt.study.sweeping.runs import Metric

Deciding = Metric | Literal["both"]
"""Which accuracy decides: one of the two, or always the worse of both differences to the reference."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A floor of accuracy.

    Parameters
    ----------
    percent : float
        Percent; with ``to_reference`` points from the reference's accuracy (mostly below 0), paired by seed.
    to_reference : bool
        Whether it is told from the reference.
    """

    percent: float
    to_reference: bool = False

    def __str__(self) -> str:
        """Return it as the command line writes it."""
        return f"reference{self.percent:+g}" if self.to_reference else f"{self.percent:g}"


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """How to sweep.

    Parameters
    ----------
    planner : str
        Name of a planner that takes a period, without one.
    periods : sequence of int or None
        Rounds between cloud averages; ``None``: never.
    bits : sequence of (int, int)
        Bits a parameter of updates and of models.
    momenta : sequence of float
        Momenta of the cloud's averages.
    more : sequence of Candidate
        Candidates besides.
    measure_modules : bool
        Whether to add candidates with periods and precisions of modules, from a measured discrepancy.
    rounds : int or None
        Rounds of training; ``None``: the instance's.
    seeds : sequence of int
        Each once, at least one.
    metric : "sync", "late" or "both"
        The accuracy that decides; both: the worse of the two differences to the reference.
    floor : Floor or None
        The cheapest candidate that holds it is searched; ``None``: all candidates are raced, and the most
        accurate one is chosen.
    max_latency_s, max_energy_j : float or None
        Limits on seconds and joules per round of all candidates but the reference.
    race : bool
        Whether candidates that are surely beaten are dropped; otherwise all run with all seeds.
    time_limit_s : float or None
        Wall seconds after which no run is begun.
    options : PlannerOptions
        How to plan.
    """

    planner: str = "optimised"
    periods: Sequence[Period] = (1, 2, 4)
    bits: Sequence[Bits] = ((FULL_BITS, FULL_BITS), (8, 8), (4, 4), (2, 2))
    momenta: Sequence[float] = (0.0, 0.6)
    more: Sequence[Candidate] = ()
    measure_modules: bool = False
    rounds: int | None = None
    seeds: Sequence[int] = (0, 1, 2)
    metric: Deciding = "both"
    floor: Floor | None = None
    max_latency_s: float | None = None
    max_energy_j: float | None = None
    race: bool = True
    time_limit_s: float | None = None
    options: PlannerOptions = field(default_factory=PlannerOptions)
