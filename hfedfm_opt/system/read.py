"""Reads and writes instance files; a file that is not valid is reported with all its defects."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from hfedfm_opt.system.check_instance import check_draft
from hfedfm_opt.system.collector import collector_paused
from hfedfm_opt.system.defects import Defect, InstanceError, Spelling, shown
from hfedfm_opt.system.draft import draft_of, draft_of_raw
from hfedfm_opt.system.explain import explain, findings
from hfedfm_opt.system.files import StrPath, read_text, write_text
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.json_text import JsonTextError, parse_json

FORMAT, VERSION = "hfedfm-instance", 1


def read_instance(path: StrPath) -> Instance:
    """Return the instance of a JSON file, checked.

    Parameters
    ----------
    path : str or path-like
        The file; one whose name ends in ``.json.gz`` is unpacked.

    Raises
    ------
    InstanceError
        With all defects of the content.
    FileError
        If the file itself cannot be read: missing, a folder, larger than 256 MiB, not UTF-8.
    """
    return parse_instance(read_text(path), str(path))


def parse_instance(text: str, source: str = "the instance") -> Instance:
    """Return the instance of a JSON text, checked.

    Parameters
    ----------
    text : str
        The content of an instance file.
    source : str
        What the text is called in the error.

    Raises
    ------
    InstanceError
        With all defects.
    """
    with collector_paused():
        return _parsed(text, source)


def _parsed(text: str, source: str) -> Instance:
    try:
        raw = parse_json(text)
    except JsonTextError as error:
        raise InstanceError(error.defects, source) from None
    if not isinstance(raw, dict):
        remedy = f'it starts with {{"format": "{FORMAT}", ...'
        raise InstanceError([Defect("the file", shown(raw), "an object", remedy)], source)
    marks = list(_wrong_marks(raw))
    if marks:
        raise InstanceError(marks, source)
    spelling = Spelling()
    try:
        instance = Instance.model_validate(raw)
    except ValidationError as error:
        defects = explain(error, raw, spelling)
        draft = draft_of_raw(raw, {details["loc"] for details in findings(error)})
        raise InstanceError([*defects, *check_draft(draft, spelling)], source) from None
    found = check_draft(draft_of(instance), spelling)
    if found:
        raise InstanceError(found, source)
    return instance


def write_instance(instance: Instance, path: StrPath) -> None:
    """Write an instance as a JSON file, whole or not at all.

    The same instance gives the same bytes; reading them gives the same instance.

    Parameters
    ----------
    instance : Instance
        What to write.
    path : str or path-like
        The file; one whose name ends in ``.json.gz`` is packed.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    write_text(path, instance_text(instance))


def instance_text(instance: Instance) -> str:
    """Return the canonical JSON text of an instance: an element a line, defaults left out, all digits.

    Parameters
    ----------
    instance : Instance
        What to write.
    """
    with collector_paused():
        return _text(instance)


def _text(instance: Instance) -> str:
    plain = instance.model_dump(exclude_defaults=True)
    for node, dumped in zip(instance.nodes, plain["nodes"], strict=True):
        if node.processor is not None:
            # the key that tells the two kinds of processor apart stays, although it equals its default
            dumped["processor"] = {"type": node.processor.type, **dumped["processor"]}
    blocks = [f' "{key}": {_block(value)}' for key, value in plain.items() if value != {}]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _block(value: Any) -> str:
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {_line(element)}" for element in value) + "\n ]"
    return _line(value)


_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode


def _wrong_marks(raw: Mapping[str, object]) -> Iterator[Defect]:
    """Yield why the file is of another format or version; its other defects would mean nothing."""
    mark, version = raw.get("format", FORMAT), raw.get("version", VERSION)
    if mark != FORMAT:
        remedy = "this is a plan: give the instance that it is for" if mark == "hfedfm-plan" else ""
        yield Defect("format", shown(mark), shown(FORMAT), remedy)
    elif type(version) is not int or version != VERSION:
        remedy = "a newer release may read it" if type(version) is int and version > VERSION else ""
        yield Defect("version", shown(version), f"{VERSION}, the only version known here", remedy)
