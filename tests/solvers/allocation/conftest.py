"""Random problems for the tests of allocation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Maker = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def make_problem() -> Maker:
    """Return a maker of one moderate cell: 10 kbit to 100 Mbit a device, both caps within reach."""

    def make(seed: int, num_devices: int, **changes: Any) -> dict[str, Any]:
        rng = np.random.default_rng(seed)

        def spread(low: float, high: float) -> Any:
            return 10.0 ** rng.uniform(low, high, num_devices)

        values = {
            "bits": spread(4, 8),
            "gain": spread(-13, -9),
            "noise_w_per_hz": 4e-21,
            "max_power_w": spread(-1.5, 0),
            "cycles": spread(8, 10),
            "max_frequency_hz": spread(8.7, 9.5),
            "capacitance": spread(-28, -26.5),
            "band_hz": 10.0 ** rng.uniform(6, 7.3),
            "energy_weight": 1.0,
            "time_weight": 10.0 ** rng.uniform(-2, 2),
        }
        return values | changes

    return make


@pytest.fixture(scope="session")
def make_cells() -> Maker:
    """Return a maker of many extreme cells: gains 1e-16..1e-7, payloads 1e3..1e9, time weights 1e-6..1e6."""

    def make(seed: int, num_cells: int, largest: int, **changes: Any) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        cell = np.repeat(np.arange(num_cells), rng.integers(1, largest + 1, num_cells))

        def spread(low: float, high: float, length: int = len(cell)) -> Any:
            return 10.0 ** rng.uniform(low, high, length)

        values = {
            "bits": spread(3, 9),
            "gain": spread(-16, -7),
            "noise_w_per_hz": 4e-21,
            "max_power_w": spread(-2, 0.5),
            "cycles": spread(6, 11),
            "max_frequency_hz": spread(8, 10),
            "capacitance": spread(-29, -26),
            "band_hz": spread(5, 8, num_cells),
            "energy_weight": 1.0,
            "time_weight": spread(-6, 6, num_cells),
            "cell": cell,
        }
        return values | changes

    return make
