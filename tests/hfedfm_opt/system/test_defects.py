import pickle

import pytest

from hfedfm_opt.system.defects import Defect, InstanceError, Spelling, listed, shown


def test_a_defect_is_one_line_in_the_house_form():
    defect = Defect("node 'd3': radio.max_power_w", "-0.2", "> 0")

    assert str(defect) == "node 'd3': radio.max_power_w is -0.2, must be > 0"
    assert str(Defect("tiers", "empty", "a list", "name them")) == "tiers is empty, must be a list; name them"


def test_the_error_travels_between_processes():
    error = InstanceError([Defect("a", "b", "c")], "x.json")

    copied = pickle.loads(pickle.dumps(error))

    assert copied.defects == error.defects
    assert str(copied) == "x.json: 1 defect\na is b, must be c"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (-0.2, "-0.2"),
        ("ful", "'ful'"),
        ({}, "an empty object"),
        ((1,), "a list of 1 element"),
        ([], "an empty list"),
        ("\ud800", r"'\ud800'"),
        ("x" * 100, "'" + "x" * 56 + "..."),
    ],
)
def test_values_are_shown_as_they_stand_in_the_file(value, text):
    assert shown(value) == text


def test_the_nearest_name_is_offered_whatever_its_case():
    assert Spelling().nearest("D1", ["d2", "d1"]) == "d1"
    assert Spelling().nearest("devise", ["device", "edge"]) == "device"
    assert Spelling().nearest("xyz", ["device", "edge"]) is None


def test_few_names_are_listed_where_none_is_near():
    assert Spelling().remedy("xyz", ["edge", "cloud"]) == "known: 'cloud', 'edge'"
    assert Spelling().remedy("xyz", [f"name{index}" for index in range(9)]) == ""


def test_offers_end_with_the_budget():
    spelling = Spelling(num_comparisons=5)

    assert spelling.nearest("edg", ["edge", "fog", "cloud"]) == "edge"
    assert spelling.nearest("edg", ["edge", "fog", "cloud"]) is None
    assert spelling.offered == {"edge"}


def test_long_lists_of_names_are_cut():
    assert listed(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert listed([str(index) for index in range(1003)]) == "'0', '1', '2' and 1,000 more"
