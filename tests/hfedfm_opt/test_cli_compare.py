import csv
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny.json"
PAPER = ROOT / "instances" / "paper-40.json"
KEYS = {
    "planner", "latency_s", "energy_j", "measured_latency_s", "measured_energy_j", "accuracy", "accuracy_sd",
}  # fmt: skip


def test_the_table_has_a_row_for_each_planner(hfedfm):
    status, out, errors = hfedfm("compare", PAPER, "--planners", "star,edge-only", "--no-learning")

    assert (status, errors) == (0, [])
    assert [line.split()[:3] for line in out.splitlines()[4:6]] == [
        ["star", "12.10", "387.2"],
        ["edge-only", "3.537", "59.25"],
    ]
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_json_has_the_rows_that_scripts_rely_on(hfedfm):
    status, out, errors = hfedfm("compare", PAPER, "--planners", "star, edge-only", "--no-learning", "--json")

    rows = json.loads(out)["rows"]
    assert (status, errors) == (0, [])
    assert [row["planner"] for row in rows] == ["star", "edge-only"]
    assert all(set(row) >= KEYS for row in rows)
    assert rows[0]["latency_s"] == pytest.approx(12.1)
    assert rows[0]["measured_latency_s"] == pytest.approx(rows[0]["latency_s"], rel=1e-9)
    assert rows[0]["accuracy"] is None


def test_the_folder_holds_figures_and_plans_that_run_as_they_are(hfedfm, tmp_path):
    folder = tmp_path / "new" / "results"

    status, out, _ = hfedfm("compare", PAPER, "--planners", "star,edge-only", "--no-learning", "-o", folder)

    assert status == 0
    assert out.splitlines()[-1] == f"written to {folder}"
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    with (folder / "comparison.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [float(line["latency_s"]) for line in table] == [row["latency_s"] for row in rows]
    plans = sorted((folder / "plans").iterdir())
    assert len(plans) == 2
    for plan in plans:
        status, out, _ = hfedfm("run", plan, "--no-learning", "--json")
        assert status == 0
        assert json.loads(out)["latency_s"] in [pytest.approx(row["latency_s"]) for row in rows]


@pytest.fixture
def folder(hfedfm, tmp_path):
    assert hfedfm("compare", PAPER, "--planners", "edge-only", "--no-learning", "-o", tmp_path)[0] == 0
    return tmp_path


def test_the_report_is_written_again_with_the_same_bytes(hfedfm, folder):
    pytest.importorskip("plotly", reason="reports need plotly")
    first = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()

    status, out, errors = hfedfm("report", folder)

    assert (status, out, errors) == (0, f"written to {folder / 'report.html'}\n", [])
    assert (folder / "report.html").read_bytes() == first


def test_without_plotly_the_figures_are_written_and_the_remedy_is_said(hfedfm, tmp_path, monkeypatch):
    import hfedfm_opt.study.report as writer

    monkeypatch.setattr(writer, "find_spec", lambda name: None)
    status, _, errors = hfedfm("compare", PAPER, "--planners", "star", "--no-learning", "-o", tmp_path)

    remedy = "hfedfm: a report needs plotly: pip install 'hfedfm-opt[report]'"
    assert (status, errors) == (0, [f"{remedy}, then: hfedfm report {tmp_path}"])
    assert (tmp_path / "comparison.json").exists()
    assert hfedfm("report", tmp_path) == (2, "", [remedy])


def test_a_folder_without_a_comparison_is_wrong_use(hfedfm, folder):
    status, _, errors = hfedfm("report", folder / "plans")
    assert status == 2
    assert "comparison.json: there is no such file" in errors[0]

    (folder / "comparison.json").write_text("{}")
    status, _, errors = hfedfm("report", folder)
    assert status == 2
    assert "is no hfedfm-comparison of version 1" in errors[0]


@pytest.mark.parametrize(
    ("options", "duplexes"),
    [
        ([], ["as given"]),
        (["--duplex", "half"], ["half"]),
        (["--duplex", "both"], ["full", "half"]),
        (["--duplex", "full", "--duplex", "as-given"], ["full", "as given"]),
        (["--duplex", "both", "--duplex", "half"], ["full", "half"]),
    ],
)
def test_duplexes_are_compared_in_the_order_asked(hfedfm, options, duplexes):
    out = hfedfm("compare", PAPER, "--planners", "edge-only", "--no-learning", "--json", *options)[1]

    assert [row["duplex"] for row in json.loads(out)["rows"]] == duplexes


def test_training_gives_accuracies_with_their_spread(hfedfm):
    pytest.importorskip("torch", reason="training needs torch")

    command = ("compare", PAPER, "--planners", "edge-only", "--rounds", 1, "--seeds", 2, "--json")
    document = json.loads(hfedfm(*command)[1])

    assert 0 < document["rows"][0]["accuracy"] < 1
    assert document["rows"][0]["accuracy_sd"] > 0
    assert document["settings"]["seeds"] == [0, 1]


def test_a_planner_without_a_plan_is_said_with_status_1(hfedfm):
    status, out, errors = hfedfm("compare", TINY, "--planners", "local-only,star", "--no-learning")

    assert status == 1
    assert "infeasible" in out
    assert errors == ["hfedfm: no plan of star (as given): there is no link from 'd3' to 'e1'"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--planners", "star,edgeonly"], "there is no planner 'edgeonly'; did you mean 'edge-only'?"),
        (["--planners", "star,"], "there is no planner ''"),
        (["--planners", "star,star"], "--planners names star more than once: name each planner once"),
        (["--seeds", "0"], "'--seeds'"),
        (["--rounds", "0"], "'--rounds'"),
        (["--duplex", "none"], "'--duplex'"),
    ],
)
def test_wrong_use_is_said_before_anything_is_planned(hfedfm, tmp_path, options, line):
    status, out, errors = hfedfm("compare", PAPER, "-o", tmp_path / "out", *options)

    assert (status, out) == (2, "")
    assert line in errors[0]
    assert not (tmp_path / "out").exists()
