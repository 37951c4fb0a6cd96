"""What becomes of codes, rests and models when transfers fail, by hand with 1 bit."""

from dataclasses import replace

import numpy as np
import pytest

from fl_runtime.living.record import Happened
from fl_runtime.transport import Transport
from fl_runtime.transport_state import Kept, Load


def start(schedule, values):
    return Transport(schedule, "m", Kept({0: np.array(values, dtype=np.float32)}))


def happened_as(kind, steps, idle=frozenset()):
    return Happened(kind=kind, steps=steps, untrained=frozenset(), idle=idle, planned=kind)


def lost(schedule, *names, idle=()):
    """A round of the first kind in which some transfers do not arrive, and what depends on them is not done.

    ``names`` are the lost ones; all else of the kind takes place.
    """
    kind = schedule.kinds[0]
    steps = tuple((step, step.id not in names) for step in kind.steps)
    return happened_as(kind, steps, frozenset(("m", host) for host in idle))


def only(happened, *names):
    """The same round, of which only these steps took place."""
    steps = tuple((step, arrived) for step, arrived in happened.steps if step.id in names)
    return happened_as(happened.kind, steps)


def floats(*rows):
    return np.array(rows, dtype=np.float32)


@pytest.fixture
def star(worlds):
    """Codes of 1 bit up, models down as they are."""
    return worlds.schedule({"r": worlds.star(2, 1, down=32)}, {"d1": 1.0, "d2": 1.0}, 2)


UP_1 = "update d1: d1 > cloud"


def test_an_update_that_was_lost_leaves_the_sender_what_it_owed_before(star):
    """(3, 1) is sent as (2, 2), which leaves (1, -1); what is sent next is lost, and owed stays (1, -1)."""
    carried = start(star, [0, 0])
    rows, _ = carried.round("r", floats([3, 1], [0, 0]))
    assert rows.tolist() == [[1, 1], [1, 1]]
    assert carried.kept.rest_up["d1"].tolist() == [1, -1]
    rows, loads = carried.round("r", floats([9, 5], [1, 1]), lost(star, UP_1))
    assert loads[UP_1].packets == 1  # it was sent, and is paid
    assert carried.kept.rest_up["d1"].tolist() == [1, -1]
    assert rows.tolist() == [[1, 1], [1, 1]]  # the average of d2 alone
    rows, _ = carried.round("r", rows)  # d1 has not moved: it sends what it owed before the loss
    assert rows.tolist() == [[1.5, 0.5], [1.5, 0.5]]
    assert carried.kept.rest_up["d1"].tolist() == [0, 0]


def test_a_first_update_that_was_lost_leaves_nothing_owed(star):
    carried = start(star, [0, 0])
    carried.round("r", floats([3, 1], [0, 0]), lost(star, UP_1))
    assert "d1" not in carried.kept.rest_up


def test_an_update_that_was_lost_behind_a_relay_is_owed_by_nobody_as_if_not_sent(worlds):
    steps = worlds.Steps(2, 1).up("d1", "r").merge("r").up("r", "e").up("d2", "e").average("e")
    steps.down("e", "d1", bits=32).down("e", "d2", bits=32).deliver("d1", "d2")
    schedule = worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 1.0}, 2)
    carried = start(schedule, [0, 0])
    rows, _ = carried.round("r", floats([3, 1], [0, 0]), lost(schedule, "update r: r > e"))
    assert rows.tolist() == [[0, 0], [0, 0]]
    assert "d1" not in carried.kept.rest_up  # its codes reached the relay, but no average
    assert "r" not in carried.kept.rest_up


def test_an_untrained_relay_adds_nothing_of_its_own(worlds):
    steps = worlds.Steps(2, 1).up("d1", "d2").merge("d2").up("d2", "e").average("e")
    steps.down("e", "d1", bits=32).down("e", "d2", bits=32).deliver("d1", "d2")
    schedule = worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 5.0}, 2)
    carried = start(schedule, [0, 0])
    rows, _ = carried.round("r", floats([2, -2], [100, 100]), lost(schedule, idle=["d2"]))
    assert rows.tolist() == [[2, -2], [2, -2]]


def test_who_did_not_get_a_model_is_re_based_and_pays_for_it(worlds):
    devices = ("d1", "d2", "d3")
    schedule = worlds.schedule({"r": worlds.star(4, 8, devices)}, dict.fromkeys(devices, 1.0), 4)
    carried = start(schedule, [0, 0, 0, 0])
    step = floats([1, 2, 3, 4], [2, 2, 2, 2], [0, 1, 0, 1])
    rows, loads = carried.round("r", step, _no_model_for_d3(schedule))
    assert rows[2].tolist() == [0, 1, 0, 1]  # it keeps its own
    assert loads["model cloud: cloud > d3"].packets == 1  # sent in vain, and paid
    rows, loads = carried.round("r", rows)
    assert {(name, load.states, load.packets) for name, load in loads.items() if "d3" in name} == {
        ("update d3: d3 > cloud", 1, 0),  # a state: it lacks the model from which the others differ
        ("model cloud: cloud > d3", 1, 1),  # the missed model, then the codes
    }
    assert loads["update d1: d1 > cloud"] == Load(0, 1, loads["update d1: d1 > cloud"].packet_bytes)
    assert rows[2].tobytes() == rows[0].tobytes()


def _no_model_for_d3(schedule):
    happened = lost(schedule, "model cloud: cloud > d3")
    (deliver,) = [step for step, _ in happened.steps if step.type == "deliver"]
    steps = tuple(
        (replace(step, nodes=("d1", "d2")) if step is deliver else step, arrived)
        for step, arrived in happened.steps
    )
    return happened_as(happened.kind, steps)


def test_a_round_in_which_nothing_arrives_changes_nothing(star):
    carried = start(star, [0, 0])
    rows, _ = carried.round("r", floats([3, 1], [0, 0]))
    before = {node: rest.tolist() for node, rest in carried.kept.rest_up.items()}
    nothing = only(lost(star, UP_1, "update d2: d2 > cloud"), UP_1, "update d2: d2 > cloud")
    after, loads = carried.round("r", rows + 1, nothing)
    assert after.tolist() == (rows + 1).tolist()
    assert {node: rest.tolist() for node, rest in carried.kept.rest_up.items()} == before
    assert set(loads) == {UP_1, "update d2: d2 > cloud"}
