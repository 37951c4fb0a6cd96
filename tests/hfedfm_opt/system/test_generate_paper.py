import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.system.generate import paper_instance
from hfedfm_opt.system.generate.published_network import members_of, sample_published_network
from hfedfm_opt.system.network import WiredEdge, resolve_network

PUBLISHED = Path("../shared/data/paper/network.json")
TABLE = Path("../shared/data/paper/table.json")
needs_data = pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the published network's check data are absent"
)
RELATIVE = 1e-12


@pytest.fixture(scope="module")
def published():
    return json.loads(PUBLISHED.read_text())


@pytest.fixture(scope="module")
def network():
    return resolve_network(paper_instance())


def points(rows):
    return [[row["x"], row["y"]] for row in rows]


@needs_data
def test_positions_equal_the_published_ones(published):
    sampled = sample_published_network()
    for array, key in (("servers_m", "servers"), ("centres_m", "cluster_centers"), ("users_m", "users")):
        np.testing.assert_allclose(getattr(sampled, array), points(published[key]), rtol=RELATIVE)


@needs_data
def test_instance_places_nodes_where_they_were_published(published):
    position = {node.id: node.position_m for node in paper_instance().nodes}
    for prefix, key in (("s", "servers"), ("d", "users")):
        for row in published[key]:
            expected = (row["x"], row["y"], 0.0)
            assert position[f"{prefix}{row['id']}"] == pytest.approx(expected, rel=RELATIVE)


@needs_data
def test_gains_equal_the_published_ones(published):
    sampled = sample_published_network()
    d2d = [row for cluster in range(10) for row in published["d2d"]["gain"][str(cluster)]]
    np.testing.assert_allclose(sampled.uplink_gain, published["uplink"]["gain"], rtol=RELATIVE)
    np.testing.assert_allclose(sampled.d2d_gain, np.array(d2d, dtype=float), rtol=RELATIVE, equal_nan=True)


@needs_data
def test_uplink_rates_at_the_billed_power_equal_the_published_ones(network, published):
    rates = [
        network.edges[f"d{user}", f"s{user // 4}"].rate_bps(published["uplink"]["bandwidth_hz"], 0.6)
        for user in range(40)
    ]
    np.testing.assert_allclose(rates, published["uplink"]["rate_bps"], rtol=RELATIVE)


@needs_data
def test_d2d_rates_at_the_billed_power_equal_the_published_ones(network, published):
    for cluster in range(10):
        rows = published["d2d"]["rate_bps"][str(cluster)]
        for row, sender in enumerate(members_of(cluster)):
            for column, receiver in enumerate(members_of(cluster)):
                if row != column:
                    edge = network.edges[f"d{sender}", f"d{receiver}"]
                    rate = edge.rate_bps(published["d2d"]["bandwidth_hz"], 0.6)
                    assert rate == pytest.approx(rows[row][column], rel=RELATIVE)


@pytest.mark.skipif(not TABLE.exists(), reason="the published table is absent")
@pytest.mark.parametrize("period", [2, 8])
def test_hierarchical_rows_of_the_published_table_follow_from_the_instance(network, period):
    rows = {row["method"]: row for row in json.loads(TABLE.read_text())["reproduced"]}
    seconds = np.array([48e6 / network.edges[f"d{u}", f"s{u // 4}"].rate_bps(1e6, 0.6) for u in range(40)])
    latency_s = (12.1 + period * seconds.max()) / period
    energy_j = (10 * 12.1 * 0.8 + period * 0.6 * seconds.sum()) / period

    row = rows[f"hierarchical E={period}"]

    assert round(latency_s, 4) == row["latency_s"]
    assert round(energy_j, 4) == row["energy_j"]


def test_cloud_leg_is_the_published_one_and_downlinks_are_free(network):
    for node in (*network.devices, *(f"s{index}" for index in range(10))):
        assert network.edges[node, "cloud"] == WiredEdge(node, "cloud", 4e6, 0.1, 0.8)
        assert network.edges["cloud", node] == WiredEdge("cloud", node, None, 0.0, 0.0)
    for device in network.devices:
        assert network.edges[network.parent(device), device].rate_bps is None
    assert network.update_bits("adapter") == 48e6
    assert sum(network.update_bits(f"head-{task}") for task in ("read", "spoken", "cmp")) == 0


def test_links_of_the_paper_are_forty_uplinks_and_all_pairs_of_each_cluster():
    links = Counter(link.band.split("-")[0] for link in paper_instance().wireless_links)
    assert links == {"uplink": 40, "d2d": 120}


def test_each_device_of_the_paper_has_two_tasks_and_tasks_are_balanced():
    devices = [node for node in paper_instance().nodes if node.tier == "device"]
    assert all(len(node.data) == 2 for node in devices)
    counts = Counter(data.task for node in devices for data in node.data)
    assert sorted(counts.values()) == [26, 27, 27]
