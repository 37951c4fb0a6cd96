"""Schedules as JSON files."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from fl_runtime.defects import nearest
from fl_runtime.errors import ScheduleFileError
from fl_runtime.schedule import Schedule
from fl_runtime.whole_files import packed, unpacked, write_whole

_TAGS = (
    *("cpu", "fixed", "wireless", "wired", "plain", "momentum", "adam"),
    *("compute", "transfer", "merge", "aggregate", "mix", "deliver"),
)


def write_schedule(schedule: Schedule, path: str | os.PathLike[str]) -> None:
    """Write ``schedule`` to a JSON file, whole or not at all.

    The same schedule gives the same bytes; numbers keep all digits.

    Parameters
    ----------
    schedule : Schedule
        What to write.
    path : str or path-like
        The file; one whose name ends in ``.gz`` is packed.

    Raises
    ------
    ScheduleFileError
        For NaN and infinite numbers, which JSON does not have.
    OSError
        Where the file cannot be written.
    """
    content = schedule_text(schedule, str(path)).encode()
    write_whole(path, packed(content) if Path(path).suffix == ".gz" else content)


def schedule_text(schedule: Schedule, source: str = "the schedule") -> str:
    """Return what :func:`write_schedule` writes; ``source`` is the name of the file in an error."""
    plain = _adapter().dump_python((schedule,), mode="json")[0]
    try:
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ScheduleFileError(
            ["a number is NaN or infinite, which JSON cannot hold; check_schedule names it"], source
        ) from error
    return f"{text}\n"


def read_schedule(path: str | os.PathLike[str]) -> Schedule:
    """Return the schedule of a JSON file.

    Names, types and keys are checked here; whether the schedule makes sense is the matter of
    :func:`fl_runtime.check.check_schedule`.

    Parameters
    ----------
    path : str or path-like
        The file; one whose name ends in ``.gz`` is unpacked.

    Raises
    ------
    ScheduleFileError
        With all places that are not as they must be; an unknown key offers the nearest spelling.
    OSError
        Where the file cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        content = unpacked(content) if Path(path).suffix == ".gz" else content
    except OSError as error:
        raise ScheduleFileError([f"{error}; fetch or write it again"], str(path)) from error
    return parse_schedule(content, str(path))


def parse_schedule(content: bytes, source: str = "the schedule") -> Schedule:
    """Return the schedule of a JSON text, as :func:`read_schedule` does; errors call it ``source``."""
    try:
        (schedule,) = _adapter().validate_json(b"[" + content + b"]", strict=True)
    except ValidationError as error:
        _refuse_no_json(content, source)
        lines = [_line(details) for details in error.errors(include_url=False)]
        raise ScheduleFileError(lines, source) from error
    return schedule


def _refuse_no_json(content: bytes, source: str) -> None:
    """Raise :class:`ScheduleFileError` with line and column if a file is not even JSON."""
    try:
        json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ScheduleFileError([f"no JSON: {error}"], source) from error


def schedule_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the files that :func:`read_schedule` takes."""
    schema = _adapter().json_schema()
    definitions = schema["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions.pop("Schedule"),
        "$defs": definitions,
    }


def schedule_schema_text() -> str:
    """Return the schema as the text of a JSON file."""
    return json.dumps(schedule_schema(), indent=1, ensure_ascii=False) + "\n"


@cache
def _adapter() -> TypeAdapter[tuple[Schedule]]:
    """Return the translator; the tuple lets its strictness reach the dataclasses inside."""
    return TypeAdapter(tuple[Schedule], config=ConfigDict(extra="forbid", allow_inf_nan=False))


@cache
def _keys() -> frozenset[str]:
    schema = schedule_schema()
    keys: set[str] = set(schema["properties"])
    return frozenset(keys.union(*(definition["properties"] for definition in schema["$defs"].values())))


def _line(details: ErrorDetails) -> str:
    """Return ``place: what is wrong`` for one finding of pydantic."""
    path = ""
    for part in details["loc"][1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in _TAGS:  # pydantic names the chosen type of a union; the file has no such key
            path += f".{part}" if path else part
    if details["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown key{nearest(str(details['loc'][-1]), _keys())}"
    if details["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{path}: missing, must be given"
    message = details["msg"][0].lower() + details["msg"][1:]
    shown = repr(details["input"])
    return f"{path or 'the file'}: {message}; got {shown if len(shown) <= 60 else shown[:57] + '...'}"
