"""A sweep as tables, CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.study.sweeping.result import FORMAT, VERSION, Spread, Sweep, SweepRow, row_fields
from hfedfm_opt.study.table_text import NONE, Column, TableText

METRIC_WORDS = {
    "both": "accuracy, the worse of at sync and late",
    "sync": "accuracy after the last round at the cloud",
    "late": "accuracy averaged over the last third of the rounds",
}


def tables_of_sweep(sweep: Sweep) -> list[TableText]:
    """Return the measured rows, the baselines beside the choice, and the modules' discrepancies."""
    tables = [measured_table(sweep)]
    if sweep.beside:
        tables.append(beside_table(sweep))
    if sweep.discrepancies:
        tables.append(discrepancy_table(sweep))
    return tables


def measured_table(sweep: Sweep) -> TableText:
    """Return one row per candidate that ran, cheapest first; the choice is marked."""
    heads = ["s / round", "J / round", "seeds", "at sync, %", "late, %", "difference"]
    columns = [Column("candidate", number=False), *map(Column, heads), Column("front", number=False)]
    columns.append(Column("note", number=False, spare=True))
    cells = tuple(
        (
            f"{row.name} (reference)" if row.kind == "reference" else row.name,
            f"{row.latency_s:.4g}",
            f"{row.energy_j:.4g}",
            str(len(row.seeds)),
            _spread(row.sync),
            _spread(row.late),
            _difference(row),
            "yes" if row.on_front else "",
            row.verdict,
        )
        for row in sweep.rows
    )
    marked = frozenset(index for index, row in enumerate(sweep.rows) if row.name == sweep.chosen)
    caption = (
        "Accuracy: mean and standard deviation over seeds. difference: of the "
        f"{METRIC_WORDS[sweep.options.metric]}, to the reference, paired by seed, in points, ± half the 95 % "
        "interval (moderated t). front: no row with all seeds within the limits is as good in seconds, "
        "joules and accuracy."
    )
    title = f"{sweep.instance.name}: planned with {sweep.options.planner}, measured"
    return TableText(title, tuple(columns), cells, caption, marked)


def beside_table(sweep: Sweep) -> TableText:
    """Return the baselines at the precision of the choice and at 32 bits, beside the choice."""
    columns = (
        Column("planner", number=False),
        Column("bits", number=False),
        Column("s / round"),
        Column("J / round"),
    )
    rows = [(row.planner, row.bits, f"{row.latency_s:.4g}", f"{row.energy_j:.4g}") for row in sweep.beside]
    chosen = sweep.chosen_row
    assert chosen is not None, "baselines are beside a choice"
    own = (f"{sweep.options.planner}: {chosen.name}", "", f"{chosen.latency_s:.4g}", f"{chosen.energy_j:.4g}")
    return TableText(
        "Baselines at the precision of the choice, and at 32 bits",
        columns,
        (*rows, own),
        marked=frozenset({len(rows)}),
    )


def discrepancy_table(sweep: Sweep) -> TableText:
    """Return how much the replicas of each module differ across clusters, least per bit first."""
    columns = (
        Column("module", number=False),
        Column("discrepancy"),
        Column("Mbit to the cloud"),
        Column("per Mbit"),
    )
    rows = tuple(
        (
            one.module,
            f"{one.squared:.3g}",
            f"{one.bits / 1e6:.4g}",
            f"{1e6 * one.per_bit:.3g}" if one.bits else "free",
        )
        for one in sweep.discrepancies
    )
    return TableText("How much modules differ across clusters before the cloud averages them", columns, rows)


def sweep_csv(sweep: Sweep) -> str:
    """Return all rows as CSV."""
    stream = io.StringIO()
    rows = [row_fields(row) for row in sweep.rows]
    names = list(rows[0]) if rows else ["name"]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return stream.getvalue()


def sweep_document(sweep: Sweep, command: str = "") -> dict[str, Any]:
    """Return a sweep as a JSON object.

    Parameters
    ----------
    sweep : Sweep
        What to write.
    command : str
        The call that repeats it.
    """
    asked = sweep.options
    return {
        "format": FORMAT,
        "version": VERSION,
        "command": command,
        "instance": sweep.instance.name,
        "instance_sha256": instance_digest(sweep.instance),
        "planner": asked.planner,
        "metric": asked.metric,
        "seeds": list(asked.seeds),
        "floor": None if asked.floor is None else str(asked.floor),
        "max_latency_s": asked.max_latency_s,
        "max_energy_j": asked.max_energy_j,
        "chosen": sweep.chosen,
        "why": sweep.why,
        "timed_out": sweep.timed_out,
        "rows": [row_fields(row) for row in sweep.rows],
        "front": [row.name for row in sweep.front],
        "skipped": [asdict(one) for one in sweep.skipped],
        "surrogate": {
            "cross_validated_error": sweep.cross_validated_error,
            "error_of_the_mean": sweep.knowing_nothing,
        },
        "usual_sd": sweep.usual_sd,
        "discrepancies": [
            {"module": one.module, "squared": one.squared, "bits": one.bits} for one in sweep.discrepancies
        ],
        "baselines": [asdict(row) for row in sweep.beside],
        "num_runs": len(sweep.runs),
        "num_trained": sweep.num_trained,
        "seconds": sweep.seconds,
    }


def sweep_json(sweep: Sweep, command: str = "") -> str:
    """Return the JSON text of a sweep."""
    return json.dumps(sweep_document(sweep, command), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def facts_of(sweep: Sweep) -> list[tuple[str, str]]:
    """Return what a person should know besides the tables, as names and words."""
    chosen = sweep.chosen_row
    words = "none"
    if chosen is not None:
        words = (
            f"{chosen.name}: {chosen.latency_s:.4g} s, {chosen.energy_j:.4g} J per round, "
            f"{_difference(chosen)} points"
        )
    surrogate = "not learned: too few candidates ran with all seeds"
    if sweep.cross_validated_error is not None and sweep.knowing_nothing is not None:
        surrogate = (
            f"error {sweep.cross_validated_error:.2f} points, each candidate predicted from the others "
            f"(from their mean alone: {sweep.knowing_nothing:.2f})"
        )
    usual = "" if sweep.usual_sd is None else f"{sweep.usual_sd:.2f} points, of one seed's difference"
    kept = len({run.key for run in sweep.runs}) - sweep.num_trained
    return [
        ("chosen", words),
        ("why", sweep.why),
        ("surrogate", surrogate),
        ("usual sd", usual),
        ("runs", f"{sweep.num_trained} made, {max(kept, 0)} found"),
        ("not run", _skipped(sweep)),
        ("stopped", "the time was up" if sweep.timed_out else ""),
    ]


def _skipped(sweep: Sweep) -> str:
    kinds: dict[str, int] = {}
    for one in sweep.skipped:
        kind = _kind(one.reason)
        kinds[kind] = kinds.get(kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _kind(reason: str) -> str:
    starts: Sequence[tuple[str, str]] = (
        ("takes", "over a limit"),
        ("learns", "that would learn the same"),
        ("not run:", "predicted to be beaten"),
        ("no plan", "without a plan"),
    )
    return next((kind for start, kind in starts if reason.startswith(start)), "not needed")


def _spread(spread: Spread) -> str:
    return f"{spread.mean:.2f}" + ("" if spread.sd is None else f" ± {spread.sd:.2f}")


def _difference(row: SweepRow) -> str:
    if row.kind == "reference":
        return NONE
    half = row.difference.half
    return f"{row.difference.mean:+.2f}" + (f" ± {half:.2f}" if half < float("inf") else "")
