from dataclasses import replace

import pytest

from fl_runtime.check import check_schedule
from fl_runtime.schedule import Mix
from fl_runtime.schedule_json import read_schedule, write_schedule
from fl_runtime.server_optimisers import Adam, Momentum


@pytest.fixture
def sound(worlds):
    """d1 sends over d2, which passes its update on, to the cloud; 50 parameters with 4 bits."""
    steps = worlds.Steps(50, 4).up("d1", "d2").up("d2", "cloud", origin="d1").up("d2", "cloud")
    steps.average("cloud", Momentum()).down("cloud", "d1").down("cloud", "d2").deliver("d1", "d2")
    return worlds.schedule({"r": steps}, {"d1": 1.0, "d2": 1.0}, 50)


def changed(schedule, position, **fields):
    (kind,) = schedule.kinds
    steps = list(kind.steps)
    steps[position] = replace(steps[position], **fields)
    return replace(schedule, kinds=(replace(kind, steps=tuple(steps)),))


def test_a_sound_schedule_has_no_defects_and_comes_back_from_its_file(sound, tmp_path):
    assert check_schedule(sound) == ()
    write_schedule(sound, tmp_path / "schedule.json")
    assert read_schedule(tmp_path / "schedule.json") == sound


WHERE = "kind 'r': step 'update d1: d1 > d2': "


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"precision_bits": {"m": 5}}, "precision_bits['m'] is 5, must be one of 32, 16, 8, 4, 3, 2, 1"),
        (
            {"precision_bits": {"m": True}},
            "precision_bits['m'] is True, must be one of 32, 16, 8, 4, 3, 2, 1",
        ),
        (
            {"precision_bits": {"m": 4, "n": 4}},
            "precision_bits['n'] is given, but the step does not carry 'n'; add it to modules",
        ),
        ({"bits": 200.0}, "bits is 200.0, must be 296.0: what its modules take packed"),
        ({"bits": 1600.0}, "bits is 1600.0, must be 296.0: what its modules take packed"),
        (
            {"content": "activation"},
            "precision_bits is given, must be left out: activations travel as bits says",
        ),
    ],
)
def test_a_wrong_precision_is_one_readable_line(sound, fields, line):
    assert WHERE + line in check_schedule(changed(sound, 0, **fields))


def test_a_frozen_module_has_nothing_to_quantise(sound):
    frozen = replace(sound, modules=(replace(sound.modules[0], trainable=False),))
    assert WHERE + "precision_bits['m'] is 4, must be 32: 'm' is not trainable" in check_schedule(frozen)


def test_an_update_that_is_passed_on_keeps_its_precision(sound):
    (line,) = check_schedule(changed(sound, 1, precision_bits={"m": 8}, bits=496.0))
    assert line == (
        "kind 'r': step 'update d1: d2 > cloud': passes on the update of 'm' with 8 bits a parameter, "
        "must be 4: as it came"
    )


def test_what_is_mixed_travels_as_it_is_and_without_an_optimiser(sound):
    mix = Mix(id="mix", nodes=("d1", "d2"), modules=("m",), weights=((0.5, 0.5), (0.5, 0.5)))
    (kind,) = sound.kinds
    lines = check_schedule(replace(sound, kinds=(replace(kind, steps=(*kind.steps, mix)),)))
    assert WHERE + "precision_bits['m'] is 4, must be 32: step 'mix' mixes 'm'" in lines
    assert "kind 'r': step 'average cloud': optimiser: must be plain: step 'mix' mixes 'm'" in lines


@pytest.mark.parametrize(
    ("optimiser", "line"),
    [
        (Momentum(momentum=1.0), "momentum is 1.0, must be below 1"),
        (Momentum(momentum=-0.1), "momentum is -0.1, must be a finite number >= 0"),
        (Momentum(rate=0.0), "rate is 0.0, must be a finite number > 0"),
        (Adam(first=1.5), "first is 1.5, must be below 1"),
        (Adam(second=1.0), "second is 1.0, must be below 1"),
        (Adam(floor=0.0), "floor is 0.0, must be a finite number > 0"),
    ],
)
def test_a_wrong_optimiser_is_one_readable_line(sound, optimiser, line):
    assert check_schedule(changed(sound, 3, optimiser=optimiser)) == (
        f"kind 'r': step 'average cloud': optimiser: {line}",
    )


def test_an_unknown_optimiser_of_a_file_is_refused_with_the_known_ones(sound, tmp_path):
    path = tmp_path / "schedule.json"
    write_schedule(sound, path)
    path.write_text(path.read_text().replace('"type": "momentum"', '"type": "sgd"'))
    with pytest.raises(ValueError, match=r"optimiser.*'plain', 'momentum', 'adam'"):
        read_schedule(path)
