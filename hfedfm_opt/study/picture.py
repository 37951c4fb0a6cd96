"""A static picture of energy against latency: plain SVG for a README."""

import math
from collections.abc import Iterator
from html import escape

from hfedfm_opt.study.comparison import Comparison
from hfedfm_opt.study.plots.labels import CHARACTER_PX
from hfedfm_opt.study.plots.style import (
    ARRANGEMENT_WORDS,
    FONT,
    GRID,
    INK,
    MUTED,
    PAPER,
    arrangement_of,
    colour_of_period,
    log_ticks,
    rhythm,
    symbol_of,
)
from hfedfm_opt.study.plots.tradeoff import Point, Scale, planned_rows, points_of, scale_of, spreads_of
from hfedfm_opt.study.spread import AggregatorSpread
from hfedfm_opt.study.table_text import RADIOS
from hfedfm_opt.system.files import StrPath, write_text

LEFT, TOP, AREA_W, AREA_H, RIGHT, BOTTOM = 80, 60, 780, 440, 30, 144


def write_picture(comparison: Comparison, path: StrPath, duplex: str | None = None) -> None:
    """Write energy against latency of all methods as an SVG file, whole or not at all.

    Parameters
    ----------
    comparison : Comparison
        What to draw.
    path : str or path-like
        The file, ``.svg``.
    duplex : str or None
        Kind of the radios; ``None``: the first that was compared.

    Raises
    ------
    FileError
        If the file cannot be written.
    ValueError
        If no method has a plan for that kind of radio.
    """
    write_text(path, picture_text(comparison, duplex or comparison.settings.duplexes[0]))


def picture_text(comparison: Comparison, duplex: str) -> str:
    """Return the picture as SVG text."""
    rows = planned_rows(comparison, duplex)
    if not rows:
        raise ValueError(f"no method has a plan with {RADIOS.get(duplex, duplex)}: there is nothing to draw")
    spreads = spreads_of(comparison, duplex)
    scale = scale_of(rows, spreads, float(AREA_W), float(AREA_H))
    points = points_of(rows, scale)
    colours = colour_of_period(row.period for row in comparison.rows)
    width, height = LEFT + AREA_W + RIGHT, TOP + AREA_H + BOTTOM
    title = f"{comparison.settings.instance}: energy and latency per round, {RADIOS[duplex]}"
    period_of = {row.planner: row.period for row in rows}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{escape(FONT)}" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="34" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>',
        *_axes(scale),
        f'<g transform="translate({LEFT} {TOP})">',
        *(_spread(spread, scale, colours[period_of[spread.planner]]) for spread in spreads),
        *(line for point in points for line in _point(point, colours[point.row.period])),
        "</g>",
        *_legend(points, colours),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(scale: Scale) -> Iterator[str]:
    bottom = TOP + AREA_H
    for tick in log_ticks(*scale.latency_s):
        x = LEFT + scale.place(tick, scale.energy_j[0])[0]
        yield f'<path d="M{x:.1f} {TOP}V{bottom + 5}" stroke="{GRID}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 21}" text-anchor="middle" fill="{MUTED}">{tick:g}</text>'
    for tick in log_ticks(*scale.energy_j):
        y = TOP + scale.place(scale.latency_s[0], tick)[1]
        yield f'<path d="M{LEFT - 5} {y:.1f}H{LEFT + AREA_W}" stroke="{GRID}"/>'
        yield f'<text x="{LEFT - 10}" y="{y + 4.5:.1f}" text-anchor="end" fill="{MUTED}">{tick:g}</text>'
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{LEFT + AREA_W}" fill="none" stroke="{MUTED}"/>'
    middle_x, middle_y = LEFT + AREA_W / 2, TOP + AREA_H / 2
    yield f'<text x="{middle_x:.0f}" y="{bottom + 44}" text-anchor="middle" fill="{INK}">latency, s</text>'
    turned = f'transform="translate(26 {middle_y:.0f}) rotate(-90)"'
    yield f'<text {turned} text-anchor="middle" fill="{INK}">energy, J</text>'


def _spread(spread: AggregatorSpread, scale: Scale, colour: str) -> str:
    x0, y0 = scale.place(spread.latency_s.least, spread.energy_j.largest)
    x1, y1 = scale.place(spread.latency_s.largest, spread.energy_j.least)
    box = f'x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
    return f'<rect {box} fill="{colour}" fill-opacity="0.13"/>'


def _point(point: Point, colour: str) -> Iterator[str]:
    x, y = point.x + point.label_dx, point.y + point.label_dy
    if math.hypot(point.label_dx, point.label_dy) > len(point.text) * 3.5 + 24:
        yield f'<path d="M{point.x:.1f} {point.y:.1f}L{x:.1f} {y:.1f}" stroke="{GRID}"/>'
    yield _marker(symbol_of(point.row), point.x, point.y, colour)
    text = escape(point.text)
    yield (
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" fill="{colour}" stroke="{PAPER}" '
        f'stroke-width="3" paint-order="stroke">{text}</text>'
    )


def _legend(points: list[Point], colours: dict[int | None, str]) -> Iterator[str]:
    y = TOP + AREA_H + 72
    x = float(LEFT)
    for period in dict.fromkeys(point.row.period for point in points):
        words = rhythm(period)
        yield f'<rect x="{x:.0f}" y="{y - 11}" width="12" height="12" rx="2" fill="{colours[period]}"/>'
        yield f'<text x="{x + 18:.0f}" y="{y}" fill="{INK}">{words}</text>'
        x += 7.2 * len(words) + 46
    x, y = float(LEFT), y + 26
    for symbol, words in dict.fromkeys((symbol_of(p.row), _way(p)) for p in points):
        needed = CHARACTER_PX * len(words) + 24
        if x + needed > LEFT + AREA_W + RIGHT:
            x, y = float(LEFT), y + 24
        yield _marker(symbol, x + 6, y - 5, MUTED)
        yield f'<text x="{x + 20:.0f}" y="{y}" fill="{INK}">{escape(words)}</text>'
        x += needed + 12


def _way(point: Point) -> str:
    words = ARRANGEMENT_WORDS[arrangement_of(point.row)]
    return f"{words}, nominal resources" if point.row.allocate is False else words


def _marker(symbol: str, x: float, y: float, colour: str) -> str:
    shape, is_open = symbol.removesuffix("-open"), symbol.endswith("-open")
    fill = PAPER if is_open else colour
    style = f'fill="{fill}" stroke="{colour}" stroke-width="1.6"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" {style}/>'
    corners_of: dict[str, list[tuple[float, float]]] = {
        "square": [(-5.5, -5.5), (5.5, -5.5), (5.5, 5.5), (-5.5, 5.5)],
        "diamond": [(0, -7), (7, 0), (0, 7), (-7, 0)],
        "triangle-up": [(0, -6.5), (6, 5), (-6, 5)],
        "triangle-down": [(0, 6.5), (-6, -5), (6, -5)],
        "star": _star(9.0, 4.0),
        "x": _star(7.0, 2.5, points=4),
    }
    path = "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners_of[shape])
    return f'<path d="M{path}Z" {style}/>'


def _star(outer: float, inner: float, points: int = 5) -> list[tuple[float, float]]:
    radii = [outer if index % 2 == 0 else inner for index in range(2 * points)]
    angles = [math.pi * index / points for index in range(2 * points)]
    return [(r * math.sin(a), -r * math.cos(a)) for r, a in zip(radii, angles, strict=True)]
