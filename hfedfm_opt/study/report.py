"""One HTML file that shows a comparison: figures, tables, what is proven, and how to repeat it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.study.ablation_table import ablation_table
from hfedfm_opt.study.comparison import Comparison, Row
from hfedfm_opt.study.gains import is_optimised
from hfedfm_opt.study.plots.accuracy import accuracy_figure
from hfedfm_opt.study.plots.energy import energy_figure
from hfedfm_opt.study.plots.network_map import map_figure
from hfedfm_opt.study.plots.timeline import slowest_cluster, timeline_figure
from hfedfm_opt.study.plots.tradeoff import planned_rows, tradeoff_figure
from hfedfm_opt.study.report_page import PAGE
from hfedfm_opt.study.table_text import RADIOS, TableText, figure, tables_of
from hfedfm_opt.system.files import StrPath, write_text

REACHED = 1e-9
"""Relative gap that is rounding, nothing else."""
Figures = Mapping[str, dict[str, Any]]
"""Figures by what a reader chooses them by."""


def write_report(comparison: Comparison, path: StrPath) -> None:
    """Write a report of a comparison: one HTML file that needs nothing else, whole or not at all.

    Parameters
    ----------
    comparison : Comparison
        What to show.
    path : str or path-like
        The file, ``.html``.

    Raises
    ------
    ImportError
        If plotly is not installed.
    FileError
        If the file cannot be written.
    """
    write_text(path, report_text(comparison))


def report_text(comparison: Comparison) -> str:
    """Return the report as HTML text; the same comparison gives the same text."""
    if find_spec("plotly") is None:
        raise ImportError("a report needs plotly: pip install 'hfedfm-opt[report]'")
    from plotly.offline import get_plotlyjs

    title = f"hfedfm: {comparison.settings.instance}"
    filled = {
        "TITLE": escape(title),
        "BODY": "\n".join(_sections(comparison)),
        "PLOTLY": get_plotlyjs(),
    }
    page = PAGE
    for name, text in filled.items():
        page = page.replace(f"@@{name}@@", text, 1)
    return page


def _sections(comparison: Comparison) -> Iterator[str]:
    settings, instance = comparison.settings, comparison.instance
    yield f"<h1>{escape(settings.instance)}</h1>"
    yield f'<p class="lead">{escape(instance.description)}</p>'
    for note in comparison.notes:
        yield f'<p class="note">{escape(note)}</p>'
    duplexes = [duplex for duplex in settings.duplexes if planned_rows(comparison, duplex)]
    yield _section(
        "Energy against latency",
        "Left and low is better. Colour says how often the cloud averages, shape how updates travel: square "
        "to the cloud, circle over servers, diamond over D2D links to a random aggregator, star optimised, "
        "open star optimised with nominal channels and powers. Shaded: all choices of random aggregators.",
        _chooser("tradeoff", {RADIOS[d]: tradeoff_figure(comparison, d) for d in duplexes}),
    )
    if comparison.training_runs:
        yield _section(
            "Accuracy",
            "Accuracy on the common test sets of the models that devices use after each round; band: one "
            f"standard deviation over {len(settings.seeds)} seeds; dots: rounds in which the cloud averaged. "
            "Methods that average the same replicas in the same rounds learn the same and share a line.",
            _chooser("accuracy", {"": accuracy_figure(comparison)}),
        )
    yield _section(
        "Where the energy goes",
        "Joules per round by part of the round, measured by the clock.",
        _chooser("energy", {RADIOS[d]: energy_figure(comparison, d) for d in duplexes}),
    )
    yield from _plans(comparison)
    for table in (*tables_of(comparison), *map(ablation_table, comparison.ablations)):
        yield _table(table)
    yield _section("What is proven", "", "\n".join(_proofs(comparison)))
    yield _section("How to repeat it", "", _settings(comparison))


def _plans(comparison: Comparison) -> Iterator[str]:
    rows = sorted(filter(lambda row: row.key in comparison.plans, comparison.rows), key=_interest)
    maps = {row.key: map_figure(comparison.plans[row.key]) for row in rows}
    drawn = {key: found for key, found in maps.items() if found is not None}
    if drawn:
        yield _section(
            "The network and the ways of the updates",
            "Choose a plan. Arrows point along each hop; the aggregator of a cluster is blue.",
            _chooser("map", drawn),
        )
    timelines = {
        f"{row.key}, cluster {slowest_cluster(comparison.plans[row.key])}": timeline_figure(
            comparison.plans[row.key]
        )
        for row in rows
    }
    yield _section(
        "A cycle on the clock",
        "What each node sends or computes, in the cluster whose members finish last, over one cycle of the "
        "plan on a still channel. Model time, not wall time.",
        _chooser("timeline", timelines),
    )


def _interest(row: Row) -> int:
    """Sort optimised plans first."""
    return 0 if is_optimised(row) else 1


def _section(title: str, words: str, content: str) -> str:
    lead = f"<p>{escape(words)}</p>" if words else ""
    return f"<section><h2>{escape(title)}</h2>{lead}{content}</section>"


def _chooser(name: str, figures: Figures) -> str:
    """Return a figure with a list to choose from, if there is a choice."""
    options = "".join(f"<option>{escape(key)}</option>" for key in figures)
    choice = (
        f'<label class="choice">Show <select data-for="{name}">{options}</select></label>'
        if len(figures) > 1
        else ""
    )
    text = json.dumps(list(figures.values()), ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    data = f'<script type="application/json" id="{name}-figures">{text}</script>'
    return f'{choice}<div class="figure" id="{name}"></div>{data}'


def _table(table: TableText) -> str:
    classes = ["number" if column.number else "word" for column in table.columns]
    heads = "".join(
        f'<th class="{kind}">{escape(column.head)}</th>'
        for kind, column in zip(classes, table.columns, strict=True)
    )
    body = []
    for index, row in enumerate(table.rows):
        cells = "".join(
            f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(classes, row, strict=True)
        )
        body.append(f'<tr class="own">{cells}</tr>' if index in table.marked else f"<tr>{cells}</tr>")
    rows = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody>"
    caption = f'<p class="caption">{escape(table.caption)}</p>'
    return _section(table.title, "", f'<div class="scroll"><table>{rows}</table></div>{caption}')


def _proofs(comparison: Comparison) -> Iterator[str]:
    yield (
        "<p>A bound is a number that no plan of the stated scope can beat; the gap is how far the plan is "
        "above it at most. Baselines prove nothing. Accuracy is measured, not proven.</p><ul>"
    )
    for row in filter(is_optimised, comparison.rows):
        yield f"<li><b>{escape(row.label)}</b> ({escape(row.duplex)}): {escape(_verdict(row))}</li>"
    yield "</ul>"


def _verdict(row: Row) -> str:
    if row.bound is None or row.gap is None:
        return f"cost {figure(row.objective)}; {row.proof}."
    period = "never" if row.period is None else f"with period {period_name(row.period)}"
    rest = "and this one reaches it" if row.gap < REACHED else f"this one is {100 * row.gap:.2g} % above it"
    known = (
        f"cost {figure(row.objective)}, bound {figure(row.bound)}: no plan of this scope that goes to the "
        f"cloud {period} costs less than the bound, {rest}."
    )
    return f"{known} Scope: {row.proof}."


def _settings(comparison: Comparison) -> str:
    settings, wall = comparison.settings, comparison.wall_seconds
    facts: Sequence[tuple[str, str]] = (
        ("call", settings.command),
        ("hfedfm-opt", settings.version),
        ("python, numpy, torch", f"{settings.python}, {settings.numpy}, {settings.torch or 'not installed'}"),
        ("instance", f"{settings.instance}, sha256 {settings.instance_sha256}"),
        ("rounds", str(settings.rounds)),
        ("seeds", ", ".join(map(str, settings.seeds))),
        ("planners", ", ".join(settings.planners)),
        ("radios", ", ".join(settings.duplexes)),
        ("options", ", ".join(f"{name} = {json.dumps(value)}" for name, value in settings.options.items())),
        ("wall time", f"{wall.total:.1f} s in all, {wall.training:.1f} s of it training"),
    )
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{rows}</dl>"
