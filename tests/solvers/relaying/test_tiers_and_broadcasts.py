"""Fog tiers with the cloud as root, several aggregators, and broadcasts, worked on paper."""

import numpy as np
import pytest

from solvers.common import Status
from solvers.relaying import RelayingProblem, evaluate, solve

EXACT = ["enumeration", "cp_sat"]
DEVICES, FOG, CLOUD = [0, 1, 2, 3], [4, 5], 6


def three_tiers(**fields):
    """Four devices with one item of 6 bit, two fog nodes, the cloud; radio 1 bit/s, backhaul 2 bit/s + 1 s.

    Devices 0 and 1 reach fog node 4, devices 2 and 3 both fog nodes; every device reaches the cloud
    by itself at 0.25 bit/s.
    """
    pairs = [(0, 4), (1, 4), (2, 4), (3, 4), (2, 5), (3, 5), (4, 6), (5, 6), *((n, CLOUD) for n in DEVICES)]
    data = {
        "num_nodes": 7,
        "link_source": [low for low, _ in pairs],
        "link_target": [high for _, high in pairs],
        "link_rate_bps": [1.0] * 6 + [2.0] * 2 + [0.25] * 4,
        "link_delay_s": [0.0] * 6 + [1.0] * 2 + [0.0] * 4,
        "link_power_w": [1.0] * 6 + [5.0] * 2 + [1.0] * 4,
        "item_bits": [6.0],
        "node_item_start": [0, 1, 2, 3, 4, 4, 4, 4],
        "node_item": [0] * 4,
        "members": [True] * 4 + [False] * 3,
        "relays": [False] * 4 + [True] * 2 + [False],
        "roots": [CLOUD],
        "num_round_trips": 0,
        "num_root_legs": 1,
    }
    return RelayingProblem(**(data | fields))


@pytest.mark.parametrize("method", EXACT)
def test_updates_merge_at_one_fog_node_where_that_saves_a_backhaul(method):
    result = solve(three_tiers(), method=method)
    assert result.status is Status.OPTIMAL
    assert result.solution.parent.tolist() == [4, 4, 4, 4, CLOUD, -1, -1]
    assert (result.solution.latency_s, result.solution.energy_j) == (6 + 4, 4 * 6 + 20)


@pytest.mark.parametrize("method", EXACT)
def test_half_duplex_fog_nodes_share_the_devices_where_time_counts(method):
    result = solve(
        three_tiers(half_duplex=[False] * 4 + [True] * 2 + [False], time_weight=10.0), method=method
    )
    assert sorted(result.solution.parent[:4].tolist()) == [4, 4, 5, 5]
    assert result.solution.latency_s == 12 + 4


@pytest.mark.parametrize("method", EXACT)
def test_a_fog_node_may_be_the_root_and_the_cloud_be_left_out(method):
    problem = three_tiers(roots=[4, CLOUD])
    result = solve(problem, method=method)
    assert result.solution.root == 4
    assert result.solution.parent.tolist() == [4, 4, 4, 4, -1, -1, -1]


def cell_with_server(**fields):
    """Four devices, 1 bit each, side by side at 1 s a hop; server 4 at 1, 8, 2 and 8 s from them."""
    pairs = [(low, high) for low in DEVICES for high in DEVICES if low != high] + [(n, 4) for n in DEVICES]
    data = {
        "num_nodes": 5,
        "link_source": [low for low, _ in pairs],
        "link_target": [high for _, high in pairs],
        "link_rate_bps": [1.0] * 12 + [1.0, 1 / 8, 1 / 2, 1 / 8],
        "link_power_w": [0.1] * 12 + [1.0] * 4,
        "item_bits": [1.0],
        "node_item_start": [0, 1, 2, 3, 4, 4],
        "node_item": [0] * 4,
        "members": [True] * 4 + [False],
        "roots": [4],
        "num_round_trips": 0,
        "num_root_legs": 1,
    }
    return RelayingProblem(**(data | fields))


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize(("most", "uplinks", "latency_s"), [(1, [0], 4.0), (2, [0, 2], 3.0)])
def test_at_most_k_members_aggregate_and_send_to_the_server(method, most, uplinks, latency_s):
    """One aggregator receives for 3 s and sends for 1 s.

    Of two, node 2 sends for 2 s while node 0 receives from the others, and then node 0 sends for 1 s.
    """
    problem = cell_with_server(
        half_duplex=True, max_root_children=most, energy_weight=0.01, time_weight=1.0, max_hops=2
    )
    plan = solve(problem, method=method).solution
    assert np.flatnonzero(plan.parent == 4).tolist() == uplinks
    assert plan.latency_s == latency_s


def broadcasting(**fields):
    """Root 0 reaches 1 in 1 s, 2 in 3 s and 3 in 12 s; 1 reaches 2 in 4 s and 3 in 6 s; up is free."""
    data = {
        "num_nodes": 4,
        "link_source": [1, 2, 3],
        "link_target": [0, 0, 0],
        "link_rate_bps": np.inf,
        "link_power_w": 0.0,
        "item_bits": [12.0],
        "node_item_start": [0, 1, 1, 1, 1],
        "node_item": [0],
        "roots": [0],
        "return_link_source": [0, 0, 0, 1, 1],
        "return_link_target": [1, 2, 3, 2, 3],
        "return_link_rate_bps": [12.0, 4.0, 1.0, 3.0, 2.0],
        "return_link_power_w": 9.0,
        "broadcast_power_w": [2.0, 3.0, 0.0, 0.0],
        "receive_power_w": [0.0, 0.5, 0.25, 0.25],
        "half_duplex": True,
    }
    return RelayingProblem(**(data | fields))


def test_a_broadcast_lasts_as_long_as_its_slowest_child_and_is_paid_once():
    plan = evaluate(broadcasting(), 0, [-1, 0, 0, 0], [-1, 0, 0, 1])
    assert plan.return_end_s.tolist()[1:] == [3.0, 3.0, 9.0]
    assert plan.return_j == 3 * (2 + 0.5 + 0.25) + 6 * (3 + 0.25)


@pytest.mark.parametrize("method", EXACT)
def test_the_fastest_broadcast_tree_keeps_slow_receivers_off_the_root(method):
    plan = solve(broadcasting(energy_weight=0.0), method=method).solution
    assert plan.return_parent.tolist() == [-1, 0, 1, 1]  # 1 + 6 s, against 3 + 6 and 12
    assert plan.return_s == 7.0


@pytest.mark.parametrize("method", EXACT)
def test_the_cheapest_broadcast_tree_weighs_all_receivers(method):
    plan = solve(broadcasting(time_weight=0.0), method=method).solution
    assert plan.return_j == min(12 * 3.0, 3 * 2.75 + 6 * 3.25, 1 * 2.5 + 6 * 3.5)
