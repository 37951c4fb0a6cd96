import time

import numpy as np
import pytest

from fl_runtime.clock import play
from fl_runtime.fading import Fading
from fl_runtime.packing import packed_bits
from fl_runtime.rebasing import extra_bits
from fl_runtime.schedule import Transfer
from fl_runtime.transport import Transport
from fl_runtime.transport_state import Kept

SIZE = 100
FULL, PACKED = 3200.0, 96.0 + 400.0  # 100 parameters as they are, and with 4 bits


@pytest.fixture
def missing(worlds):
    """d2 misses each second round."""
    kinds = {"all": worlds.star(SIZE, 4), "without": worlds.star(SIZE, 4, missing=("d2",))}
    return worlds.schedule(kinds, {"d1": 1.0, "d2": 1.0}, SIZE, rounds=5)


def test_a_node_that_missed_a_sync_costs_its_state_and_the_model_by_hand(missing):
    up, down = "update d2: d2 > cloud", "model cloud: cloud > d2"
    assert extra_bits(missing, 5) == [
        {},
        {},
        {up: FULL - PACKED, down: FULL},
        {},
        {up: FULL - PACKED, down: FULL},
    ]


def test_the_clock_counts_times_and_pays_these_bits(missing):
    timeline = play(missing)
    assert timeline.bits_of_round.tolist() == [
        4 * PACKED, 2 * PACKED, 3 * PACKED + 2 * FULL, 2 * PACKED, 3 * PACKED + 2 * FULL,
    ]  # fmt: skip
    assert timeline.makespan_s == pytest.approx(timeline.bits.sum() / 1e6, rel=1e-12)  # one after another


def test_fading_changes_times_and_no_bits(missing):
    assert np.array_equal(play(missing, fading=Fading(), seed=1).bits, play(missing).bits)


def test_the_bits_that_are_counted_are_the_bits_that_are_packed(missing):
    transport = Transport(missing, "m", Kept({0: np.zeros(SIZE, dtype=np.float32)}))
    rows, rng = np.zeros((2, SIZE), dtype=np.float32), np.random.default_rng(0)
    timeline = play(missing)
    for index in range(5):
        rows = rows + rng.normal(size=rows.shape).astype(np.float32)
        rows, loads = transport.round(missing.kind_of_round(index).name, rows)
        packed = {name: 8 * load.packet_bytes + 32 * SIZE * load.states for name, load in loads.items()}
        of_round = timeline.round == index
        counted = dict(zip(np.array(timeline.step)[of_round], timeline.bits[of_round], strict=True))
        assert packed == {name: bits for name, bits in counted.items() if bits}


def test_states_and_differences_side_by_side_count_twice_with_32_bits(worlds):
    """d1 missed a round; the relay has no models, so its 32 bits carry d1's state and d2's difference."""
    both = worlds.Steps(SIZE, 4).up("d1", "r").up("d2", "r").merge("r").up("r", "cloud", bits=32)
    both.average("cloud").down("cloud", "d1").down("cloud", "d2").deliver("d1", "d2")
    schedule = worlds.schedule(
        {"without": worlds.star(SIZE, 4, missing=("d1",)), "both": both}, {"d1": 1.0, "d2": 1.0}, SIZE
    )
    first, second = extra_bits(schedule, 2)
    assert first == {}
    assert second["update r: r > cloud"] == FULL


def test_schedules_without_precisions_have_none(worlds):
    schedule = worlds.schedule({"r": worlds.star(SIZE, 32)}, {"d1": 1.0, "d2": 1.0}, SIZE)
    assert extra_bits(schedule, 3) == [{}, {}, {}]


def test_many_rounds_take_no_longer_than_the_first_that_differ(worlds):
    devices = tuple(f"d{i}" for i in range(100))
    kinds = {"all": worlds.star(SIZE, 4, devices), "without": worlds.star(SIZE, 4, devices, missing=("d7",))}
    schedule = worlds.schedule(kinds, dict.fromkeys(devices, 1.0), SIZE)
    started = time.process_time()
    found = extra_bits(schedule, 4000)
    assert time.process_time() - started < 2.0
    assert found[0] == found[1] == {}
    assert all(of_round == found[2 + index % 2] for index, of_round in enumerate(found[2:]))
    transfers = [step for step in schedule.kinds[0].steps if isinstance(step, Transfer)]
    assert {step.bits for step in transfers} == {packed_bits(FULL, 4)}
