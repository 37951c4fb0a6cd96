"""A comparison as data: one row per method, the training runs behind them, and what makes it repeatable."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.ablation import Ablation
from hfedfm_opt.study.comparison_parts import Gain, Row, Settings, TrainingRun, WallSeconds, row_key
from hfedfm_opt.study.published import PrintedRow, PublishedRow
from hfedfm_opt.study.spread import AggregatorSpread
from hfedfm_opt.system.instance import Instance

FORMAT, VERSION = "hfedfm-comparison", 1
NOT_IN_CSV = frozenset({"curve", "curve_sd", "proof", "explanation"})
"""Fields of a row that the CSV file leaves to the JSON file."""


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
