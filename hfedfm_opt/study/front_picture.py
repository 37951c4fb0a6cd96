"""A static picture of a front: plain SVG, among other plans on the left and by itself on the right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from hfedfm_opt.planning.front import PlanFront, Uplinks
from hfedfm_opt.planning.recipes import period_name
from hfedfm_opt.study.beside_front import Beside
from hfedfm_opt.study.plots.labels import CHARACTER_PX, place_labels
from hfedfm_opt.study.plots.style import FONT, GRID, INK, MUTED, PAPER, log_ticks
from hfedfm_opt.study.plots.tradeoff import Scale

LEFT, TOP, AREA_W, AREA_H, BETWEEN, RIGHT, BOTTOM = 70, 84, 470, 400, 90, 30, 96
FRONT_COLOUR, OTHER_COLOUR = "#2563eb", "#c2570c"
CURVE_COLOURS = ("#0d9488", "#7c3aed", "#be123c")
RADIOS = {"full": "receptions in parallel", "half": "receptions in series", "as given": "radios as given"}
NUM_TICKS = 6
NUM_OBSTACLES = 12
"""Points of a front that labels keep clear of."""


@dataclass(frozen=True)
class Curve:
    """Another front to draw beside: its name and its points.

    Parameters
    ----------
    name : str
        What the legend calls it.
    latency_s, energy_j : sequence of float
        Its points per round, fastest first.
    """

    name: str
    latency_s: Sequence[float]
    energy_j: Sequence[float]


@dataclass(frozen=True)
class _Panel:
    """A part of the picture: where it lies, its limits (s and J), and whether its axes are logarithmic."""

    left: float
    latency_s: tuple[float, float]
    energy_j: tuple[float, float]
    logarithmic: bool

    def place(self, latency_s: float, energy_j: float) -> tuple[float, float]:
        """Return px in the picture."""
        if self.logarithmic:
            x, y = Scale(self.latency_s, self.energy_j, AREA_W, AREA_H).place(latency_s, energy_j)
        else:
            x = AREA_W * (latency_s - self.latency_s[0]) / (self.latency_s[1] - self.latency_s[0])
            y = AREA_H * (self.energy_j[1] - energy_j) / (self.energy_j[1] - self.energy_j[0])
        return self.left + x, TOP + y


def front_picture(front: PlanFront, beside: Sequence[Beside], curves: Sequence[Curve] = ()) -> str:
    """Return the picture as SVG text.

    Parameters
    ----------
    front : PlanFront
        The front: steps, or a line through its points where uplinks are allocated.
    beside : sequence of Beside
        Other planners' plans, drawn on the left.
    curves : sequence of Curve
        Other fronts, drawn on the left.
    """
    whole = _whole(front, beside, curves)
    own = _own(front)
    width, height = LEFT + 2 * AREA_W + BETWEEN + RIGHT, TOP + AREA_H + BOTTOM
    asked = front.options
    title = f"{front.instance.name}: latency and energy of a round, cloud {_rhythm(asked.period)}"
    words = f"{RADIOS[asked.duplex]}, uplinks {asked.uplinks.value}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{escape(FONT)}" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="30" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>',
        f'<text x="{LEFT}" y="52" fill="{MUTED}">{escape(words)}</text>',
        *_axes(whole, "among other plans"),
        *_axes(own, "the front by itself" + ("; filled: best at some prices" if front.exact else "")),
        *(_curve(curve, whole, colour) for curve, colour in zip(curves, CURVE_COLOURS, strict=False)),
        *_others(front, beside, curves, whole),
        *_line(front, whole),
        *_line(front, own, with_points=True),
        *_legend(front, curves),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rhythm(period: int | None) -> str:
    return (
        period_name(period) if period is None else f"every {period} rounds" if period > 1 else "every round"
    )


def _whole(front: PlanFront, beside: Sequence[Beside], curves: Sequence[Curve]) -> _Panel:
    seconds = [*front.latency_s, *(other.latency_s for other in beside)]
    joules = [*front.energy_j, *(other.energy_j for other in beside)]
    for curve in curves:
        seconds += curve.latency_s
        joules += curve.energy_j
    positive_s, positive_j = [s for s in seconds if s > 0], [j for j in joules if j > 0]
    limits_s = (min(positive_s, default=1.0) / 1.12, max(positive_s, default=1.0) * 1.12)
    limits_j = (min(positive_j, default=1.0) / 1.25, max(positive_j, default=1.0) * 1.25)
    return _Panel(LEFT, limits_s, limits_j, logarithmic=True)


def _own(front: PlanFront) -> _Panel:
    def padded(low: float, high: float) -> tuple[float, float]:
        air = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        return low - air, high + air

    seconds = padded(float(front.latency_s[0]), float(front.latency_s[-1]))
    joules = padded(float(front.energy_j[-1]), float(front.energy_j[0]))
    return _Panel(LEFT + AREA_W + BETWEEN, seconds, joules, logarithmic=False)


def _axes(panel: _Panel, title: str) -> Iterator[str]:
    bottom, middle = TOP + AREA_H, panel.left + AREA_W / 2
    yield f'<text x="{panel.left:.0f}" y="{TOP - 10}" font-weight="600" fill="{INK}">{escape(title)}</text>'
    for tick in _ticks(panel.latency_s, logarithmic=panel.logarithmic):
        x, _ = panel.place(tick, panel.energy_j[0])
        yield f'<path d="M{x:.1f} {TOP}V{bottom + 5}" stroke="{GRID}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 21}" text-anchor="middle" fill="{MUTED}">{tick:g}</text>'
    for tick in _ticks(panel.energy_j, logarithmic=panel.logarithmic):
        _, y = panel.place(panel.latency_s[0], tick)
        yield f'<path d="M{panel.left - 5:.1f} {y:.1f}H{panel.left + AREA_W:.1f}" stroke="{GRID}"/>'
        at = f'x="{panel.left - 10:.1f}" y="{y + 4.5:.1f}" text-anchor="end"'
        yield f'<text {at} fill="{MUTED}">{tick:g}</text>'
    frame = f"M{panel.left:.1f} {TOP}V{bottom}H{panel.left + AREA_W:.1f}"
    yield f'<path d="{frame}" fill="none" stroke="{MUTED}"/>'
    yield f'<text x="{middle:.0f}" y="{bottom + 42}" text-anchor="middle" fill="{INK}">latency, s</text>'
    turned = f'transform="translate({panel.left - 48:.0f} {TOP + AREA_H / 2:.0f}) rotate(-90)"'
    yield f'<text {turned} text-anchor="middle" fill="{INK}">energy, J</text>'


def _ticks(limits: tuple[float, float], *, logarithmic: bool) -> list[float]:
    """Return round numbers within the limits; few decades have more than 1, 2 and 5 of each."""
    low, high = limits
    if logarithmic and high / low > 8:
        return log_ticks(low, high)
    rough = (high - low) / NUM_TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    places = max(0, round(-np.log10(step) + 0.5))
    first = int(np.ceil(low / step))
    return [round(number * step, places) for number in range(first, int(np.floor(high / step)) + 1)]


def _line(front: PlanFront, panel: _Panel, *, with_points: bool = False) -> Iterator[str]:
    places = [panel.place(s, j) for s, j in zip(front.latency_s, front.energy_j, strict=True)]
    if front.options.uplinks is not Uplinks.ALLOCATED:
        corners = [f"M{places[0][0]:.1f} {places[0][1]:.1f}"]
        corners += [f"H{x:.1f}V{y:.1f}" for x, y in places[1:]]
        path = "".join(corners)
    else:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path d="{path}" fill="none" stroke="{FRONT_COLOUR}" stroke-width="{1.4 if with_points else 3}"/>'
    if not with_points:
        return
    supported = set(front.supported()) if front.exact else set(range(len(front)))
    for point, (x, y) in enumerate(places):
        fill = FRONT_COLOUR if point in supported else PAPER
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{fill}" stroke="{FRONT_COLOUR}"/>'


def _curve(curve: Curve, panel: _Panel, colour: str) -> str:
    places = [panel.place(s, j) for s, j in zip(curve.latency_s, curve.energy_j, strict=True)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.4"/>'


def _others(
    front: PlanFront, beside: Sequence[Beside], curves: Sequence[Curve], panel: _Panel
) -> Iterator[str]:
    drawn = [other for other in beside if other.latency_s > 0 and other.energy_j > 0]
    names = [other.planner for other in drawn]
    places = [panel.place(other.latency_s, other.energy_j) for other in drawn]
    ours: list[tuple[float, float]] = []
    for line in (Curve("", front.latency_s.tolist(), front.energy_j.tolist()), *curves):
        shown = np.unique(np.linspace(0, len(line.latency_s) - 1, NUM_OBSTACLES).astype(int)).tolist()
        ours += [panel.place(line.latency_s[point], line.energy_j[point]) for point in shown]
    inside = [(x - panel.left, y - TOP) for x, y in (*places, *ours)]
    offsets = place_labels(inside, [*names, *([""] * len(ours))], AREA_W, AREA_H)
    for name, (x, y), (dx, dy) in zip(names, places, offsets, strict=False):
        if np.hypot(dx, dy) > len(name) * 3.5 + 24:
            yield f'<path d="M{x:.1f} {y:.1f}L{x + dx:.1f} {y + dy:.1f}" stroke="{MUTED}"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{OTHER_COLOUR}"/>'
        yield (
            f'<text x="{x + dx:.1f}" y="{y + dy + 4.5:.1f}" text-anchor="middle" fill="{OTHER_COLOUR}" '
            f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{escape(name)}</text>'
        )


def _legend(front: PlanFront, curves: Sequence[Curve]) -> Iterator[str]:
    curved = front.options.uplinks is Uplinks.ALLOCATED
    found = "plans at some latencies" if curved else "best plans found"
    words = "all non-dominated plans, exact" if front.exact else found
    entries = [(FRONT_COLOUR, words), (OTHER_COLOUR, "other planners, same links")]
    entries += [(colour, curve.name) for curve, colour in zip(curves, CURVE_COLOURS, strict=False)]
    x, y = float(LEFT), TOP + AREA_H + 76
    for colour, text in entries:
        yield f'<rect x="{x:.0f}" y="{y - 11}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield f'<text x="{x + 18:.0f}" y="{y}" fill="{INK}">{escape(text)}</text>'
        x += CHARACTER_PX * len(text) + 44
