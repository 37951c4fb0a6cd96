"""Runs a schedule: checks it, plays it on the clock, and trains as it says."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fl_runtime.accelerator import Precision
from fl_runtime.clock import play
from fl_runtime.errors import CheckpointError
from fl_runtime.fading import Fading
from fl_runtime.measurements import Measurements
from fl_runtime.round_report import Reporter, RoundObserver, RoundReport
from fl_runtime.schedule import LivingNetwork, Schedule

if TYPE_CHECKING:
    from fl_runtime.local import LocalTraining
    from fl_runtime.modules.shared import SharedModel
    from fl_runtime.tasks.workload import Workload


def run(  # noqa: PLR0913
    schedule: Schedule,
    workload: "Workload | None" = None,
    seed: int = 0,
    *,
    learn: bool = True,
    fading: Fading | None = None,
    observer: RoundObserver | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    model: "SharedModel | None" = None,
    device: str | None = None,
    precision: Precision = "float32",
    local: "LocalTraining | None" = None,
) -> Measurements:
    """Return what ``schedule`` costs and what it learns.

    Parameters
    ----------
    schedule : Schedule
        What to run.
    workload : Workload or None
        Tasks and data; ``None`` takes the handwritten digits that come with the package.
    seed : int
        Draws data, initial modules, batches, fading and all that chance decides in a living network, >= 0;
        the same seed gives the same figures.
    learn : bool
        Whether to train; without, only time and energy are measured and torch is not needed.
    fading : Fading or None
        Law of block fading; ``None`` takes that of the schedule's living network, if it has one.
    observer : callable or None
        Told of each round as soon as it is trained (:class:`fl_runtime.RoundReport`): costs, accuracy, time
        left.  A run that is resumed tells first of the rounds of the earlier one; one that trains nothing,
        of all rounds at once.
    checkpoint : str or path-like or None
        Folder that keeps the state after each round, made if need be; ``None`` keeps none.
    resume : bool
        Whether to go on from the newest state there, if there is one.  A run that was killed at any moment
        and is resumed ends with the same bytes as one that was not.
    model : SharedModel or None
        What all clients share; ``None`` takes the compact model that comes with the package.
    device : str or None
        Where training computes: ``cpu``, ``cuda`` or ``cuda:N``; ``None``: on CUDA if torch finds some.
    precision : str
        ``float32``, or ``bfloat16`` for products (see :func:`fl_runtime.learn.learn`).
    local : callable or None
        Trains the devices in each round (:class:`fl_runtime.local.LocalTraining`); ``None`` trains all of
        them stacked in this process.

    Returns
    -------
    Measurements
        The timeline and, if asked for, the learning curve.

    Raises
    ------
    ScheduleError
        With all defects of the schedule, before anything runs.
    ValueError
        For a workload that does not fit the schedule, or a device or precision that there is not.
    CheckpointError
        If a state cannot be kept, is damaged or of another run; if the folder holds one and ``resume`` is
        false; or if nothing is to be learned that could be kept.
    """
    if not learn and (checkpoint is not None or resume):
        raise CheckpointError("checkpoints keep what was learned: run with learn=True, or without them")
    if fading is not None:  # where rounds do not wait, it decides who is missing: so states must know it
        schedule = replace(schedule, living=replace(schedule.living or LivingNetwork(), fading=fading))
    timeline = play(schedule, seed=seed)
    reporter = Reporter(schedule, timeline, observer or _nobody)
    curve = None
    if not learn:
        reporter.tell_all()
    else:
        from fl_runtime.learn import learn as train  # torch is loaded here and nowhere earlier

        folder = None if checkpoint is None else Path(checkpoint)
        curve = train(
            schedule,
            workload,
            seed,
            observer=reporter.tell,
            checkpoint=folder,
            resume=resume,
            on_resume=reporter.tell_replayed,
            model=model,
            device=device,
            precision=precision,
            record=timeline.record,
            local=local,
        )
    return Measurements(schedule_name=schedule.name, seed=seed, timeline=timeline, learning=curve)


def _nobody(report: RoundReport) -> None:
    """Hear a report, and do nothing."""
