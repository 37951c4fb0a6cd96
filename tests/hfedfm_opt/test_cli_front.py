"""``hfedfm front``: what it prints, writes and refuses."""

import csv
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "instances" / "paper-40.json"


def test_the_plan_at_a_latency_costs_what_the_front_says(hfedfm, tmp_path):
    plan = tmp_path / "plan.json"
    status, out, err = hfedfm("front", PAPER, "--period", 2, "--at", 8, "-o", plan)

    assert (status, err) == (0, [])
    assert f"{plan}: 7.99919 s, 63.3519 J per round" in out
    assert "34 plans, 7 of them best at some prices" in out
    status, out, _ = hfedfm("check", PAPER, plan)
    assert status == 0
    assert "7.99919 s, 63.3519 J" in out


@pytest.mark.parametrize(
    ("end", "cost"), [("fastest", "7.95121 s, 63.4392 J"), ("frugal", "8.40244 s, 63.0354 J")]
)
def test_the_ends_are_plans_too(hfedfm, tmp_path, end, cost):
    plan = tmp_path / "plan.json"

    assert hfedfm("front", PAPER, "--period", 2, "--at", end, "-o", plan)[0] == 0
    assert cost in hfedfm("check", PAPER, plan)[1]


def test_json_csv_and_picture_have_the_same_points(hfedfm, tmp_path):
    table, picture = tmp_path / "front.csv", tmp_path / "front.svg"
    status, out, _ = hfedfm(
        "front", PAPER, "--period", 8, "--duplex", "half", "-o", table, "-o", picture, "--json"
    )
    document = json.loads(out)
    rows = list(csv.DictReader(table.read_text().splitlines()))

    assert status == 0
    assert document["exact"]
    assert document["files"] == [str(table), str(picture)]
    assert [(float(row["latency_s"]), float(row["energy_j"])) for row in rows] == [
        (point["latency_s"], point["energy_j"]) for point in document["points"]
    ]
    assert picture.read_text().count("<circle") == len(rows) + len(document["beside"])


def test_no_other_planner_beats_the_front(hfedfm):
    document = json.loads(hfedfm("front", PAPER, "--period", "never", "--json")[1])

    assert {other["planner"] for other in document["beside"]} >= {"edge-only", "edge-only+d2d"}
    for other in document["beside"]:
        assert other["front_energy_j"] is None or other["front_energy_j"] <= other["energy_j"] * (1 + 1e-9)
    assert sum(other["front_energy_j"] is not None for other in document["beside"]) > 3


def test_allocated_uplinks_are_priced_at_the_latency_asked_for(hfedfm, tmp_path):
    plan = tmp_path / "plan.json"
    arguments = ("--period", 2, "--uplinks", "allocated", "--points", 3, "--at", 7.5, "-o", plan)
    status, out, _ = hfedfm("front", PAPER, *arguments)

    assert status == 0
    assert "more lie between" in out
    assert "7.5 s" in hfedfm("check", PAPER, plan)[1]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--at", "1", "-o", "plan.json"], 1, "no plan takes at most 1 s per round: the fastest takes"),
        (["-o", "plan.json"], 2, "would be a plan: say which, --at fastest, frugal or seconds"),
        (["--at", "8"], 2, "--at says which plan to write: give its file, -o PLAN"),
        (["--at", "8", "-o", "a.csv"], 2, "--at says which plan to write"),
        (["--at", "soon", "-o", "plan.json"], 2, "--at is 'soon', must be seconds > 0, fastest or frugal"),
        (["--at", "nan", "-o", "plan.json"], 2, "--at is 'nan', must be seconds > 0"),
        (["--period", "0"], 2, "must be a whole number >= 1 or 'never'"),
        (["--points", "1"], 2, "Invalid value for '--points'"),
        (["-o", "nowhere/front.csv"], 2, "there is no folder 'nowhere'"),
    ],
)
def test_wrong_use_is_one_line(hfedfm, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    found, out, err = hfedfm("front", PAPER, *arguments)

    assert (found, out) == (status, "")
    assert len(err) == 1
    assert message in err[0]
    assert list(tmp_path.iterdir()) == []


def test_without_a_plan_the_message_says_what_to_relax(hfedfm, tmp_path):
    content = json.loads(PAPER.read_text())
    content["limits"] = {"max_latency_s": 1.0}
    strict = tmp_path / "strict.json"
    strict.write_text(json.dumps(content))
    status, out, err = hfedfm("front", strict)

    assert (status, out) == (1, "")
    assert "no plan ends a round within limits.max_latency_s = 1.0 s: relax it" in err[0]
