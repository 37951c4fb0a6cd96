"""Options of commands that train: data of one's own, and the model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hfedfm_opt.cli.terminal import CommandError

if TYPE_CHECKING:
    from fl_runtime.data import DataFile
    from hfedfm_opt.study.train import OwnData

DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="TASK=FORMAT:FOLDER",
        help="Images and questions in the format gqa, artvqa or vizwiz; may be repeated; or a .toml file.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="With --data: compact (default), vilt or vilt:FOLDER."),
]


def named_data(data: list[str] | None, model: str | None, learn: bool) -> "DataFile | None":
    """Return the folders and the model that the options name; ``None``: those of the package.

    Raises
    ------
    CommandError
        If they do not fit together, or name nothing.
    """
    if not data:
        if model is not None:
            raise CommandError("--model goes with data of your own: give --data as well")
        return None
    if not learn:
        raise CommandError("data are there to be learned: leave out --no-learning, or --data")
    from fl_runtime.data import DataFile, named_folder, named_model, read_data_file
    from fl_runtime.errors import DataError

    try:
        files = [read_data_file(Path(text)) for text in data if text.endswith(".toml")]
        if files and len(data) > 1:
            raise CommandError("a .toml file names all tasks: give it as the only --data")
        named = files[0] if files else DataFile(tuple(named_folder(text) for text in data))
        return named if model is None else replace(named, model=named_model(model))
    except DataError as error:
        raise CommandError(str(error)) from error


def loaded(named: "DataFile | None") -> "OwnData":
    """Return the data that are named, and the model that learns from them.

    Raises
    ------
    CommandError
        If they cannot be loaded.
    """
    from hfedfm_opt.study.train import OwnData

    if named is None:
        return OwnData()
    from fl_runtime.data import load_named
    from fl_runtime.errors import DataError

    try:
        return OwnData(*load_named(named))
    except DataError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{error}, or run with --no-learning") from error


def data_facts(learned: "OwnData") -> list[tuple[str, str]]:
    """Return what to tell of the data: samples, classes, and what was left out."""
    if learned.workload is None:
        return []
    return [
        (
            "data" if place == 0 else "",
            f"{task.name}: {len(task.train)} samples to train, {len(task.test)} to test, "
            f"{task.num_classes} answers; {sum(task.left_out.values())} questions have other answers",
        )
        for place, task in enumerate(learned.workload.tasks.values())
    ]
