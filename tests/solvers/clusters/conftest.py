"""Random clusters for the tests of clusters."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Maker = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def make_clusters() -> Maker:
    """Return a maker of moderate clusters: 200 m, fading links, 48 Mbit over 8 MHz, power within reach."""

    def make(seed: int, num_clusters: int, num_nodes: int, **changes: Any) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        place = 200 * rng.random((num_clusters, num_nodes, 2))
        distance = 1 + np.hypot(*(place[:, :, None] - place[:, None]).transpose(3, 0, 1, 2))
        nodes = (num_clusters, num_nodes)
        values = {
            "gain": 1e-3 * distance**-3.0 * rng.exponential(size=distance.shape),
            "noise_w_per_hz": 4e-20,
            "band_hz": 8e6,
            "item_bits": 48e6,
            "max_power_w": 0.2,
            "energy_weight": 1.0,
            "time_weight": 10.0 ** rng.uniform(-1.5, 1.5, num_clusters),
            "cycles": 10.0 ** rng.uniform(8.5, 9.7, nodes),
            "max_frequency_hz": 10.0 ** rng.uniform(8.7, 9.3, nodes),
            "capacitance": 1e-28,
            "num_round_trips": 0.0,
            "num_root_legs": 1.0,
        }
        return values | changes

    return make


@pytest.fixture(scope="session")
def everything() -> Callable[[int, int, int], dict[str, Any]]:
    """Return a maker of what changes a cluster into one that has all parts of the problem."""

    def make(seed: int, num_clusters: int, num_nodes: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        held = rng.random((num_clusters, num_nodes, 3)) < 0.6
        held[:, :, 0] = True
        return {
            "item_bits": np.array([[2e7, 3e7, 1e7]] * num_clusters),
            "node_items": held,
            "efficiency": 0.4,
            "circuit_power_w": 0.1,
            "receive_power_w": 0.05,
            "min_frequency_hz": 2e8,
            "num_round_trips": 0.75,
            "num_root_legs": 0.25,
            "leg_gain": 1e-11 * rng.exponential(size=(num_clusters, num_nodes)),
            "leg_noise_w_per_hz": 4e-20,
            "leg_band_hz": 1e6,
            "leg_max_power_w": 0.5,
            "root_seconds": rng.random((num_clusters, num_nodes)),
            "root_joules": rng.random((num_clusters, num_nodes)),
        }

    return make
