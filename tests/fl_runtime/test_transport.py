import numpy as np
import pytest

from fl_runtime.aggregation import mixings
from fl_runtime.check import check_schedule
from fl_runtime.packing import packed_bits
from fl_runtime.rebasing import extra_bits
from fl_runtime.server_optimisers import Momentum
from fl_runtime.transport import Transport, travels_packed
from fl_runtime.transport_state import Kept, Load

SIZE = 40
WEIGHTS = {"d1": 48.0, "d2": 80.0, "d3": 16.0}


def draws(seed, scale=0.01, count=3):
    return (scale * np.random.default_rng(seed).normal(size=(count, SIZE))).astype(np.float32)


def first(seed=9):
    return np.random.default_rng(seed).normal(size=SIZE).astype(np.float32)


def transport_of(schedule, start):
    assert check_schedule(schedule) == ()
    return Transport(schedule, "m", Kept({0: start}))


def hierarchy(worlds, bits, **options):
    """d1 sends over d2 to the server e, which merges d3 too; edge rounds average at e, cloud rounds go on."""
    edge = worlds.Steps(SIZE, bits, **options).up("d1", "d2").merge("d2").up("d2", "e").up("d3", "e")
    edge.average("e").down("e", "d1").down("e", "d2").down("e", "d3").deliver("d1", "d2", "d3")
    cloud = worlds.Steps(SIZE, bits).up("d1", "d2").merge("d2").up("d2", "e").up("d3", "e").merge("e")
    cloud.up("e", "cloud").average("cloud").down("cloud", "e")
    cloud.down("e", "d1").down("d1", "d2").down("e", "d3").deliver("d1", "d2", "d3")
    return worlds.schedule({"edge": edge, "cloud": cloud}, WEIGHTS, SIZE)


def test_only_modules_below_32_bits_or_with_an_optimiser_are_carried(worlds):
    assert not travels_packed(hierarchy(worlds, 32), "m")
    assert travels_packed(hierarchy(worlds, 4), "m")
    star = worlds.star(SIZE, 32, optimiser=Momentum())
    assert travels_packed(worlds.schedule({"r": star}, {"d1": 1.0, "d2": 1.0}, SIZE), "m")


def test_at_32_bits_carrying_gives_the_averages_of_the_mixing_matrices(worlds):
    schedule, rows = hierarchy(worlds, 32), np.tile(first(), (3, 1))
    carried = transport_of(schedule, first())
    for index, name in enumerate(("edge", "cloud", "edge", "cloud")):
        rows = rows + draws(index)
        kind = next(kind for kind in schedule.kinds if kind.name == name)
        expected = mixings(schedule, kind)["m"].apply(rows)
        rows, loads = carried.round(name, rows)
        np.testing.assert_allclose(rows, expected, rtol=0, atol=3e-7)
        assert set(loads.values()) == {Load(1, 0)}


@pytest.mark.parametrize(("bits", "part"), [(16, 1e-4), (8, 0.02), (4, 0.3), (3, 0.5), (2, 1.0), (1, 1.5)])
def test_below_32_bits_averages_are_near_and_all_devices_hold_the_same(worlds, bits, part):
    """The error is a part of the update, not of the parameters, and does not grow from round to round."""
    schedule, rows = hierarchy(worlds, bits), np.tile(first(), (3, 1))
    carried = transport_of(schedule, first())
    exact = rows
    for index, name in enumerate(("edge", "cloud") * 6):
        step = draws(index)
        kind = next(kind for kind in schedule.kinds if kind.name == name)
        exact = mixings(schedule, kind)["m"].apply(exact + step)
        rows, loads = carried.round(name, rows + step)
        assert np.linalg.norm(rows - exact) < part * np.linalg.norm(step) * 2
        assert len({row.tobytes() for row in rows}) == 1
        assert {(load.states, load.packets) for load in loads.values()} == {(0, 1)}
        assert {8 * load.packet_bytes for load in loads.values()} == {packed_bits(32.0 * SIZE, bits)}


def test_a_relay_sends_the_codes_of_the_merged_update_by_hand(worlds):
    """With 1 bit: (2, -2) of weight 1 and (-2, -2) of weight 3 merge to (-1, -2), sent as (-1.5, -1.5)."""
    steps = worlds.Steps(2, 1).up("d1", "d2").merge("d2").up("d2", "e").average("e")
    steps.down("e", "d1", bits=32).down("e", "d2", bits=32).deliver("d1", "d2")
    schedule = worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 3.0}, 2)
    carried = transport_of(schedule, np.array([10.0, 20.0], dtype=np.float32))
    rows, _ = carried.round("r", np.array([[12, 18], [8, 18]], dtype=np.float32))
    assert rows.tolist() == [[8.5, 18.5], [8.5, 18.5]]
    assert carried.kept.rest_up["d1"].tolist() == [0.0, 0.0]
    assert carried.kept.rest_up["d2"].tolist() == [0.5, -0.5]
    # next: nothing is trained, but the rest is sent: (0.5, -0.5)
    rows, _ = carried.round("r", rows)
    assert rows.tolist() == [[9.0, 18.0], [9.0, 18.0]]


def distances(worlds, *, feedback):
    """How far 1 bit is from the exact model after each of 200 rounds of the same step, in steps."""
    schedule = worlds.schedule({"r": worlds.star(SIZE, 1)}, {"d1": 1.0, "d2": 1.0}, SIZE)
    carried, step = transport_of(schedule, first()), draws(3, scale=1.0, count=2)
    rows, found = np.tile(first(), (2, 1)), []
    for index in range(1, 201):
        rows, _ = carried.round("r", rows + step)
        if not feedback:
            carried.kept.rest_up.clear()
            carried.kept.rest_down.clear()
        exact = first() + index * step.mean(axis=0)
        found.append(np.linalg.norm(rows[0] - exact) / np.linalg.norm(step[0]))
    return found


def test_what_rounding_loses_is_sent_later(worlds):
    found = distances(worlds, feedback=True)
    assert max(found[150:]) < 1.3 * max(found[50:100])  # it does not grow
    assert max(found) < 0.1 * distances(worlds, feedback=False)[-1]


def test_updates_that_are_passed_on_arrive_as_they_were_coded(worlds):
    direct = worlds.Steps(SIZE, 2).up("d1", "e").up("d2", "e").average("e")
    direct.down("e", "d1").down("e", "d2").deliver("d1", "d2")
    passed = worlds.Steps(SIZE, 2).up("d1", "d2").up("d2", "e", origin="d1").up("d2", "e").average("e")
    passed.down("e", "d1").down("e", "d2").deliver("d1", "d2")
    rows = np.tile(first(), (2, 1)) + draws(0, count=2)
    results = [
        transport_of(worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 2.0}, SIZE), first()).round("r", rows)[0]
        for steps in (direct, passed)
    ]
    np.testing.assert_array_equal(*results)


def test_a_device_that_missed_a_sync_is_re_based(worlds):
    kinds = {"all": worlds.star(SIZE, 4), "without": worlds.star(SIZE, 4, missing=("d2",))}
    schedule = worlds.schedule(kinds, {"d1": 1.0, "d2": 1.0}, SIZE, cycle=("all", "without"))
    carried, rows = transport_of(schedule, first()), np.tile(first(), (2, 1))
    rows, _ = carried.round("all", rows + draws(0, count=2))
    rows, _ = carried.round("without", rows + draws(1, count=2))
    assert rows[0].tobytes() != rows[1].tobytes()
    trained = rows + draws(2, count=2)
    rows, loads = carried.round("all", trained)
    assert {name: (load.states, load.packets) for name, load in loads.items()} == {
        "update d1: d1 > cloud": (0, 1),
        "update d2: d2 > cloud": (1, 0),  # its state as it is: the cloud has left behind what it started from
        "model cloud: cloud > d1": (0, 1),
        "model cloud: cloud > d2": (1, 1),  # the model that it missed, then the codes that all get
    }
    assert rows[0].tobytes() == rows[1].tobytes()
    np.testing.assert_allclose(rows[0], trained.mean(axis=0), atol=0.005)
    _, loads = carried.round("all", rows)
    assert {(load.states, load.packets) for load in loads.values()} == {(0, 1)}


def test_a_relay_without_the_common_model_passes_states_and_differences_side_by_side(worlds):
    """d2 and d3 go on without d1, then d1 sends over the relay r, which has no models at all."""

    def through(*devices):
        steps = worlds.Steps(SIZE, 8)
        for device in devices:
            steps.up(device, "r")
        steps.merge("r").up("r", "cloud").average("cloud")
        for device in devices:
            steps.down("cloud", device)
        return steps.deliver(*devices)

    kinds = {"all": through("d1", "d2", "d3"), "two": through("d2", "d3")}
    carried = transport_of(worlds.schedule(kinds, WEIGHTS, SIZE), first())
    rows, _ = carried.round("two", np.tile(first(), (3, 1)) + draws(0))
    trained = rows + draws(1)
    rows, loads = carried.round("all", trained)
    found = {name: (load.states, load.packets) for name, load in loads.items() if name.startswith("update")}
    assert found == {
        "update d1: d1 > r": (1, 0),
        "update d2: d2 > r": (0, 1),
        "update d3: d3 > r": (0, 1),
        "update r: r > cloud": (1, 1),
    }
    expected = np.average(trained, axis=0, weights=list(WEIGHTS.values()))
    np.testing.assert_allclose(rows[0], expected, atol=2e-3)


def test_an_update_may_go_two_ways_from_a_relay(worlds):
    """Servers e and f both average what r merged; f alone has what d1 got from it in other rounds."""
    both = worlds.Steps(SIZE, 16).up("d1", "r").up("d2", "r").merge("r").up("r", "e").up("r", "f")
    both.average("e").average("f").down("e", "d1").down("f", "d2").deliver("d1", "d2")
    alone = worlds.Steps(SIZE, 16).up("d1", "f").average("f").down("f", "d1").deliver("d1")
    schedule = worlds.schedule({"both": both, "alone": alone}, {"d1": 1.0, "d2": 3.0}, SIZE)
    carried, rows = transport_of(schedule, first()), np.tile(first(), (2, 1))
    for index, name in enumerate(("both", "alone", "both", "both", "alone", "both")):
        trained = rows + draws(index, count=2)
        kind = next(kind for kind in schedule.kinds if kind.name == name)
        rows, _ = carried.round(name, trained)
        np.testing.assert_allclose(rows, mixings(schedule, kind)["m"].apply(trained), rtol=0, atol=1e-3)


def test_legs_may_differ_and_a_server_codes_anew(worlds):
    """Models come to the server as they are, and go on with 4 bits."""
    steps = worlds.Steps(SIZE, 8).up("d1", "e").up("d2", "e").merge("e").up("e", "cloud", bits=32)
    steps.average("cloud").down("cloud", "e", bits=32).down("e", "d1", bits=4).down("e", "d2", bits=4)
    schedule = worlds.schedule({"r": steps.deliver("d1", "d2")}, {"d1": 1.0, "d2": 3.0}, SIZE)
    carried, rows = transport_of(schedule, first()), np.tile(first(), (2, 1))
    for index in range(4):
        rows, loads = carried.round("r", rows + draws(index, count=2))
        assert rows[0].tobytes() == rows[1].tobytes()
        assert [(load.states, load.packets) for load in loads.values()] == [
            *[(0, 1), (0, 1), (1, 0)],
            *[(1, 0), (0, 1), (0, 1)],
        ]


def test_on_the_first_leg_of_a_cloud_round_updates_are_told_from_the_server_s_model(worlds):
    """The server has both the last models: what the cluster moved since the cloud's is not sent again."""
    schedule = hierarchy(worlds, 1)
    carried, rows = transport_of(schedule, first()), np.tile(first(), (3, 1))
    steps = {"edge": draws(0, scale=1.0), "cloud": draws(1, scale=1e-4)}
    for name in ("edge", "cloud"):
        rows, _ = carried.round(name, rows + steps[name])
        # what rounding loses is of the size of the round's own step and of what is left of those before
        carried.kept.rest_up = {node: rest for node, rest in carried.kept.rest_up.items() if name == "cloud"}
    for node in ("d1", "d3"):
        assert np.linalg.norm(carried.kept.rest_up[node]) < 2 * np.linalg.norm(steps["cloud"][0])


def test_nodes_keep_few_models_however_long_the_run(worlds):
    schedule = hierarchy(worlds, 4)
    carried, rows = transport_of(schedule, first()), np.tile(first(), (3, 1))
    for index in range(20):
        rows, _ = carried.round(("edge", "cloud")[index % 2], rows + draws(index))
        assert len(carried.kept.models) <= 3  # the first, the edge server's last, the cloud's last


def test_momentum_goes_on_in_the_direction_of_the_last_step_by_hand(worlds):
    """Both devices change by 1, then by 0: steps of 1 and 0.5."""
    steps = worlds.star(1, 32, optimiser=Momentum(momentum=0.5))
    carried = transport_of(worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 3.0}, 1), np.zeros(1, np.float32))
    rows, _ = carried.round("r", np.ones((2, 1), dtype=np.float32))
    assert rows.tolist() == [[1.0], [1.0]]
    rows, _ = carried.round("r", rows)
    assert rows.tolist() == [[1.5], [1.5]]


def test_each_node_has_its_own_optimiser_state_and_counts_from_its_own_last_model(worlds):
    cloud = worlds.Steps(1, 32).up("d1", "e").merge("e").up("e", "cloud")
    cloud.average("cloud", Momentum(momentum=0.5)).down("cloud", "e").down("e", "d1").deliver("d1")
    edge = worlds.Steps(1, 32).up("d1", "e").average("e").down("e", "d1").deliver("d1")
    schedule = worlds.schedule({"edge": edge, "cloud": cloud}, {"d1": 1.0}, 1)
    carried, row = transport_of(schedule, np.zeros(1, np.float32)), np.zeros((1, 1), np.float32)
    models = []
    for name in ("edge", "cloud", "edge", "cloud"):
        row, _ = carried.round(name, row + np.float32(1.0))
        models.append(row.item())
    # the cloud sees steps of 2 from its own models: 0 + 2, then 2 + (0.5 x 2 + 2)
    assert models == [1.0, 2.0, 3.0, 5.0]
    assert set(carried.kept.memories) == {"cloud"}


def test_parameters_that_are_no_numbers_are_refused_with_the_reason(worlds):
    schedule = worlds.schedule({"r": worlds.star(2, 4)}, {"d1": 1.0, "d2": 1.0}, 2)
    carried = transport_of(schedule, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"node 'd2' has NaN .* 4 bits cannot carry: training diverged"):
        carried.round("r", np.array([[0, 0], [0, np.nan]], dtype=np.float32))


def random_kind(worlds, rng, bits):
    """Some of five devices send over up to two relays to a server, and on to the cloud or not."""
    steps, devices = worlds.Steps(SIZE, bits), [f"d{i}" for i in range(5)]
    present = [device for device in devices if rng.random() < 0.7] or devices
    relays = {"r1": [], "r2": [], "e": []}
    for device in present:
        relays[rng.choice(["r1", "r2", "e"])].append(device)
        steps.up(device, next(relay for relay, below in relays.items() if device in below))
    for relay in ("r1", "r2"):
        if relays[relay]:
            steps.merge(relay).up(relay, "e")
    if rng.random() < 0.5:
        steps.average("e")
    else:
        steps.merge("e").up("e", "cloud").average("cloud").down("cloud", "e")
    for relay in ("r1", "r2"):
        if relays[relay]:
            steps.down("e", relay)
            for device in relays[relay]:
                steps.down(relay, device)
    for device in relays["e"]:
        steps.down("e", device)
    return steps.deliver(*present)


@pytest.mark.parametrize("seed", range(12))
def test_whoever_misses_what_averages_are_exact_and_bits_are_those_of_the_clock(worlds, seed):
    """With 16 bits rounding is far below an update; a wrong reference would cost a whole one."""
    rng = np.random.default_rng(seed)
    kinds = {f"k{index}": random_kind(worlds, rng, 16) for index in range(4)}
    weights = {f"d{i}": float(rng.integers(1, 9)) for i in range(5)}
    schedule = worlds.schedule(kinds, weights, SIZE, cycle=rng.choice(list(kinds), 8).tolist())
    carried, rows = transport_of(schedule, first()), np.tile(first(), (5, 1))
    extra = extra_bits(schedule, 12)
    for index in range(12):
        kind = schedule.kind_of_round(index)
        trained = rows + draws(100 * seed + index, scale=0.1, count=5)
        rows, loads = carried.round(kind.name, trained)
        np.testing.assert_allclose(rows, mixings(schedule, kind)["m"].apply(trained), rtol=0, atol=1e-3)
        said = {
            step.id: step.bits + extra[index].get(step.id, 0.0) for step in kind.steps if step.id in loads
        }
        assert said == {name: 8 * load.packet_bytes + 32 * SIZE * load.states for name, load in loads.items()}


@pytest.mark.parametrize("bits", [1, 4, 16])
def test_what_travels_together_has_the_bytes_of_what_travels_alone(worlds, monkeypatch, bits):
    rng = np.random.default_rng(bits)
    kinds = {f"k{index}": random_kind(worlds, rng, bits) for index in range(4)}
    schedule = worlds.schedule(kinds, {f"d{i}": float(i + 1) for i in range(5)}, SIZE, cycle=list(kinds))
    results = []
    for at_once in (2**15, 1):
        monkeypatch.setattr("fl_runtime.transport_state._CODED_AT_ONCE", at_once)
        carried, rows = transport_of(schedule, first()), np.tile(first(), (5, 1))
        for index in range(8):
            kind = schedule.kind_of_round(index).name
            rows, _ = carried.round(kind, rows + draws(index, scale=0.1, count=5))
        results.append(
            (rows.tobytes(), {node: rest.tobytes() for node, rest in carried.kept.rest_up.items()})
        )
    assert results[0] == results[1]


def test_choices_are_the_same_whether_remembered_or_made_anew(worlds, monkeypatch):
    rng = np.random.default_rng(5)
    kinds = {f"k{index}": random_kind(worlds, rng, 4) for index in range(3)}
    schedule = worlds.schedule(kinds, {f"d{i}": 1.0 for i in range(5)}, SIZE, cycle=list(kinds))
    results = []
    for most in (64, 0):
        monkeypatch.setattr("fl_runtime.transport_choices._MOST_PATTERNS", most)
        carried, rows = transport_of(schedule, first()), np.tile(first(), (5, 1))
        for index in range(9):
            kind = schedule.kind_of_round(index).name
            rows, loads = carried.round(kind, rows + draws(index, scale=0.1, count=5))
        results.append((rows.tobytes(), loads))
    assert results[0] == results[1]
