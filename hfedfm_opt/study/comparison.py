"""A comparison as data: one row per method, the training runs behind them, and what makes it repeatable."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.ablation import Ablation
from hfedfm_opt.study.comparison_parts import Gain, Settings, TrainingRun, WallSeconds
from hfedfm_opt.study.published import PrintedRow, PublishedRow
from hfedfm_opt.study.spread import AggregatorSpread
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Duplex

FORMAT, VERSION = "hfedfm-comparison", 1
NOT_IN_CSV = frozenset({"curve", "curve_sd", "proof", "explanation"})
"""Fields of a row that the CSV file leaves to the JSON file."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one kind of radio; ``None`` stands for a figure that does not exist.

    Parameters
    ----------
    label : str
        The planner's name; with ``(nominal resources)`` where the optimised planner may choose trees and
        aggregators, but every link keeps its nominal channel and power.
    planner : str
        Name of the planner.
    allocate : bool or None
        Whether resources were allocated; ``None`` for planners that never do.
    duplex : "as given", "full" or "half"
        Kind of the devices' radios.
    period : int or None
        Every how many rounds the cloud averages; ``None``: never.
    status, stop_reason : str
        What is known, and why the planner ended.
    explanation : str
        Why there is no plan; empty where there is one.
    latency_s, energy_j : float or None
        Predicted per round on a still channel, over whole cycles.
    measured_latency_s, measured_energy_j, measured_bits : float or None
        The same by the clock, and the bits that all links carried per round.
    faded_latency_s, faded_latency_sd_s, faded_energy_j, faded_energy_sd_j : float or None
        By the clock under the instance's fading: mean and standard deviation over the seeds.
    largest_device_energy_j, largest_device : float or None, str or None
        Predicted joules per round of the device that spends most, and its id.
    objective, bound, gap : float or None
        Weighted cost per round, its proven lower bound, and their relative distance.
    proof : str
        What proves the bound, and for which plans.
    training_run : str or None
        Name of the training run; methods that average the same replicas in the same rounds share one.
    accuracy, accuracy_sd : float or None
        After the last round that reached the cloud (the last round if none did), in [0, 1]: mean over tasks,
        and over seeds; standard deviation over seeds, ``None`` with a single seed.
    late_accuracy, late_accuracy_sd : float or None
        The same, averaged over the last third of the rounds.
    accuracy_of_task, accuracy_sd_of_task, late_accuracy_of_task, late_accuracy_sd_of_task : mapping
        The same for each task.
    curve, curve_sd : tuple of float
        Mean over tasks after each round: mean and standard deviation over seeds; empty without training.
    """

    label: str
    planner: str
    allocate: bool | None
    duplex: Duplex
    period: int | None
    status: str
    stop_reason: str
    explanation: str = ""
    latency_s: float | None = None
    energy_j: float | None = None
    measured_latency_s: float | None = None
    measured_energy_j: float | None = None
    measured_bits: float | None = None
    faded_latency_s: float | None = None
    faded_latency_sd_s: float | None = None
    faded_energy_j: float | None = None
    faded_energy_sd_j: float | None = None
    largest_device_energy_j: float | None = None
    largest_device: str | None = None
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    proof: str = ""
    training_run: str | None = None
    accuracy: float | None = None
    accuracy_sd: float | None = None
    late_accuracy: float | None = None
    late_accuracy_sd: float | None = None
    accuracy_of_task: Mapping[str, float] | None = None
    accuracy_sd_of_task: Mapping[str, float] | None = None
    late_accuracy_of_task: Mapping[str, float] | None = None
    late_accuracy_sd_of_task: Mapping[str, float] | None = None
    curve: tuple[float, ...] = ()
    curve_sd: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """Name that no other row of a comparison has."""
        return row_key(self.label, self.duplex)


def row_key(label: str, duplex: str) -> str:
    """Return the key of the row of a label and a kind of radio."""
    return f"{label} | {duplex}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Methods side by side on one instance.

    Parameters
    ----------
    instance : Instance
        What was given.
    rows : tuple of Row
        One per method, in the order asked for, for each kind of radio.
    plans : mapping of str to Plan
        The plan of each row that has one, by the row's key.
    training_runs : tuple of TrainingRun
        What the accuracies come from.
    spreads : tuple of AggregatorSpread
        What the random-aggregator schemes cost over all choices.
    gains : tuple of Gain
        What the optimised plans save against them.
    published : tuple of PublishedRow
        The table of the published accounting; empty where it does not apply.
    printed : tuple of PrintedRow
        The printed table; empty but on the published network.
    notes : tuple of str
        What a reader should know besides, such as why there is no accuracy.
    settings : Settings
        What makes it repeatable.
    wall_seconds : WallSeconds
        What it took.
    ablations : tuple of Ablation
        What each decision is worth, if that was asked for.
    """

    instance: Instance
    rows: tuple[Row, ...]
    plans: Mapping[str, Plan]
    training_runs: tuple[TrainingRun, ...]
    spreads: tuple[AggregatorSpread, ...]
    gains: tuple[Gain, ...]
    published: tuple[PublishedRow, ...]
    printed: tuple[PrintedRow, ...]
    notes: tuple[str, ...]
    settings: Settings
    wall_seconds: WallSeconds
    ablations: tuple[Ablation, ...] = ()

    def row(self, label: str, duplex: str = "as given") -> Row:
        """Return the row of a label; ``KeyError`` if there is none."""
        found = {row.key: row for row in self.rows}
        return found[row_key(label, duplex)]

    def to_dict(self) -> dict[str, Any]:
        """Return all but instance and plans as plain data; wall times are under ``wall_seconds`` only."""
        parts = (
            "settings",
            "notes",
            "rows",
            "gains",
            "spreads",
            "published",
            "printed",
            "training_runs",
            "ablations",
            "wall_seconds",
        )
        return {"format": FORMAT, "version": VERSION, **{part: _plain(getattr(self, part)) for part in parts}}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON text; the same seeds give the same text but for ``wall_seconds``."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the rows as CSV text, with all digits; the last column is wall time."""
        tasks = sorted({task for run in self.training_runs for task in run.tasks})
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        for index, row in enumerate(self.rows):
            flat = _flat(row, tasks)
            if index == 0:
                writer.writerow([*flat, "planning_wall_s"])
            writer.writerow([*flat.values(), self.wall_seconds.planning[row.key]])
        return stream.getvalue()


def _flat(row: Row, tasks: list[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in NOT_IN_CSV:
            continue
        if field.name.endswith("_of_task"):
            name = field.name.removesuffix("_of_task")
            flat |= {f"{name}_{task}": (value or {}).get(task) for task in tasks}
        else:
            flat[field.name] = value
    return flat


def _plain(part: Any) -> Any:
    return (
        [asdict(entry) if not isinstance(entry, str) else entry for entry in part]
        if isinstance(part, tuple)
        else asdict(part)
    )
