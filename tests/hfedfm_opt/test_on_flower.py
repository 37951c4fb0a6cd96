"""Plans that Flower's simulation trains: the same models as in one process, real and virtual time apart."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("flwr", reason="the engine is flwr: pip install 'hfedfm-opt[flower]'")

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import ServerApp

from fl_runtime import LearningSettings, run
from fl_runtime.device import part_of, training_devices
from fl_runtime.flower import FlowerRun, GridTraining, NodeFailure, make_client_app, simulate
from fl_runtime.flower.simulation import run_server
from fl_runtime.schedule_json import schedule_text
from fl_runtime.tasks.digits import digits_workload
from hfedfm_opt import plan, write_instance, write_plan
from hfedfm_opt.system.generate.city import city_instance

PLANNERS = ("star", "hierarchical:2", "hierarchical:3", "hierarchical+d2d:2", "consensus:2", "optimised:2")
ROUNDS = 3
data = partial(digits_workload, 200, 60)


@pytest.fixture(scope="module")
def city():
    return city_instance(6, 2)


@pytest.fixture(scope="module")
def schedules(city):
    return {name: plan(city, planner=name).plan.compile(ROUNDS) for name in PLANNERS}


def unlike(schedule, grid):
    """Return a message that asks for a precision that there is not."""
    part = schedule_text(part_of(schedule, training_devices(schedule)[:1]))
    job = {"part": part, "seed": 0, "round": 0, "away": "[]", "precision": "float8"}
    return Message(RecordDict({"job": ConfigRecord(job)}), next(iter(grid.get_node_ids())), MessageType.TRAIN)


@pytest.fixture(scope="module")
def on_flower(schedules):
    """All plans, one after another on the same simulation, and what a message of no schedule gets."""
    server, stop, found = ServerApp(), threading.Event(), {}
    num_nodes = 6

    @server.main()
    def main(grid, context):
        for name, schedule in schedules.items():
            training = GridTraining(grid, schedule, 0, num_nodes=num_nodes, stop=stop)
            measured = run(schedule, data(), learning=LearningSettings(local=training))
            found[name] = FlowerRun(measurements=measured, rounds=tuple(training.rounds), wall_s=1.0)
        star = schedules["star"]
        rough = GridTraining(grid, star, 0, num_nodes=num_nodes, precision="bfloat16", stop=stop)
        learning = LearningSettings(precision="bfloat16", local=rough)
        measured = run(star, data(), learning=learning)
        found["rough"] = FlowerRun(measurements=measured, rounds=tuple(rough.rounds), wall_s=1.0)
        found["wrong precision"] = next(iter(grid.send_and_receive([unlike(star, grid)])))
        wrong = GridTraining(grid, schedules["star"], 0, num_nodes=5, stop=stop)
        with pytest.raises(NodeFailure) as failure:
            wrong(0, {}, frozenset())
        found["wrong number"] = str(failure.value)
        job = ConfigRecord({"part": "no schedule", "seed": 0, "round": 0})
        message = Message(RecordDict({"job": job}), next(iter(grid.get_node_ids())), MessageType.TRAIN)
        found["wrong message"] = next(iter(grid.send_and_receive([message])))
        broken = GridTraining(grid, schedules["star"], 0, num_nodes=num_nodes, stop=stop)
        with pytest.raises(NodeFailure) as failure:
            broken(0, {"adapter": np.zeros((6, 1), dtype=np.float32)}, frozenset())
        found["all fail"] = str(failure.value)

    run_server(server, make_client_app(data), num_nodes, stop=stop)
    return found


@pytest.mark.parametrize("name", PLANNERS)
def test_models_have_the_same_bytes_as_in_one_process(schedules, on_flower, name):
    here, there = run(schedules[name], data()).learning, on_flower[name].measurements.learning

    assert list(here.state) == list(there.state)
    for module, rows in here.state.items():
        assert np.array_equal(rows, there.state[module]), module
        assert not np.array_equal(rows, np.tile(rows.mean(), rows.shape))
    assert np.array_equal(here.accuracy, there.accuracy)


def test_messages_are_counted_array_by_array(schedules, on_flower):
    schedule, rounds = schedules["star"], on_flower["star"].rounds
    state = on_flower["star"].measurements.learning.state
    numbers = sum(rows.size for rows in state.values())
    num_arrays = sum(len(rows) for rows in state.values())

    for round_ in rounds:
        assert 4 * numbers < round_.bytes_from_nodes < 4 * numbers + 400 * num_arrays
        assert round_.bytes_to_nodes > round_.bytes_from_nodes  # the parts of the schedule go along
        assert round_.wall_s > 0
    assert [round_.index for round_ in rounds] == list(range(schedule.rounds))


def test_virtual_and_real_figures_never_share_a_name(schedules, on_flower, tmp_path):
    of_flower = on_flower["hierarchical:2"]
    here = run(schedules["hierarchical:2"], learning=None)
    summary = of_flower.summary()
    of_flower.write_rounds_csv(tmp_path / "flower.csv")
    with (tmp_path / "flower.csv").open() as stream:
        lines = list(csv.DictReader(stream))

    for name in ("latency_s", "energy_j", "makespan_s", "total_bits"):
        assert summary[name] == here.summary()[name]
    assert summary["wall_s_per_round"] == pytest.approx(sum(r.wall_s for r in of_flower.rounds) / ROUNDS)
    assert summary["message_bytes_to_nodes"] == sum(r.bytes_to_nodes for r in of_flower.rounds)
    assert [float(line["model_end_s"]) for line in lines] == here.timeline.round_end_s.tolist()
    assert [float(line["model_energy_j"]) for line in lines] == here.timeline.energy_j.tolist()
    assert [float(line["wall_s"]) for line in lines] == [r.wall_s for r in of_flower.rounds]
    assert {line["missing"] for line in lines} == {""}


def test_a_wrong_number_of_nodes_is_refused(on_flower):
    assert "num-partitions=6, must be 5" in on_flower["wrong number"]


def test_products_of_both_sides_have_the_same_precision(schedules, on_flower):
    here = run(schedules["star"], data(), learning=LearningSettings(precision="bfloat16")).learning
    rough, exact = (on_flower[name].measurements.learning for name in ("rough", "star"))

    assert all(np.array_equal(rows, rough.state[module]) for module, rows in here.state.items())
    assert np.array_equal(here.accuracy, rough.accuracy)
    assert not np.array_equal(rough.state["adapter"], exact.state["adapter"])


def test_an_unknown_precision_is_refused_by_the_nodes(on_flower):
    assert on_flower["wrong precision"].has_error()
    assert "precision is 'float8', must be one of" in on_flower["wrong precision"].error.reason


def test_a_client_that_fails_says_why(on_flower):
    reply = on_flower["wrong message"]

    assert reply.has_error()
    assert "no JSON" in reply.error.reason
    assert on_flower["all fail"].startswith("round 0: no update came: ")


def test_what_cannot_run_is_refused_before_anything_starts(schedules, monkeypatch):
    star = schedules["star"]
    route = star.routes[0]
    module = next(name for name in route.hosts if name.startswith("head"))
    elsewhere = replace(route, hosts={**route.hosts, module: star.nodes[0].id})
    monkeypatch.setattr("fl_runtime.flower.simulation.run_server", lambda *_, **__: pytest.fail("started"))

    with pytest.raises(ValueError, match=r"learning\.local is given, but SuperNodes train here"):
        simulate(star, learning=LearningSettings(local=print))
    with pytest.raises(ValueError, match=f"the trainable module '{module}' is hosted at"):
        simulate(replace(star, routes=(elsewhere, *star.routes[1:])))


@pytest.fixture
def plan_file(city, tmp_path):
    write_instance(city, tmp_path / "city.json")
    result = plan(city, planner="hierarchical:2")
    write_plan(result.plan, tmp_path / "plan.json", tmp_path / "city.json")
    return tmp_path / "plan.json"


def started(*arguments):
    """Start ``hfedfm run`` in a session of its own, so that all that it leaves behind can be found."""
    return subprocess.Popen(
        [sys.executable, "-c", "from hfedfm_opt.cli import main; main()", "run", *map(str, arguments)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )


def left_behind(session):
    """Return the processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what is left behind is looked up in /proc")
def test_the_command_tells_real_time_and_leaves_nothing_behind(plan_file, tmp_path):
    output = tmp_path / "out"
    process = started(plan_file, "--engine", "flower", "--rounds", 2, "-o", output)
    out, errors = process.communicate(timeout=300)

    assert (process.returncode, errors) == (0, "")
    assert "real time" in out
    assert "predicted" in out
    summary = json.loads((output / "summary.json").read_text())
    assert summary["engine"] == "flower"
    assert len((output / "flower.csv").read_text().splitlines()) == 3
    assert len((output / "rounds.csv").read_text().splitlines()) == 3
    assert left_behind(process.pid) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what is left behind is looked up in /proc")
def test_after_ctrl_c_nothing_is_left_behind(plan_file, tmp_path):
    output = tmp_path / "out"
    process = started(plan_file, "--engine", "flower", "--rounds", 1000, "-o", output)
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s and process.poll() is None:
        lines = output / "rounds.csv"
        if lines.exists() and len(lines.read_text().splitlines()) > 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)

    assert (process.returncode, errors) == (130, "hfedfm: interrupted\n")
    assert left_behind(process.pid) == []
    assert len((output / "rounds.csv").read_text().splitlines()) < 1001


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--supernodes", 4], "--supernodes and --patience go with --engine flower"),
        (["--engine", "flower", "--patience", 9], "--patience goes with --supernodes"),
        (["--engine", "flower", "--no-learning"], "--engine flower trains: leave out --no-learning"),
        (
            ["--engine", "flower", "--device", "cpu"],
            "--engine flower trains on processors: leave out --device",
        ),
        (
            ["--engine", "flower", "--supernodes", 4, "--data", "read=gqa:shapes"],
            "train on the data of the package: leave out --data, or --supernodes",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(hfedfm, plan_file, options, message):
    status, _, errors = hfedfm("run", plan_file, *options)

    assert status == 2
    assert message in errors[0]
