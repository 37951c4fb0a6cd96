import json
from pathlib import Path

import jsonschema
import pytest

from hfedfm_opt.planning.plan_file import (
    PlanFileError,
    parse_plan,
    plan_schema,
    plan_schema_text,
    plan_text,
    read_plan,
    write_plan,
)
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.system.decisions import Decisions
from hfedfm_opt.system.files import FileError
from hfedfm_opt.system.read import read_instance, write_instance

INSTANCES = Path(__file__).parents[3] / "instances"
PAPER = INSTANCES / "paper-40.json"


@pytest.fixture(scope="module")
def paper():
    return read_instance(PAPER)


@pytest.fixture(scope="module")
def relayed(paper):
    return plan(paper, "hierarchical+d2d:4").plan


@pytest.fixture
def text(relayed):
    return plan_text(relayed.decisions)


@pytest.mark.parametrize("planner", ["star", "edge-only", "hierarchical+d2d:4", "local-only", "optimised"])
def test_reading_gives_the_plan_that_was_written_and_writing_it_the_same_bytes(paper, planner, tmp_path):
    first = plan(paper, planner).plan
    write_plan(first, tmp_path / "a.json")

    second = read_plan(tmp_path / "a.json", paper)
    write_plan(second, tmp_path / "b.json")

    assert second == first
    assert second.violations == ()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_packed_plan_is_the_same_plan(relayed, paper, tmp_path):
    write_plan(relayed, tmp_path / "plan.json.gz")

    assert (tmp_path / "plan.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert read_plan(tmp_path / "plan.json.gz", paper) == relayed


def test_each_hop_has_a_line_of_its_own(text):
    lines = text.splitlines()

    assert lines[:3] == ["{", ' "format": "hfedfm-plan",', ' "version": 1,']
    assert lines[-1] == "}"
    assert all(line.count('"source"') <= 1 for line in lines)
    assert sum('"source"' in line for line in lines) > 100
    assert json.loads(text)["claim"]["proof"]


def test_a_plan_names_its_instance_relative_to_its_own_folder(paper, relayed, tmp_path):
    (tmp_path / "plans").mkdir()
    write_instance(paper, tmp_path / "net.json")

    write_plan(relayed, tmp_path / "plans" / "p.json", instance_file=tmp_path / "net.json")

    content = json.loads((tmp_path / "plans" / "p.json").read_text())
    assert content["instance_file"] == "../net.json"
    assert read_plan(tmp_path / "plans" / "p.json").instance == paper


def test_a_plan_and_its_instance_may_move_together(paper, relayed, tmp_path):
    (tmp_path / "old").mkdir()
    write_instance(paper, tmp_path / "old" / "net.json")
    write_plan(relayed, tmp_path / "old" / "p.json", instance_file=tmp_path / "old" / "net.json")

    (tmp_path / "old").rename(tmp_path / "new")

    assert read_plan(tmp_path / "new" / "p.json").violations == ()


def test_writing_a_plan_elsewhere_keeps_the_way_to_its_instance(paper, relayed, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_instance(paper, tmp_path / "net.json")
    write_plan(relayed, tmp_path / "p.json", instance_file=tmp_path / "net.json")

    write_plan(read_plan(tmp_path / "p.json"), tmp_path / "deep" / "er" / "p.json")

    assert read_plan(tmp_path / "deep" / "er" / "p.json").instance == paper


def test_a_plan_without_instance_file_asks_for_it(relayed, tmp_path):
    write_plan(relayed, tmp_path / "p.json")

    with pytest.raises(PlanFileError, match=r"instance_file is missing, must be given; .*--instance FILE"):
        read_plan(tmp_path / "p.json")


def test_an_instance_that_is_gone_is_said_with_the_remedy(relayed, tmp_path):
    write_plan(relayed, tmp_path / "p.json", instance_file=tmp_path / "gone.json")

    with pytest.raises(PlanFileError, match=r"gone.json', which is not there, must be a file; .*--instance"):
        read_plan(tmp_path / "p.json")


def test_an_instance_that_has_changed_is_refused(paper, relayed, tmp_path):
    changed = paper.model_copy(update={"training": paper.training.model_copy(update={"local_steps": 5})})
    write_instance(changed, tmp_path / "net.json")
    write_plan(relayed, tmp_path / "p.json", instance_file=tmp_path / "net.json")

    with pytest.raises(PlanFileError, match=r"has changed since .*plan again .*--instance FILE"):
        read_plan(tmp_path / "p.json")


def test_texts_and_prices_of_the_instance_may_change(paper, relayed, tmp_path):
    renamed = paper.model_copy(update={"name": "renamed", "description": "another"})
    write_instance(renamed, tmp_path / "net.json")
    write_plan(relayed, tmp_path / "p.json", instance_file=tmp_path / "net.json")

    assert read_plan(tmp_path / "p.json").violations == ()


def test_a_given_instance_that_is_another_one_is_a_violation(paper, relayed, tmp_path):
    write_plan(relayed, tmp_path / "p.json")
    other = paper.model_copy(update={"training": paper.training.model_copy(update={"local_steps": 5})})

    violations = read_plan(tmp_path / "p.json", other).violations

    assert "made for another instance" in str(violations[0])


def test_all_defects_are_reported_at_once_each_with_its_place(text):
    content = json.loads(text)
    cluster = content["clusters"][0]["id"]
    content["planer"] = content.pop("planner")
    content["clusters"][0]["agregator"] = content["clusters"][0].pop("aggregator")
    content["clusters"][1]["gather"][0]["power_w"] = "0.1"
    content["periods"][0]["period"] = 0
    content["hosted"][2].pop("node")
    content["duplex"] = "fulll"

    with pytest.raises(PlanFileError) as caught:
        parse_plan(json.dumps(content), "p.json")

    lines = str(caught.value).splitlines()
    second = content["clusters"][1]["id"]
    assert lines[0] == "p.json: 6 defects"
    assert set(lines[1:]) == {
        "planer is an unknown key, must be a key of the format; did you mean 'planner'?",
        f"cluster '{cluster}': agregator is an unknown key, must be a key of the format; "
        "did you mean 'aggregator'?",
        f"cluster '{second}': gather[0].power_w is '0.1', must be a number; write it without quotes: 0.1",
        "periods[0].period is 0, must be >= 1",
        "hosted[2].node is missing, must be given; its meaning: Id of the node",
        "duplex is 'fulll', must be 'as given', 'full' or 'half'; did you mean 'full'?",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the file is empty, must be a JSON object"),
        ("[]", r"the file is an empty list, must be an object; it starts with"),
        ('{"planner": "star"}', r'format is missing, must be given; write "format": "hfedfm-plan"'),
        ('{"format": "hfedfm-instance"}', r"must be 'hfedfm-plan'; this is an instance: plan for it"),
        ('{"format": "hfedfm-plan"}', r"version is missing, must be 1"),
        (
            '{"format": "hfedfm-plan", "version": 2}',
            r"version is 2, must be 1, .*a newer release",
        ),
        ('{"format": "hfedfm-plan", "version": true}', r"version is true, must be 1"),
        ('{"format": "hfedfm-plan",', r"line 1, column 26 is the end of the file"),
        ('{"format": 1, "format": 2}', r"format is given more than once"),
    ],
)
def test_a_text_that_is_no_plan_says_why(text, message):
    with pytest.raises(PlanFileError, match=message):
        parse_plan(text)


def test_numbers_that_json_lacks_are_refused(text):
    content = json.loads(text)
    content["claim"]["bound"] = float("nan")

    with pytest.raises(PlanFileError, match=r"claim.bound is NaN, must be a finite number"):
        parse_plan(json.dumps(content))


def test_a_missing_file_offers_the_nearest(relayed, tmp_path):
    write_plan(relayed, tmp_path / "plan.json")

    with pytest.raises(FileError, match=r"there is no such file; did you mean '.*plan.json'"):
        read_plan(tmp_path / "pln.json")


def test_a_plan_that_cannot_be_written_leaves_nothing(relayed, tmp_path):
    with pytest.raises(FileError, match="there is no folder"):
        write_plan(relayed, tmp_path / "none" / "p.json")
    assert list(tmp_path.iterdir()) == []


def test_the_schema_beside_the_instances_is_up_to_date():
    assert (INSTANCES / "plan.schema.json").read_text(encoding="utf-8") == plan_schema_text()


def test_the_schema_accepts_what_is_written_and_refuses_what_is_not(text):
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    content = json.loads(text)

    assert validator.is_valid(content)
    for key in ("format", "version", "planner", "clusters"):
        assert not validator.is_valid({name: value for name, value in content.items() if name != key})
    assert not validator.is_valid({**content, "planer": "star"})


def test_every_field_of_a_plan_is_described():
    definitions = plan_schema()["$defs"]

    for name, part in {**definitions, "Decisions": plan_schema()}.items():
        for field, content in part["properties"].items():
            assert content.get("description"), f"{name}.{field}"
    assert set(Decisions.model_fields) == set(plan_schema()["properties"])


def test_the_document_explains_every_field():
    text = (INSTANCES.parent / "docs" / "plan-format.md").read_text(encoding="utf-8")
    parts = [plan_schema(), *plan_schema()["$defs"].values()]

    assert [name for part in parts for name in part["properties"] if f"`{name}`" not in text] == []


def test_the_example_of_the_document_is_a_plan():
    text = (INSTANCES.parent / "docs" / "plan-format.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]

    assert plan_text(parse_plan(example)) == example


def test_the_python_of_the_document_runs(tmp_path, monkeypatch):
    text = (INSTANCES.parent / "docs" / "plan-format.md").read_text(encoding="utf-8")
    (tmp_path / "instances").symlink_to(INSTANCES)
    monkeypatch.chdir(tmp_path)

    exec(text.split("```python\n")[1].split("```")[0], {})

    assert json.loads((tmp_path / "plan.json").read_text())["instance_file"] == "instances/paper-40.json"
