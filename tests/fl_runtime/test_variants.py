from dataclasses import replace

import pytest

from fl_runtime.check import check_schedule
from fl_runtime.packing import packed_bits
from fl_runtime.schedule import Module, Transfer
from fl_runtime.server_optimisers import Adam, Plain
from fl_runtime.variants import with_precision, with_server_optimiser


@pytest.fixture
def schedule(worlds):
    return worlds.schedule({"r": worlds.star(50, 32)}, {"d1": 1.0, "d2": 1.0}, 50)


def transfers(schedule, content):
    return [
        s for kind in schedule.kinds for s in kind.steps if isinstance(s, Transfer) and s.content == content
    ]


def test_each_direction_has_its_precision_and_bits(schedule):
    changed = with_precision(schedule, 4, 16)
    assert check_schedule(changed) == ()
    for content, bits in (("update", 4), ("model", 16)):
        for step in transfers(changed, content):
            assert (step.precision_bits, step.bits) == ({"m": bits}, packed_bits(1600.0, bits))
    assert with_precision(changed, 32) == schedule


def test_one_precision_is_for_both_directions(schedule):
    assert with_precision(schedule, 4) == with_precision(schedule, 4, 4)


def test_frozen_and_other_modules_stay_as_they_are(schedule):
    frozen = replace(schedule, modules=(replace(schedule.modules[0], trainable=False),))
    assert with_precision(frozen, 4) == frozen
    other = Module(id="other", kind="adapter", update_bits=8.0, trainable=True)
    both = replace(schedule, modules=(*schedule.modules, other))
    assert with_precision(both, 4, modules=["other"]) == both


def test_only_the_named_nodes_get_the_optimiser(worlds):
    steps = worlds.Steps(4, 32).up("d1", "e").average("e").up("e", "c").average("c").down("c", "d1")
    changed = with_server_optimiser(worlds.schedule({"r": steps}, {"d1": 1.0}, 4), Adam(rate=0.5), ["c"])
    found = {step.node: step.optimiser for step in changed.kinds[0].steps if step.type == "aggregate"}
    assert found == {"e": Plain(), "c": Adam(rate=0.5)}
