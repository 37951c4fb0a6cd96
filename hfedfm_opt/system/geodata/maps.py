"""Rows with latitude and longitude on a local map, and those that lie too far away."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.system.geodata.csv_table import CsvTable, FloatArray
from hfedfm_opt.system.geodata.projection import MAX_EXTENT_M, local_map


def mapped_positions(degrees: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return positions on the map about the centre of all points, and how far each is from it.

    Parameters
    ----------
    degrees : array, shape (n, 2)
        Latitude and longitude.

    Returns
    -------
    positions_m : array, shape (n, 2)
        East and north, to the centimetre.
    distances_m : array, shape (n,)
        From the centre.
    """
    area = local_map(degrees[:, 0], degrees[:, 1])
    positions = np.round(area.positions_m(degrees[:, 0], degrees[:, 1]), 2)
    return positions, area.distances_m(degrees[:, 0], degrees[:, 1])


def far_rows(table: CsvTable, rows: Sequence[int], distances_m: FloatArray) -> None:
    """Add a defect for each row that is too far from the centre.

    Parameters
    ----------
    table : CsvTable
        The rows.
    rows : sequence of int
        Those that have positions.
    distances_m : array, shape (n,)
        Their distances from the centre of all.
    """
    for row, distance_m in zip(rows, distances_m.tolist(), strict=True):
        if distance_m > MAX_EXTENT_M:
            table.refuse(
                row,
                "position",
                f"{distance_m / 1e3:,.0f} km from the centre of all",
                f"at most {MAX_EXTENT_M / 1e3:g} km from it, one local network",
                "is a sign wrong, or are latitude and longitude exchanged?",
            )


def said_error(relative: float) -> str:
    """Return how accurate the map is, in a sentence."""
    return f"Distances on the local map are at most {1e6 * relative:.2g} millionths too short."
