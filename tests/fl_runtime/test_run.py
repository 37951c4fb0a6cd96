import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fl_runtime.clock import play
from fl_runtime.errors import ScheduleError
from fl_runtime.fading import Fading
from fl_runtime.run import run
from fl_runtime.schedule_json import read_schedule

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schedule(tmp_path_factory):
    """The example of the page on schedules, two rounds of it."""
    page = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    path = tmp_path_factory.mktemp("run") / "schedule.json"
    path.write_text(example, encoding="utf-8")
    return replace(read_schedule(path), rounds=2)


def test_run_without_learning_is_what_the_clock_plays(schedule):
    measurements = run(schedule, seed=3, fading=Fading(), learning=None)
    assert measurements.learning is None
    assert measurements.seed == 3
    assert np.array_equal(measurements.timeline.end_s, play(schedule, fading=Fading(), seed=3).end_s)


def test_run_with_learning_tells_the_observer_and_returns_the_curve(schedule):
    pytest.importorskip("torch", reason="training needs torch")
    seen = []
    measurements = run(schedule, observer=seen.append)
    assert [report.index for report in seen] == [0, 1]
    assert measurements.learning.tasks == ("read",)
    assert measurements.summary()["accuracy_of_task"] == seen[-1].accuracy


def test_run_refuses_a_schedule_with_defects_before_it_trains(schedule):
    with pytest.raises(ScheduleError, match="cycle is empty, must name at least one kind of round"):
        run(replace(schedule, cycle=()))


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_neither_torch_nor_the_planners():
    code = "import fl_runtime, sys; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = set(re.findall(r"'(\w+)'", in_a_new_process(code)))
    assert not loaded & {"torch", "scipy", "cvxpy", "ortools", "solvers", "hfedfm_opt"}


def test_public_names_are_sorted_and_there():
    code = (
        "import fl_runtime as f; assert f.__all__ == sorted(f.__all__);"
        "assert all(hasattr(f, name) for name in f.__all__); print(callable(f.run))"
    )
    assert in_a_new_process(code) == "True\n"
