"""Accuracy after each round, one line per training run, with its spread over seeds."""

from typing import Any

from hfedfm_opt.study.comparison import Comparison, Row
from hfedfm_opt.study.plots.style import axis, colour_of_period, layout, rhythm, translucent


def accuracy_figure(comparison: Comparison) -> dict[str, Any]:
    """Return the figure; methods that average the same replicas in the same rounds share a line."""
    colours = colour_of_period(row.period for row in comparison.rows)
    traces: list[dict[str, Any]] = []
    for run in comparison.training_runs:
        rows = [row for row in comparison.rows if row.training_run == run.name]
        traces += _band_and_line(rows, colours[rows[0].period], run.reached_cloud)
    figure = layout(
        520,
        margin={"l": 80, "r": 30, "t": 20, "b": 130},
        xaxis=axis("round", rangemode="tozero"),
        yaxis=axis("accuracy, mean over tasks, %", rangemode="tozero"),
        legend={"orientation": "h", "y": -0.2, "x": 0.0},
        hovermode="x unified",
    )
    return {"data": traces, "layout": figure}


def _band_and_line(rows: list[Row], colour: str, reached_cloud: tuple[bool, ...]) -> list[dict[str, Any]]:
    row = rows[0]
    rounds = list(range(1, len(row.curve) + 1))
    mean = [100 * value for value in row.curve]
    traces: list[dict[str, Any]] = []
    if row.curve_sd:
        sd = [100 * value for value in row.curve_sd]
        upper = [m + s for m, s in zip(mean, sd, strict=True)]
        lower = [m - s for m, s in zip(mean, sd, strict=True)]
        traces.append(
            {
                "type": "scatter",
                "x": rounds + rounds[::-1],
                "y": upper + lower[::-1],
                "fill": "toself",
                "fillcolor": translucent(colour, 0.15),
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{rhythm(row.period)}: {', '.join(_names(rows))}",
            "x": rounds,
            "y": mean,
            "line": {"color": colour, "width": 2.5},
            "marker": {"size": [7 if reached else 0 for reached in reached_cloud], "color": colour},
            "hovertemplate": "%{y:.1f} %",
        }
    )
    return traces


def _names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row.planner for row in rows))
