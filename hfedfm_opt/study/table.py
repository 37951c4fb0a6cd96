"""The tables of a comparison on a terminal."""

from typing import TYPE_CHECKING

from hfedfm_opt.study.ablation_table import ablation_table
from hfedfm_opt.study.comparison import Comparison
from hfedfm_opt.study.table_text import TableText, tables_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FULL_WIDTH = 110
"""Characters of a line that take all columns."""


def print_comparison(comparison: Comparison, console: "Console | None" = None) -> None:
    """Print all tables of a comparison.

    Parameters
    ----------
    comparison : Comparison
        What to show.
    console : rich.console.Console or None
        Where to; ``None``: standard output.
    """
    from rich.console import Console

    out = Console() if console is None else console
    for table in (*tables_of(comparison), *map(ablation_table, comparison.ablations)):
        out.print(terminal_table(table, out.width))
        out.print()


def terminal_table(content: TableText, width: int) -> "Table":
    """Return a table as rich draws it; the tool's own methods are bold.

    Parameters
    ----------
    content : TableText
        What to show.
    width : int
        Characters of a line; below ``FULL_WIDTH``, columns that can be spared are left out.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(content.title, style="bold"),
        caption=Text(content.caption) if content.caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    shown = [i for i, column in enumerate(content.columns) if width >= FULL_WIDTH or not column.spare]
    for i in shown:
        column = content.columns[i]
        words = [word for row in content.rows for word in row[i].split()]
        table.add_column(
            Text(column.head),
            justify="right" if column.number else "left",
            min_width=max(map(len, words), default=0),  # names are not broken within a word
            no_wrap=column.number,
        )
    for index, row in enumerate(content.rows):
        cells = [Text(row[i]) for i in shown]
        table.add_row(*cells, style="bold" if index in content.marked else None)
    return table
