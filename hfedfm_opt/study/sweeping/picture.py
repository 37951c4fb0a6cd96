"""A static picture of a sweep: accuracy against seconds and against joules, plain SVG."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from hfedfm_opt.study.plots.labels import place_labels
from hfedfm_opt.study.plots.style import FONT, GRID, INK, MUTED, PAPER, log_ticks
from hfedfm_opt.study.sweeping.result import Sweep, SweepRow
from hfedfm_opt.study.sweeping.tables import METRIC_WORDS

LEFT, TOP, AREA_W, AREA_H, BETWEEN, RIGHT, BOTTOM = 70, 84, 470, 400, 90, 30, 96
FRONT_COLOUR, OTHER_COLOUR, REFERENCE_COLOUR = "#2563eb", "#94a3b8", "#c2570c"

Place = Callable[[float, float], tuple[float, float]]


def sweep_picture(sweep: Sweep) -> str:
    """Return the picture as SVG text: the front is blue, the choice has a ring, bars are 95 % intervals.

    Parameters
    ----------
    sweep : Sweep
        One with at least one row.
    """
    width, height = LEFT + 2 * AREA_W + BETWEEN + RIGHT, TOP + AREA_H + BOTTOM
    title = f"{sweep.instance.name}: {METRIC_WORDS[sweep.options.metric]}, to {_reference(sweep)}"
    bars = [min(row.difference.half, 10.0) for row in sweep.rows]
    lows = [row.difference.mean - bar for row, bar in zip(sweep.rows, bars, strict=True)]
    highs = [row.difference.mean + bar for row, bar in zip(sweep.rows, bars, strict=True)]
    points = (min(lows) - 0.5, max(highs) + 0.5)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{escape(FONT)}" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="30" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>',
        f'<text x="{LEFT}" y="52" fill="{MUTED}">points, paired by seed; bars: 95 % intervals</text>',
        *_panel(sweep, points, LEFT, "latency, s per round", lambda row: row.latency_s),
        *_panel(sweep, points, LEFT + AREA_W + BETWEEN, "energy, J per round", lambda row: row.energy_j),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _reference(sweep: Sweep) -> str:
    return next(row.name for row in sweep.rows if row.kind == "reference")


def _panel(
    sweep: Sweep, points: tuple[float, float], left: int, name: str, cost: Callable[[SweepRow], float]
) -> Iterator[str]:
    costs = [max(cost(row), 1e-9) for row in sweep.rows]
    low, high = min(costs) / 1.15, max(costs) * 1.15

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / low) / math.log(high / low)
        return left + AREA_W * across, TOP + AREA_H * (points[1] - y) / (points[1] - points[0])

    yield from _axes(place, left, (low, high), points, name)
    places = [place(x, row.difference.mean) for x, row in zip(costs, sweep.rows, strict=True)]
    for row, x in sorted(zip(sweep.rows, costs, strict=True), key=lambda pair: pair[0].on_front):
        yield from _mark(row, place, x, chosen=row.name == sweep.chosen)
    named = [row.name if row.on_front or row.kind == "reference" else "" for row in sweep.rows]
    offsets = place_labels([(x - left, y - TOP) for x, y in places], named, AREA_W, AREA_H)
    for text, (x, y), (dx, dy) in zip(named, places, offsets, strict=True):
        if text:
            yield (
                f'<text x="{x + dx:.1f}" y="{y + dy + 4.5:.1f}" text-anchor="middle" fill="{INK}" '
                f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{escape(text)}</text>'
            )


def _axes(
    place: Place, left: int, costs: tuple[float, float], points: tuple[float, float], name: str
) -> Iterator[str]:
    bottom = TOP + AREA_H
    for tick in log_ticks(*costs):
        x, _ = place(tick, points[0])
        yield f'<path d="M{x:.1f} {TOP}V{bottom + 5}" stroke="{GRID}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 21}" text-anchor="middle" fill="{MUTED}">{tick:g}</text>'
    for tick in _linear_ticks(points):
        _, y = place(costs[0], tick)
        yield f'<path d="M{left - 5} {y:.1f}H{left + AREA_W}" stroke="{GRID if tick else MUTED}"/>'
        at = f'x="{left - 10}" y="{y + 4.5:.1f}" text-anchor="end"'
        yield f'<text {at} fill="{MUTED}">{tick:+g}</text>'
    yield f'<path d="M{left} {TOP}V{bottom}H{left + AREA_W}" fill="none" stroke="{MUTED}"/>'
    at = f'x="{left + AREA_W / 2:.0f}" y="{bottom + 42}" text-anchor="middle"'
    yield f'<text {at} fill="{INK}">{escape(name)}</text>'


def _linear_ticks(limits: tuple[float, float]) -> list[float]:
    rough = (limits[1] - limits[0]) / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(limits[0] / step), math.floor(limits[1] / step)
    return [round(number * step, 6) for number in range(first, last + 1)]


def _mark(row: SweepRow, place: Place, cost: float, *, chosen: bool) -> Iterator[str]:
    colour = FRONT_COLOUR if row.on_front else OTHER_COLOUR
    colour = REFERENCE_COLOUR if row.kind == "reference" else colour
    x, y = place(cost, row.difference.mean)
    if row.kind != "reference":
        bar = min(row.difference.half, 10.0)
        top, end = place(cost, row.difference.mean + bar)[1], place(cost, row.difference.mean - bar)[1]
        yield f'<path d="M{x:.1f} {top:.1f}V{end:.1f}" stroke="{colour}" stroke-opacity="0.5"/>'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
    if chosen:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="none" stroke="{colour}" stroke-width="2"/>'


def _legend() -> Iterator[str]:
    entries: Sequence[tuple[str, str]] = (
        (FRONT_COLOUR, "measured front"),
        (OTHER_COLOUR, "other candidates that ran"),
        (REFERENCE_COLOUR, "reference"),
        (PAPER, "ring: chosen"),
    )
    x, y = LEFT, TOP + AREA_H + 76
    for colour, text in entries:
        yield f'<rect x="{x}" y="{y - 11}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="{y}" fill="{INK}">{escape(text)}</text>'
        x += round(7.3 * len(text)) + 44
