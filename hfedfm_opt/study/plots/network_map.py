"""The map: nodes and the ways of the updates of one plan."""

import math
from collections.abc import Iterable
from typing import Any

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.plots.style import INK, LEG_COLOURS, MUTED, axis, layout
from hfedfm_opt.system.decisions import Hop

HEIGHT_PX = 760
MOST_NAMED = 30
"""Servers up to which their names are written; beyond, the pointer shows them."""
MOST_LARGE = 200
"""Devices up to which markers are large."""
Position = tuple[float, float]


def map_figure(plan: Plan) -> dict[str, Any] | None:
    """Return the figure of a plan; ``None`` where devices have no positions.

    Arrows point along the way up; where an edge round and a cloud round gather differently, both are drawn.
    """
    at = {
        node.id: (node.position_m[0], node.position_m[1])
        for node in plan.instance.nodes
        if node.position_m is not None
    }
    devices = plan.network.devices
    if any(device not in at for device in devices):
        return None
    clusters = plan.decisions.clusters
    d2d = frozenset(devices)
    gather = [hop for cluster in clusters for hop in cluster.gather]
    cloud = [hop for cluster in clusters for hop in cluster.gather_to_cloud or ()]
    deliver = [hop for cluster in clusters for hop in cluster.deliver if hop.source in d2d]
    mixing = [hop for cluster in clusters if cluster.consensus for hop in cluster.consensus.exchanges]
    direct = [hop for hop in (*gather, *cloud) if hop.target not in d2d]
    ends = [hop for cluster in clusters for hop in cluster.uplink]
    aggregators = [cluster.aggregator for cluster in clusters if cluster.aggregator in d2d]
    servers = [node for node in at if node not in d2d]
    shrink = 4 if len(devices) > MOST_LARGE else 0
    traces = [
        *_lines("mixing", mixing, at, LEG_COLOURS["D2D mixing"], dash="dashdot"),
        *_lines("way down", deliver, at, LEG_COLOURS["D2D down"], dash="dot", width=1.5),
        *_lines("to the server", (*direct, *ends), at, LEG_COLOURS["to the server"], dash="dash"),
        *_lines("way up", [hop for hop in gather if hop.target in d2d], at, LEG_COLOURS["D2D up"]),
        *_lines(
            "way up in cloud rounds",
            [hop for hop in cloud if hop.target in d2d and hop not in gather],
            at,
            "#db2777",
        ),
        _nodes("device", devices, at, "circle", 9 - shrink, MUTED),
        _nodes("aggregator", aggregators, at, "circle", 13 - shrink, LEG_COLOURS["D2D up"]),
        _nodes("server", servers, at, "square", 13 - shrink, INK, named=len(servers) <= MOST_NAMED),
    ]
    figure = layout(
        HEIGHT_PX,
        xaxis=axis("m"),
        yaxis=axis("m", scaleanchor="x"),
        legend={"orientation": "v", "x": 1.01, "y": 1.0},
        margin={"l": 80, "r": 200, "t": 20, "b": 60},
        hovermode="closest",
    )
    return {"data": [trace for trace in traces if trace["x"]], "layout": figure}


def _lines(
    name: str,
    hops: Iterable[Hop],
    at: dict[str, Position],
    colour: str,
    dash: str = "solid",
    width: float = 2.0,
) -> list[dict[str, Any]]:
    """Return lines along hops whose ends have positions, and an arrow head at 60 % of each."""
    drawn = [hop for hop in dict.fromkeys(hops) if hop.source in at and hop.target in at]
    x: list[float | None] = []
    y: list[float | None] = []
    heads: list[tuple[float, float, float, str]] = []
    for hop in drawn:
        (x0, y0), (x1, y1) = at[hop.source], at[hop.target]
        x += [x0, x1, None]
        y += [y0, y1, None]
        angle = math.degrees(math.atan2(x1 - x0, y1 - y0))
        heads.append((x0 + 0.6 * (x1 - x0), y0 + 0.6 * (y1 - y0), angle, _hover(hop)))
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "legendgroup": name,
        "x": x,
        "y": y,
        "line": {"color": colour, "width": width, "dash": dash},
        "hoverinfo": "skip",
    }
    arrows = {
        "type": "scatter",
        "mode": "markers",
        "legendgroup": name,
        "showlegend": False,
        "x": [head[0] for head in heads],
        "y": [head[1] for head in heads],
        "text": [head[3] for head in heads],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "triangle-up", "size": 8, "color": colour, "angle": [head[2] for head in heads]},
    }
    return [line, arrows]


def _hover(hop: Hop) -> str:
    if hop.band_hz is None or hop.power_w is None:
        return f"{hop.source} → {hop.target}"
    return f"{hop.source} → {hop.target}<br>{hop.band_hz / 1e6:.4g} MHz, {hop.power_w:.4g} W"


def _nodes(
    name: str,
    nodes: Iterable[str],
    at: dict[str, Position],
    symbol: str,
    size: int,
    colour: str,
    *,
    named: bool = False,
) -> dict[str, Any]:
    shown = list(nodes)
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "name": name,
        "x": [at[node][0] for node in shown],
        "y": [at[node][1] for node in shown],
        "text": shown,
        "textposition": "top center",
        "hovertemplate": f"{name} %{{text}}<extra></extra>",
        "marker": {"symbol": symbol, "size": size, "color": colour, "line": {"width": 1, "color": "#ffffff"}},
    }
