import json
from pathlib import Path

import jsonschema
import pytest

from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.schema import instance_schema, schema_text, write_schema

ROOT = Path(__file__).parents[3]
TINY = json.loads((ROOT / "tests" / "data" / "tiny.json").read_text())


def test_the_schema_in_the_instances_folder_is_up_to_date():
    assert (ROOT / "instances" / "instance.schema.json").read_text() == schema_text()


def test_the_schema_is_one_and_accepts_a_valid_instance():
    jsonschema.Draft202012Validator.check_schema(instance_schema())
    jsonschema.Draft202012Validator(instance_schema()).validate(TINY)


@pytest.mark.parametrize(
    "change", [{"rounds": 3}, {"version": 2}, {"tiers": ["device"]}, {"objective": {"time_weight_per_s": -1}}]
)
def test_the_schema_refuses_unknown_keys_and_values_out_of_range(change):
    assert not jsonschema.Draft202012Validator(instance_schema()).is_valid(TINY | change)


def test_every_field_is_described():
    definitions = [instance_schema(), *instance_schema()["$defs"].values()]

    missing = [
        (definition["title"], name)
        for definition in definitions
        for name, field in definition["properties"].items()
        if "description" not in field and "$ref" not in field  # a part is described where it is defined
    ]
    assert missing == []
    assert instance_schema()["title"] == Instance.__name__


def test_the_schema_is_written_as_it_is(tmp_path):
    write_schema(tmp_path / "schema.json")

    assert (tmp_path / "schema.json").read_text() == schema_text()
