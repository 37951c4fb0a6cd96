"""Rounds are told to observers as they end, with their costs; writers keep all of it."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fl_runtime import LearningSettings
from fl_runtime.observers import RoundCsv, RoundTensorBoard, several
from fl_runtime.round_report import Reporter, RoundReport
from fl_runtime.run import run
from fl_runtime.schedule_json import read_schedule

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schedule(tmp_path_factory):
    """The example of the page on schedules: each round takes 4.06 s, 2.85 J and 4.08 Mbit."""
    page = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    path = tmp_path_factory.mktemp("run") / "schedule.json"
    path.write_text(example, encoding="utf-8")
    return replace(read_schedule(path), rounds=3)


def report(index, **fields):
    return RoundReport(
        index=index,
        num_rounds=2,
        kind="edge",
        reaches_cloud=False,
        end_s=1.5 * (index + 1),
        energy_j=0.1,
        bits=8.0,
        **fields,
    )


def test_a_run_that_trains_nothing_tells_all_rounds_with_the_figures_of_the_page(schedule):
    told = []
    run(schedule, observer=told.append, learning=None)
    assert [(r.index, r.num_rounds, r.kind) for r in told] == [(i, 3, "round") for i in range(3)]
    assert [r.end_s for r in told] == pytest.approx([4.06, 8.12, 12.18])
    assert [r.energy_j for r in told] == pytest.approx([2.85] * 3, abs=5e-3)
    assert [r.bits for r in told] == pytest.approx([4 * 1.02e6] * 3)
    assert all(r.mean_accuracy is None and r.wall_left_s is None for r in told)


def test_time_left_is_what_the_trained_rounds_took_on_average(schedule, monkeypatch):
    timeline = run(schedule, learning=None).timeline
    now = iter([0.0, 0.0, 10.0, 14.0, 20.0])  # made; a replayed round; replay over; two rounds trained
    monkeypatch.setattr("fl_runtime.round_report.time.monotonic", lambda: next(now))
    told = []
    reporter = Reporter(schedule, timeline, told.append)
    reporter.tell_replayed([{"read": 0.1}])
    reporter.tell(1, {"read": 0.2})
    reporter.tell(2, {"read": 0.3})
    assert [r.is_replayed for r in told] == [True, False, False]
    assert [(r.wall_s, r.wall_left_s) for r in told] == [(0.0, None), (4.0, 4.0), (10.0, 0.0)]


def test_a_killed_and_resumed_run_writes_the_same_file_and_hears_all_rounds(schedule, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    with RoundCsv(tmp_path / "whole.csv") as whole:
        run(schedule, observer=whole)

    def kill(heard):
        if heard.index == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RoundCsv(tmp_path / "part.csv") as part:
        run(schedule, observer=several(part, kill), learning=LearningSettings(checkpoint=tmp_path / "states"))
    assert len((tmp_path / "part.csv").read_text().splitlines()) == 3
    told = []
    with RoundCsv(tmp_path / "part.csv") as part:
        run(
            schedule,
            observer=several(part, told.append),
            learning=LearningSettings(checkpoint=tmp_path / "states", resume=True),
        )
    assert (tmp_path / "part.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert [r.is_replayed for r in told] == [True, True, False]


def test_csv_keeps_all_digits_and_has_a_column_for_each_task(tmp_path):
    path = tmp_path / "rounds.csv"
    with RoundCsv(path) as writer:
        writer(report(0, accuracy={"spoken": 1 / 3, "read": 0.5}))
        writer(report(1, accuracy={"spoken": 0.25, "read": 0.75}))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["round"] for row in rows] == ["0", "1"]
    assert [float(row["accuracy of spoken"]) for row in rows] == [1 / 3, 0.25]
    assert [float(row["accuracy"]) for row in rows] == [(1 / 3 + 0.5) / 2, 0.5]
    assert [float(row["end_s"]) for row in rows] == [1.5, 3.0]


@pytest.mark.parametrize("make", [RoundCsv, RoundTensorBoard])
def test_a_writer_outside_a_with_statement_says_so(make, tmp_path):
    if make is RoundTensorBoard:
        pytest.importorskip("tensorboard", reason="needs tensorboard")
    with pytest.raises(ValueError, match="is not open: use the writer in a with statement"):
        make(tmp_path / "x")(report(0))


def test_tensorboard_shows_each_round_once_after_a_resume(tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for last in (1, 2):  # the first run is killed after its first round
        with RoundTensorBoard(tmp_path / "log") as writer:
            for index in range(last):
                writer(report(index, accuracy={"read": 0.25 * (index + last)}))
    events = accumulator.EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("accuracy/read")] == [(1, 0.5), (2, 0.75)]
    assert [e.value for e in events.Scalars("round/latency_s")] == [1.5, 1.5]
    assert [e.value for e in events.Scalars("total/energy_j")] == pytest.approx([0.1, 0.2])
