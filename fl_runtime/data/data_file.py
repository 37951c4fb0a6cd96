"""A TOML file that names tasks, their formats and their folders."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fl_runtime.data.folder import FORMATS, VqaFolder
from fl_runtime.defects import Defects, nearest
from fl_runtime.errors import DataError


def read_data_file(path: Path) -> tuple[VqaFolder, ...]:
    """Return the folders that a file names; relative ones are taken from where the file is.

    The file has a table of each task::

        [tasks.things]
        format = "gqa"
        folder = "gqa"
        num_answers = 20

    with the fields of :class:`fl_runtime.data.folder.VqaFolder` as keys.

    Raises
    ------
    DataError
        With all defects of the file.
    """
    source = f"data file {str(path)!r}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError([f"cannot be read: {error.strerror}"], source) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise DataError([f"no TOML: {error}"], source) from error
    defects, folders = Defects(), []
    for key in content:
        if key != "tasks":
            defects.add(repr(key), "is unknown; the file has one table [tasks.NAME] of each task")
    tasks = content.get("tasks")
    if not isinstance(tasks, dict) or not tasks:
        defects.add("tasks", "there are none; add a table [tasks.NAME] with format and folder")
        tasks = {}
    for name, table in tasks.items():
        folder = _folder(name, table, path.parent, defects)
        if folder is not None:
            folders.append(folder)
    if defects.lines:
        raise DataError(defects.lines, source)
    return tuple(folders)


def named_folder(text: str) -> VqaFolder:
    """Return the folder that ``TASK=FORMAT:FOLDER`` names, with default settings.

    Raises
    ------
    DataError
        If the text has another form.
    """
    task, equals, rest = text.partition("=")
    form, colon, folder = rest.partition(":")
    if not (task and equals and colon and folder):
        expected = "must be a .toml file or TASK=FORMAT:FOLDER, such as read=gqa:data/gqa"
        raise DataError([f"{text!r} {expected}"], "data")
    defects = Defects()
    defects.name(f"task {task!r}", "format", form, FORMATS, "format of annotations")
    if defects.lines:
        raise DataError(defects.lines, "data")
    return _READ.validate_python({"task": task, "format": form, "folder": folder})


_READ = TypeAdapter(VqaFolder)
_FIELDS = {field.name: field for field in dataclasses.fields(VqaFolder)}


def _folder(name: str, table: object, base: Path, defects: Defects) -> VqaFolder | None:
    where = f"tasks.{name}"
    if not isinstance(table, dict):
        defects.add(where, f"is {table!r}, must be a table with format and folder")
        return None
    known = [key for key in _FIELDS if key != "task"]
    wrong = [key for key in table if key not in known]
    for key in wrong:
        defects.add(f"{where}: {key}", f"is unknown{nearest(key, known)}; known are {', '.join(known)}")
    for key in ("format", "folder"):
        if key not in table:
            defects.add(where, f"lacks {key!r}")
            wrong.append(key)
    if wrong:
        return None
    try:
        values: dict[str, Any] = {**table, "task": name, "folder": base / str(table["folder"])}
        return _READ.validate_python(values)
    except ValidationError as error:
        for found in error.errors():
            place = ".".join(map(str, found["loc"]))
            defects.add(f"{where}: {place}", f"is {found['input']!r}: {found['msg']}")
        return None
