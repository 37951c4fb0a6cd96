"""Reads and writes plan files; a file that is not valid is reported with all its defects."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.system.collector import collector_paused
from hfedfm_opt.system.decisions import Decisions
from hfedfm_opt.system.defects import Defect, InstanceError, Spelling, shown
from hfedfm_opt.system.explain import explain
from hfedfm_opt.system.files import FileError, StrPath, read_text, write_pieces
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.json_text import JsonTextError, parse_json
from hfedfm_opt.system.read import read_instance

FORMAT, VERSION = "hfedfm-plan", 1


class PlanFileError(ValueError):
    """A plan file that is not valid, or whose instance is gone or has changed.

    Parameters
    ----------
    defects : sequence of Defect
        All of them.
    source : str
        Name of the file.
    """

    def __init__(self, defects: Sequence[Defect], source: str = "the plan") -> None:
        super().__init__(tuple(defects), source)
        self.defects = tuple(defects)
        self.source = source

    def __str__(self) -> str:
        """Return a heading and one line for each defect, as for an instance."""
        return str(InstanceError(self.defects, self.source))


def read_plan(path: StrPath, instance: Instance | None = None) -> Plan:
    """Return the plan of a JSON file, with its instance.

    The content is checked as data; whether the plan keeps the limits is said by ``Plan.violations``.

    Parameters
    ----------
    path : str or path-like
        The file; one whose name ends in ``.json.gz`` is unpacked.
    instance : Instance or None
        The instance that the plan is for; ``None`` reads the file that the plan names.  A given instance
        that the plan was not made for is found by ``Plan.violations``.

    Raises
    ------
    PlanFileError
        With all defects of the content; or if the file of the instance is not named, not there, or changed.
    FileError
        If the file itself cannot be read.
    InstanceError
        With all defects of the instance.
    """
    decisions = parse_plan(read_text(path), str(path))
    if decisions.instance_file is not None:
        where = os.path.abspath(Path(path).parent / decisions.instance_file)
        decisions = decisions.model_copy(update={"instance_file": where})
    if instance is None:
        instance = _named_instance(decisions, str(path))
    return Plan(instance, decisions)


def parse_plan(text: str, source: str = "the plan") -> Decisions:
    """Return the decisions of a JSON text, checked as data.

    Parameters
    ----------
    text : str
        The content of a plan file.
    source : str
        What the text is called in the error.

    Raises
    ------
    PlanFileError
        With all defects.
    """
    with collector_paused():
        return _parsed(text, source)


def _parsed(text: str, source: str) -> Decisions:
    try:
        raw = parse_json(text)
    except JsonTextError as error:
        raise PlanFileError(error.defects, source) from None
    if not isinstance(raw, dict):
        remedy = f'it starts with {{"format": "{FORMAT}", ...'
        raise PlanFileError([Defect("the file", shown(raw), "an object", remedy)], source)
    marks = list(_wrong_marks(raw))
    if marks:
        raise PlanFileError(marks, source)
    try:
        return Decisions.model_validate(raw)
    except ValidationError as error:
        raise PlanFileError(explain(error, raw, Spelling(), Decisions), source) from None


def write_plan(plan: Plan, path: StrPath, instance_file: StrPath | None = None) -> None:
    """Write a plan as a JSON file, whole or not at all.

    The same plan gives the same bytes; reading them gives the same plan.

    Parameters
    ----------
    plan : Plan
        What to write.
    path : str or path-like
        The file; one whose name ends in ``.json.gz`` is packed.
    instance_file : str or path-like or None
        Where the instance lies, so that the plan can be read without naming it; the file holds the way
        there from its own folder.  ``None`` keeps what the plan knows.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    decisions = plan.decisions
    known = decisions.instance_file if instance_file is None else instance_file
    if known is not None:
        way = _way(os.path.dirname(os.path.abspath(path)), os.path.abspath(known))
        decisions = decisions.model_copy(update={"instance_file": way})
    with collector_paused():
        write_pieces(path, _pieces(decisions))


def plan_text(decisions: Decisions) -> str:
    """Return the canonical JSON text of a plan: a hop a line, defaults left out, all digits.

    Parameters
    ----------
    decisions : Decisions
        What to write.
    """
    with collector_paused():
        return "".join(_pieces(decisions))


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of plan files, version 1; it covers keys, types and ranges."""
    schema = Decisions.model_json_schema()
    schema["required"] = ["format", "version", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def plan_schema_text() -> str:
    """Return the schema as the text of ``instances/plan.schema.json``."""
    return json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"


def _named_instance(decisions: Decisions, source: str) -> Instance:
    """Return the instance that a plan names, if it is the one that the plan was made for."""
    path, place = decisions.instance_file, "instance_file"
    remedy = "say where the instance is: --instance FILE (in Python: read_plan(path, instance))"
    if path is None:
        raise PlanFileError([Defect(place, "missing", "given", remedy)], source)
    if not os.path.exists(path):
        raise PlanFileError([Defect(place, f"{path!r}, which is not there", "a file", remedy)], source)
    try:
        instance = read_instance(path)
    except FileError as error:
        raise PlanFileError(
            [Defect(place, f"no readable file: {error}", "a file", remedy)], source
        ) from error
    digest = instance_digest(instance)
    if digest != decisions.instance_sha256:
        got = f"{path!r}, which has changed since (digest {digest[:12]})"
        expected = f"the instance of the plan (digest {decisions.instance_sha256[:12]})"
        again = "plan again (hfedfm solve), or give the old instance: --instance FILE"
        raise PlanFileError([Defect(place, got, expected, again)], source)
    return instance


def _wrong_marks(raw: Mapping[str, object]) -> Iterator[Defect]:
    """Yield why the file is of another format or version; its other defects would mean nothing."""
    mark, version = raw.get("format"), raw.get("version")
    if "format" not in raw:
        yield Defect("format", "missing", "given", f'write "format": "{FORMAT}"')
    elif mark != FORMAT:
        remedy = "this is an instance: plan for it with hfedfm solve" if mark == "hfedfm-instance" else ""
        yield Defect("format", shown(mark), shown(FORMAT), remedy)
    elif type(version) is not int or version != VERSION:
        got = shown(version) if "version" in raw else "missing"
        remedy = "a newer release may read it" if type(version) is int and version > VERSION else ""
        yield Defect("version", got, f"{VERSION}, the only version known here", remedy)


def _way(folder: str, path: str) -> str:
    """Return the way from a folder to a file with forward slashes; the whole path where there is none."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return Path(path).as_posix()


def _pieces(decisions: Decisions) -> Iterator[str]:
    """Yield the text of a plan piece by piece: each element of a list is turned into text by itself."""
    yield f'{{\n "format": {_line(FORMAT)},\n "version": {VERSION}'
    for name, field in Decisions.model_fields.items():
        value = getattr(decisions, name)
        if name in ("format", "version") or value == field.default:
            continue
        yield f",\n {_line(name)}: "
        if isinstance(value, tuple) and value:
            for number, element in enumerate(value):
                yield ",\n  " if number else "[\n  "
                yield _text(element.model_dump(exclude_defaults=True), "  ")
            yield "\n ]"
        else:
            dumped = value.model_dump(exclude_defaults=True) if isinstance(value, BaseModel) else value
            yield _text(dumped, " ")
    yield "\n}\n"


def _text(value: Any, margin: str) -> str:
    """Return JSON in which each object without objects has a line of its own."""
    inner = margin + " "
    if isinstance(value, dict) and any(_is_list_of_objects(part) for part in value.values()):
        lines = (f"{inner}{_line(key)}: {_text(part, inner)}" for key, part in value.items())
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if _is_list_of_objects(value):
        return "[\n" + ",\n".join(inner + _text(part, inner) for part in value) + f"\n{margin}]"
    return _line(value)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)


_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode
