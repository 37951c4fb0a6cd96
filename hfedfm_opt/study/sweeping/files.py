"""A sweep as a folder: rows as CSV and JSON, a picture, the instance, and the plans of the front."""

from pathlib import Path

from hfedfm_opt.planning.plan_file import write_plan
from hfedfm_opt.study.comparison_files import plan_file_name
from hfedfm_opt.study.sweeping.picture import sweep_picture
from hfedfm_opt.study.sweeping.result import Sweep
from hfedfm_opt.study.sweeping.tables import sweep_csv, sweep_json
from hfedfm_opt.system.files import FileError, write_text
from hfedfm_opt.system.read import write_instance

TABLE, FIGURES, PICTURE, INSTANCE, CHOSEN, PLANS = (
    "sweep.csv",
    "sweep.json",
    "sweep.svg",
    "instance.json",
    "plan.json",
    "plans",
)


def write_sweep(sweep: Sweep, folder: Path, command: str = "") -> None:
    """Write a sweep into a folder, each file whole or not at all.

    Parameters
    ----------
    sweep : Sweep
        What to write.
    folder : Path
        Gets ``sweep.csv``, ``sweep.json``, ``sweep.svg``, ``instance.json``, ``plan.json`` (the choice, if
        there is one) and ``plans/<candidate>.json`` (the front); plans name the instance.
    command : str
        The call that repeats it.

    Raises
    ------
    FileError
        If something cannot be written.
    """
    try:
        (folder / PLANS).mkdir(parents=True, exist_ok=True)
        for old in (folder / CHOSEN, *(folder / PLANS).glob("*.json")):  # of a sweep before this one
            old.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written: {error.strerror}") from error
    write_instance(sweep.instance, folder / INSTANCE)
    for row in sweep.front:
        path = folder / PLANS / plan_file_name(row.name)
        write_plan(sweep.planned[row.name].plan, path, instance_file=folder / INSTANCE)
    if sweep.chosen is not None:
        write_plan(sweep.planned[sweep.chosen].plan, folder / CHOSEN, instance_file=folder / INSTANCE)
    write_text(folder / TABLE, sweep_csv(sweep))
    write_text(folder / FIGURES, sweep_json(sweep, command))
    if sweep.rows:
        write_text(folder / PICTURE, sweep_picture(sweep))
