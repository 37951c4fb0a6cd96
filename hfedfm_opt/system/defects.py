"""What a defect of a file is, and how it is said: where, what, got, expected, remedy."""

import difflib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_MAX_LINES = 100  # of one message; the error object holds all defects
_MAX_SHOWN_CHARACTERS = 60
_MAX_LISTED_NAMES = 6


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong in a file; printed as one line.

    Parameters
    ----------
    path : str
        Where: the element by its id, then the field, such as ``"node 'd3': radio.max_power_w"``.
    got : str
        What stands there, such as ``"-0.2"`` or ``"missing"``.
    expected : str
        What would be right, such as ``"> 0"``.
    remedy : str
        What helps; may be empty.
    """

    path: str
    got: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the line, such as ``node 'd3': radio.max_power_w is -0.2, must be > 0``."""
        line = f"{self.path} is {self.got}, must be {self.expected}"
        return f"{line}; {self.remedy}" if self.remedy else line


class InstanceError(ValueError):
    """An instance that is not valid, with all its defects.

    Parameters
    ----------
    defects : sequence of Defect
        All of them, in the order of the file.
    source : str
        Name of the file, or what else was read.
    """

    def __init__(self, defects: Sequence[Defect], source: str = "the instance") -> None:
        super().__init__(tuple(defects), source)
        self.defects = tuple(defects)
        self.source = source

    def __str__(self) -> str:
        """Return a heading and one line for each defect, the first hundred of them."""
        count = len(self.defects)
        lines = [f"{self.source}: {count} defect{'s' if count != 1 else ''}"]
        lines += [str(defect) for defect in self.defects[:_MAX_LINES]]
        if count > _MAX_LINES:
            lines.append(f"... and {count - _MAX_LINES} more")
        return "\n".join(lines)


class Spelling:
    """Offers the known name that is nearest to an unknown one, within a budget of comparisons.

    A file of 100,000 nodes may hold 100,000 unknown names; the budget keeps the answer prompt.
    """

    def __init__(self, num_comparisons: int = 200_000) -> None:
        self._left = num_comparisons
        self._offered: set[str] = set()

    @property
    def offered(self) -> frozenset[str]:
        """Names that were offered so far."""
        return frozenset(self._offered)

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """Return the known name that is nearest in spelling, or ``None`` where none is near."""
        if len(known) > self._left:
            return None
        self._left -= len(known)
        folded = name.casefold()
        close = next((k for k in sorted(known) if k.casefold() == folded), None)
        if close is None:
            close = next(iter(difflib.get_close_matches(name[:200], sorted(known), n=1)), None)
        if close is not None:
            self._offered.add(close)
        return close

    def remedy(self, name: str, known: Collection[str]) -> str:
        """Return ``"did you mean 'x'?"``, or the known names if none is near and they are few."""
        close = self.nearest(name, known)
        if close is not None:
            return f"did you mean {close!r}?"
        if 0 < len(known) <= _MAX_LISTED_NAMES:
            return f"known: {', '.join(repr(k) for k in sorted(known))}"
        return ""


def shown(value: object) -> str:
    """Return a value of a JSON file as one short piece of a line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list | tuple):
        return f"a list of {counted(len(value), 'element')}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 3]}..."


def counted(count: int, noun: str) -> str:
    """Return ``"1 element"`` or ``"2 elements"``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return ``"'a', 'b', 'c' and 4 more"``."""
    head = ", ".join(repr(name) for name in names[:3])
    return head if len(names) <= 3 else f"{head} and {len(names) - 3:,} more"
