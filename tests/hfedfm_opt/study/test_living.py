"""Instances in a living network: the runtime's words, gains that follow places, and the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from fl_runtime import check_schedule, play
from hfedfm_opt.cli import call
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.study.living import gains_of_moves, living_schedule
from hfedfm_opt.system.instance import DropOut, Living, Losses, Mobility, RoundPolicy
from hfedfm_opt.system.read import read_instance, write_instance

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def campus():
    return plan(read_instance(ROOT / "instances" / "campus.json"), "hierarchical:2").plan


@pytest.fixture(scope="module")
def paper():
    return plan(read_instance(ROOT / "instances" / "paper-40.json"), "hierarchical:2").plan


def test_without_anything_living_the_schedule_is_that_of_the_plan(campus):
    assert living_schedule(campus, 4, None) == campus.compile(4)
    assert living_schedule(campus, 4, Living()) == campus.compile(4)


def test_parts_and_policy_arrive_in_the_schedule(paper):
    living = Living(
        drop_out=DropOut(share=0.3, mean_rounds_away=2.0), losses=Losses(probability=0.1),
        policy=RoundPolicy(deadline_s=30.0, merge_share=0.5),
    )  # fmt: skip
    schedule = living_schedule(paper, 4, living)
    assert check_schedule(schedule) == ()
    assert (schedule.living.drop_out.share, schedule.living.drop_out.mean_rounds_away) == (0.3, 2.0)
    assert schedule.living.losses.max_attempts == 4
    assert {(k.policy.deadline_s, k.policy.merge_share) for k in schedule.kinds} == {(30.0, 0.5)}


def test_devices_that_stand_still_change_no_gain(campus):
    device = campus.network.devices[0]
    x_m, y_m, _ = campus.network.nodes[device].position_m
    gains = gains_of_moves(campus, campus.compile(3), {device: np.array([[x_m, y_m]] * 3)})
    assert gains
    assert {factor for each in gains for factor in each.factors} == {1.0}


def test_a_device_that_walks_away_gets_weaker_and_its_transfers_longer(campus, tmp_path):
    device = campus.network.devices[0]
    x_m, y_m, _ = campus.network.nodes[device].position_m
    path = tmp_path / "trace.csv"
    path.write_text(f"time_s,node,x_m,y_m\n0,{device},{x_m},{y_m}\n1000000,{device},{x_m + 4000},{y_m}\n")
    living = Living(mobility=Mobility(round_s=250000.0))
    schedule = living_schedule(campus, 5, living, trace=path)
    assert all(device in (each.source, each.target) for each in schedule.living.gains)
    for each in schedule.living.gains:
        assert each.factors[0] == pytest.approx(1.0, rel=1e-12)
        assert each.factors[-1] < 0.01
    timeline, still = play(schedule), play(campus.compile(5))
    assert timeline.round_end_s[0] == pytest.approx(still.round_end_s[0], rel=1e-12)
    assert timeline.makespan_s > still.makespan_s


def test_stated_gains_cannot_follow_and_that_is_said(paper):
    with pytest.raises(ValueError, match="no link that the plan uses gets its gain from a channel model"):
        living_schedule(paper, 4, Living(mobility=Mobility()))


def test_an_instance_says_what_lives_and_is_read_back(tmp_path, campus):
    living = Living(drop_out=DropOut(share=0.25), mobility=Mobility(), policy=RoundPolicy(count=2))
    instance = campus.instance.model_copy(update={"living": living})
    write_instance(instance, tmp_path / "lively.json")
    assert read_instance(tmp_path / "lively.json") == instance


def test_a_plan_serves_an_instance_whose_living_network_changes(campus):
    changed = campus.instance.model_copy(update={"living": Living(drop_out=DropOut(share=0.5))})
    assert instance_digest(changed) == instance_digest(campus.instance)


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    instance = str(ROOT / "instances" / "paper-40.json")
    assert call(["solve", instance, "--planner", "hierarchical:2", "-o", str(path)]) == 0
    return str(path)


FAULTS = ["--drop-out", "0.3", "--loss", "0.4", "--attempts", "2", "--straggling", "0.5", "--quorum", "0.7"]


def test_run_says_who_was_missing_and_writes_events(plan_file, tmp_path, capsys):
    capsys.readouterr()
    assert call(["run", plan_file, "--rounds", "4", "--no-learning", "-o", str(tmp_path), *FAULTS]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")]
    summary = json.loads((tmp_path / "summary.json").read_text())["living"]
    assert f"{summary['away'] / 4:.3g} devices away a round, {summary['lost']} transfers lost" in line
    with (tmp_path / "events.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for name in ("away", "slow", "lost", "repeated", "not sent", "called off"):
        assert sum(row["event"] == name for row in rows) == summary[name] > 0
    assert "living" in json.loads((tmp_path / "schedule.json").read_text())


def test_a_still_run_says_nothing_of_it(plan_file, tmp_path, capsys):
    capsys.readouterr()
    assert call(["run", plan_file, "--rounds", "2", "--no-learning", "-o", str(tmp_path)]) == 0
    assert "missing" not in capsys.readouterr().out
    assert "living" not in json.loads((tmp_path / "summary.json").read_text())
    assert not (tmp_path / "events.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop-out", "1.5"], "drop_out.share: Input should be less than 1"),
        (["--attempts", "3"], "--attempts needs --loss"),
        (["--rounds-away", "3"], "--rounds-away needs --drop-out"),
        (["--drop-out", "0.9", "--rounds-away", "2"], "mean_rounds_away is 2.0, must be >= 9"),
        (["--deadline", "0"], "policy.deadline_s: Input should be greater than 0"),
        (["--trace", "nowhere.csv"], "'nowhere.csv' cannot be read: No such file or directory"),
        (["--walk", "2"], "no link that the plan uses gets its gain from a channel model"),
    ],
)
def test_wrong_options_are_one_readable_line(plan_file, capsys, options, message):
    capsys.readouterr()
    assert call(["run", plan_file, "--no-learning", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
