"""The timeline of one cycle in the cluster that everybody waits for."""

from typing import Any

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.legs import LEGS, leg_of, play_cycle
from hfedfm_opt.study.plots.style import LEG_COLOURS, MUTED, axis, layout
from hfedfm_opt.system.decisions import Cluster

MAX_ROWS = 30
"""Most nodes that are shown; of larger clusters, those that are busy longest."""


def timeline_figure(plan: Plan) -> dict[str, Any]:
    """Return bars of what each node of the slowest cluster sends or computes, over one cycle."""
    timeline = play_cycle(plan)
    cluster = _slowest(plan)
    own = {*cluster.members, cluster.aggregator, *plan.network.path_up(cluster.members[0])} - {
        plan.network.root
    }
    bars: dict[str, list[tuple[str, float, float, str]]] = {leg: [] for leg in LEGS}
    for index in range(len(timeline)):
        leg = leg_of(plan, timeline, index)
        start, end = float(timeline.start_s[index]), float(timeline.end_s[index])
        if leg is None or timeline.node[index] not in own or end <= start:
            continue
        peer = timeline.peer[index]
        to = f" → {peer}" if peer else ""
        text = f"round {timeline.round[index] + 1}: {timeline.node[index]}{to}<br>{leg}, {end - start:.4g} s"
        bars[leg].append((timeline.node[index], start, end, text))
    busy = dict.fromkeys(own, 0.0)
    for entries in bars.values():
        for node, start, end, _ in entries:
            busy[node] += end - start
    kept = sorted(own, key=lambda node: -busy[node])[:MAX_ROWS]
    order = [node.id for node in plan.instance.nodes if node.id in kept]
    traces = [_bars(leg, entries, kept) for leg, entries in bars.items() if entries]
    ends_s = timeline.round_end_s
    figure = layout(
        190 + 34 * len(order),
        barmode="overlay",
        bargap=0.3,
        margin={"l": 80, "r": 30, "t": 40, "b": 100},
        xaxis=axis("model time, s", range=[0, float(ends_s[-1]) * 1.02]),
        yaxis=axis(
            "",
            type="category",
            categoryorder="array",
            categoryarray=order[::-1],
            range=[-0.6, len(order) - 0.4],
            ticks="",
        ),
        legend={"orientation": "h", "y": -0.34, "x": 0.0, "traceorder": "normal"},
        shapes=[_round_end(float(end)) for end in ends_s],
        annotations=[_round_name(index, ends_s.tolist()) for index in range(len(ends_s))],
    )
    return {"data": traces, "layout": figure}


def slowest_cluster(plan: Plan) -> str:
    """Return the id of the cluster that :func:`timeline_figure` shows."""
    return _slowest(plan).id


def _slowest(plan: Plan) -> Cluster:
    """Return the cluster whose members stop sending last."""
    timeline = play_cycle(plan)
    cluster_of = {device: cluster for cluster in plan.decisions.clusters for device in cluster.members}
    last: dict[str, float] = {}
    for index, node in enumerate(timeline.node):
        if node in cluster_of:
            name = cluster_of[node].id
            last[name] = max(last.get(name, 0.0), float(timeline.end_s[index]))
    return max(plan.decisions.clusters, key=lambda cluster: last.get(cluster.id, 0.0))


def _bars(leg: str, entries: list[tuple[str, float, float, str]], kept: list[str]) -> dict[str, Any]:
    shown = [entry for entry in entries if entry[0] in kept]
    return {
        "type": "bar",
        "orientation": "h",
        "name": leg,
        "y": [entry[0] for entry in shown],
        "base": [entry[1] for entry in shown],
        "x": [entry[2] - entry[1] for entry in shown],
        "text": [entry[3] for entry in shown],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": LEG_COLOURS[leg], "line": {"width": 1, "color": "#ffffff"}},
    }


def _round_end(end_s: float) -> dict[str, Any]:
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": end_s, "x1": end_s, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _round_name(index: int, ends_s: list[float]) -> dict[str, Any]:
    start = ends_s[index - 1] if index else 0.0
    return {
        "x": (start + ends_s[index]) / 2,
        "y": 1.0,
        "yref": "paper",
        "yanchor": "bottom",
        "text": f"round {index + 1}" if ends_s[index] - start > 0.08 * ends_s[-1] else str(index + 1),
        "showarrow": False,
        "font": {"size": 12, "color": MUTED},
    }
