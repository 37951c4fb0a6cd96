"""``hfedfm report``: writes the report of a comparison again, from its folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from hfedfm_opt.study.comparison import Comparison

REPORT = "report.html"
"""Name of the report in a comparison's folder."""


def report(
    folder: Annotated[
        Path, typer.Argument(help="A folder that hfedfm compare -o wrote.", show_default=False)
    ],
) -> int:
    """Write report.html of a comparison again, from the figures and plans in its folder."""
    from hfedfm_opt.study.comparison_files import read_comparison

    write_report_into(folder, read_comparison(folder))
    print(f"written to {folder / REPORT}")
    return 0


def write_report_into(folder: Path, comparison: "Comparison") -> None:
    """Write the report of a comparison into its folder.

    Parameters
    ----------
    folder : Path
        An existing folder.
    comparison : Comparison
        What to show.

    Raises
    ------
    CommandError
        If plotly is not installed; the message says how to install it.
    """
    from hfedfm_opt.study.report import write_report

    try:
        write_report(comparison, folder / REPORT)
    except ImportError as error:
        raise CommandError(str(error)) from error
