"""The local map against geodesics on the ellipsoid, and its stated error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfedfm_opt.system.geodata.projection import FLATTENING, SEMI_MAJOR_M, largest_error, local_map

FLINDERS_PEAK = -(37 + 57 / 60 + 3.72030 / 3600), 144 + 25 / 60 + 29.52440 / 3600
BUNINYONG = -(37 + 39 / 60 + 10.15610 / 3600), 143 + 55 / 60 + 35.38390 / 3600
BETWEEN_M = 54_972.271
"""The worked example of Geoscience Australia for Vincenty's formula; on GRS80, which differs in 1e-10."""


def geodesic_m(first, second):
    """Return the length of the geodesic between two near points: Vincenty (1975), Survey Review 23(176)."""
    semi_minor_m = SEMI_MAJOR_M * (1 - FLATTENING)
    u1, u2 = (math.atan((1 - FLATTENING) * math.tan(math.radians(lat))) for lat, _ in (first, second))
    apart = lam = math.radians(second[1] - first[1])
    for _ in range(100):
        sin_sigma = math.hypot(
            math.cos(u2) * math.sin(lam),
            math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam),
        )
        cos_sigma = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(lam)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        cos_2m = cos_sigma - 2 * math.sin(u1) * math.sin(u2) / cos2_alpha if cos2_alpha > 0 else 0.0
        c = FLATTENING / 16 * cos2_alpha * (4 + FLATTENING * (4 - 3 * cos2_alpha))
        last, lam = (
            lam,
            apart
            + (1 - c)
            * FLATTENING
            * sin_alpha
            * (sigma + c * sin_sigma * (cos_2m + c * cos_sigma * (2 * cos_2m**2 - 1))),
        )
        if abs(lam - last) < 1e-14:
            break
    squared = cos2_alpha * (SEMI_MAJOR_M**2 - semi_minor_m**2) / semi_minor_m**2
    a = 1 + squared / 16384 * (4096 + squared * (-768 + squared * (320 - 175 * squared)))
    b = squared / 1024 * (256 + squared * (-128 + squared * (74 - 47 * squared)))
    change = (
        b
        * sin_sigma
        * (
            cos_2m
            + b
            / 4
            * (
                cos_sigma * (2 * cos_2m**2 - 1)
                - b / 6 * cos_2m * (4 * sin_sigma**2 - 3) * (4 * cos_2m**2 - 3)
            )
        )
    )
    return semi_minor_m * a * (sigma - change)


def on_map(points):
    degrees = np.array(points)
    return local_map(degrees[:, 0], degrees[:, 1]).positions_m(degrees[:, 0], degrees[:, 1])


def test_a_published_distance_is_met_within_the_stated_error():
    positions = on_map([FLINDERS_PEAK, BUNINYONG])
    length_m = np.hypot(*(positions[0] - positions[1]))

    assert geodesic_m(FLINDERS_PEAK, BUNINYONG) == pytest.approx(BETWEEN_M, abs=2e-3)
    assert 0 < BETWEEN_M - length_m < largest_error(positions) * BETWEEN_M


@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(0.01, 0.4), st.floats(0, 6.28), st.floats(0, 6.28))
def test_distances_are_too_short_by_at_most_the_stated_error(lat, lon, far_deg, first, second):
    scale = math.cos(math.radians(lat))
    points = [(lat, lon)] + [
        (max(-89.9, min(89.9, lat + far_deg * math.cos(angle))), lon + far_deg * math.sin(angle) / scale)
        for angle in (first, second)
    ]
    positions = on_map(points)
    error = largest_error(positions)

    for i, j in ((0, 1), (0, 2), (1, 2)):
        true_m = geodesic_m(points[i], points[j]) if points[i] != points[j] else 0.0
        length_m = float(np.hypot(*(positions[i] - positions[j])))
        if true_m > 1.0:
            assert true_m * (1 - error) - 1e-3 <= length_m <= true_m + 1e-3


def test_x_is_east_and_y_is_north():
    positions = on_map([(-37.8, 145.0), (-37.8, 145.01), (-37.79, 145.0), (-37.81, 145.0), (-37.8, 144.99)])

    assert positions[1, 0] > 800
    assert positions[2, 1] > 1000
    assert np.allclose(positions[0], 0, atol=0.1)


def test_an_area_across_the_date_line_is_one_area():
    positions = on_map([(-17.0, 179.99), (-17.0, -179.99)])

    assert np.hypot(*(positions[0] - positions[1])) == pytest.approx(2129, abs=1)


def test_a_wrong_point_does_not_move_the_map():
    points = [(-37.8 + 0.001 * k, 145.0) for k in range(5)]
    moved = on_map([*points, (37.8, 145.0)])[:5]

    assert np.allclose(np.diff(moved[:, 1]), np.diff(on_map(points)[:, 1]), atol=1e-3)
