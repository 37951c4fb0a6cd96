"""Whether a model takes the data that it is to learn from, and whether memory holds what it makes of them."""

import os
from collections.abc import Sequence

from fl_runtime.cohorts import Cohort
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import Task


def check_fits(cohorts: Sequence[Cohort], model: SharedModel) -> None:
    """Refuse data that the model does not take.

    Raises
    ------
    ValueError
        If a modality is unknown to the model, if images or questions have another form than it takes, or if
        the prefixes that it keeps of all samples are larger than the machine's memory.
    """
    for task, modalities in dict.fromkeys((cohort.task, cohort.modalities) for cohort in cohorts):
        for modality in modalities:
            if modality not in model.modalities:
                raise ValueError(
                    f"task {task.name!r} has the modality {modality!r}, but the model {model.name!r} takes "
                    f"{', '.join(model.modalities)}; take another model, or leave it out of the routes"
                )
        _check_forms(task, modalities, model)
    _check_memory(cohorts, model)


def _check_forms(task: Task, modalities: Sequence[str], model: SharedModel) -> None:
    wanted = model.inputs
    for part in (task.train, task.test):
        if "image" in modalities and part.inputs["image"].shape[1:] != wanted.image_shape:
            raise ValueError(
                f"task {task.name!r} has images of {_by(part.inputs['image'].shape[1:])}, but the model "
                f"{model.name!r} takes {_by(wanted.image_shape)}; load the data in the form that it takes"
            )
        if "text" not in modalities or not len(part):
            continue
        text = part.inputs["text"]
        if text.shape[1] > wanted.text_length or int(text.max()) >= wanted.num_tokens:
            raise ValueError(
                f"task {task.name!r} has questions of {text.shape[1]} tokens up to number {text.max()}, but "
                f"the model {model.name!r} takes {wanted.text_length} of {wanted.num_tokens} numbers; load "
                "the data in the form that it takes"
            )


def _check_memory(cohorts: Sequence[Cohort], model: SharedModel) -> None:
    """Refuse prefixes that no memory holds: those of all samples are kept, but where encoders are trained."""
    import torch

    num_bytes = num_samples = 0
    kept = [(cohort.task, cohort.modalities) for cohort in cohorts if not cohort.trains_encoders]
    for task, modalities in dict.fromkeys(kept):
        one = {name: torch.tensor(task.train.inputs[name][:1], device=model.device) for name in modalities}
        with torch.no_grad():
            prefix = model.prefix(one)
        num_samples += len(task.train) + len(task.test)
        num_bytes += (len(task.train) + len(task.test)) * prefix.numel() * prefix.element_size()
    if num_bytes > memory_bytes():
        raise ValueError(
            f"what the model {model.name!r} makes of {num_samples} samples takes {num_bytes / 1e9:.1f} GB, "
            f"the memory of this machine has {memory_bytes() / 1e9:.1f} GB; take fewer samples of each "
            "class, or smaller images"
        )


def memory_bytes() -> float:
    """Return the bytes of the machine's memory; infinite where the system does not tell."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return float("inf")
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
