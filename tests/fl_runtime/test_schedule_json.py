import gzip
import json
from dataclasses import replace

import jsonschema
import pytest

from fl_runtime.errors import ScheduleError, ScheduleFileError
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    Evaluate,
    FixedSpeed,
    Merge,
    Mix,
    Module,
    Node,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Transfer,
    Wired,
    Wireless,
)
from fl_runtime.schedule_json import read_schedule, schedule_schema, write_schedule
from fl_runtime.whole_files import write_whole

RADIO = Wireless(band="cell", band_hz=1e6 / 3, power_w=0.1, gain=1e-9, noise_w_per_hz=4e-21)


def carry(name, content, medium):
    return Transfer(
        id=name,
        source="d1",
        target="ed,ge",
        content=content,
        modules=("head",),
        bits=0.1 + 0.2,
        medium=medium,
    )


SCHEDULE = Schedule(
    name='every kind of thing, "quoted", naïve',
    nodes=(
        Node(
            id="ed,ge", tier="edge", processor=FixedSpeed(flops_per_s=1e12, power_w=100.0), half_duplex=True
        ),
        Node(
            id="d1",
            tier="device",
            processor=Cpu(flops_per_cycle=4.0, max_frequency_hz=2e9, effective_capacitance=1e-28),
        ),
    ),
    bands=(Band(id="cell", band_hz=1e6),),
    modules=(Module(id="head", kind="head", update_bits=1e6, trainable=True, task="read"),),
    replicas=(Replica(module="head", host="d1", weight=64.0),),
    routes=(Route(device="d1", task="read", samples=64, modalities=("image",), hosts={"head": "d1"}),),
    kinds=(
        RoundKind(
            name="round",
            reaches_cloud=True,
            steps=(
                Compute(id="c", node="d1", flops=1e9, frequency_hz=1e9),
                carry("u", "update", RADIO),
                carry("a", "activation", Wired(rate_bps=None, delay_s=0.5)),
                Merge(id="m", after=("u",), node="ed,ge", modules=("head",)),
                Aggregate(id="g", after=("m",), node="ed,ge", modules=("head",)),
                Mix(id="x", after=("g",), nodes=("ed,ge",), modules=("head",), weights=((1.0,),), sweeps=3),
                Deliver(id="d", after=("x",), nodes=("d1",), modules=("head",)),
                Evaluate(id="e", after=("d",)),
            ),
        ),
    ),
    cycle=("round",),
    rounds=3,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "schedule.json"


def written(path, change):
    """Write SCHEDULE, changed as plain data."""
    write_schedule(SCHEDULE, path)
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))
    return path


def test_what_is_written_is_read_back(path):
    write_schedule(SCHEDULE, path)
    assert read_schedule(path) == SCHEDULE


def test_reading_and_writing_again_gives_the_same_bytes(path, tmp_path):
    write_schedule(SCHEDULE, path)
    again = tmp_path / "again.json"
    write_schedule(read_schedule(path), again)
    assert again.read_bytes() == path.read_bytes()


def test_written_file_obeys_the_schema(path):
    write_schedule(SCHEDULE, path)
    schema = schedule_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text()))


def test_schema_refuses_unknown_keys(path):
    written(path, lambda plain: plain["nodes"][0].update(teir="edge"))
    with pytest.raises(jsonschema.ValidationError, match="'teir' was unexpected"):
        jsonschema.Draft202012Validator(schedule_schema()).validate(json.loads(path.read_text()))


def _medium(plain):
    return plain["kinds"][0]["steps"][1]["medium"]


BROKEN = {
    "nodes[0].teir: unknown key; did you mean 'tier'?": lambda plain: plain["nodes"][0].update(teir="x"),
    "nodes[1].processor.max_freq: unknown key": lambda plain: plain["nodes"][1]["processor"].update(
        max_freq=1
    ),
    "kinds[0].steps[1].medium.gian: unknown key; did you mean 'gain'?": lambda plain: _medium(plain).update(
        gian=1
    ),
    "kinds[0].steps[1].medium.gain: missing, must be given": lambda plain: _medium(plain).pop("gain"),
    "rounds: input should be a valid integer; got '3'": lambda plain: plain.update(rounds="3"),
    "modules[0].trainable: input should be a valid boolean; got 1": lambda plain: plain["modules"][0].update(
        trainable=1
    ),
    "bands[0].band_hz: input should be a finite number; got nan": lambda plain: plain["bands"][0].update(
        band_hz=float("nan")
    ),
    "kinds[0].steps[0]: input tag 'computee'": lambda plain: plain["kinds"][0]["steps"][0].update(
        type="computee"
    ),
    "cycle: missing, must be given": lambda plain: plain.pop("cycle"),
}


@pytest.mark.parametrize(("line", "change"), BROKEN.items(), ids=BROKEN)
def test_broken_file_is_refused_with_the_place(path, line, change):
    with pytest.raises(ScheduleFileError) as caught:
        read_schedule(written(path, change))
    assert len(caught.value.defects) == 1
    assert caught.value.defects[0].startswith(line)
    assert str(caught.value).startswith(f"{path}: 1 defect\n")


def test_all_broken_places_are_reported_together(path):
    def change(plain):
        plain["nodes"][0]["teir"] = "edge"
        plain["rounds"] = "3"

    with pytest.raises(ScheduleError, match=r"(?s): 2 defects.*teir.*rounds"):
        read_schedule(written(path, change))


@pytest.mark.parametrize("content", [b'{"name": ', b"", b"\xff\xfe{", b"{} {}"])
def test_what_is_no_json_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ScheduleFileError, match="no JSON: "):
        read_schedule(path)


def test_a_list_is_no_schedule(path):
    path.write_text("[]")
    with pytest.raises(ScheduleFileError, match="the file: "):
        read_schedule(path)


def test_numbers_that_json_lacks_are_refused_and_the_old_file_stays(path):
    write_schedule(SCHEDULE, path)
    before = path.read_bytes()
    with pytest.raises(ScheduleFileError, match="a number is NaN or infinite"):
        write_schedule(replace(SCHEDULE, bands=(Band(id="cell", band_hz=float("inf")),)), path)
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "schedule.json"
    folder.mkdir()
    with pytest.raises(OSError, match=r"schedule\.json"):
        write_whole(folder, b"content")
    assert list(tmp_path.iterdir()) == [folder]


def test_writing_keeps_the_mode_of_the_old_file(path):
    path.write_text("old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_packed_file_holds_the_same_schedule_in_the_same_bytes(tmp_path):
    schedule = SCHEDULE
    for name in ("a.json.gz", "b.json.gz", "c.json"):
        write_schedule(schedule, tmp_path / name)

    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == (tmp_path / "c.json").read_bytes()
    assert read_schedule(tmp_path / "a.json.gz") == schedule


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: b"{}", lambda packed: b""])
def test_a_damaged_packed_file_is_one_readable_error(tmp_path, damage):
    write_schedule(SCHEDULE, tmp_path / "a.json.gz")
    (tmp_path / "a.json.gz").write_bytes(damage((tmp_path / "a.json.gz").read_bytes()))

    with pytest.raises(ScheduleFileError, match=r"fetch or write it again|no JSON"):
        read_schedule(tmp_path / "a.json.gz")
