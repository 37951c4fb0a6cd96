"""From latitude and longitude to metres on a local map, and how far that map is from the truth.

A point's place on the WGS84 ellipsoid is turned into the east-north-up frame that touches the ellipsoid at
the centre of all points; east and north are the map.  Heights and the curvature of the ground drop out: a
short line at distance d from the centre comes out shorter by at most the factor ``cos(d / R)``, that is by
``d^2 / (2 R^2)``: 1.2e-8 at 1 km, 1.2e-6 at 10 km, 1.2e-4 at 100 km.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SEMI_MAJOR_M, FLATTENING = 6_378_137.0, 1.0 / 298.257223563
"""Ellipsoid of WGS84 (NIMA TR8350.2, Table 3.1), which GPS and map services use."""
LEAST_RADIUS_M = SEMI_MAJOR_M * (1.0 - FLATTENING) ** 2
"""Least radius of curvature of the ellipsoid, m: on a meridian at the equator, a (1 - e^2)."""
MAX_EXTENT_M = 200_000.0
"""Points farther from their centre are not one local network: the map would be 5e-4 off."""


@dataclass(frozen=True)
class LocalMap:
    """A map of an area.

    Parameters
    ----------
    latitude_deg, longitude_deg : float
        Where the map touches the ellipsoid; there x and y are 0.
    """

    latitude_deg: float
    longitude_deg: float

    def positions_m(self, latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
        """Return how far east and north of the centre each point is, m, shape (n, 2)."""
        phi, lam = np.deg2rad(self.latitude_deg), np.deg2rad(self.longitude_deg)
        east = np.array([-np.sin(lam), np.cos(lam), 0.0])
        north = np.array([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)])
        offset = self._offsets_m(latitude_deg, longitude_deg)
        return np.stack([offset @ east, offset @ north], axis=1)

    def distances_m(self, latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
        """Return how far each point is from the centre, straight through the ground, m, shape (n,)."""
        distances: FloatArray = np.sqrt((self._offsets_m(latitude_deg, longitude_deg) ** 2).sum(axis=1))
        return distances

    def _offsets_m(self, latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
        centre = np.array([self.latitude_deg]), np.array([self.longitude_deg])
        return _geocentric_m(latitude_deg, longitude_deg) - _geocentric_m(*centre)


def local_map(latitude_deg: FloatArray, longitude_deg: FloatArray) -> LocalMap:
    """Return the map about the centre of some points, on either side of the 180th meridian.

    The centre is the median of the points in space, so that a few wrong ones do not move it.

    Parameters
    ----------
    latitude_deg, longitude_deg : array, shape (n,)
        Geodetic coordinates, degrees, north and east positive; n >= 1.
    """
    phi, lam = np.deg2rad(latitude_deg), np.deg2rad(longitude_deg)
    normal = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)
    x, y, z = np.median(normal, axis=0).tolist()
    return LocalMap(
        float(np.round(np.rad2deg(np.arctan2(z, np.hypot(x, y))), 9)),
        float(np.round(np.rad2deg(np.arctan2(y, x)), 9)),
    )


def largest_error(positions_m: FloatArray) -> float:
    """Return a bound on the relative error of any distance on the map: ``1 - sqrt(1 - (d / R)^2)``.

    d is the distance of the farthest point from the centre and R the least radius of curvature of WGS84, so
    that the bound holds everywhere on it.

    Parameters
    ----------
    positions_m : array, shape (n, 2)
        Points on the map, m.
    """
    farthest_m = float(np.hypot(positions_m[:, 0], positions_m[:, 1]).max())
    return 1.0 - float(np.sqrt(max(0.0, 1.0 - (farthest_m / LEAST_RADIUS_M) ** 2)))


def _geocentric_m(latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
    """Return Cartesian coordinates of points at height 0 on the ellipsoid, m, shape (n, 3)."""
    phi, lam = np.deg2rad(latitude_deg), np.deg2rad(longitude_deg)
    squared = FLATTENING * (2.0 - FLATTENING)  # of the eccentricity
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - squared * np.sin(phi) ** 2)
    return np.stack(
        [
            normal_m * np.cos(phi) * np.cos(lam),
            normal_m * np.cos(phi) * np.sin(lam),
            normal_m * (1.0 - squared) * np.sin(phi),
        ],
        axis=1,
    )
