import copy
import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.system.check_instance import check_instance
from hfedfm_opt.system.defects import InstanceError
from hfedfm_opt.system.files import FileError
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.read import parse_instance, read_instance

DATA = Path(__file__).parents[2] / "data"
TINY_TEXT = (DATA / "tiny.json").read_text()


def expected_lines() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DATA / "broken" / "messages.txt").read_text().splitlines():
        if line.startswith("  "):
            found[name].append(line[2:])  # noqa: F821 - the line before named the file
        else:
            name = line
            found[name] = []
    return found


EXPECTED = expected_lines()


def lines_of(text: str) -> list[str]:
    with pytest.raises(InstanceError) as caught:
        parse_instance(text)
    return [str(defect) for defect in caught.value.defects]


def outcome_of(text: str) -> Instance | InstanceError:
    try:
        return parse_instance(text)
    except InstanceError as error:
        return error


def test_every_broken_file_has_its_messages():
    assert sorted(EXPECTED) == sorted(path.name for path in (DATA / "broken").glob("*.json"))
    assert len(EXPECTED) >= 30
    assert all(EXPECTED.values())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_broken_file_is_reported_with_exactly_its_defects(name):
    with pytest.raises(InstanceError) as caught:
        read_instance(DATA / "broken" / name)

    assert [str(defect) for defect in caught.value.defects] == EXPECTED[name]


def test_the_error_names_the_file_and_prints_a_line_for_each_defect():
    path = DATA / "broken" / "many-at-once.json"

    with pytest.raises(InstanceError) as caught:
        read_instance(path)

    assert str(caught.value).splitlines() == [f"{path}: 6 defects", *EXPECTED["many-at-once.json"]]
    first = caught.value.defects[0]
    assert (first.path, first.got, first.expected) == ("node 'd1': radio.max_power_w", "-0.2", "> 0")


def test_an_error_of_many_defects_prints_the_first_hundred():
    raw = json.loads(TINY_TEXT)
    raw["wired_links"] += [{"source": "e1", "target": "cloud", "rate": index} for index in range(150)]

    with pytest.raises(InstanceError) as caught:
        parse_instance(json.dumps(raw))

    assert len(caught.value.defects) == 150
    assert str(caught.value).splitlines()[-1] == "... and 50 more"


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_a_deeply_nested_file_is_refused_in_one_line(bracket):
    assert lines_of(bracket * 100_000) == [
        "the file is nested too deeply, must be an object of at most five levels; is it the right file?"
    ]


def test_deep_nesting_within_an_element_is_an_ordinary_defect():
    deep = '{"a":' * 400 + "1" + "}" * 400
    lines = lines_of(TINY_TEXT.replace('"id": "d1"', f'"id": "d1", "extra": {deep}'))

    assert len(lines) == 1
    assert lines[0].startswith("node 'd1': extra is an unknown key")


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse.json"
    with path.open("wb") as stream:
        stream.truncate(10**9)

    with pytest.raises(FileError, match=r"is 1,000,000,000 bytes, must be at most 268,435,456 bytes"):
        read_instance(path)


def test_a_packed_file_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(bytes(2**20)) * 300)

    with pytest.raises(FileError, match="is larger unpacked, must be at most 268,435,456 bytes"):
        read_instance(path)


@pytest.mark.parametrize("digits", ["1" + "0" * 400, "9" * 5000, "-" + "9" * 5000])
def test_a_number_beyond_the_range_is_refused(digits):
    lines = lines_of(TINY_TEXT.replace('"rate_bps": 10000000.0', f'"rate_bps": {digits}'))

    assert len(lines) == 1
    assert lines[0].startswith("wired link 'e1' -> 'cloud': rate_bps is ")
    assert ", must be a finite number" in lines[0]


def test_many_unknown_names_are_reported_promptly():
    raw = json.loads(TINY_TEXT)
    raw["wired_links"] = [{"source": f"x{index}", "target": "cloud"} for index in range(20_000)]

    with pytest.raises(InstanceError) as caught:
        parse_instance(json.dumps(raw))

    assert len(caught.value.defects) == 20_000


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**30, 10**305, 1e300, -1e300, math.nan, math.inf, 1e-320, -0.0]),
    st.sampled_from(
        ["", "d1", "d2", "e1", "cloud", "edge", "device", "up", "read", "image", "head", "\ud800"]
    ),
    st.text(max_size=5),
    st.sampled_from([[], {}, [[]], [{}], ["d1"], [1, 2, 3], {"type": "cpu"}, {"type": []}, {"id": "d1"}]),
)


def containers(value: object) -> list[dict | list]:
    found = [value] if isinstance(value, dict | list) else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [container for element in inner for container in containers(element)]


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.data())
def test_whatever_is_changed_nothing_but_an_instance_error_comes(data):
    raw = json.loads(TINY_TEXT)
    for _ in range(data.draw(st.integers(1, 4))):
        candidates = [container for container in containers(raw) if container]
        if not candidates:
            break
        place = candidates[data.draw(st.integers(0, len(candidates) - 1))]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[data.draw(st.integers(0, len(keys) - 1))]
        action = data.draw(st.sampled_from(["replace", "drop", "rename", "double"]))
        if action == "drop":
            del place[key]
        elif action == "replace":
            place[key] = copy.deepcopy(data.draw(JUNK))
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        elif action == "rename":
            place[data.draw(st.text(max_size=8))] = place.pop(key)
        else:
            place[f"{key}2"] = copy.deepcopy(place[key])

    outcome = outcome_of(json.dumps(raw))

    if isinstance(outcome, Instance):
        assert check_instance(outcome) == ()
    else:
        assert outcome.defects
        assert all(str(defect).isprintable() for defect in outcome.defects)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.integers(0, len(TINY_TEXT) - 1), st.sampled_from(["", '"', "{", "]", ",", "\\", "\n", "1", "\x00"]))
def test_whichever_character_is_changed_nothing_but_an_instance_error_comes(position, character):
    outcome = outcome_of(TINY_TEXT[:position] + character + TINY_TEXT[position + 1 :])

    assert isinstance(outcome, Instance) or outcome.defects


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, len(TINY_TEXT.rstrip()) - 1))
def test_a_file_cut_off_anywhere_is_refused(length):
    assert len(lines_of(TINY_TEXT[:length])) == 1
