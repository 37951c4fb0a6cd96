"""Whether a model takes the data that it is to learn from."""

from collections.abc import Sequence

from fl_runtime.cohorts import Cohort
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import Task


def check_fits(cohorts: Sequence[Cohort], model: SharedModel) -> None:
    """Refuse data that the model does not take.

    Raises
    ------
    ValueError
        If a modality is unknown to the model, or images or questions have another form than it takes.
    """
    for task, modalities in dict.fromkeys((cohort.task, cohort.modalities) for cohort in cohorts):
        for modality in modalities:
            if modality not in model.modalities:
                raise ValueError(
                    f"task {task.name!r} has the modality {modality!r}, but the model {model.name!r} takes "
                    f"{', '.join(model.modalities)}; take another model, or leave it out of the routes"
                )
        _check_forms(task, modalities, model)


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


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
