"""Where labels go beside points, so that none covers another label or a point."""

import math
from collections.abc import Sequence

CHARACTER_PX = 7.3
"""Width of an average character of a 13 px sans-serif font."""
LINE_PX = 17.0
POINT_PX = 12.0
"""Half the width of a marker with some air."""

Box = tuple[float, float, float, float]
Place = tuple[float, float]


def place_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], width_px: float, height_px: float
) -> list[Place]:
    """Return the centre of each label relative to its point, px.

    Labels are placed one after another, each where it costs least: overlaps weigh most, then distance.

    Parameters
    ----------
    points : sequence of (x, y)
        Positions, px.
    texts : sequence of str
        One label each.
    width_px, height_px : float
        Size of the area, in which labels stay.
    """
    taken: list[Box] = [_box(x, y, 2 * POINT_PX, 2 * POINT_PX) for x, y in points]
    places: list[Place] = [(0.0, 0.0)] * len(points)
    for index in sorted(range(len(points)), key=lambda i: -len(texts[i])):
        x, y = points[index]
        size = (CHARACTER_PX * len(texts[index]), LINE_PX)
        costs = {
            place: _cost(_box(x + place[0], y + place[1], *size), place, taken, width_px, height_px)
            for place in _candidates(*size)
        }
        best, _ = min(costs.items(), key=lambda entry: entry[1])
        places[index] = best
        taken.append(_box(x + best[0], y + best[1], *size))
    return places


def _candidates(width: float, height: float) -> list[Place]:
    found = []
    for distance in (0.0, 12.0, 26.0, 42.0, 60.0):
        for degrees in range(0, 360, 30):
            across, up = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            found.append(
                (across * (POINT_PX + distance + width / 2), -up * (POINT_PX + distance + height / 2))
            )
    return found


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _cost(box: Box, place: Place, taken: Sequence[Box], width_px: float, height_px: float) -> float:
    outside = max(0.0, -box[0], -box[1], box[2] - width_px, box[3] - height_px)
    covered = sum(_overlap(box, other) for other in taken)
    beside = max(0.0, abs(place[0]) - (box[2] - box[0]) / 2) + max(0.0, abs(place[1]) - LINE_PX / 2)
    return 1000.0 * outside + 100.0 * covered + beside


def _overlap(a: Box, b: Box) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0
