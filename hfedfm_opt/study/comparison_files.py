"""A comparison as a folder: figures as JSON and CSV, the instance, and every plan as a plan file."""

import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hfedfm_opt.planning.plan_file import read_plan, write_plan
from hfedfm_opt.study.ablation import Ablation
from hfedfm_opt.study.comparison import FORMAT, VERSION, Comparison, Row
from hfedfm_opt.study.comparison_parts import Gain, Settings, TrainingRun, WallSeconds
from hfedfm_opt.study.published import PrintedRow, PublishedRow
from hfedfm_opt.study.spread import AggregatorSpread
from hfedfm_opt.system.files import FileError, StrPath, read_text, write_text
from hfedfm_opt.system.json_text import JsonTextError, parse_json
from hfedfm_opt.system.read import read_instance, write_instance

FIGURES, TABLE, INSTANCE, PLANS = "comparison.json", "comparison.csv", "instance.json", "plans"
_PARTS: dict[str, Any] = {
    "settings": Settings,
    "notes": tuple[str, ...],
    "rows": tuple[Row, ...],
    "gains": tuple[Gain, ...],
    "spreads": tuple[AggregatorSpread, ...],
    "published": tuple[PublishedRow, ...],
    "printed": tuple[PrintedRow, ...],
    "training_runs": tuple[TrainingRun, ...],
    "ablations": tuple[Ablation, ...],
    "wall_seconds": WallSeconds,
}


class ComparisonFileError(ValueError):
    """A folder that does not hold a comparison; the message says which file and what is wrong."""


def write_comparison(comparison: Comparison, folder: StrPath) -> None:
    """Write a comparison into a folder, which is made if it is missing; each file whole or not at all.

    Parameters
    ----------
    comparison : Comparison
        What to write.
    folder : str or path-like
        Gets ``comparison.json``, ``comparison.csv``, ``instance.json`` and ``plans/<method>.json``; a plan
        file names the instance, so that ``hfedfm run`` takes it as it is.

    Raises
    ------
    FileError
        If something cannot be written.
    """
    home = Path(folder)
    try:
        (home / PLANS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made a folder: {error.strerror}") from error
    write_instance(comparison.instance, home / INSTANCE)
    for key, plan in comparison.plans.items():
        write_plan(plan, home / PLANS / plan_file_name(key), instance_file=home / INSTANCE)
    write_text(home / TABLE, comparison.to_csv())
    write_text(home / FIGURES, comparison.to_json())


def read_comparison(folder: StrPath) -> Comparison:
    """Return the comparison that :func:`write_comparison` wrote.

    Raises
    ------
    ComparisonFileError
        If ``comparison.json`` is not valid, or of another version.
    FileError
        If a file is missing or cannot be read.
    InstanceError
        If the instance is not valid.
    PlanFileError
        If a plan is not valid.
    """
    home = Path(folder)
    path = home / FIGURES
    try:
        raw = parse_json(read_text(path))
    except JsonTextError as error:
        raise ComparisonFileError(f"{path}: is not JSON: {error}") from None
    if not isinstance(raw, dict) or (raw.get("format"), raw.get("version")) != (FORMAT, VERSION):
        raise ComparisonFileError(
            f"{path}: is no {FORMAT} of version {VERSION}; write it again (hfedfm compare)"
        )
    try:
        raw.setdefault("ablations", [])  # files of earlier versions have none
        parts = {name: TypeAdapter(kind).validate_python(raw.get(name)) for name, kind in _PARTS.items()}
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ComparisonFileError(
            f"{path}: {where}: {first['msg']}; write it again (hfedfm compare)"
        ) from None
    instance = read_instance(home / INSTANCE)
    planned = [row.key for row in parts["rows"] if row.latency_s is not None]
    plans = {key: read_plan(home / PLANS / plan_file_name(key), instance) for key in planned}
    return Comparison(instance=instance, plans=plans, **parts)


def plan_file_name(key: str) -> str:
    """Return the name of the plan file of a row's key: letters, digits and dashes."""
    words = key.replace("+", " plus ")
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") + ".json"
