"""The example of the page on schedules does what the page says."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from fl_runtime.check import check_schedule
from fl_runtime.clock import play
from fl_runtime.schedule_json import read_schedule, schedule_schema

PAGE = Path(__file__).parents[2] / "docs" / "schedule.md"


@pytest.fixture
def example_path(tmp_path):
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "schedule.json"
    path.write_text(example, encoding="utf-8")
    return path


def test_example_is_sound(example_path):
    assert check_schedule(read_schedule(example_path)) == ()


def test_example_takes_the_seconds_and_joules_of_the_page(example_path):
    timeline = play(read_schedule(example_path))
    assert timeline.latency_s == pytest.approx(4.06, rel=1e-12)
    assert timeline.energy_per_round_j == pytest.approx(
        0.1 + 0.2 + 2 * 0.102 + 2 * 1.02 + 3 * 0.102, rel=1e-12
    )
    assert f"{timeline.energy_per_round_j:.2f} J" in PAGE.read_text(encoding="utf-8")


def test_example_obeys_the_json_schema(example_path):
    validator = jsonschema.Draft202012Validator(schedule_schema())
    example = json.loads(example_path.read_text())
    assert not list(validator.iter_errors(example))
    assert list(validator.iter_errors(example | {"rounds": "ten"}))  # the schema can refuse
