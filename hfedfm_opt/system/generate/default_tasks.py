"""The default workload's tasks ``read``, ``spoken`` and ``cmp``, dealt to devices."""

from collections.abc import Sequence

import numpy as np

from hfedfm_opt.system.instance import Data, Modality, Task

MODALITIES_OF_TASK: dict[str, tuple[Modality, ...]] = {
    "read": ("image", "text"),
    "spoken": ("audio", "text"),
    "cmp": ("image", "audio", "text"),
}
TASK_NAMES = tuple(MODALITIES_OF_TASK)
MODALITY_ORDER: tuple[Modality, ...] = ("image", "audio", "text")
NUM_CLASSES = {"read": 10, "spoken": 10, "cmp": 3}


def task_with(name: str, shared_modules: Sequence[str]) -> Task:
    """Return a task that runs its encoders, the shared modules and its own head, in this order."""
    modalities = MODALITIES_OF_TASK[name]
    encoders = tuple(f"encoder-{modality}" for modality in modalities)
    return Task(id=name, modalities=modalities, modules=(*encoders, *shared_modules, f"head-{name}"))


def deal_two_of_three(num_devices: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return two tasks for each device; a third of the devices, or nearly so, leave out each task."""
    left_out = rng.permutation(np.arange(num_devices) % len(TASK_NAMES))
    return [tuple(name for index, name in enumerate(TASK_NAMES) if index != out) for out in left_out.tolist()]


def modalities_for(tasks: Sequence[str]) -> tuple[Modality, ...]:
    """Return the modalities that some of the tasks can use."""
    return tuple(m for m in MODALITY_ORDER if any(m in MODALITIES_OF_TASK[task] for task in tasks))


def data_of(tasks: Sequence[str], samples: Sequence[int]) -> tuple[Data, ...]:
    """Return the data entries of a device: so many samples of each task."""
    return tuple(Data(task=task, samples=count) for task, count in zip(tasks, samples, strict=True))
