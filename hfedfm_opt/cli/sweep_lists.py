"""The lists that ``hfedfm sweep`` takes, read with care: what is wrong is named with what it must be."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from hfedfm_opt.study.sweeping.candidates import Bits, Candidate, Period
    from hfedfm_opt.study.sweeping.settings import Floor
    from hfedfm_opt.system.instance import Instance

Value = TypeVar("Value")
NEVER = "never"


def periods_of(text: str) -> "tuple[Period, ...]":
    """Return the periods of a list such as ``1,2,never``."""
    return _each("--periods", text, _period, f"whole numbers >= 1 or {NEVER}")


def bits_of(text: str) -> "tuple[Bits, ...]":
    """Return the precisions of a list such as ``32,4,2/8``: up, and down if it differs."""
    from fl_runtime.packing import PRECISIONS_BITS

    allowed = ", ".join(map(str, PRECISIONS_BITS))
    return _each("--bits", text, _bits, f"{allowed}, or two of them as in 2/8")


def momenta_of(text: str) -> tuple[float, ...]:
    """Return the momenta of a list such as ``0,0.6``."""
    return _each("--momentum", text, _momentum, "numbers at least 0 and below 1")


def floor_of(text: str | None) -> "Floor | None":
    """Return a floor such as ``74.5`` (percent) or ``reference-0.5`` (points)."""
    if text is None:
        return None
    from hfedfm_opt.study.sweeping.settings import Floor

    relative = text.startswith("reference")
    number = _number(text.removeprefix("reference") or "0")
    if not math.isfinite(number) or (not relative and not 0 <= number <= 100):
        raise CommandError(
            f"--accuracy-floor is {text!r}, must be percent from 0 to 100, or points from the reference, "
            "such as reference-0.5"
        )
    return Floor(percent=number, to_reference=relative)


def candidates_of(
    instance: "Instance",
    texts: Sequence[str],
    periods: "Sequence[Period]",
    bits: "Sequence[Bits]",
    momenta: Sequence[float],
) -> "list[Candidate]":
    """Return candidates with periods of single modules, at each common period, precision and momentum.

    Parameters
    ----------
    instance : Instance
        Whose modules they are.
    texts : sequence of str
        Each such as ``adapter=4,head=1``; modules that it does not name have the common period.
    periods, bits, momenta : sequence
        The common ones.
    """
    from dataclasses import replace

    from hfedfm_opt.study.sweeping.candidates import trainable_modules, uniform

    known = trainable_modules(instance)
    found = []
    for text, period, both, momentum in product(texts, periods, bits, momenta):
        own = _of_modules(text, known)
        base = uniform(instance, period, both, momentum)
        found.append(replace(base, periods=tuple((name, own.get(name, period)) for name in known)))
    return found


def _of_modules(text: str, known: Sequence[str]) -> "dict[str, Period]":
    found: dict[str, Period] = {}
    for part in text.split(","):
        name, equals, period = part.strip().partition("=")
        if not equals or name not in known:
            raise CommandError(
                f"--module-periods has {part.strip()!r}, must be measured, or MODULE=E of the trainable "
                f"modules: {', '.join(known)}"
            )
        found[name] = _each("--module-periods", period, _period, f"whole numbers >= 1 or {NEVER}")[0]
    return found


def _each(option: str, text: str, parse: Callable[[str], Value], expected: str) -> tuple[Value, ...]:
    found = []
    for part in text.split(","):
        try:
            found.append(parse(part.strip()))
        except ValueError:
            raise CommandError(f"{option} has {part.strip()!r}, must be {expected}") from None
    if len(set(found)) < len(found):
        raise CommandError(f"{option} is {text!r}: give each once")
    return tuple(found)


def _period(word: str) -> "Period":
    if word == NEVER:
        return None
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(word)
    return int(word)


def _bits(word: str) -> "Bits":
    from fl_runtime.packing import PRECISIONS_BITS

    ways = [int(way) for way in word.split("/")]
    if len(ways) > 2 or not set(ways) <= set(PRECISIONS_BITS):
        raise ValueError(word)
    return ways[0], ways[-1]


def _momentum(word: str) -> float:
    number = float(word)
    if not 0 <= number < 1:
        raise ValueError(word)
    return number


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
