"""The learning side of a schedule: what the devices' models are worth after each round."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from fl_runtime.accelerator import choose_device, reproducible
from fl_runtime.checkpoint import Checkpoints, Progress, Run
from fl_runtime.clock import play
from fl_runtime.cohorts import Cohort, form_cohorts
from fl_runtime.errors import CheckpointError
from fl_runtime.fitting import check_fits
from fl_runtime.learning_curve import LearningCurve, curve_of
from fl_runtime.learning_draws import initial_state
from fl_runtime.learning_settings import LearningSettings
from fl_runtime.living.draws import is_living
from fl_runtime.living.record import Record
from fl_runtime.local import State
from fl_runtime.modules.shared import SharedModel
from fl_runtime.quantity import with_drawn_quantities
from fl_runtime.round_averages import RoundAverages, first_kept
from fl_runtime.schedule import Schedule
from fl_runtime.stacked import Stacked
from fl_runtime.tasks.workload import Workload

Observer = Callable[[int, Mapping[str, float]], None]
"""Called after each round with its index and the accuracy of each task."""

ResumeObserver = Callable[[Sequence[Mapping[str, float]]], None]
"""Called once with the accuracy of each task after each of the rounds that an earlier run trained."""


def learn(
    schedule: Schedule,
    workload: Workload | None = None,
    seed: int = 0,
    settings: LearningSettings | None = None,
    *,
    observer: Observer | None = None,
    on_resume: ResumeObserver | None = None,
    record: Record | None = None,
) -> LearningCurve:
    """Train and average as a schedule says, and test after each round.

    Every device trains in every round, whatever the kind of round; what the round's steps then do to the
    replicas of a module is one mixing matrix.  Modules that travel below 32 bits, or that a server optimiser
    moves, are instead carried transfer by transfer (:mod:`fl_runtime.transport`).  In a living network the
    clock says who was there and what arrived: who was away does not train, averages go over what came, and
    who got no model keeps its own.  All in one process, on one thread or one GPU: same seed, same bytes.

    Parameters
    ----------
    schedule : Schedule
        A replica may be hosted on any node and serve several devices.
    workload : Workload or None
        Tasks and data; ``None``: the default, ``digits``.
    seed : int
        Draws training sets, initial modules and batches, >= 0; none of them depends on how updates travel.
    settings : LearningSettings or None
        How to learn; ``None``: as the defaults say.
    observer : callable or None
        Told of each round's accuracy.
    on_resume : callable or None
        Told, before any training, of the rounds of the run that this one resumes, if there are any.
    record : Record or None
        What happened in a living network, of a timeline of the same schedule and seed; ``None``: it is
        played for that.

    Returns
    -------
    LearningCurve
        Accuracy per round and task, and the final state.

    Raises
    ------
    ValueError
        If the schedule trains what this engine does not train, or names an unknown task or modality; or if
        there is no such device or precision.
    ImportError
        If torch is not installed.
    CheckpointError
        If a state cannot be kept, is damaged or of another run; or if there is one and ``resume`` is false.
    """
    _require_torch()
    from fl_runtime.modules.weights import load_frozen
    from fl_runtime.tasks.digits import digits_workload
    from fl_runtime.training import accuracy_of_devices, prefixes_of

    settings, workload = settings or LearningSettings(), workload or digits_workload()
    model = (settings.model or load_frozen()).on(choose_device(settings.device))
    if record is None and is_living(schedule):
        record = play(schedule, seed=seed).record
    schedule = with_drawn_quantities(schedule, seed)
    cohorts = form_cohorts(schedule, workload, seed)
    check_fits(cohorts, model)
    store = _store(settings, schedule, workload, model, seed)
    progress = (None if store is None else store.load()) or _first(schedule, cohorts, seed, model)
    averages = RoundAverages(schedule, progress.kept)
    accuracies: list[Mapping[str, float]] = list(progress.accuracies)
    state: State = dict(progress.state)
    del progress  # its state is large, and soon the last but one
    if on_resume is not None and accuracies:
        on_resume(tuple(accuracies))
    with reproducible(model.device, settings.precision):
        prefixes = prefixes_of(model, cohorts)
        train = settings.local or Stacked(model, cohorts, prefixes, schedule.training, seed)
        for index in range(len(accuracies), schedule.rounds):
            happened = None if record is None else record.happened(index)
            away = frozenset[str]() if happened is None else happened.untrained
            state, missing = train(index, state, away)  # what was before is let go: it is large
            state = averages.after(index, state, happened, missing)
            accuracies.append(accuracy_of_devices(model, cohorts, prefixes, state))
            if store is not None:
                store.save(Progress(accuracies=accuracies, state=state, kept=averages.kept))
            if observer is not None:
                observer(index, accuracies[-1])
    return curve_of(schedule, cohorts, accuracies, state)


def _store(
    settings: LearningSettings, schedule: Schedule, workload: Workload, model: SharedModel, seed: int
) -> Checkpoints | None:
    """Return the states of this run in the folder for them, if there is to be one."""
    if settings.checkpoint is None:
        return None
    run = Run.of(schedule, workload, model, seed, settings.precision)
    store = Checkpoints(Path(settings.checkpoint), run)
    if not settings.resume and not store.is_empty():
        raise CheckpointError(f"{store} holds a run already: resume it, or give another folder")
    return store


def _first(schedule: Schedule, cohorts: Sequence[Cohort], seed: int, model: SharedModel) -> Progress:
    state = initial_state(schedule, cohorts, seed, model)
    return Progress(accuracies=(), state=state, kept=first_kept(schedule, state))


def _require_torch() -> None:
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        raise ImportError(f"training needs {' and '.join(missing)}: pip install 'hfedfm-opt[runtime]'")
