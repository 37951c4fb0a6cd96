"""The training runs of a sweep: each is made once, kept as a line of JSON, and found again after a kill."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fl_runtime import LearningSettings, Schedule
from fl_runtime.learn import learn
from fl_runtime.learning_key import learning_key

RUNS, CHECKPOINTS = "runs.jsonl", "checkpoints"
Metric = Literal["sync", "late"]
"""Accuracy after the last round at the cloud, or averaged over the last third of the rounds."""

RoundObserver = Callable[[int], None]
"""Told of each round of a run, counted from 1."""


class KeptRunsError(ValueError):
    """A file of kept runs that is not one; the message says which line and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """What one seed of one candidate reached.

    Parameters
    ----------
    key : str
        ``learning_key`` of its schedule and seed: all that decides what is learned.
    name : str
        The candidate that was the first to need it.
    seed : int
        Seed.
    tasks : tuple of str
        Tasks, sorted.
    accuracy : tuple of tuple of float, (rounds, tasks)
        After each round, in [0, 1].
    reached_cloud : tuple of bool, (rounds,)
        In which rounds the cloud averaged.
    """

    key: str
    name: str
    seed: int
    tasks: tuple[str, ...]
    accuracy: tuple[tuple[float, ...], ...]
    reached_cloud: tuple[bool, ...]

    def percent(self, metric: Metric) -> float:
        """Return the mean over tasks, in percent."""
        of_round: npt.NDArray[np.float64] = 100.0 * np.asarray(self.accuracy).mean(axis=1)  # (rounds,)
        if metric == "late":
            return float(of_round[-max(1, len(of_round) // 3) :].mean())
        synced = np.flatnonzero(self.reached_cloud)
        return float(of_round[int(synced[-1]) if len(synced) else -1])


class Runs:
    """The runs of a folder, or of memory alone.

    Parameters
    ----------
    folder : Path or None
        Where ``runs.jsonl`` is; ``None`` keeps nothing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: dict[str, KeptRun] = {}
        self.num_trained = 0
        if folder is not None and (folder / RUNS).exists():
            self._kept = {run.key: run for run in read_runs(folder / RUNS)}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, schedule: Schedule, seed: int) -> KeptRun | None:
        """Return the run of a schedule and a seed if it has been made."""
        return self._kept.get(learning_key(schedule, seed))

    def train(
        self, schedule: Schedule, seed: int, name: str, observer: RoundObserver | None = None
    ) -> KeptRun:
        """Return the run of a schedule and a seed; it is made, and kept, if it is not there.

        In a folder, the state of a run on its way is kept after each round, so that a killed one goes on.
        """
        key = learning_key(schedule, seed)
        if key in self._kept:
            return self._kept[key]
        states = None if self._folder is None else self._folder / CHECKPOINTS / key[:16]
        curve = learn(
            schedule,
            None,
            seed,
            LearningSettings(checkpoint=states, resume=states is not None),
            observer=None if observer is None else lambda index, _: observer(index + 1),
        )
        run = KeptRun(
            key=key,
            name=name,
            seed=seed,
            tasks=curve.tasks,
            accuracy=tuple(map(tuple, curve.accuracy.tolist())),
            reached_cloud=tuple(curve.reached_cloud.tolist()),
        )
        self._keep(run, states)
        return run

    def _keep(self, run: KeptRun, states: Path | None) -> None:
        self._kept[run.key] = run
        self.num_trained += 1
        if self._folder is None or states is None:
            return
        with (self._folder / RUNS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(run)) + "\n")
        shutil.rmtree(states)
        if not any(states.parent.iterdir()):
            states.parent.rmdir()


def read_runs(path: Path) -> list[KeptRun]:
    """Return the runs of a file; a last line that a kill cut off is taken away from it.

    Raises
    ------
    KeptRunsError
        If another line is not a run.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    if lines[-1]:  # a whole line ends with a newline
        path.write_text("".join(line + "\n" for line in lines[:-1]), encoding="utf-8")
    return [_parsed(line, f"{path}: line {number}") for number, line in enumerate(lines[:-1], start=1)]


def _parsed(line: str, where: str) -> KeptRun:
    remedy = "delete the line, its run is then made again"
    try:
        raw: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise KeptRunsError(f"{where}: is not JSON ({error.msg}): {remedy}") from None
    names = set(KeptRun.__dataclass_fields__)
    if not isinstance(raw, dict) or set(raw) != names:
        got = ", ".join(sorted(raw)) if isinstance(raw, dict) else type(raw).__name__
        raise KeptRunsError(f"{where}: has {got}, must have {', '.join(sorted(names))}: {remedy}")
    return KeptRun(
        key=raw["key"],
        name=raw["name"],
        seed=raw["seed"],
        tasks=tuple(raw["tasks"]),
        accuracy=tuple(map(tuple, raw["accuracy"])),
        reached_cloud=tuple(raw["reached_cloud"]),
    )
