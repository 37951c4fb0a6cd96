"""The page that documents the format says what the models say."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from hfedfm_opt.system import instance as models
from hfedfm_opt.system.instance import Instance, Part
from hfedfm_opt.system.read import InstanceError, instance_text, parse_instance

PAGE = (Path(__file__).parents[3] / "docs" / "instance-format.md").read_text()
PARTS = sorted(
    (
        part
        for part in vars(models).values()
        if isinstance(part, type) and issubclass(part, Part) and part is not Part
    ),
    key=lambda part: part.__name__,
)


def rows_of(part: type[BaseModel]) -> dict[str, list[str]]:
    section = re.split(rf"^##+ {part.__name__}$", PAGE, maxsplit=1, flags=re.M)[1]
    section = re.split(r"^##", section, maxsplit=1, flags=re.M)[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row] for row in rows}


def test_the_example_is_a_valid_instance():
    example = re.search(r"```json\n(.*?)```", PAGE, flags=re.S)[1]

    instance = parse_instance(example)

    assert instance.name == "two-devices"
    assert parse_instance(instance_text(instance)) == instance


def test_each_line_of_the_error_example_has_the_form_of_the_program():
    raw = json.loads((Path(__file__).parents[2] / "data" / "tiny.json").read_text())
    raw["nodes"][4]["radio"]["max_power_w"] = -0.2
    raw["nodes"][3]["radio"]["max_power"] = raw["nodes"][3]["radio"].pop("max_power_w")
    raw["tasks"][1]["modules"][1] = "bakbone"

    with pytest.raises(InstanceError) as caught:
        parse_instance(json.dumps(raw))

    shown = re.search(r"```text\n(.*?)```", PAGE, flags=re.S)[1].splitlines()
    assert sorted(shown) == sorted(str(defect) for defect in caught.value.defects)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_the_page_lists_every_key_with_its_default_and_meaning(part):
    rows = rows_of(part)

    assert list(rows) == list(part.model_fields)
    for name, field in part.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if field.is_required():
            expected = "required"
        elif isinstance(default, BaseModel):
            expected = "`{}`"
        else:
            expected = f"`{json.dumps(default)}`"
        assert rows[name][3] == expected, name
        assert rows[name][4] == field.description, name


def test_the_page_has_a_section_for_the_whole_file_and_all_its_parts():
    assert Instance in PARTS
    assert len(PARTS) == 24
