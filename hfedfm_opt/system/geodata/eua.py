"""Lists of base stations and users with latitude and longitude, in the form of the EUA data sets."""

from dataclasses import replace

import numpy as np

from hfedfm_opt.system.defects import Defect, InstanceError
from hfedfm_opt.system.files import StrPath
from hfedfm_opt.system.geodata.build import network_instance
from hfedfm_opt.system.geodata.csv_table import LATITUDE, LONGITUDE, CsvTable, FloatArray, read_csv
from hfedfm_opt.system.geodata.places import Places
from hfedfm_opt.system.geodata.projection import MAX_EXTENT_M, largest_error, local_map
from hfedfm_opt.system.geodata.settings import ImportSettings
from hfedfm_opt.system.instance import Instance


def eua_instance(servers: StrPath, users: StrPath, settings: ImportSettings | None = None) -> Instance:
    """Return the instance of a list of base stations and a list of users.

    The lists are CSV files with the columns ``SITE_ID``, ``LATITUDE`` and ``LONGITUDE``, and ``Latitude`` and
    ``Longitude`` (in any case and order; other columns are passed over), as in the EUA data sets
    (Lai et al., ICSOC 2018, https://doi.org/10.1007/978-3-030-03596-9_15).

    Parameters
    ----------
    servers, users : str or path-like
        The files.
    settings : ImportSettings or None
        What is assumed; ``None``: the defaults.

    Raises
    ------
    InstanceError
        With all defects of both files.
    FileError
        If a file itself cannot be read.
    """
    settings = settings if settings is not None else ImportSettings()
    sites, people = read_csv(servers), read_csv(users)
    names = sites.unique_texts("SITE_ID")
    sites_deg, people_deg = coordinates(sites), coordinates(people)
    defects = [*sites.defects, *people.defects]
    if not defects:
        sites_m, people_m, defects = on_one_map(sites, sites_deg, people, people_deg)
    if defects:
        raise InstanceError(defects, f"{sites.source}, {people.source}")
    error = largest_error(np.concatenate([sites_m, people_m]))
    origin = (
        f"{len(sites_m):,} base stations ({sites.source}), each with an edge server, and {len(people_m):,} users "
        f"({people.source}). {said_error(error)}"
    )
    name = settings.name or f"eua-{len(sites_m)}-{len(people_m)}-{settings.seed}"
    return network_instance(
        Places(tuple(f"s{name}" for name in names), sites_m),
        Places(tuple(f"d{index}" for index in range(len(people_m))), people_m),
        replace(settings, name=name),
        origin,
    )


def coordinates(table: CsvTable, latitude: str = "LATITUDE", longitude: str = "LONGITUDE") -> FloatArray:
    """Return latitude and longitude of each row, degrees, shape (n, 2)."""
    return np.stack([table.numbers(latitude, LATITUDE), table.numbers(longitude, LONGITUDE)], axis=1)


def on_one_map(
    first: CsvTable, first_deg: FloatArray, second: CsvTable, second_deg: FloatArray
) -> tuple[FloatArray, FloatArray, list[Defect]]:
    """Return the positions of two tables on one map, to the centimetre, and the rows that are too far away.

    Parameters
    ----------
    first, second : CsvTable
        The tables, for messages.
    first_deg, second_deg : array, shape (n, 2)
        Latitude and longitude of their rows, degrees.
    """
    both = np.concatenate([first_deg, second_deg])
    area = local_map(both[:, 0], both[:, 1])
    positions = np.round(area.positions_m(both[:, 0], both[:, 1]), 2)
    distances = area.distances_m(both[:, 0], both[:, 1])
    far = np.flatnonzero(distances > MAX_EXTENT_M).tolist()
    defects = []
    for index in far:
        table, row = (first, index) if index < len(first_deg) else (second, index - len(first_deg))
        got = f"{distances[index] / 1e3:,.0f} km from the centre of all"
        expected = f"at most {MAX_EXTENT_M / 1e3:g} km, one local network"
        remedy = "is a sign wrong, or are latitude and longitude exchanged?"
        defects.append(Defect(table.place(row, "position"), got, expected, remedy))
    return positions[: len(first_deg)], positions[len(first_deg) :], defects


def said_error(relative: float) -> str:
    """Return how accurate the map is, in a sentence."""
    return f"Distances on the local map are at most {1e6 * relative:.2g} millionths too short."
