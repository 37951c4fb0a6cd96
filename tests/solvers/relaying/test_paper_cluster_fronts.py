"""The optima on the published network's links, found again by merging the fronts of its ten clusters."""

import json
from pathlib import Path

import numpy as np
import pytest

from solvers.relaying import Front, RelayingProblem, pareto_front

PAPER = Path(__file__).parents[4] / "shared" / "data" / "paper"
CLOUD_S, CLOUD_W = 12.1, 0.8
SENDING_W = 0.6

pytestmark = pytest.mark.skipif(not PAPER.is_dir(), reason=f"check data are absent: {PAPER}")

ROWS = {0: {}, 1: {"half_duplex": True}, 2: {"uplink_bands": 4.0}}
COLUMNS = [("E2", 2), ("E8", 8), ("edge_only", 200)]


def cluster_problem(network, cluster, period, *, edge_only, uplink_bands=1.0, **fields):
    """Means over a cycle: period - 1 round trips, then the aggregator's uplink and the cloud leg."""
    rate_bps = np.array(network["d2d"]["rate_bps"][str(cluster)], dtype=float)  # None becomes NaN
    source, target = np.nonzero(~np.isnan(rate_bps))
    gain = np.array(network["uplink"]["gain"])[4 * cluster : 4 * cluster + 4]
    band_hz = uplink_bands * network["uplink"]["bandwidth_hz"]
    noise_w = network["noise"]["n0_w_per_hz_effective"] * band_hz
    uplink_bps = band_hz * np.log2(1 + network["uplink"]["tx_power_w_rate"] * gain / noise_w)
    uplink_s = network["update_bits"] / uplink_bps
    return RelayingProblem(
        num_nodes=4,
        link_source=source,
        link_target=target,
        link_rate_bps=rate_bps[source, target],
        link_power_w=SENDING_W,
        item_bits=[network["update_bits"]],
        node_item_start=[0, 1, 2, 3, 4],
        node_item=[0, 0, 0, 0],
        num_round_trips=(period - 1) / period,
        num_root_legs=1 / period,
        root_seconds=uplink_s + CLOUD_S,
        root_joules=SENDING_W * uplink_s + (0.0 if edge_only else CLOUD_W * CLOUD_S),
        **fields,
    )


def latency_end(fronts: list[Front]) -> tuple[float, float]:
    latency_s = max(front.latency_s[0] for front in fronts)
    energy_j = sum(front.energy_j[front.latency_s <= latency_s * (1 + 1e-12)][-1] for front in fronts)
    return latency_s, energy_j


def energy_end(fronts: list[Front]) -> tuple[float, float]:
    return max(front.latency_s[-1] for front in fronts), sum(front.energy_j[-1] for front in fronts)


@pytest.fixture(scope="module")
def network():
    return json.loads((PAPER / "network.json").read_text())


@pytest.fixture(scope="module")
def optima():
    return json.loads((PAPER / "table.json").read_text())["optimised_same_links"]


def fronts_of(network, row, column, period, **fields):
    edge_only = column == "edge_only"
    return [
        pareto_front(cluster_problem(network, c, period, edge_only=edge_only, **ROWS[row], **fields))
        for c in range(10)
    ]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(("column", "period"), COLUMNS)
def test_latency_end_with_a_leg_tree_of_its_own_is_the_published_optimum(
    network, optima, row, column, period
):
    latency_s, energy_j = latency_end(fronts_of(network, row, column, period, own_leg_tree=True))
    assert latency_s == pytest.approx(optima[row][column][0], abs=5.01e-4)
    assert energy_j == pytest.approx(optima[row][column][1], abs=5.01e-3)


@pytest.mark.parametrize(("column", "period"), COLUMNS)
def test_energy_end_is_the_published_optimum(network, optima, column, period):
    latency_s, energy_j = energy_end(fronts_of(network, 0, column, period, own_leg_tree=True))
    assert latency_s == pytest.approx(optima[0]["min_energy_end"][column][0], abs=5.01e-4)
    assert energy_j == pytest.approx(optima[0]["min_energy_end"][column][1], abs=5.01e-3)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(("column", "period"), COLUMNS)
def test_one_tree_for_all_rounds_keeps_the_latency_and_costs_little_energy(
    network, optima, row, column, period
):
    own = latency_end(fronts_of(network, row, column, period, own_leg_tree=True))
    same = latency_end(fronts_of(network, row, column, period))
    assert same[0] == pytest.approx(own[0], rel=1e-12)
    assert own[1] <= same[1] <= own[1] + 0.03
