"""Reads tables of text; what is wrong with a row comes back as a defect with its line."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.defects import Defect, Spelling, counted, shown
from hfedfm_opt.system.files import StrPath, read_text

FloatArray = npt.NDArray[np.float64]

SEPARATORS = ",;\t"
"""What may stand between cells; the one that the first line has most of is taken."""


@dataclass(frozen=True)
class Range:
    """What a number may be, both ends included, and its unit for messages."""

    low: float = -math.inf
    high: float = math.inf
    above_zero: bool = False
    whole: bool = False

    def __str__(self) -> str:
        """Return the range in words, such as ``a number from -90 to 90``."""
        noun = "a whole number" if self.whole else "a number"
        if self.above_zero:
            return f"{noun} > 0"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{noun} from {self.low:g} to {self.high:g}"
        return f"{noun} >= {self.low:g}" if math.isfinite(self.low) else noun

    def holds(self, value: float) -> bool:
        """Return whether a number is in the range."""
        if not (math.isfinite(value) and self.low <= value <= self.high):
            return False
        return (value > 0 or not self.above_zero) and (value == int(value) or not self.whole)


LATITUDE, LONGITUDE = Range(-90.0, 90.0), Range(-180.0, 180.0)


@dataclass(frozen=True)
class CsvTable:
    """The rows of a file; defects of the cells that are asked for are added to ``defects``.

    Parameters
    ----------
    source : str
        Name of the file in messages.
    header : tuple of str
        Names of the columns.
    lines : tuple of int
        Line of the file where each row starts.
    rows : tuple of tuple of str
        The cells, as many in each row as there are columns.
    defects : list of Defect
        What was found so far.
    """

    source: str
    header: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    defects: list[Defect] = field(default_factory=list)

    def place(self, row: int, column: str) -> str:
        """Return where a cell is, for messages."""
        return f"{self.source}, line {self.lines[row]}: {column}"

    def index_of(self, column: str) -> int | None:
        """Return the place of a column by its name, whatever its case, or ``None``."""
        folded = [name.casefold() for name in self.header]
        return folded.index(column.casefold()) if column.casefold() in folded else None

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column that must be there; empty texts where it is not."""
        index = self.index_of(column)
        if index is None:
            if self.header:
                known = {name.casefold(): name for name in self.header}
                close = Spelling().nearest(column.casefold(), known)
                found = ", ".join(repr(name) for name in self.header)
                remedy = f"did you mean {known[close]!r}?" if close else f"there are {found}"
                self.defects.append(
                    Defect(f"{self.source}: column {column!r}", "missing", "a column", remedy)
                )
            return [""] * len(self.rows)
        return [row[index] for row in self.rows]

    def has(self, column: str) -> bool:
        """Return whether there is a column of that name, whatever its case."""
        return self.index_of(column) is not None

    def numbers(self, column: str, allowed: Range, *, may_be_empty: bool = False) -> FloatArray:
        """Return the numbers of a column that must be there, NaN where a cell is wrong or may be empty."""
        values = np.full(len(self.rows), np.nan)
        texts = self.texts(column)
        if not self.has(column):
            return values
        for row, text in enumerate(texts):
            if not text and may_be_empty:
                continue
            value = _number(text)
            if value is not None and allowed.holds(value):
                values[row] = value
                continue
            remedy = "write decimals with a point" if value is None and "," in text else ""
            got = shown(text) if text and value is None else text or "empty"
            self.refuse(row, column, got, str(allowed), remedy)
        return values

    def refuse(self, row: int, column: str, got: str, expected: str, remedy: str = "") -> None:
        """Add a defect of a cell."""
        self.defects.append(Defect(self.place(row, column), got, expected, remedy))

    def unique_texts(self, column: str) -> list[str]:
        """Return the cells of a column that names the rows: none is empty, none comes twice."""
        texts = self.texts(column)
        if not self.has(column):
            return texts
        first: dict[str, int] = {}
        for row, text in enumerate(texts):
            if not text:
                self.refuse(row, column, "empty", "a name")
            elif text in first:
                self.refuse(
                    row, column, shown(text), f"unique, but line {self.lines[first[text]]} has it too"
                )
            else:
                first[text] = row
        return texts


def read_csv(path: StrPath) -> CsvTable:
    """Return the table of a CSV file with a line of column names; empty lines are passed over.

    Cells are separated by commas, semicolons or tabs, and stripped of spaces.

    Parameters
    ----------
    path : str or path-like
        The file, UTF-8; one whose name ends in ``.gz`` is unpacked.

    Raises
    ------
    FileError
        If the file itself cannot be read.
    """
    return parse_csv(read_text(path), Path(path).name)


def parse_csv(text: str, source: str) -> CsvTable:
    """Return the table of a CSV text; see :func:`read_csv`.

    Parameters
    ----------
    text : str
        The content.
    source : str
        Name of the file in messages.
    """
    if not text.strip():
        return _broken(source, Defect(source, "empty", "a line of column names and rows below it"))
    first = next(line for line in text.splitlines() if line.strip())
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    end = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append(end + 1)
                rows.append(tuple(cell.strip() for cell in cells))
            end = reader.line_num
    except csv.Error as error:
        return _broken(source, Defect(f"{source}, line {end + 1}", str(error), "cells in closed quotes"))
    return _table(source, lines, rows)


def _table(source: str, lines: Sequence[int], rows: Sequence[tuple[str, ...]]) -> CsvTable:
    header = rows[0]
    defects: list[Defect] = []
    if len(rows) == 1:
        defects.append(Defect(f"{source}: the table", "without rows", "at least one row"))
    for index, name in enumerate(header):
        if name and name.casefold() in [other.casefold() for other in header[:index]]:
            defects.append(Defect(f"{source}, line {lines[0]}: column {name!r}", "given twice", "given once"))
    good = [index for index in range(1, len(rows)) if len(rows[index]) == len(header)]
    for index in range(1, len(rows)):
        if len(rows[index]) != len(header):
            got = f"a row of {counted(len(rows[index]), 'cell')}"
            expected = f"of {len(header)}, one for each column"
            defects.append(Defect(f"{source}, line {lines[index]}", got, expected))
    return CsvTable(
        source, header, tuple(lines[index] for index in good), tuple(rows[index] for index in good), defects
    )


def _broken(source: str, defect: Defect) -> CsvTable:
    return CsvTable(source, (), (), (), [defect])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
