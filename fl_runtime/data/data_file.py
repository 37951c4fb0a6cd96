"""A TOML file, or words of a command, that name tasks with their folders, and the model to train."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fl_runtime.data.folder import FORMATS, VqaFolder
from fl_runtime.data.model_choice import ModelChoice, load_own
from fl_runtime.data.vqa import MAX_BYTES
from fl_runtime.defects import Defects, nearest
from fl_runtime.errors import DataError
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import Workload

_KEYS = ("tasks", "model", "max_bytes")


@dataclass(frozen=True)
class DataFile:
    """What a data file names: folders, the model if it names one, and the most bytes of all images."""

    folders: tuple[VqaFolder, ...]
    model: ModelChoice | None = None
    max_bytes: int = MAX_BYTES


def read_data_file(path: Path) -> DataFile:
    """Return what a file names; relative folders are taken from where the file is.

    The file has a table of each task, one of the model if it is not the compact one, and a limit if need be::

        max_bytes = 4_000_000_000

        [tasks.things]
        format = "gqa"
        folder = "gqa"
        num_answers = 20

        [model]
        name = "vilt"
        folder = "vilt-b32"

    with the fields of :class:`fl_runtime.data.VqaFolder` and :class:`fl_runtime.data.ModelChoice` as keys.

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
        if key not in _KEYS:
            known = "tables [tasks.NAME] and [model], and max_bytes"
            defects.add(repr(key), f"is unknown{nearest(key, _KEYS)}; the file has {known}")
    max_bytes = content.get("max_bytes", MAX_BYTES)
    defects.count("data file", "max_bytes", max_bytes, 1)
    tasks = content.get("tasks")
    if not isinstance(tasks, dict) or not tasks:
        defects.add("tasks", "there are none; add a table [tasks.NAME] with format and folder")
        tasks = {}
    for name, table in tasks.items():
        found = _part(VqaFolder, f"tasks.{name}", table, path.parent, defects, task=name)
        folders += [found] if found is not None else []
    model = None
    if "model" in content:
        model = _part(ModelChoice, "model", content["model"], path.parent, defects)
    if defects.lines:
        raise DataError(defects.lines, source)
    return DataFile(tuple(folders), model, max_bytes)


def load_named(named: DataFile) -> tuple[Workload, SharedModel]:
    """Return the data that are named, and the model that learns from them.

    Raises
    ------
    DataError
        With all defects of all folders, or of the model's folder.
    ImportError
        If a package is not installed.
    """
    return load_own(named.folders, named.model, max_bytes=named.max_bytes)


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
    return TypeAdapter(VqaFolder).validate_python({"task": task, "format": form, "folder": folder})


def named_model(text: str) -> ModelChoice:
    """Return the model that ``compact``, ``vilt`` or ``vilt:FOLDER`` names.

    Raises
    ------
    DataError
        If the text has another form.
    """
    name, colon, folder = text.partition(":")
    if text == "compact":
        return ModelChoice()
    if name != "vilt" or (colon and not folder):
        raise DataError([f"{text!r} must be compact, vilt or vilt:FOLDER"], "model")
    return ModelChoice(name="vilt", folder=Path(folder) if folder else None)


def _part(
    kind: type[VqaFolder | ModelChoice],
    where: str,
    table: object,
    base: Path,
    defects: Defects,
    **given: str,
) -> Any:
    """Return the dataclass that a table describes; ``None``, with defects, if it describes none."""
    if not isinstance(table, dict):
        defects.add(where, f"is {table!r}, must be a table")
        return None
    fields = dataclasses.fields(kind)
    known = [field.name for field in fields if field.name not in given]
    wrong = [key for key in table if key not in known]
    for key in wrong:
        defects.add(f"{where}: {key}", f"is unknown{nearest(key, known)}; known are {', '.join(known)}")
    missing = dataclasses.MISSING
    needed = [field.name for field in fields if field.default is missing and field.default_factory is missing]
    for key in needed:
        if key not in table and key in known:
            defects.add(where, f"lacks {key!r}")
            wrong.append(key)
    if wrong:
        return None
    values = {**table, **given}
    if "folder" in table:
        values["folder"] = base / str(table["folder"])
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        for found in error.errors():
            place = ".".join(map(str, found["loc"]))
            defects.add(f"{where}: {place}", f"is {found['input']!r}: {found['msg']}")
        return None
