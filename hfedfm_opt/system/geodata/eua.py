"""Lists of base stations and users with latitude and longitude, in the form of the EUA data sets."""

from dataclasses import replace

import numpy as np

from hfedfm_opt.system.defects import InstanceError
from hfedfm_opt.system.files import StrPath
from hfedfm_opt.system.geodata.build import network_instance
from hfedfm_opt.system.geodata.csv_table import LATITUDE, LONGITUDE, CsvTable, FloatArray, read_csv
from hfedfm_opt.system.geodata.maps import far_rows, mapped_positions, said_error
from hfedfm_opt.system.geodata.places import Places
from hfedfm_opt.system.geodata.projection import largest_error
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
    degrees = [coordinates(table) for table in (sites, people)]
    positions = np.zeros((0, 2))
    if not (sites.defects or people.defects):
        positions, distances_m = mapped_positions(np.concatenate(degrees))
        far_rows(sites, range(len(degrees[0])), distances_m[: len(degrees[0])])
        far_rows(people, range(len(degrees[1])), distances_m[len(degrees[0]) :])
    defects = [*sites.defects, *people.defects]
    if defects:
        raise InstanceError(defects, f"{sites.source}, {people.source}")
    sites_m, people_m = positions[: len(degrees[0])], positions[len(degrees[0]) :]
    error = largest_error(positions)
    origin = (
        f"{len(sites_m):,} base stations ({sites.source}), each with an edge server, and "
        f"{len(people_m):,} users ({people.source}). {said_error(error)}"
    )
    name = settings.name or f"eua-{len(sites_m)}-{len(people_m)}-{settings.seed}"
    return network_instance(
        Places(tuple(f"s{name}" for name in names), sites_m),
        Places(tuple(f"d{index}" for index in range(len(people_m))), people_m),
        replace(settings, name=name),
        origin,
    )


def coordinates(table: CsvTable) -> FloatArray:
    """Return latitude and longitude of each row, degrees, shape (n, 2)."""
    return np.stack([table.numbers("LATITUDE", LATITUDE), table.numbers("LONGITUDE", LONGITUDE)], axis=1)
