"""What the frozen part of a model makes of the data, computed once for all rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from fl_runtime.cohorts import Cohort
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import Samples, Task
from fl_runtime.training.pass_sizes import chunks

_PREFIX_CHUNK = 512  # samples


@dataclass(frozen=True)
class Prefixes:
    """What enters the first adapter, of a task's pool and of its test set, each (samples, tokens, width)."""

    train: torch.Tensor
    test: torch.Tensor


def prefixes_of(model: SharedModel, cohorts: Sequence[Cohort]) -> list[Prefixes | None]:
    """Return what the frozen part makes of the data of each cohort; ``None`` if it trains encoders."""
    return [
        None
        if cohort.trains_encoders
        else _prefixes(
            model,
            cohort.task,
            cohort.modalities,
            is_rough=torch.is_autocast_enabled(model.device.type),
        )
        for cohort in cohorts
    ]


@lru_cache(maxsize=8)  # runs that differ in seeds or periods share it; about 15 MB each
def _prefixes(model: SharedModel, task: Task, modalities: tuple[str, ...], *, is_rough: bool) -> Prefixes:
    return Prefixes(train=_prefix(model, task.train, modalities), test=_prefix(model, task.test, modalities))


def _prefix(model: SharedModel, samples: Samples, modalities: tuple[str, ...]) -> torch.Tensor:
    parts = []
    for chunk in chunks(len(samples), _PREFIX_CHUNK):
        inputs = {name: torch.tensor(samples.inputs[name][chunk], device=model.device) for name in modalities}
        with torch.no_grad():
            parts.append(model.prefix(inputs))
    return torch.cat(parts)
