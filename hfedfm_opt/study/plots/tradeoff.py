"""Energy against latency of all methods on one kind of radio."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfedfm_opt.study.comparison import Comparison, Row
from hfedfm_opt.study.plots.labels import place_labels
from hfedfm_opt.study.plots.style import (
    GRID,
    MUTED,
    PAPER,
    WIDTH_PX,
    axis,
    colour_of_period,
    layout,
    log_ticks,
    rhythm,
    symbol_of,
    translucent,
)
from hfedfm_opt.study.spread import AggregatorSpread

HEIGHT_PX = 620
MARGIN = {"l": 80, "r": 30, "t": 20, "b": 130}


@dataclass(frozen=True)
class Point:
    """A method, or several that cost the same, with the label beside it.

    ``x`` and ``y`` are in px from the left and the top of the area of the plot.
    """

    row: Row
    text: str
    x: float
    y: float
    label_dx: float
    label_dy: float


@dataclass(frozen=True)
class Scale:
    """Logarithmic axes: their limits (s and J) and the size of the area, px."""

    latency_s: tuple[float, float]
    energy_j: tuple[float, float]
    width_px: float
    height_px: float

    def place(self, latency_s: float, energy_j: float) -> tuple[float, float]:
        """Return px from the left and from the top."""
        across = _share(latency_s, *self.latency_s)
        return across * self.width_px, (1.0 - _share(energy_j, *self.energy_j)) * self.height_px


def tradeoff_figure(comparison: Comparison, duplex: str) -> dict[str, Any]:
    """Return the figure: colour by period, shape by the way of the updates, bars over all random choices."""
    rows = planned_rows(comparison, duplex)
    area = (WIDTH_PX - MARGIN["l"] - MARGIN["r"], HEIGHT_PX - MARGIN["t"] - MARGIN["b"])
    scale = scale_of(rows, spreads_of(comparison, duplex), *map(float, area))
    points = points_of(rows, scale)
    colours = colour_of_period(row.period for row in comparison.rows)
    traces = [_spread_trace(spread, rows, colours) for spread in spreads_of(comparison, duplex)]
    traces += [_trace(period, rows, colours) for period in dict.fromkeys(row.period for row in rows)]
    figure = layout(
        HEIGHT_PX,
        margin=MARGIN,
        xaxis=axis("latency per round, s", **_log(scale.latency_s)),
        yaxis=axis("energy per round, J", **_log(scale.energy_j)),
        legend={"orientation": "h", "y": -0.16, "x": 0.0, "itemsizing": "constant"},
        annotations=[_annotation(point, colours[point.row.period]) for point in points],
    )
    return {"data": traces, "layout": figure}


def planned_rows(comparison: Comparison, duplex: str) -> list[Row]:
    """Return the rows of one kind of radio that have a plan which costs something on both axes."""
    return [row for row in comparison.rows if row.duplex == duplex and row.latency_s and row.energy_j]


def spreads_of(comparison: Comparison, duplex: str) -> list[AggregatorSpread]:
    """Return the spreads of the random schemes that are rows on one kind of radio."""
    rows = {row.planner for row in planned_rows(comparison, duplex)}
    return [found for found in comparison.spreads if found.duplex == duplex and found.planner in rows]


def scale_of(
    rows: Sequence[Row], spreads: Sequence[AggregatorSpread], width_px: float, height_px: float
) -> Scale:
    """Return axes that hold all rows and spreads, with air for the labels."""
    latencies = [row.latency_s or 1.0 for row in rows] + [part.latency_s.largest for part in spreads]
    energies = [row.energy_j or 1.0 for row in rows] + [part.energy_j.largest for part in spreads]
    latencies += [part.latency_s.least for part in spreads]
    energies += [part.energy_j.least for part in spreads]
    return Scale(_padded(latencies, 1.35), _padded(energies, 1.4), width_px, height_px)


def points_of(rows: Sequence[Row], scale: Scale) -> list[Point]:
    """Return the points with their labels; methods that cost the same share one."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        alike.setdefault((f"{row.latency_s:.6e}", f"{row.energy_j:.6e}"), []).append(row)
    firsts = [found[0] for found in alike.values()]
    texts = [_joined(found) for found in alike.values()]
    places = [scale.place(row.latency_s or 1.0, row.energy_j or 1.0) for row in firsts]
    offsets = place_labels(places, texts, scale.width_px, scale.height_px)
    return [
        Point(row, text, x, y, dx, dy)
        for row, text, (x, y), (dx, dy) in zip(firsts, texts, places, offsets, strict=True)
    ]


def _joined(rows: Sequence[Row]) -> str:
    """Return one label for methods of the same cost; resources of one planner may make no difference."""
    planners = list(dict.fromkeys(row.planner for row in rows))
    if len(rows) > len(planners):
        return " = ".join(planners)
    return " = ".join(row.label.replace(" (nominal resources)", " (nominal)") for row in rows)


def _trace(period: int | None, rows: Sequence[Row], colours: dict[int | None, str]) -> dict[str, Any]:
    own = [row for row in rows if row.period == period]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": rhythm(period),
        "x": [row.latency_s for row in own],
        "y": [row.energy_j for row in own],
        "text": [_hover(row) for row in own],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": colours[period],
            "opacity": 1.0,
            "size": [16 if row.allocate is not None else 12 for row in own],
            "symbol": [symbol_of(row) for row in own],
            "line": {"width": 1.5, "color": colours[period]},
        },
    }


def _spread_trace(
    spread: AggregatorSpread, rows: Sequence[Row], colours: dict[int | None, str]
) -> dict[str, Any]:
    period = next(row.period for row in rows if row.planner == spread.planner)
    x, y = spread.latency_s, spread.energy_j
    return {
        "type": "scatter",
        "mode": "lines",
        "fill": "toself",
        "x": [x.least, x.largest, x.largest, x.least, x.least],
        "y": [y.least, y.least, y.largest, y.largest, y.least],
        "line": {"width": 0},
        "fillcolor": translucent(colours[period], 0.13),
        "name": f"{spread.planner}: all choices of aggregators",
        "showlegend": False,
        "hoverinfo": "name",
    }


def _hover(row: Row) -> str:
    lines = [f"<b>{row.label}</b>", f"{row.latency_s:.4g} s, {row.energy_j:.4g} J per round"]
    if row.gap is not None:
        lines.append(f"at most {100 * row.gap:.2g} % above the bound")
    if row.accuracy is not None:
        lines.append(f"accuracy {100 * row.accuracy:.1f} %")
    return "<br>".join(lines)


def _annotation(point: Point, colour: str) -> dict[str, Any]:
    far = math.hypot(point.label_dx, point.label_dy) > len(point.text) * 3.5 + 24
    return {
        "x": math.log10(point.row.latency_s or 1.0),
        "y": math.log10(point.row.energy_j or 1.0),
        "text": point.text,
        "font": {"size": 13, "color": colour},
        "showarrow": True,
        "ax": point.label_dx,
        "ay": point.label_dy,
        "standoff": 8,
        "arrowwidth": 1,
        "arrowhead": 0,
        "arrowcolor": MUTED if far else translucent(PAPER, 0),
        "borderpad": 0,
    }


def _log(limits: tuple[float, float]) -> dict[str, Any]:
    ticks = log_ticks(*limits)
    return {
        "type": "log",
        "range": [math.log10(limit) for limit in limits],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
        "gridcolor": GRID,
    }


def _padded(values: Sequence[float], factor: float) -> tuple[float, float]:
    return min(values) / factor, max(values) * factor


def _share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)
