"""Each defect of a living network or a policy is a readable line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from fl_runtime.check import check_schedule
from fl_runtime.clock import play
from fl_runtime.errors import ScheduleError
from fl_runtime.fading import Fading
from fl_runtime.living.record import EVENTS
from fl_runtime.schedule import DropOut, LinkGains, LivingNetwork, Losses, Policy, Straggling
from fl_runtime.schedule_json import read_schedule, schedule_schema, write_schedule


@pytest.fixture
def schedule(worlds):
    return worlds.schedule({"r": worlds.star(4, 32)}, {"d1": 1.0, "d2": 1.0}, 4)


LINK = {"source": "d1", "target": "cloud", "band": "air"}
BROKEN = {
    "living: drop_out: share is 1.0, must be below 1": LivingNetwork(drop_out=DropOut(share=1.0)),
    "living: drop_out: share is nan, must be a finite": LivingNetwork(drop_out=DropOut(share=float("nan"))),
    "living: drop_out: mean_rounds_away is 0.5, must be >= 1: 1, and share / (1 - share)": LivingNetwork(
        drop_out=DropOut(share=0.1, mean_rounds_away=0.5)
    ),
    "living: drop_out: mean_rounds_away is 1.5, must be >= 3": LivingNetwork(
        drop_out=DropOut(share=0.75, mean_rounds_away=1.5)
    ),
    "living: drop_out: nodes names 'd3', which is no node": LivingNetwork(
        drop_out=DropOut(share=0.1, nodes=("d3",))
    ),
    "living: straggling: spread is -1, must be": LivingNetwork(straggling=Straggling(spread=-1)),
    "living: straggling: law names 'uniform', which is no law": LivingNetwork(
        straggling=Straggling(law="uniform")
    ),
    "living: losses: probability is 1, must be below 1": LivingNetwork(losses=Losses(probability=1)),
    "living: losses: max_attempts is 0, must be a whole number >= 1": LivingNetwork(
        losses=Losses(probability=0.1, max_attempts=0)
    ),
    "living: gains of 'd1' to 'cloud': band names 'air', which is no band": LivingNetwork(
        gains=(LinkGains(**LINK, factors=(1.0,)),)
    ),
}


@pytest.mark.parametrize(("line", "living"), BROKEN.items(), ids=BROKEN)
def test_a_broken_living_network_is_refused(schedule, line, living):
    (found,) = check_schedule(replace(schedule, living=living))
    assert found.startswith(line)
    with pytest.raises(ScheduleError, match="1 defect"):
        play(replace(schedule, living=living))


def test_gains_are_refused_with_their_place(schedule):
    empty = LinkGains(**LINK, factors=())
    wrong = LinkGains(source="d1", target="d2", band="air", factors=(1.0, 0.0))
    lines = check_schedule(replace(schedule, living=LivingNetwork(gains=(empty, empty, wrong))))
    assert "living: gains of ('d1', 'cloud', 'air') occurs 2 times, must be unique" in lines
    assert "living: gains of 'd1' to 'cloud': factors is empty, must hold at least one" in lines
    assert "living: gains of 'd1' to 'd2': factors[1] is 0.0, must be a finite number > 0" in lines


POLICIES = {
    "deadline_s is 0, must be a finite number > 0": Policy(deadline_s=0),
    "merge_deadline_s is -1.0, must be a finite number > 0": Policy(merge_deadline_s=-1.0),
    "share is 1.5, must be in (0, 1]": Policy(share=1.5),
    "merge_share is 0.0, must be in (0, 1]": Policy(merge_share=0.0),
    "count is 0, must be a whole number >= 1": Policy(count=0),
}


@pytest.mark.parametrize(("line", "policy"), POLICIES.items(), ids=POLICIES)
def test_a_broken_policy_is_refused(schedule, line, policy):
    kinds = tuple(replace(kind, policy=policy) for kind in schedule.kinds)
    assert check_schedule(replace(schedule, kinds=kinds)) == (f"kind 'r': policy: {line}",)


def test_a_living_network_is_written_and_read_back(schedule, tmp_path):
    living = LivingNetwork(
        fading=Fading(model="rician", k_factor=2.0),
        drop_out=DropOut(share=0.3, mean_rounds_away=2.0, nodes=("d1",)),
        straggling=Straggling(law="log-normal", spread=0.2),
        losses=Losses(probability=0.1, max_attempts=None, wired=True),
        gains=(LinkGains(**LINK, factors=(1.0, 0.5)),),
    )
    kinds = tuple(replace(kind, policy=Policy(deadline_s=3.0, share=0.5)) for kind in schedule.kinds)
    lively = replace(schedule, living=living, kinds=kinds)
    write_schedule(lively, tmp_path / "s.json")
    assert read_schedule(tmp_path / "s.json") == lively
    jsonschema.Draft202012Validator(schedule_schema()).validate(json.loads((tmp_path / "s.json").read_text()))


def test_the_page_lists_all_events():
    page = (Path(__file__).parents[3] / "docs" / "living-network.md").read_text()
    section = page[page.index("## What is recorded") :]
    assert re.findall(r"^\| `([\w ]+)` \|", section, flags=re.MULTILINE) == list(EVENTS)
