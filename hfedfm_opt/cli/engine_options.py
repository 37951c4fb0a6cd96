"""The options of commands that plan with several workers."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hfedfm_opt.planning.workers import EngineName


class EngineChoice(StrEnum):
    """Who works besides the command's own process."""

    PROCESSES = "processes"
    RAY = "ray"
    DASK = "dask"


Jobs = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Workers that plan; default: 1, or all of --engine ray or dask."),
]
Engine = Annotated[
    EngineChoice, typer.Option(help="Workers: processes, or those of RAY_ADDRESS or DASK_SCHEDULER_ADDRESS.")
]


def engine_of(choice: EngineChoice) -> "EngineName":
    """Return the planning layer's word for a choice of the command line."""
    words: dict[EngineChoice, EngineName] = {
        EngineChoice.PROCESSES: "processes",
        EngineChoice.RAY: "ray",
        EngineChoice.DASK: "dask",
    }
    return words[choice]
