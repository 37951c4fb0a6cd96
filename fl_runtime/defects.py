"""Readable lines about what is wrong in a schedule: where, what, got, expected, remedy."""

import difflib
import math
from collections.abc import Collection, Hashable, Iterable
from numbers import Integral, Real


class Defects:
    """Collects the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, where: str, text: str) -> None:
        """Add one line."""
        self.lines.append(f"{where}: {text}")

    def number(self, where: str, field: str, value: object, *, positive: bool = False) -> bool:
        """Refuse what is no finite number ``>= 0``, or ``> 0``; return whether it is one."""
        if _is_real(value) and math.isfinite(value) and (value > 0 if positive else value >= 0):  # type: ignore[arg-type,operator]
            return True
        self.add(where, f"{field} is {value!r}, must be a finite number {'> 0' if positive else '>= 0'}")
        return False

    def part(self, where: str, field: str, value: object) -> None:
        """Refuse what is not in (0, 1]."""
        if not (_is_real(value) and 0 < value <= 1):  # type: ignore[operator]
            self.add(where, f"{field} is {value!r}, must be in (0, 1]")

    def count(self, where: str, field: str, value: object, least: int) -> None:
        """Refuse what is no whole number from ``least`` upwards."""
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            self.add(where, f"{field} is {value!r}, must be a whole number >= {least}")

    def name(self, where: str, field: str, value: str, known: Collection[str], what: str) -> bool:
        """Refuse a name that is not known, with the nearest one that is; return whether it is known."""
        if value in known:
            return True
        self.add(where, f"{field} names {value!r}, which is no {what}{nearest(value, known)}")
        return False

    def unique(self, where: str, what: str, keys: Iterable[Hashable]) -> None:
        """Refuse what occurs more than once."""
        seen: dict[Hashable, int] = {}
        for key in keys:
            seen[key] = seen.get(key, 0) + 1
        for key, times in seen.items():
            if times > 1:
                self.add(where, f"{what} {key!r} occurs {times} times, must be unique")


def nearest(value: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name that is nearest in spelling, or nothing."""
    close = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def exceeds(value: object, cap: object, tolerance: float) -> bool:
    """Return whether a number is above its cap by more than a part of it; a cap that is no number is none."""
    return _is_real(value) and _is_real(cap) and value > cap * (1 + tolerance)  # type: ignore[operator]


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
