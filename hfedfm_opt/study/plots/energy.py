"""Where the energy of a round goes, method by method."""

from typing import Any

from hfedfm_opt.study.comparison import Comparison
from hfedfm_opt.study.legs import LEGS, energy_of_legs, play_cycle
from hfedfm_opt.study.plots.style import LEG_COLOURS, axis, layout


def energy_figure(comparison: Comparison, duplex: str) -> dict[str, Any]:
    """Return stacked bars of the joules per round of each part, as the clock measures them."""
    rows = [row for row in comparison.rows if row.duplex == duplex and row.key in comparison.plans]
    parts = []
    for row in rows:
        plan = comparison.plans[row.key]
        parts.append(energy_of_legs(plan, play_cycle(plan)))
    labels = [row.label for row in rows]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": leg,
            "y": labels,
            "x": [part.get(leg, 0.0) for part in parts],
            "marker": {"color": LEG_COLOURS[leg]},
            "hovertemplate": f"%{{y}}<br>{leg}: %{{x:.4g}} J<extra></extra>",
        }
        for leg in LEGS
        if any(leg in part for part in parts)
    ]
    totals = [sum(part.values()) for part in parts]
    figure = layout(
        174 + 30 * len(rows),
        barmode="stack",
        margin={"l": 80, "r": 30, "t": 44, "b": 100},
        xaxis=axis("energy per round, J", range=[0, 1.08 * max(totals, default=1.0)]),
        yaxis=axis("", autorange="reversed", ticks="", gridcolor="rgba(0,0,0,0)"),
        legend={"orientation": "h", "y": -0.2, "x": 0.0, "traceorder": "normal"},
        annotations=[
            {
                "x": total,
                "y": label,
                "text": f"{total:.4g}",
                "showarrow": False,
                "xanchor": "left",
                "xshift": 5,
                "font": {"size": 12},
            }
            for label, total in zip(labels, totals, strict=True)
        ],
    )
    return {"data": traces, "layout": figure}
