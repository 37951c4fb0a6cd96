"""What the commands say: results to stdout, errors to stderr."""

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

UNWRAPPED = 2000
"""Width of lines that nobody sees on a terminal, characters."""


class CommandError(Exception):
    """Why a command ends without a result.

    Parameters
    ----------
    message : str
        One readable line, or a heading and a line for each finding.
    status : int
        Exit status: 1 for a plan that is missing or wrong, 2 for wrong use.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def complain(message: str) -> None:
    """Print an error to stderr; further lines of it are indented."""
    first, *others = message.splitlines() or [""]
    print("\n".join([f"hfedfm: {first}", *(f"  {line}" for line in others)]), file=sys.stderr)


def say_json(document: Any) -> None:
    """Print JSON to stdout; numbers that are not finite, which JSON lacks, are ``null``."""
    print(json.dumps(_plain(document), indent=1, ensure_ascii=False, allow_nan=False))


def say_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns; long values are wrapped, empty ones left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        if value:
            grid.add_row(Text(name), Text(value, overflow="fold"))
    say_drawn(lambda console: console.print(grid))


def say_table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Print a table; the columns named in ``numbers`` are set to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(header):
        last = index == len(header) - 1
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=not last)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    say_drawn(lambda console: console.print(table))


def figure(value: float | None, unit: str = "") -> str:
    """Return a number with six digits and its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.6g} {unit}".rstrip()


def say_drawn(draw: "Callable[[Console], None]") -> None:
    """Print what a function draws with rich: as wide as the terminal, in a file or a pipe without wrapping.

    Parameters
    ----------
    draw : callable
        Prints to the console that it is given.
    """
    from rich.console import Console

    whole_lines = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(highlight=False, width=UNWRAPPED if whole_lines else None)
    with console.capture() as captured:
        draw(console)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
