"""Probability that a link of a channel model is in line of sight; d_2D is the horizontal distance in m."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from hfedfm_opt.system.path_loss import FloatArray, Paths

_CLUTTER: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"sl": (0.2, 10.0, 2.0), "dl": (0.6, 2.0, 6.0), "sh": (0.2, 10.0, 2.0), "dh": (0.6, 2.0, 6.0)}
)  # density, size in m and height in m of the clutter: TR 38.901, Table 7.8-7


def umi_los_probability(paths: Paths) -> FloatArray:
    """Return ``18/d_2D + exp(-d_2D/36) (1 - 18/d_2D)`` beyond 18 m, else 1: TR 38.901, Table 7.4.2-1, UMi."""
    return _street_probability(paths, 36.0)


def uma_los_probability(paths: Paths) -> FloatArray:
    """Return the probability of line of sight in urban macro cells: TR 38.901, Table 7.4.2-1, UMa.

    As in street canyons with 63 m in place of 36 m, times ``1 + 1.25 C (d_2D/100)^3 exp(-d_2D/150)`` where
    ``C = ((h_UT - 13)/10)^1.5`` for terminals above 13 m, else 0.
    """
    distance = np.maximum(paths.distance_2d_m, 18.0)
    height = (np.maximum(paths.terminal_height_m - 13.0, 0.0) / 10.0) ** 1.5
    factor = 1.0 + 1.25 * height * (distance / 100.0) ** 3 * np.exp(-distance / 150.0)
    return np.minimum(_street_probability(paths, 63.0) * factor, 1.0)


def inf_los_probability(paths: Paths, kind: str) -> FloatArray:
    """Return ``exp(-d_2D / k)``, the probability of line of sight in a hall: TR 38.901, Table 7.4.2-1, InF.

    ``k = -d_clutter / ln(1 - r)``, times ``(h_BS - h_UT)/(h_c - h_UT)`` (here at least 1) for base
    stations above the clutter.  Density r, size and height of the clutter are those of Table 7.8-7.

    Parameters
    ----------
    paths : Paths
        L links.
    kind : "sl", "dl", "sh" or "dh"
        Sparse or dense clutter, low or high base station.
    """
    density, size_m, height_m = _CLUTTER[kind]
    scale_m = np.full_like(paths.distance_2d_m, -size_m / np.log1p(-density))
    if kind in {"sh", "dh"}:
        above = paths.base_height_m - paths.terminal_height_m
        inside = np.maximum(height_m - paths.terminal_height_m, 1e-9)
        scale_m *= np.maximum(above / inside, 1.0)
    return np.exp(-paths.distance_2d_m / scale_m)


def highway_los_probability(paths: Paths) -> FloatArray:
    """Return ``min(1, 2.1013e-6 d^2 - 0.002 d + 1.0193)`` to 475 m, then ``max(0, 0.54 - 0.001 (d - 475))``.

    TR 37.885, Table 6.2.1-2, highway; d is the horizontal distance.
    """
    d = paths.distance_2d_m
    near = np.minimum(1.0, 2.1013e-6 * d**2 - 0.002 * d + 1.0193)
    return np.where(d <= 475.0, near, np.maximum(0.0, 0.54 - 0.001 * (d - 475.0)))


def street_los_probability(paths: Paths) -> FloatArray:
    """Return ``min(1, 1.05 exp(-0.0114 d_2D))``: TR 37.885, Table 6.2.1-2, urban."""
    return np.minimum(1.0, 1.05 * np.exp(-0.0114 * paths.distance_2d_m))


def always_in_sight(paths: Paths) -> FloatArray:
    """Return 1 for each link: the model does not tell the two states apart."""
    return np.ones_like(paths.distance_2d_m)


def _street_probability(paths: Paths, decay_m: float) -> FloatArray:
    distance = np.maximum(paths.distance_2d_m, 18.0)
    return 18.0 / distance + np.exp(-distance / decay_m) * (1.0 - 18.0 / distance)
