import csv
import json
from types import SimpleNamespace

import pytest

from fl_runtime.clock import play
from fl_runtime.measurements import (
    Measurements,
    rows_of,
    write_rows_csv,
    write_rows_json,
    write_summary_json,
)
from fl_runtime.schedule import Evaluate, Module, Node, Replica, RoundKind, Schedule, Transfer, Wired
from fl_runtime.timeline import COLUMNS


@pytest.fixture
def timeline():
    """Three rounds of 1, 3 and 1 seconds at 2 watts; the cycle has two rounds."""
    kinds = tuple(
        RoundKind(
            name=name,
            steps=(
                Transfer(
                    id="s",
                    source="a",
                    target="b,c",
                    content="activation",
                    modules=("m", "n"),
                    bits=bits,
                    medium=Wired(rate_bps=10.0, power_w=2.0),
                ),
                Evaluate(id="e", after=("s",)),
            ),
        )
        for name, bits in (("short", 10.0), ("long", 30.0))
    )
    schedule = Schedule(
        name="wire",
        nodes=(Node(id="a", tier="device"), Node(id="b,c", tier="edge")),
        bands=(),
        modules=tuple(Module(id=name, kind="head", update_bits=1.0, trainable=True) for name in "mn"),
        replicas=tuple(Replica(module=name, host="a", weight=1.0) for name in "mn"),
        routes=(),
        kinds=kinds,
        cycle=("short", "long"),
        rounds=3,
    )
    return play(schedule)


CURVE = SimpleNamespace(at_last_sync={"read": 0.5, "cmp": 0.75}, late_average={"read": 0.25, "cmp": 0.75})


def test_summary_gives_figures_of_whole_cycles_and_totals(timeline):
    assert Measurements(schedule_name="wire", seed=4, timeline=timeline).summary() == {
        "schedule": "wire",
        "seed": 4,
        "rounds": 3,
        "latency_s": 2.0,
        "energy_j": 4.0,
        "makespan_s": 5.0,
        "total_energy_j": 10.0,
        "total_bits": 50.0,
        "accuracy": None,
        "accuracy_late": None,
        "accuracy_of_task": None,
        "accuracy_late_of_task": None,
    }


def test_summary_gives_accuracies_per_task_and_their_means(timeline):
    summary = Measurements(schedule_name="wire", seed=0, timeline=timeline, learning=CURVE).summary()
    assert (summary["accuracy"], summary["accuracy_late"]) == (0.625, 0.5)
    assert summary["accuracy_of_task"] == {"read": 0.5, "cmp": 0.75}


def test_rows_are_plain_data_in_the_order_of_the_columns(timeline):
    first = next(rows_of(timeline))
    assert tuple(first) == COLUMNS
    assert first == {
        "round": 0,
        "step": "s",
        "action": "transfer",
        "node": "a",
        "peer": "b,c",
        "modules": ("m", "n"),
        "bits": 10.0,
        "start_s": 0.0,
        "end_s": 1.0,
        "node_energy_j": 2.0,
        "peer_energy_j": 0.0,
    }


def test_csv_rows_hold_all_digits_and_quote_names(timeline, tmp_path):
    write_rows_csv(timeline, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["end_s"]) for row in rows] == timeline.end_s.tolist()
    assert rows[0]["peer"] == "b,c"
    assert rows[0]["modules"] == "m+n"


def test_json_rows_are_those_of_the_timeline(timeline, tmp_path):
    write_rows_json(timeline, tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows == [row | {"modules": list(row["modules"])} for row in rows_of(timeline)]


def test_summary_file_holds_the_summary(timeline, tmp_path):
    measurements = Measurements(schedule_name="wire", seed=0, timeline=timeline, learning=CURVE)
    write_summary_json(measurements, tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text()) == measurements.summary()
