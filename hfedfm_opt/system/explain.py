"""Turns pydantic's findings about a file into defects with ids, units of speech and remedies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hfedfm_opt.system.defects import Defect, Spelling, counted, shown
from hfedfm_opt.system.instance import Cpu, FixedSpeed, Instance
from hfedfm_opt.system.json_text import Location, place

_TAGGED: Mapping[str, type[BaseModel]] = {"cpu": Cpu, "fixed": FixedSpeed}
_KINDS = {
    "nodes": "node",
    "bands": "band",
    "modules": "module",
    "tasks": "task",
    "clusters": "cluster",
}
_LINKS = {
    "wireless_links": "wireless link",
    "wired_links": "wired link",
    "backhaul_up": "hop",
    "backhaul_down": "hop",
}
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "missing": "given",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "text in double quotes",
    "tuple_type": "a list",
    "union_tag_not_found": "given",
}


def explain(
    error: ValidationError,
    raw: Mapping[str, object],
    spelling: Spelling,
    whole: type[BaseModel] = Instance,
) -> list[Defect]:
    """Return the defects of the parts that do not fit the format.

    Parameters
    ----------
    error : ValidationError
        What pydantic found in ``raw`` as a ``whole``.
    raw : mapping
        The parsed file.
    spelling : Spelling
        Offers known names.
    whole : type
        Model of the whole file: an instance, or the decisions of a plan.
    """
    found = findings(error)
    unknown_keys = {details["loc"] for details in found if details["type"] == "extra_forbidden"}
    misspelt = {
        (*location[:-1], close)
        for location in unknown_keys
        if (close := _nearest_key(location, spelling, whole)) is not None
    }
    return [
        _defect(details, raw, spelling, whole)
        for details in found
        if not (details["type"] == "missing" and details["loc"] in misspelt)
    ]


def findings(error: ValidationError) -> list[ErrorDetails]:
    """Return pydantic's findings but those that only follow from others.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    """
    return [
        details
        for details in error.errors(include_url=False)
        # pydantic calls a list too short where some of its elements are not valid
        if not (details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"])
    ]


def element_path(location: Location, raw: Mapping[str, object]) -> str:
    """Return where something stands: the element by its id or its ends, then the field.

    Parameters
    ----------
    location : tuple
        Keys and indices from the top of the file.
    raw : mapping
        The parsed file.
    """
    label = _element_label(location[:2], raw) if len(location) >= 2 else None
    if label is None:
        return place(location)
    return f"{label}: {place(location[2:])}" if len(location) > 2 else label


def part_at(location: Sequence[str | int], whole: type[BaseModel] = Instance) -> type[BaseModel] | None:
    """Return the model whose keys are allowed at a location, or ``None`` where no object stands."""
    part: type[BaseModel] | None = whole
    candidates: tuple[type[BaseModel], ...] = ()
    for key in location:
        if isinstance(key, int):
            continue
        if len(candidates) > 1 and key in _TAGGED:
            part, candidates = _TAGGED[key], ()
            continue
        if part is None or key not in part.model_fields:
            return None
        candidates = tuple(_parts_in(part.model_fields[key].annotation))
        part = candidates[0] if len(candidates) == 1 else None
    return part


def _parts_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts_in(inner)


def _element_label(location: Location, raw: Mapping[str, object]) -> str | None:
    name, index = location
    elements = raw.get(name) if isinstance(name, str) else None
    if not isinstance(elements, list | tuple) or not isinstance(index, int) or index >= len(elements):
        return None
    element = elements[index]
    if not isinstance(element, dict):
        return None
    if name in _KINDS and isinstance(element.get("id"), str) and element["id"]:
        return f"{_KINDS[str(name)]} {shown(element['id'])}"
    if name in _LINKS:
        ends = element.get("source"), element.get("target")
        if all(isinstance(end, str) and end for end in ends):
            return f"{_LINKS[str(name)]} {shown(ends[0])} -> {shown(ends[1])}"
    return None


def _without_tag(location: Location) -> Location:
    """Drop the name of the chosen type, which pydantic puts after ``processor``; the file has no such key."""
    return tuple(
        key
        for index, key in enumerate(location)
        if not (key in _TAGGED and index == 3 and location[0] == "nodes" and location[2] == "processor")
    )


def _nearest_key(location: Location, spelling: Spelling, whole: type[BaseModel]) -> str | None:
    part = part_at(location[:-1], whole)
    return spelling.nearest(str(location[-1]), part.model_fields) if part is not None else None


def _defect(
    details: ErrorDetails, raw: Mapping[str, object], spelling: Spelling, whole: type[BaseModel]
) -> Defect:
    location, kind, value = details["loc"], details["type"], details["input"]
    context = details.get("ctx", {})
    path = element_path(_without_tag(location), raw)
    if kind == "extra_forbidden":
        return _unknown_key(path, location, spelling, whole)
    if kind == "missing" and location and isinstance(location[-1], int):
        return _wrong_position(element_path(_without_tag(location[:-1]), raw), value)
    if kind == "missing":
        return Defect(path, "missing", "given", _meaning(location, whole))
    if kind.startswith("union_tag"):
        missing = kind == "union_tag_not_found"
        tag = context.get("tag")
        remedy = "cpu: frequency can be scaled; fixed: fixed speed and power"
        return Defect(f"{path}.type", "missing" if missing else shown(tag), "'cpu' or 'fixed'", remedy)
    if kind == "literal_error":
        return _wrong_choice(path, value, context)
    if kind == "too_long" and location[-1] == "position_m":
        return _wrong_position(path, value)
    if kind == "string_too_short":
        return Defect(path, "an empty text", "a name of at least one character")
    if kind == "string_too_long":
        return Defect(path, f"a text of {len(str(value)):,} characters", "at most 200 characters")
    if kind == "too_short":
        least = context.get("min_length", 1)
        return Defect(path, shown(value), f"a list of at least {counted(least, 'element')}")
    expected, remedy = _expected(kind, context), _remedy(kind, value)
    return Defect(path, shown(value), expected or details["msg"], remedy)


def _unknown_key(path: str, location: Location, spelling: Spelling, whole: type[BaseModel]) -> Defect:
    part = part_at(location[:-1], whole)
    known = sorted(part.model_fields) if part is not None else []
    close = spelling.nearest(str(location[-1]), known)
    remedy = f"did you mean {close!r}?" if close is not None else f"known keys: {', '.join(known)}"
    return Defect(path, "an unknown key", "a key of the format", remedy)


def _meaning(location: Location, whole: type[BaseModel]) -> str:
    """Return what a missing key stands for."""
    part = part_at(location[:-1], whole)
    field = part.model_fields.get(str(location[-1])) if part is not None else None
    choices = get_args(field.annotation) if field is not None else ()
    if len(choices) == 1 and isinstance(choices[0], str | int):  # the marks of the format
        return f'write "{location[-1]}": {json.dumps(choices[0])}'
    return f"its meaning: {field.description.rstrip('.')}" if field is not None and field.description else ""


def _wrong_choice(path: str, value: object, context: Mapping[str, Any]) -> Defect:
    expected = str(context.get("expected", ""))
    choices = [part for part in expected.split("'")[1::2] if part]
    close = Spelling().nearest(value, choices) if isinstance(value, str) else None
    return Defect(path, shown(value), expected, f"did you mean {close!r}?" if close is not None else "")


def _wrong_position(path: str, value: object) -> Defect:
    return Defect(path, shown(value), "a list of three numbers: x, y and height")


def _expected(kind: str, context: Mapping[str, Any]) -> str | None:
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    signs = {"greater_than": (">", "gt"), "greater_than_equal": (">=", "ge"), "less_than_equal": ("<=", "le")}
    if kind in signs:
        sign, key = signs[kind]
        return f"{sign} {context[key]:g}"
    return None


def _remedy(kind: str, value: object) -> str:
    if kind == "finite_number":
        return "JSON has no NaN and no infinity; leave an optional key out"
    if kind in ("float_type", "int_type") and isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return ""
        return f"write it without quotes: {value[:40].strip()}"
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if value is None:
        return "leave the key out for its default"
    return ""
