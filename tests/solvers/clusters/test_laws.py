"""What must hold for any cluster: loosening never hurts, units and names do not matter."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.clusters import ClusterProblem, solve

SMALL = 1 + 2e-6
"""Answers may differ by the gap asked."""


def optimum(values: dict[str, Any], **changes: Any) -> Any:
    return np.asarray(solve(ClusterProblem(**(values | changes))).objective)


@pytest.fixture(scope="module", params=[False, True], ids=["full", "half"])
def values(request: Any, make_clusters: Any, everything: Any) -> dict[str, Any]:
    return make_clusters(21, 25, 4) | everything(22, 25, 4) | {"half_duplex": request.param}


@pytest.mark.parametrize(
    ("field", "factor", "rises"),
    [
        ("band_hz", 1.5, False),
        ("max_power_w", 1.5, False),
        ("max_frequency_hz", 1.5, False),
        ("gain", 1.5, False),
        ("leg_band_hz", 2.0, False),
        ("noise_w_per_hz", 1.5, True),
        ("item_bits", 1.2, True),
        ("cycles", 1.2, True),
        ("energy_weight", 1.3, True),
        ("time_weight", 1.3, True),
        ("circuit_power_w", 2.0, True),
        ("min_frequency_hz", 1.5, True),
        ("num_root_legs", 2.0, True),
    ],
)
def test_the_optimum_moves_in_the_direction_of_what_is_loosened(
    values: dict[str, Any], field: str, factor: float, rises: bool
) -> None:
    before, after = optimum(values), optimum(values, **{field: factor * np.asarray(values[field])})
    if rises:
        assert np.all(before <= after * SMALL)
    else:
        assert np.all(after <= before * SMALL)
    assert np.any(before != after)


def test_fewer_candidate_roots_never_help(values: dict[str, Any]) -> None:
    roots = np.array([[True, False, True, False]] * 25)
    assert np.all(optimum(values) <= optimum(values, roots=roots) * SMALL)


def test_receptions_in_series_never_help(values: dict[str, Any]) -> None:
    if values["half_duplex"]:
        assert np.all(optimum(values, half_duplex=False) <= optimum(values) * SMALL)


def test_names_of_nodes_do_not_matter(values: dict[str, Any]) -> None:
    order = np.array([2, 0, 3, 1])
    moved = {name: value for name, value in values.items() if np.ndim(value) != 2 or name == "item_bits"}
    for name, value in values.items():
        if name == "gain":
            moved[name] = value[:, order][:, :, order]
        elif name not in moved or name == "node_items":
            moved[name] = value[:, order]
    assert optimum(moved) == pytest.approx(optimum(values), rel=2e-6)


@settings(max_examples=15, deadline=None)
@given(second=st.floats(1e-3, 1e3), joule=st.floats(1e-3, 1e3))
def test_units_of_time_and_energy_do_not_matter(
    make_clusters: Any, everything: Any, second: float, joule: float
) -> None:
    values = make_clusters(23, 5, 3) | everything(24, 5, 3)
    watt = joule / second
    scales = {
        "noise_w_per_hz": watt * second,
        "leg_noise_w_per_hz": watt * second,
        "band_hz": 1 / second,
        "leg_band_hz": 1 / second,
        "max_power_w": watt,
        "leg_max_power_w": watt,
        "circuit_power_w": watt,
        "receive_power_w": watt,
        "max_frequency_hz": 1 / second,
        "min_frequency_hz": 1 / second,
        "capacitance": joule * second**2,
        "root_seconds": second,
        "root_joules": joule,
        "energy_weight": 1 / joule,
        "time_weight": 1 / second,
    }
    scaled = {name: np.asarray(values[name]) * scale for name, scale in scales.items()}
    assert optimum(values, **scaled) == pytest.approx(optimum(values), rel=2e-6)
