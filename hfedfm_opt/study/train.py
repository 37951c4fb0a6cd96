"""Training runs of many plans: each run that several plans have in common is made once per seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fl_runtime import LearningSettings, Schedule
from fl_runtime.learn import learn
from fl_runtime.learning_curve import LearningCurve
from fl_runtime.learning_key import learning_key
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks import Workload
from hfedfm_opt.study.comparison_parts import TrainingRun
from hfedfm_opt.study.measure import Figure

Progress = Callable[[str, int, int], None]
"""Told what is being trained, and how many of all rounds are done."""


class OwnData(NamedTuple):
    """Data to learn from and the model that learns; ``None``: the default workload, the compact model."""

    workload: Workload | None = None
    model: SharedModel | None = None


@dataclass(frozen=True)
class Trained:
    """Training runs, which plan has which, and why some have none.

    Parameters
    ----------
    runs : tuple of TrainingRun
        In the order in which plans first need them.
    run_of : mapping of str to TrainingRun
        The run of each plan, by the plan's key.
    notes : tuple of str
        One line for each reason why plans have no accuracy.
    """

    runs: tuple[TrainingRun, ...]
    run_of: Mapping[str, TrainingRun]
    notes: tuple[str, ...]


def train_all(
    schedules: Mapping[str, Schedule],
    seeds: Sequence[int],
    progress: Progress,
    own: OwnData | None = None,
) -> Trained:
    """Train as the schedules say.

    Parameters
    ----------
    schedules : mapping of str to Schedule
        What to run, by key; all of the same number of rounds.
    seeds : sequence of int
        At least one.
    progress : callable
        Told after each round.
    own : OwnData or None
        Data and model, if not the default ones.
    """
    own = own or OwnData()
    sharing: dict[str, list[str]] = {}
    for key, schedule in schedules.items():
        sharing.setdefault(learning_key(schedule), []).append(key)
    runs: list[TrainingRun] = []
    run_of: dict[str, TrainingRun] = {}
    refused: dict[str, list[str]] = {}
    for position, keys in enumerate(sharing.values()):
        schedule = schedules[keys[0]]
        tell = _teller(progress, keys[0], position * len(seeds), len(sharing) * len(seeds), schedule.rounds)
        settings = LearningSettings(model=own.model)
        try:
            curves = [
                learn(schedule, own.workload, seed, settings, observer=tell(index))
                for index, seed in enumerate(seeds)
            ]
        except (ImportError, ValueError) as error:  # no torch, or nothing that this workload can train
            refused.setdefault(str(error), []).extend(keys)
            continue
        runs.append(_run(f"run-{len(runs) + 1}", curves, seeds))
        run_of |= dict.fromkeys(keys, runs[-1])
    return Trained(tuple(runs), run_of, tuple(_note(text, keys, schedules) for text, keys in refused.items()))


def accuracies_at_sync(run: TrainingRun) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return accuracy after the last round that reached the cloud, or the last round, (seeds, tasks)."""
    synced = np.flatnonzero(run.reached_cloud)
    return np.asarray(run.accuracy)[:, int(synced[-1]) if len(synced) else -1]


def late_accuracies(run: TrainingRun) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return accuracy averaged over the last third of the rounds, at least one, (seeds, tasks)."""
    accuracy = np.asarray(run.accuracy)  # (seeds, rounds, tasks)
    late: np.ndarray[tuple[int, int], np.dtype[np.float64]] = accuracy[
        :, -max(1, accuracy.shape[1] // 3) :
    ].mean(axis=1)
    return late


def accuracy_fields(run: TrainingRun) -> dict[str, object]:
    """Return the fields of a row that a training run fills."""
    found: dict[str, object] = {"training_run": run.name}
    for name, values in (("accuracy", accuracies_at_sync(run)), ("late_accuracy", late_accuracies(run))):
        mean = Figure.of(values.mean(axis=1).tolist())
        of_task = {task: Figure.of(column.tolist()) for task, column in zip(run.tasks, values.T, strict=True)}
        deviations = {task: figure.sd for task, figure in of_task.items() if figure.sd is not None}
        found |= {
            name: mean.mean,
            f"{name}_sd": mean.sd,
            f"{name}_of_task": {task: figure.mean for task, figure in of_task.items()},
            f"{name}_sd_of_task": deviations or None,
        }
    rounds = np.asarray(run.accuracy).mean(axis=2).T.tolist()  # (rounds, seeds)
    figures = [Figure.of(values) for values in rounds]
    found["curve"] = tuple(figure.mean for figure in figures)
    found["curve_sd"] = tuple(figure.sd for figure in figures if figure.sd is not None)
    return found


def _teller(
    progress: Progress, what: str, first: int, num_runs: int, rounds: int
) -> Callable[[int], Callable[[int, Mapping[str, float]], None]]:
    def of_seed(index: int) -> Callable[[int, Mapping[str, float]], None]:
        def of_round(round_index: int, accuracy: Mapping[str, float]) -> None:
            del accuracy
            progress(what, (first + index) * rounds + round_index + 1, num_runs * rounds)

        return of_round

    return of_seed


def _run(name: str, curves: Sequence[LearningCurve], seeds: Sequence[int]) -> TrainingRun:
    return TrainingRun(
        name=name,
        tasks=curves[0].tasks,
        seeds=tuple(seeds),
        accuracy=tuple(tuple(map(tuple, curve.accuracy.tolist())) for curve in curves),
        reached_cloud=tuple(curves[0].reached_cloud.tolist()),
    )


def _note(text: str, keys: Sequence[str], schedules: Mapping[str, Schedule]) -> str:
    who = "no method" if len(keys) == len(schedules) else ", ".join(keys)
    return f"{who} was trained: {text}" if who == "no method" else f"not trained: {who}: {text}"
