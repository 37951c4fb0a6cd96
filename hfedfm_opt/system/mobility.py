"""Where devices are in each round: by the random waypoint model, or from a trace.

Random waypoint: a device goes straight to a place that is uniform in the area, at a speed that is uniform
between two, pauses, and goes on to the next (Johnson and Maltz 1996, doi:10.1007/978-0-585-29603-6_5;
Bettstetter, Resta and Santi 2003, doi:10.1109/TMC.2003.1233531).  It starts where the instance has it.  With
a least speed above zero the mean speed does not decay.
"""

import csv
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.instance import Instance, Mobility, Node

FloatArray = npt.NDArray[np.float64]
Tracks = Mapping[str, FloatArray]
"""For each node that moves: x and y in each round, m, (rounds, 2)."""

TRACE_COLUMNS = ("time_s", "node", "x_m", "y_m")


class TraceError(ValueError):
    """A file of positions that is none; the message names the line."""


def tracks_by_waypoints(instance: Instance, mobility: Mobility, seed: int, times_s: FloatArray) -> Tracks:
    """Return where each device with a position is at some times.

    Parameters
    ----------
    instance : Instance
        Whose devices, those of the last tier, move.
    mobility : Mobility
        Speeds, pause and area.
    seed : int
        Keys the walks, >= 0, each with the device's name.
    times_s : array, shape (rounds,)
        Times, s, ascending from 0.

    Raises
    ------
    ValueError
        If the largest speed is below the least, or the area is empty.
    """
    if mobility.max_speed_m_per_s < mobility.min_speed_m_per_s:
        raise ValueError(
            f"mobility: max_speed_m_per_s is {mobility.max_speed_m_per_s}, must be >= "
            f"min_speed_m_per_s, which is {mobility.min_speed_m_per_s}"
        )
    corner, opposite = _area(instance, mobility)
    return {
        node.id: _walk(node, mobility, corner, opposite, seed, times_s)
        for node in instance.nodes
        if node.tier == instance.tiers[-1] and node.position_m is not None
    }


def _area(instance: Instance, mobility: Mobility) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the area: given, or of the least rectangle with all nodes in it."""
    if mobility.area_m is not None:
        corner, opposite = np.array(mobility.area_m[:2]), np.array(mobility.area_m[2:])
        if (opposite < corner).any():
            raise ValueError(f"mobility: area_m is {mobility.area_m}, must be least x, y, then largest x, y")
        return corner, opposite
    places = np.array([node.position_m[:2] for node in instance.nodes if node.position_m is not None])
    if not len(places):
        raise ValueError("mobility: no node has a position_m, and there is no area_m")
    return places.min(axis=0), places.max(axis=0)


def _walk(
    node: Node, mobility: Mobility, corner: FloatArray, opposite: FloatArray, seed: int, times_s: FloatArray
) -> FloatArray:
    digest = hashlib.sha256(f"waypoints\0{node.id}".encode()).digest()
    words = [int(word) for word in np.frombuffer(digest, dtype="<u4")]
    rng = np.random.Generator(np.random.PCG64([seed, *words]))
    corners_s, places = [0.0], [np.array((node.position_m or (0.0, 0.0))[:2], dtype=np.float64)]
    while corners_s[-1] <= times_s[-1]:
        goal = corner + (opposite - corner) * rng.random(2)
        speed = rng.uniform(mobility.min_speed_m_per_s, mobility.max_speed_m_per_s)
        arrival_s = corners_s[-1] + float(np.hypot(*(goal - places[-1]))) / speed
        if arrival_s == corners_s[-1] and mobility.pause_s == 0:  # an area of one place
            arrival_s = float(times_s[-1]) + 1.0
        corners_s += [arrival_s, arrival_s + mobility.pause_s]
        places += [goal, goal]
    return _interpolated(times_s, np.array(corners_s), np.array(places))


def tracks_from_trace(path: str | os.PathLike[str], instance: Instance, times_s: FloatArray) -> Tracks:
    """Return where the nodes of a CSV file are at some times.

    The file has the columns ``time_s,node,x_m,y_m``.  Between two rows of a node it moves straight, before
    the first and after the last it stays.

    Raises
    ------
    TraceError
        For other columns, an unknown node, what is no number, or times of a node that do not ascend.
    OSError
        If the file cannot be read.
    """
    known = {node.id for node in instance.nodes}
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with Path(path).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames is None or tuple(reader.fieldnames) != TRACE_COLUMNS:
            raise TraceError(
                f"{str(path)!r}: columns are {reader.fieldnames}, must be {','.join(TRACE_COLUMNS)}"
            )
        for row in reader:
            where = f"{str(path)!r}, line {reader.line_num}"
            name = row["node"]
            if name not in known:
                raise TraceError(f"{where}: node is {name!r}, which is no node of the instance")
            found = _numbers(row, where)
            of_node = rows.setdefault(name, [])
            if of_node and found[0] <= of_node[-1][0]:
                raise TraceError(
                    f"{where}: time_s of {name!r} is {found[0]}, must be above {of_node[-1][0]}, that before"
                )
            of_node.append(found)
    arrays = {name: np.array(of_node) for name, of_node in rows.items()}
    return {name: _interpolated(times_s, array[:, 0], array[:, 1:]) for name, array in arrays.items()}


def _numbers(row: Mapping[str, str], where: str) -> tuple[float, float, float]:
    values = []
    for column in ("time_s", "x_m", "y_m"):
        try:
            value = float(row[column])
        except (TypeError, ValueError) as error:
            raise TraceError(f"{where}: {column} is {row[column]!r}, must be a number") from error
        if not np.isfinite(value):
            raise TraceError(f"{where}: {column} is {row[column]!r}, must be finite")
        values.append(value)
    return values[0], values[1], values[2]


def _interpolated(times_s: FloatArray, known_s: FloatArray, places: FloatArray) -> FloatArray:
    return np.stack([np.interp(times_s, known_s, places[:, axis]) for axis in (0, 1)], axis=1)


def moved(nodes: Mapping[str, Node], tracks: Tracks, index: int) -> dict[str, Node]:
    """Return the nodes at their places in a round; heights stay."""
    found = dict(nodes)
    for name, track in tracks.items():
        height = (nodes[name].position_m or (0.0, 0.0, 0.0))[2]
        x_m, y_m = track[index].tolist()
        found[name] = nodes[name].model_copy(update={"position_m": (x_m, y_m, height)})
    return found
