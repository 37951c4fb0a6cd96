"""Parses JSON; what is wrong with the text itself comes back as defects with line and column."""

import json
import re
from collections.abc import Iterator

from hfedfm_opt.system.defects import Defect, shown

Location = tuple[str | int, ...]

_MAX_DIGITS = 300  # of a whole number; beyond, it counts as infinite
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_EXPECTED = (
    ("Expecting property name", "a key in double quotes"),
    ("Expecting value", "a value"),
    ("Expecting ':'", "':' between a key and its value"),
    ("Expecting ','", "',' or the closing bracket"),
    ("Extra data", "the end of the file"),
    ("Unterminated string", "a string with a closing quote"),
    ("Invalid control character", "written as an escape within a string, such as \\n"),
    ("Invalid \\", "a valid escape, such as \\\\ or \\u00e9"),
    ("Illegal trailing comma", "no comma before a closing bracket"),
)
_AFTER_COMMA = ("a key in double quotes", "a value")
_REMEDY_AT = {
    "'": "use double quotes",
    "/": "JSON has no comments: remove it",
    "#": "JSON has no comments: remove it",
    "}": "is there a comma too much before it?",
    "]": "is there a comma too much before it?",
}


class JsonTextError(ValueError):
    """A text that is no JSON; ``defects`` says where and why."""

    def __init__(self, *defects: Defect) -> None:
        super().__init__(*defects)
        self.defects = defects


def parse_json(text: str) -> object:
    """Return the value of a JSON text, lists as tuples.

    ``NaN``, ``Infinity`` and numbers beyond the range of floats are accepted here as such, so that they
    can be reported with the field that holds them.

    Parameters
    ----------
    text : str
        The text.

    Raises
    ------
    JsonTextError
        If it is empty, no JSON, cut off, nested too deeply, repeats a key in an object, or holds half a
        character.
    """
    if not text.strip():
        raise JsonTextError(Defect("the file", "empty", "a JSON object", "is it the right file?"))
    repeated: dict[int, tuple[dict[str, object], list[str]]] = {}

    def to_dict(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = {key: tuple(value) if type(value) is list else value for key, value in pairs}
        if len(made) != len(pairs):
            keys = [key for key, _ in pairs]
            # holding the object keeps its id from being used again
            repeated[id(made)] = made, sorted({key for key in keys if keys.count(key) > 1})
        return made

    try:
        value = json.loads(text, object_pairs_hook=to_dict, parse_int=_to_int)
    except json.JSONDecodeError as error:
        raise JsonTextError(_syntax_defect(error)) from None
    except RecursionError:
        raise JsonTextError(
            Defect(
                "the file", "nested too deeply", "an object of at most five levels", "is it the right file?"
            )
        ) from None
    defects = list(_repeated_keys(value, repeated)) if repeated else []
    if _SURROGATE.search(text):
        defects += _half_characters(value)
    if defects:
        raise JsonTextError(*defects)
    return value


def place(location: Location) -> str:
    """Return a location as ``nodes[3].radio``; the whole file as ``the file``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if part.isprintable() and len(part) <= 60 else shown(part)
            text += f".{key}" if text else key
    return text or "the file"


def _to_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float("-inf" if digits[0] == "-" else "inf")


def _syntax_defect(error: json.JSONDecodeError) -> Defect:
    where = f"line {error.lineno}, column {error.colno}"
    expected = next((text for start, text in _EXPECTED if error.msg.startswith(start)), error.msg)
    rest = error.doc[error.pos :]
    if not rest.strip():
        return Defect(where, "the end of the file", expected, "the file is cut off: fetch or write it again")
    if error.msg.startswith("Unterminated string"):
        line = rest.split("\n", 1)[0]
        remedy = "the file is cut off, or a quote is missing" if line == rest.rstrip("\n") else ""
        return Defect(where, shown(line[:30]), expected, remedy)
    word = re.match(r'"[^"\n]*"?|[\w.+-]+', rest)
    found = word.group()[:30] if word else rest[0]
    is_bracket_late = rest[0] in "}]" and expected not in _AFTER_COMMA
    return Defect(where, shown(found), expected, "" if is_bracket_late else _REMEDY_AT.get(rest[0], ""))


def _walk(value: object) -> Iterator[tuple[Location, object]]:
    """Yield each value with its location; a stack of its own, as the nesting may be deep."""
    stack: list[tuple[Location, object]] = [((), value)]
    while stack:
        location, found = stack.pop()
        yield location, found
        if isinstance(found, dict):
            stack += [((*location, key), inner) for key, inner in reversed(found.items())]
        elif isinstance(found, list | tuple):
            stack += [((*location, index), inner) for index, inner in reversed(list(enumerate(found)))]


def _repeated_keys(
    value: object, repeated: dict[int, tuple[dict[str, object], list[str]]]
) -> Iterator[Defect]:
    for location, found in _walk(value):
        for key in repeated[id(found)][1] if id(found) in repeated else ():
            yield Defect(place((*location, key)), "given more than once", "given once", "keep one of them")


def _half_characters(value: object) -> Iterator[Defect]:
    for location, found in _walk(value):
        texts = [found] if isinstance(found, str) else list(found) if isinstance(found, dict) else []
        for text in texts:
            if any("\ud800" <= character <= "\udfff" for character in text):
                yield Defect(place(location), shown(text), "text of whole characters", "mend its \\u escapes")
