"""What a workload is: tasks with a training pool and a common test set, plain arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MODALITIES = ("image", "audio", "text")
"""What a device may sense."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Labelled samples.

    Parameters
    ----------
    inputs : mapping of str to array
        For each modality, one row per sample: ``image`` (n, 24, 24) float, ``audio`` (n, 256) float,
        ``text`` (n, 2) int tokens; for another model than the compact one in the form that it takes.
    labels : array of int, shape (n,)
        Classes, from 0.
    """

    inputs: Mapping[str, npt.NDArray[np.generic]]
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A classification task; equal only to itself.

    Parameters
    ----------
    name : str
        Its name.
    num_classes : int
        Number of classes, >= 2.
    modalities : tuple of str
        The modalities that its samples have.
    train : Samples
        The pool from which the devices' training sets are drawn.
    test : Samples
        The common test set.
    answers : tuple of str
        What each class means, where classes are answers to questions; otherwise none.
    left_out : mapping of str to int
        Of ``train`` and ``test``, how many questions were not taken since their answers are no classes.
    """

    name: str
    num_classes: int
    modalities: tuple[str, ...]
    train: Samples
    test: Samples
    answers: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Tasks by name; a schedule's routes say which device has how many samples of which.

    ``words`` are the words of the token numbers of ``text``, where the questions' own words were numbered.
    """

    name: str
    tasks: Mapping[str, Task]
    words: tuple[str, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Every modality that some task has, sorted."""
        return tuple(sorted({name for task in self.tasks.values() for name in task.modalities}))

    def task(self, name: str) -> Task:
        """Return the task called ``name``; a ``ValueError`` names the known ones otherwise."""
        if name not in self.tasks:
            raise ValueError(_unknown("task", name, self.name, self.tasks))
        return self.tasks[name]

    def used_modalities(self, task: str, available: Iterable[str]) -> tuple[str, ...]:
        """Return the modalities that the task needs and a device has, in the task's order.

        A device may have images, sounds or texts that no task needs.

        Raises
        ------
        ValueError
            If a name is unknown, or no modality that the task needs is available.
        """
        available = tuple(available)
        for name in available:
            if name not in (*self.modalities, *MODALITIES):
                raise ValueError(_unknown("modality", name, self.name, self.modalities))
        needed = self.task(task).modalities
        used = tuple(name for name in needed if name in available)
        if not used:
            raise ValueError(
                f"task {task!r} needs some of the modalities {', '.join(needed)}; "
                f"the route offers {', '.join(available) or 'none'}"
            )
        return used


def _unknown(kind: str, name: str, workload: str, known: Iterable[str]) -> str:
    return f"unknown {kind} {name!r}: the workload {workload!r} knows {', '.join(sorted(known))}"
