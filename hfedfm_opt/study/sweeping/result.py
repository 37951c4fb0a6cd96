"""A sweep as data: a row per candidate that ran, who is on the front, and what was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfedfm_opt.study.sweeping.candidates import Planned, Skipped
from hfedfm_opt.study.sweeping.discrepancy import Discrepancy
from hfedfm_opt.study.sweeping.race import Difference
from hfedfm_opt.study.sweeping.runs import KeptRun
from hfedfm_opt.study.sweeping.settings import SweepOptions
from hfedfm_opt.system.instance import Instance

FORMAT, VERSION = "hfedfm-sweep", 1


@dataclass(frozen=True)
class Spread:
    """Accuracy in percent: mean over seeds, and sample standard deviation (``None`` with one seed)."""

    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return it of at least one value."""
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """A candidate, or a baseline, that ran with at least one seed.

    Parameters
    ----------
    name : str
        Its name.
    kind : "reference", "candidate" or "baseline"
        The reference is what differences are to; a baseline is only shown.
    latency_s, energy_j, objective : float
        Per round, predicted and confirmed by the clock; the weighted sum at the instance's prices.
    seeds : tuple of int
        Seeds that ran.
    sync, late : Spread
        Accuracy after the last round at the cloud, and averaged over the last third of the rounds, percent.
    difference : Difference
        Of the deciding accuracy to the reference, paired by seed, in points.
    predicted : float or None
        Difference that the surrogate predicted before the first run.
    on_front : bool
        Whether no other row with all seeds is as good in seconds, joules and accuracy, and better in one.
    verdict : str
        Why it did not run with all seeds; empty if it did.
    """

    name: str
    kind: str
    latency_s: float
    energy_j: float
    objective: float
    seeds: tuple[int, ...]
    sync: Spread
    late: Spread
    difference: Difference
    predicted: float | None
    on_front: bool
    verdict: str


@dataclass(frozen=True, kw_only=True)
class BesideRow:
    """A baseline at the precision of the choice, and at 32 bits: seconds and joules per round."""

    planner: str
    bits: str
    latency_s: float
    energy_j: float


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep found.

    Parameters
    ----------
    instance : Instance
        What was given.
    options : SweepOptions
        What was asked for.
    rows : tuple of SweepRow
        Cheapest first.
    planned : mapping of str to Planned
        The plan behind each row of a candidate, by its name.
    chosen : str or None
        Name of the chosen candidate, which ran with all seeds; ``None``: none holds the floor, or none ran.
    why : str
        Why it was chosen, or why none was.
    skipped : tuple of Skipped
        Candidates that were not trained.
    discrepancies : tuple of Discrepancy
        What was measured of the modules; empty if nothing was.
    cross_validated_error, knowing_nothing : float or None
        Root mean square errors of the surrogate, each candidate predicted from the others, and of the mean of
        the others, points.
    usual_sd : float or None
        Usual standard deviation of a paired difference of one seed, points.
    beside : tuple of BesideRow
        Baselines at the precision of the choice.
    runs : tuple of KeptRun
        All runs behind the rows.
    num_trained : int
        How many of them were made now; the others were kept.
    timed_out : bool
        Whether the time limit ended it.
    seconds : float
        Wall seconds.
    """

    instance: Instance
    options: SweepOptions
    rows: tuple[SweepRow, ...]
    planned: Mapping[str, Planned]
    chosen: str | None
    why: str
    skipped: tuple[Skipped, ...]
    discrepancies: tuple[Discrepancy, ...]
    cross_validated_error: float | None
    knowing_nothing: float | None
    usual_sd: float | None
    beside: tuple[BesideRow, ...]
    runs: tuple[KeptRun, ...]
    num_trained: int
    timed_out: bool
    seconds: float

    def row(self, name: str) -> SweepRow:
        """Return the row of a name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def chosen_row(self) -> SweepRow | None:
        """The row of the choice."""
        return None if self.chosen is None else self.row(self.chosen)

    @property
    def front(self) -> tuple[SweepRow, ...]:
        """The rows on the front, cheapest first."""
        return tuple(row for row in self.rows if row.on_front)


def front_of(points: Sequence[tuple[float, float, float]]) -> list[bool]:
    """Return which points (seconds, joules, accuracy) no other is as good as, and better than in one."""
    table = np.array([(s, j, -accuracy) for s, j, accuracy in points]).reshape(-1, 3)
    return [not bool(((table <= one).all(axis=1) & (table < one).any(axis=1)).any()) for one in table]


def row_fields(row: SweepRow) -> dict[str, Any]:
    """Return a row as plain columns, the same for CSV and JSON."""
    return {
        "name": row.name,
        "kind": row.kind,
        "latency_s": row.latency_s,
        "energy_j": row.energy_j,
        "objective": row.objective,
        "seeds": len(row.seeds),
        "sync_percent": row.sync.mean,
        "sync_sd": row.sync.sd,
        "late_percent": row.late.mean,
        "late_sd": row.late.sd,
        "difference_points": row.difference.mean,
        "difference_half_interval": row.difference.half if np.isfinite(row.difference.half) else None,
        "difference_sd": row.difference.sd,
        "predicted_points": row.predicted,
        "on_front": int(row.on_front),
        "verdict": row.verdict,
    }
