"""Walks and traces."""

from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.system.instance import Mobility
from hfedfm_opt.system.mobility import TraceError, moved, tracks_by_waypoints, tracks_from_trace
from hfedfm_opt.system.network import resolve_network
from hfedfm_opt.system.propagation import gains_of_pairs
from hfedfm_opt.system.read import read_instance

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def campus():
    return read_instance(ROOT / "instances" / "campus.json")


SECONDS = np.arange(0.0, 2000.0, 1.0)


def test_walks_begin_at_the_instance_s_places_and_stay_in_the_area(campus):
    tracks = tracks_by_waypoints(campus, Mobility(area_m=(0.0, 10.0, 300.0, 200.0)), 0, SECONDS)
    devices = [node for node in campus.nodes if node.tier == "device"]
    assert set(tracks) == {node.id for node in devices}
    for node in devices:
        track = tracks[node.id]
        assert track[0].tolist() == list(node.position_m[:2])
        inside = (track >= [0.0, 10.0]).all(axis=1) & (track <= [300.0, 200.0]).all(axis=1)
        assert inside[np.flatnonzero(inside)[0] :].all()  # once in, never out
        assert inside[-1]


def test_speeds_are_between_the_two_and_pauses_are_as_long_as_said(campus):
    mobility = Mobility(min_speed_m_per_s=1.0, max_speed_m_per_s=2.0, pause_s=30.0)
    track = next(iter(tracks_by_waypoints(campus, mobility, 1, SECONDS).values()))
    speeds = np.hypot(*np.diff(track, axis=0).T)
    assert speeds.max() <= 2.0 + 1e-9
    resting = speeds < 1e-9
    lengths = np.diff(np.flatnonzero(np.diff(resting.astype(int))))[::2]
    assert (np.isin(lengths, (28, 29, 30))).all()  # whole seconds within 30 s, or it would be walking
    straight = speeds[speeds > 1e-9]
    assert np.mean(straight > 1.0 - 1e-9) > 0.9  # slower only in the second in which it turns or stops


def test_seed_and_name_key_a_walk_and_longer_runs_keep_its_begin(campus):
    one = tracks_by_waypoints(campus, Mobility(), 0, SECONDS)
    short = tracks_by_waypoints(campus, Mobility(), 0, SECONDS[:100])
    other = tracks_by_waypoints(campus, Mobility(), 1, SECONDS)
    first, second = list(one)[:2]
    np.testing.assert_array_equal(one[first][:100], short[first])
    assert not np.array_equal(one[first], other[first])
    steps = [np.diff(one[name], axis=0) for name in (first, second)]
    assert not np.allclose(*steps)


def test_wrong_numbers_of_a_walk_are_refused(campus):
    with pytest.raises(ValueError, match=r"max_speed_m_per_s is 1.0, must be >= min_speed_m_per_s"):
        tracks_by_waypoints(campus, Mobility(min_speed_m_per_s=2.0, max_speed_m_per_s=1.0), 0, SECONDS)
    with pytest.raises(ValueError, match=r"area_m is .* must be least x, y, then largest x, y"):
        tracks_by_waypoints(campus, Mobility(area_m=(1.0, 0.0, 0.0, 1.0)), 0, SECONDS)


def written(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return path


def test_a_trace_moves_straight_between_its_rows_and_stays_outside_them(campus, tmp_path):
    name = next(node.id for node in campus.nodes if node.tier == "device")
    path = written(tmp_path, f"time_s,node,x_m,y_m\n10,{name},0,0\n20,{name},10,20\n")
    (track,) = tracks_from_trace(path, campus, np.array([0.0, 10.0, 15.0, 20.0, 99.0])).values()
    assert track.tolist() == [[0, 0], [0, 0], [5, 10], [10, 20], [10, 20]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,node,x,y\n", r"columns are \['time', 'node', 'x', 'y'\], must be time_s,node,x_m,y_m"),
        ("time_s,node,x_m,y_m\n0,nobody,0,0\n", r"line 2: node is 'nobody', which is no node"),
        ("time_s,node,x_m,y_m\n0,{0},a,0\n", r"line 2: x_m is 'a', must be a number"),
        ("time_s,node,x_m,y_m\n0,{0},nan,0\n", r"line 2: x_m is 'nan', must be finite"),
        ("time_s,node,x_m,y_m\n0,{0},0\n", r"line 2: y_m is None, must be a number"),
        ("time_s,node,x_m,y_m\n5,{0},0,0\n5,{0},1,1\n", r"line 3: time_s of .* is 5.0, must be above 5.0"),
    ],
)
def test_a_broken_trace_is_one_readable_error(campus, tmp_path, text, message):
    name = next(node.id for node in campus.nodes if node.tier == "device")
    with pytest.raises(TraceError, match=message):
        tracks_from_trace(written(tmp_path, text.format(name)), campus, SECONDS)


def test_pairs_have_the_gains_of_the_network_where_nodes_stand_in_both_directions(campus):
    network = resolve_network(campus)
    for group in campus.wireless_groups:
        pairs = [
            pair for pair, edge in network.edges.items()
            if getattr(edge, "band", None) == group.band
            and pair[0] in group.sources and pair[1] in group.targets
        ][:20]  # fmt: skip
        expected = [network.edges[pair].gain for pair in pairs]
        assert gains_of_pairs(group, network.nodes, network.bands, pairs).tolist() == expected
        back = [(target, source) for source, target in pairs]
        assert gains_of_pairs(group, network.nodes, network.bands, back).tolist() == expected


def test_moving_keeps_heights_and_everything_else(campus):
    nodes = resolve_network(campus).nodes
    name = next(node.id for node in campus.nodes if node.tier == "device")
    found = moved(nodes, {name: np.array([[7.0, 8.0]])}, 0)
    assert found[name].position_m == (7.0, 8.0, nodes[name].position_m[2])
    assert {key: node for key, node in found.items() if key != name} == {
        key: node for key, node in nodes.items() if key != name
    }
