import csv
import io
import json
import shutil
from xml.etree import ElementTree

import pytest

from hfedfm_opt.planning.plan_file import read_plan
from hfedfm_opt.planning.recipes import UnknownPlanner
from hfedfm_opt.study.sweeping.files import write_sweep
from hfedfm_opt.study.sweeping.runs import CHECKPOINTS, RUNS, KeptRun, KeptRunsError, Runs, read_runs
from hfedfm_opt.study.sweeping.settings import Floor, SweepOptions
from hfedfm_opt.study.sweeping.sweep import sweep
from hfedfm_opt.study.sweeping.tables import facts_of, sweep_csv, sweep_document, tables_of_sweep

OPTIONS = SweepOptions(
    periods=(1,), bits=((2, 2),), momenta=(0.0, 0.6), rounds=2, seeds=(0, 1), metric="sync"
)
RUN = KeptRun(
    key="k",
    name="one",
    seed=0,
    tasks=("a", "b"),
    accuracy=((0.1, 0.3), (0.5, 0.7), (0.2, 0.2)),
    reached_cloud=(False, True, False),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def swept(small, folder):
    """A sweep that is killed in its fourth run, and then called again on the same folder."""
    pytest.importorskip("torch", reason="training needs torch")
    seen = []

    def kill(name, done, rounds):
        seen.append((name, done))
        if len(seen) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(small, OPTIONS, folder=folder, observer=kill)
    assert len(read_runs(folder / RUNS)) == 3
    shutil.copy(folder / RUNS, folder / "killed")
    after = []
    found = sweep(small, OPTIONS, folder=folder, observer=lambda *what: after.append(what))
    return found, seen, after


def test_a_killed_sweep_goes_on_without_repeating_a_round(swept, folder):
    found, seen, after = swept

    assert after[0][:2] == (seen[-1][0], 2)  # its first round was kept
    assert len(seen) + len(after) == 2 * 6
    assert found.num_trained == 3
    assert (folder / RUNS).read_text().startswith((folder / "killed").read_text())
    assert not (folder / CHECKPOINTS).exists()


def test_each_row_says_what_its_runs_reached(swept):
    found, _, _ = swept
    by_name = {}
    for run in found.runs:
        by_name.setdefault(run.name, {})[run.seed] = run

    assert {row.name for row in found.rows} == {
        "E = 2, 32 bits",
        "E = 1, 2 bits",
        "E = 1, 2 bits, momentum 0.6",
    }
    for row in found.rows:
        values = [run.percent("sync") for run in by_name[row.name].values()]
        base = [run.percent("sync") for run in by_name["E = 2, 32 bits"].values()]
        assert row.sync.mean == pytest.approx(sum(values) / 2)
        assert row.difference.mean == pytest.approx(sum(values) / 2 - sum(base) / 2)
        assert row.latency_s == pytest.approx(found.planned[row.name].plan.prediction.latency_s)
    assert found.chosen_row.sync.mean == max(row.sync.mean for row in found.rows)


def test_all_runs_kept_means_no_run_made_and_the_same_rows(swept, small, folder):
    again = sweep(small, OPTIONS, folder=folder)

    assert again.num_trained == 0
    assert again.rows == swept[0].rows
    assert again.chosen == swept[0].chosen


def test_a_floor_chooses_the_cheapest_that_holds_it(swept, small, folder):
    rows = {row.name: row for row in swept[0].rows}
    low = min(row.difference.mean for row in rows.values()) - 1.0

    floor = Floor(percent=low, to_reference=True)
    found = sweep(small, SweepOptions(**{**vars(OPTIONS), "floor": floor}), folder=folder)
    absolute = Floor(percent=rows["E = 2, 32 bits"].sync.mean + low)
    same = sweep(small, SweepOptions(**{**vars(OPTIONS), "floor": absolute}), folder=folder)
    none = sweep(small, SweepOptions(**{**vars(OPTIONS), "floor": Floor(percent=99.0)}), folder=folder)

    assert found.chosen == same.chosen == min(rows.values(), key=lambda row: row.objective).name
    assert found.num_trained == 0
    assert none.chosen is None
    assert none.why == "no candidate that ran holds the floor 99"


def test_limits_hold_for_candidates_and_the_choice(small, swept, folder):
    limited = SweepOptions(**{**vars(OPTIONS), "max_latency_s": 0.1})

    found = sweep(small, limited, folder=folder)

    assert found.chosen is None
    assert [row.kind for row in found.rows] == ["reference"]
    assert all("more than 0.1 s" in one.reason for one in found.skipped)


def test_no_time_makes_no_run(small):
    found = sweep(small, SweepOptions(**{**vars(OPTIONS), "time_limit_s": 1e-9}))

    assert (found.chosen, found.rows, found.timed_out) == (None, (), True)


def test_the_folder_holds_what_the_sweep_found(swept, tmp_path):
    found = swept[0]

    write_sweep(found, tmp_path, "hfedfm sweep")

    plan = read_plan(tmp_path / "plan.json")
    assert plan.violations == ()
    assert plan.prediction.latency_s == pytest.approx(found.chosen_row.latency_s)
    assert len(list((tmp_path / "plans").iterdir())) == len(found.front)
    document = json.loads((tmp_path / "sweep.json").read_text())
    assert document["chosen"] == found.chosen
    assert [row["name"] for row in document["rows"]] == [row.name for row in found.rows]
    table = list(csv.DictReader(io.StringIO((tmp_path / "sweep.csv").read_text())))
    assert [float(row["latency_s"]) for row in table] == [row.latency_s for row in found.rows]
    picture = ElementTree.parse(tmp_path / "sweep.svg").getroot()
    words = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert "E = 2, 32 bits" in words
    assert found.chosen in words


def test_tables_show_the_baselines_at_the_precision_of_the_choice(swept):
    found = swept[0]
    measured, beside = tables_of_sweep(found)[:2]

    assert [row[0].removesuffix(" (reference)") for row in measured.rows] == [row.name for row in found.rows]
    assert {(row.planner, row.bits) for row in found.beside} >= {("star", "2"), ("star", "32")}
    assert beside.rows[-1][0] == f"optimised: {found.chosen}"
    assert dict(facts_of(found))["runs"] == "3 made, 3 found"
    assert sweep_document(found)["baselines"][0]["planner"] == "star"
    assert sweep_csv(found).startswith("name,kind,latency_s,energy_j")


def test_metrics_are_as_worked_by_hand():
    assert RUN.percent("sync") == pytest.approx(60.0)
    assert RUN.percent("late") == pytest.approx(20.0)


def test_a_line_that_a_kill_cut_off_is_made_again(tmp_path):
    runs = Runs(tmp_path)
    (tmp_path / CHECKPOINTS / "k").mkdir(parents=True)
    runs._keep(RUN, tmp_path / CHECKPOINTS / "k")
    with (tmp_path / RUNS).open("a") as file:
        file.write('{"key": "half')

    assert read_runs(tmp_path / RUNS) == [RUN]
    assert len(Runs(tmp_path)) == 1
    assert (tmp_path / RUNS).read_text().endswith("}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{]", r"runs.jsonl: line 1: is not JSON"),
        ('{"key": 1}', r"line 1: has key, must have accuracy, key,"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    (tmp_path / RUNS).write_text(line + "\n")

    with pytest.raises(KeptRunsError, match=message):
        Runs(tmp_path)


def test_a_planner_without_a_period_is_refused(small):
    with pytest.raises(UnknownPlanner, match="cannot take planner 'star', must be one that takes a period"):
        sweep(small, SweepOptions(planner="star"))
    with pytest.raises(ValueError, match=r"seeds are \[1, 1\], must be"):
        sweep(small, SweepOptions(seeds=(1, 1)))
