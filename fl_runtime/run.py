"""Runs a schedule: checks it, plays it on the clock, and trains as it says."""

from dataclasses import replace
from typing import TYPE_CHECKING

from fl_runtime.clock import play
from fl_runtime.fading import Fading
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.measurements import Measurements
from fl_runtime.round_report import Reporter, RoundObserver, RoundReport
from fl_runtime.schedule import LivingNetwork, Schedule

if TYPE_CHECKING:
    from fl_runtime.tasks.workload import Workload

DEFAULT_LEARNING = LearningSettings()
"""Trains the compact model in this process."""


def run(
    schedule: Schedule,
    workload: "Workload | None" = None,
    seed: int = 0,
    *,
    learning: LearningSettings | None = DEFAULT_LEARNING,
    fading: Fading | None = None,
    observer: RoundObserver | None = None,
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
    learning : LearningSettings or None
        How to train; with ``None`` only time and energy are measured, and torch is not needed.
    fading : Fading or None
        Law of block fading; ``None`` takes that of the schedule's living network, if it has one.
    observer : callable or None
        Told of each round as soon as it is trained (:class:`fl_runtime.RoundReport`): costs, accuracy, time
        left.  A run that is resumed tells first of the rounds of the earlier one; one that trains nothing,
        of all rounds at once.

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
        If a state cannot be kept, is damaged or of another run; or if the folder holds one and ``resume`` is
        false.
    """
    if fading is not None:  # where rounds do not wait, it decides who is missing: so states must know it
        schedule = replace(schedule, living=replace(schedule.living or LivingNetwork(), fading=fading))
    timeline = play(schedule, seed=seed)
    reporter = Reporter(schedule, timeline, observer or _nobody)
    curve = None
    if learning is None:
        reporter.tell_all()
    else:
        from fl_runtime.learn import learn  # torch is loaded here and nowhere earlier

        curve = learn(
            schedule,
            workload,
            seed,
            learning,
            observer=reporter.tell,
            on_resume=reporter.tell_replayed,
            record=timeline.record,
        )
    return Measurements(schedule_name=schedule.name, seed=seed, timeline=timeline, learning=curve)


def _nobody(report: RoundReport) -> None:
    """Hear a report, and do nothing."""
