"""A static map of a network, as SVG: sites, devices coloured by cell, and the ways of a plan's updates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.study.plots.style import FONT, INK, MUTED, PAPER
from hfedfm_opt.system.decisions import Hop
from hfedfm_opt.system.files import StrPath, write_text
from hfedfm_opt.system.instance import Instance

CELL_COLOURS = (
    "#2563eb", "#c2570c", "#0d9488", "#be123c", "#7c3aed",
    "#4d7c0f", "#0891b2", "#a16207", "#db2777", "#475569",
)  # fmt: skip
"""Colours of cells; neighbours get different ones."""
MOST_NAMED = 30
"""Sites up to which their names are written."""
LONG_SIDE_PX, MARGIN, TOP, BOTTOM = 1000, 40, 64, 96
Point = tuple[float, float]


class NothingToDraw(ValueError):
    """A network without positions."""


def write_map(instance: Instance, path: StrPath, plan: Plan | None = None) -> None:
    """Write the map of a network as an SVG file, whole or not at all.

    Parameters
    ----------
    instance : Instance
        The network.
    path : str or path-like
        The file, ``.svg``.
    plan : Plan or None
        A plan for it, whose ways of the updates are drawn.

    Raises
    ------
    NothingToDraw
        If a device has no position.
    FileError
        If the file cannot be written.
    """
    write_text(path, map_text(instance, plan))


def map_text(instance: Instance, plan: Plan | None = None) -> str:
    """Return the map as SVG text; see :func:`write_map`."""
    drawing = _Drawing(instance, plan)
    width, height = drawing.width_px + 2 * MARGIN, drawing.height_px + TOP + BOTTOM
    number = f"{len(drawing.sites):,} sites, {len(drawing.devices):,} devices"
    title = f"{instance.name}: {number}" + (f", {plan.decisions.planner}" if plan is not None else "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="{escape(FONT)}" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="{PAPER}"/>',
        f'<text x="{MARGIN}" y="36" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>',
        f'<g transform="translate({MARGIN} {TOP})">',
        *(_members(drawing) if plan is None else _ways(drawing, plan)),
        *_devices(drawing, plan),
        *_sites(drawing),
        "</g>",
        f'<g transform="translate({MARGIN} {TOP + drawing.height_px + 40:.0f})">',
        *_legend(drawing, plan),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Drawing:
    """Where everything stands on the page, and in which colour."""

    def __init__(self, instance: Instance, plan: Plan | None) -> None:
        last = instance.tiers[-1]
        self.devices = [node for node in instance.nodes if node.tier == last]
        self.sites = [node for node in instance.nodes if node.tier != last and node.position_m is not None]
        if any(node.position_m is None for node in self.devices):
            raise NothingToDraw(f"instance {instance.name!r}: a map needs position_m of every device")
        at = {node.id: node.position_m[:2] for node in (*self.devices, *self.sites) if node.position_m}
        xs, ys = [x for x, _ in at.values()], [y for _, y in at.values()]
        self.west, self.north = min(xs), max(ys)
        extent = max(max(xs) - self.west, self.north - min(ys), 1.0)
        self.px_per_m = LONG_SIDE_PX / extent
        self.width_px = max((max(xs) - self.west) * self.px_per_m, 420.0)
        self.height_px = max((self.north - min(ys)) * self.px_per_m, 80.0)
        self.at: Mapping[str, Point] = {name: self._place(x, y) for name, (x, y) in at.items()}
        self.cell_of = {node.id: node.parent or "" for node in self.devices}
        if plan is not None:
            for cluster in plan.decisions.clusters:
                self.cell_of.update(dict.fromkeys(cluster.members, cluster.id))
        self.colour_of = _colours(self.cell_of, self.at)
        self.radius_px = min(5.0, max(1.2, 90.0 / math.sqrt(len(self.devices))))

    def colour(self, device: str) -> str:
        return self.colour_of[self.cell_of[device]]

    def _place(self, x: float, y: float) -> Point:
        return (x - self.west) * self.px_per_m, (self.north - y) * self.px_per_m


def _colours(cell_of: Mapping[str, str], at: Mapping[str, Point]) -> dict[str, str]:
    """Return a colour for each cell: the one whose nearest cell so far is farthest."""
    members: dict[str, list[Point]] = {}
    for device, cell in cell_of.items():
        members.setdefault(cell, []).append(at[device])
    centres = {
        cell: (sum(x for x, _ in own) / len(own), sum(y for _, y in own) / len(own))
        for cell, own in members.items()
    }
    nearest: dict[str, list[Point]] = {colour: [] for colour in CELL_COLOURS}
    chosen: dict[str, str] = {}
    for cell, centre in centres.items():
        free = {
            colour: min((math.dist(centre, other) for other in others), default=math.inf)
            for colour, others in nearest.items()
        }
        chosen[cell] = max(free, key=free.__getitem__)
        nearest[chosen[cell]].append(centre)
    return chosen


def _members(drawing: _Drawing) -> Iterator[str]:
    for device in drawing.devices:
        cell = drawing.cell_of[device.id]
        if cell in drawing.at:
            yield _line(drawing, device.id, cell, drawing.colour(device.id), width=0.8, opacity=0.5)


def _ways(drawing: _Drawing, plan: Plan) -> Iterator[str]:
    """Yield the hops of the way up: thick between devices with an arrow, thin and dashed to a site."""
    devices = set(drawing.cell_of)
    for cluster in plan.decisions.clusters:
        hops = dict.fromkeys((*cluster.gather, *(cluster.gather_to_cloud or ()), *cluster.uplink))
        for hop in hops:
            if hop.source not in drawing.at or hop.target not in drawing.at:
                continue
            colour = drawing.colour(hop.source) if hop.source in devices else MUTED
            if hop.target in devices:
                yield _line(drawing, hop.source, hop.target, colour, width=1.8)
                yield _arrow(drawing, hop, colour)
            else:
                yield _line(drawing, hop.source, hop.target, colour, width=1.0, dash="4 3")


def _line(
    drawing: _Drawing,
    source: str,
    target: str,
    colour: str,
    width: float,
    opacity: float = 1.0,
    dash: str = "",
) -> str:
    (x0, y0), (x1, y1) = drawing.at[source], drawing.at[target]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    faint = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    way = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
    return f'<path d="{way}" stroke="{colour}" stroke-width="{width:g}"{dashed}{faint}/>'


def _arrow(drawing: _Drawing, hop: Hop, colour: str) -> str:
    """Return a head at 60 % of the way."""
    (x0, y0), (x1, y1) = drawing.at[hop.source], drawing.at[hop.target]
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    x, y = x0 + 0.6 * (x1 - x0), y0 + 0.6 * (y1 - y0)
    turned = f'transform="translate({x:.1f} {y:.1f}) rotate({angle:.0f})"'
    return f'<path {turned} d="M-4 -3.2L3 0L-4 3.2Z" fill="{colour}"/>'


def _devices(drawing: _Drawing, plan: Plan | None) -> Iterator[str]:
    averaging = {cluster.aggregator for cluster in plan.decisions.clusters} if plan is not None else set()
    for device in drawing.devices:
        x, y = drawing.at[device.id]
        colour, radius = drawing.colour(device.id), drawing.radius_px
        ring = ""
        if device.id in averaging:
            radius, ring = radius + 1.5, f' stroke="{INK}" stroke-width="1.8"'
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
        yield f'<circle {place} fill="{colour}"{ring}><title>{escape(device.id)}</title></circle>'


def _sites(drawing: _Drawing) -> Iterator[str]:
    named = len(drawing.sites) <= MOST_NAMED
    for site in drawing.sites:
        x, y = drawing.at[site.id]
        colour = drawing.colour_of.get(site.id, PAPER)
        yield (
            f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{colour}" stroke="{INK}" '
            f'stroke-width="1.6"><title>{escape(site.id)}</title></rect>'
        )
        if named:
            yield _text(x, y - 9, site.id, anchor="middle")


def _legend(drawing: _Drawing, plan: Plan | None) -> Iterator[str]:
    length_m = _round_length_m(0.25 * drawing.width_px / drawing.px_per_m)
    length_px = length_m * drawing.px_per_m
    yield f'<path d="M0 -4V0H{length_px:.1f}V-4" fill="none" stroke="{INK}" stroke-width="1.4"/>'
    yield _text(length_px + 8, 2, f"{length_m:g} m")
    x, y = 0.0, 30.0
    for mark, words in _marks(plan):
        needed = 30 + 7.0 * len(words)
        if x and x + needed > drawing.width_px + MARGIN:
            x, y = 0.0, y + 22
        yield f'<g transform="translate({x:.0f} {y:.0f})">{mark}{_text(28, 0, words)}</g>'
        x += needed + 14


def _marks(plan: Plan | None) -> Sequence[tuple[str, str]]:
    colour = CELL_COLOURS[0]
    site = f'<rect x="6" y="-10" width="10" height="10" fill="{colour}" stroke="{INK}" stroke-width="1.6"/>'
    device = f'<circle cx="11" cy="-5" r="4" fill="{colour}"/>'
    marks = [(site, "site"), (device, "device, coloured by its cell")]
    if plan is None:
        return marks
    averages = f'<circle cx="11" cy="-5" r="5" fill="{colour}" stroke="{INK}" stroke-width="1.8"/>'
    d2d = (
        f'<path d="M0 -5H22" stroke="{colour}" stroke-width="1.8"/>'
        f'<path d="M9 -8.2L16 -5L9 -1.8Z" fill="{colour}"/>'
    )
    up = f'<path d="M0 -5H22" stroke="{colour}" stroke-dasharray="4 3"/>'
    return [*marks, (averages, "averages its cell"), (d2d, "update over a D2D link"), (up, "to the site")]


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}" stroke="{PAPER}" '
        f'stroke-width="3" paint-order="stroke">{escape(words)}</text>'
    )


def _round_length_m(most_m: float) -> float:
    """Return the largest of 1, 2 and 5 times powers of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(most_m))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= most_m)
