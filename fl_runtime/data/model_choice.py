"""Which model is to learn from users' own data, and the data in the form that it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fl_runtime.data.folder import VqaFolder
from fl_runtime.data.vqa import MAX_BYTES, load_vqa
from fl_runtime.errors import DataError
from fl_runtime.modules.shared import SharedModel
from fl_runtime.tasks.workload import Workload


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model.

    Parameters
    ----------
    name : str
        ``compact``, the model that comes with the package, with a table for the words at hand; or ``vilt``.
    folder : Path or None
        ViLT: folder of its weights; ``None``: small and random.
    image_size : int or None
        ViLT: pixels of images in each direction; ``None``: as it is configured.
    num_blocks, bottleneck, rank, prompt_tokens, expert_bottleneck : int
        ViLT: see :class:`fl_runtime.modules.vilt.ViltModules`.
    config : mapping
        ViLT without a folder: fields of its configuration.
    seed : int
        Of random weights, >= 0.
    """

    name: Literal["compact", "vilt"] = "compact"
    folder: Path | None = None
    image_size: int | None = None
    num_blocks: int = 1
    bottleneck: int = 64
    rank: int = 4
    prompt_tokens: int = 4
    expert_bottleneck: int = 64
    config: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    seed: int = 0


def load_own(
    folders: Sequence[VqaFolder], choice: ModelChoice | None = None, seed: int = 0, max_bytes: int = MAX_BYTES
) -> tuple[Workload, SharedModel]:
    """Return data of one's own, and the model that learns from them.

    Parameters
    ----------
    folders : sequence of VqaFolder
        The tasks.
    choice : ModelChoice or None
        The model; ``None``: the compact one.
    seed : int
        Draws samples and test images, >= 0.
    max_bytes : int
        Most bytes of all images together.

    Raises
    ------
    DataError
        With all defects of all folders, or of the model's folder.
    ImportError
        If a package is not installed.
    """
    choice = choice or ModelChoice()
    if choice.name == "vilt":
        vilt = _vilt(choice)
        return load_vqa(folders, vilt.inputs, seed, max_bytes), vilt
    from fl_runtime.modules.weights import compact_model

    workload = load_vqa(folders, None, seed, max_bytes)
    length = max(task.train.inputs["text"].shape[1] for task in workload.tasks.values())
    return workload, compact_model(len(workload.words), length, choice.seed)


def _vilt(choice: ModelChoice) -> SharedModel:
    from fl_runtime.modules.vilt import ViltModules
    from fl_runtime.modules.vilt_weights import vilt_model

    modules = ViltModules(
        num_blocks=choice.num_blocks,
        bottleneck=choice.bottleneck,
        rank=choice.rank,
        prompt_tokens=choice.prompt_tokens,
        expert_bottleneck=choice.expert_bottleneck,
    )
    try:
        return vilt_model(choice.folder, choice.config or None, choice.seed, modules, choice.image_size)
    except ValueError as error:
        raise DataError([str(error)], "model") from error
