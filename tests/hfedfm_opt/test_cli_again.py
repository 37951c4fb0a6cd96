"""``hfedfm solve --from``: planning again from an old plan on the command line."""

import json
from pathlib import Path

import pytest

from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.read import read_instance, write_instance

PAPER = Path(__file__).parents[2] / "instances" / "paper-40.json"


def without_other_senses(instance: Instance, device: str) -> Instance:
    nodes = tuple(
        node.model_copy(update={"modalities": ("text",)}) if node.id == device else node
        for node in instance.nodes
    )
    return instance.model_copy(update={"nodes": nodes})


@pytest.fixture
def old(hfedfm, tmp_path):
    status, _, _ = hfedfm("solve", PAPER, "--planner", "optimised:2", "-o", tmp_path / "old.json")
    assert status == 0
    write_instance(without_other_senses(read_instance(PAPER), "d5"), tmp_path / "now.json")
    return tmp_path / "old.json"


def test_a_plan_is_made_from_an_old_one_and_can_be_checked(hfedfm, old, tmp_path):
    now, found = tmp_path / "now.json", tmp_path / "next.json"
    status, out, _ = hfedfm("solve", now, "--from", old, "-o", found, "--json")
    told = json.loads(out)
    assert status == 0
    assert (told["way"], told["devices_changed"], told["clusters_kept"]) == ("warm", 1, 9)
    assert told["bound"] is None
    assert told["moved_bytes"] == 0.0
    assert hfedfm("check", now, found)[0] == 0


def test_the_text_says_what_changed_and_what_moves(hfedfm, old, tmp_path):
    status, out, _ = hfedfm("solve", tmp_path / "now.json", "--from", old, "--from-instance", PAPER)
    assert status == 0
    assert "0 devices gone, 0 new, 1 changed; 9 clusters as they were" in out
    assert "0 replicas, 0 MB" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--moving-price", "1"], "--moving-price needs the old plan: --from PLAN"),
        (["--from-instance", PAPER], "--from-instance needs the old plan: --from PLAN"),
        (["--from", PAPER, "--moving-price", "-1"], "--moving-price is -1, must be a finite number >= 0"),
    ],
)
def test_options_of_planning_again_that_make_no_sense_are_refused(hfedfm, options, message):
    status, _, err = hfedfm("solve", PAPER, *options)
    assert status == 2
    assert message in err[-1]
