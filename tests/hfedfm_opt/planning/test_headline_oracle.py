"""Optimised trees and uplinks of the published network, D2D links at nominal resources, against an oracle.

It shares no allocation or search code.

With one sender, no computing and no circuit power, the least energy of an uplink within tau seconds is
``e(tau) = n b tau (2^(D / (b tau)) - 1)`` with n = N0 / g, over the whole band b.
"""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from hfedfm_opt.planning.cluster_options import Rhythm, relayed_options
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.settings import DEFAULT_GAP
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import WirelessEdge, resolve_network

UPDATE_BITS, CLOUD_S, CLOUD_W = 48e6, 12.1, 0.8


@pytest.mark.parametrize("period", [2, 8])
@pytest.mark.parametrize("duplex", ["full", "half"])
def test_closed_form_uplinks_and_a_dense_grid_find_nothing_better(
    paper: Instance, period: int, duplex: str
) -> None:
    network = resolve_network(paper, duplex)
    options = [
        [
            (option, network.edges[option.plan.aggregator, server])
            for option in relayed_options(
                network, index, server, Rhythm(period), readiness(network, ()), allocate=True
            )
            if option.cell is not None
        ]
        for index, server in enumerate(network.members)
    ]
    figures = [
        np.array([(option.seconds, option.joules, *_uplink(network, edge)) for option, edge in cluster])
        for cluster in options
    ]

    def cost(deadline_s: float) -> float:
        joules = sum(_least_joules(deadline_s, rows) for rows in figures)
        legs_j = 10 * CLOUD_S * CLOUD_W
        return (joules + legs_j + 100.0 * (deadline_s + CLOUD_S)) / period

    result = plan(paper, f"optimised:{period}", duplex=duplex, allocate_d2d=False)
    best_s = result.latency_s * period - CLOUD_S
    grid = np.unique(np.concatenate([np.linspace(0.5, 3.0, 400), np.linspace(0.99, 1.01, 400)]) * best_s)
    values = [cost(float(deadline_s)) for deadline_s in grid]
    nearest = int(np.argmin(values))
    polished = minimize_scalar(
        cost,
        bounds=(grid[max(nearest - 1, 0)], grid[nearest + 1]),
        method="bounded",
        options={"xatol": 1e-12},
    )
    least = min(float(polished.fun), *values)
    assert result.bound <= least * (1 + 1e-9)
    assert result.objective <= least * (1 + DEFAULT_GAP)
    assert cost(best_s * (1 + 1e-12)) == pytest.approx(result.objective, rel=1e-6)


def _uplink(network, edge: WirelessEdge) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    radio = network.nodes[edge.source].radio
    return network.bands[edge.band].band_hz, edge.noise_w_per_hz / edge.gain, radio.max_power_w


def _least_joules(deadline_s: float, rows: np.ndarray) -> float:
    """Return the least energy of a cluster whose options are rows of (s, J, band, N0 / g, power cap)."""
    seconds, joules, band_hz, noise_w_per_hz, cap_w = rows.T
    tau = deadline_s - seconds
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        power_w = noise_w_per_hz * band_hz * np.expm1(np.log(2.0) * UPDATE_BITS / (band_hz * tau))
        energy_j = np.where((tau > 0) & (power_w <= cap_w * (1 + 1e-12)), joules + power_w * tau, np.inf)
    return float(energy_j.min())
