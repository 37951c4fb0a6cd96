"""What all figures share: colours, symbols, fonts and axes.

Colour says how often the cloud averages, because accuracy depends on that alone; shape says how updates
travel.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from hfedfm_opt.planning.recipes import RECIPES
from hfedfm_opt.study.comparison import Row

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"
INK, MUTED, GRID, PAPER = "#1f2937", "#6b7280", "#e5e7eb", "#ffffff"
WIDTH_PX = 1070
NEVER_COLOUR = "#c2570c"
PERIOD_COLOURS = ("#475569", "#2563eb", "#7c3aed", "#0d9488", "#be123c", "#4d7c0f")
"""Colours of the periods of a comparison, shortest first."""
SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "star": "square",
        "servers": "circle",
        "published-d2d": "diamond",
        "optimised": "star",
        "consensus": "triangle-down",
        "relayed": "triangle-up",
        "alone": "x",
    }
)
"""Marker of each arrangement; the optimised one is open where resources are nominal."""
ARRANGEMENT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "star": "every device to the cloud",
        "servers": "over servers",
        "published-d2d": "over D2D links, random aggregator",
        "optimised": "optimised",
        "consensus": "over D2D links, consensus",
        "relayed": "over D2D links, other trees",
        "alone": "nobody averages",
    }
)
LEG_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "compute": "#94a3b8",
        "split execution": "#be123c",
        "D2D mixing": "#db2777",
        "D2D up": "#2563eb",
        "to the server": "#7c3aed",
        "D2D down": "#0d9488",
        "to the cloud": "#c2570c",
        "back down": "#65a30d",
    }
)
"""Colour of each part of a round, in the order in which they come."""


def colour_of_period(periods: Iterable[int | None]) -> dict[int | None, str]:
    """Return a colour for each period that occurs; ``None`` means never."""
    known = sorted({period for period in periods if period is not None})
    colours: dict[int | None, str] = {
        period: PERIOD_COLOURS[index % len(PERIOD_COLOURS)] for index, period in enumerate(known)
    }
    return colours | {None: NEVER_COLOUR}


def arrangement_of(row: Row) -> str:
    """Return the arrangement of a row's planner."""
    return RECIPES[row.planner.partition(":")[0]].arrangement


def symbol_of(row: Row) -> str:
    """Return the marker of a row."""
    return SYMBOLS[arrangement_of(row)] + ("-open" if row.allocate is False else "")


def rhythm(period: int | None) -> str:
    """Return a period in words."""
    if period is None:
        return "cloud never"
    return "cloud every round" if period == 1 else f"cloud every {period} rounds"


def layout(height_px: int, **changes: Any) -> dict[str, Any]:
    """Return the layout that all figures start from."""
    return {
        "width": WIDTH_PX,
        "height": height_px,
        "font": {"family": FONT, "size": 14, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": 80, "r": 30, "t": 20, "b": 60},
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
        **changes,
    }


def axis(title: str, **changes: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {
        "title": {"text": title, "standoff": 12},
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": MUTED,
        "ticks": "outside",
        "tickcolor": MUTED,
        "automargin": True,
        **changes,
    }


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two positive limits."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [float(f"{digit}e{power}") for power in range(first, last + 1) for digit in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]


def translucent(colour: str, opacity: float) -> str:
    """Return a ``#rrggbb`` colour as rgba."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
