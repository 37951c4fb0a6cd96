"""How a run learns: where it computes, what it computes with, and where it keeps its states."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fl_runtime.accelerator import Precision
from fl_runtime.errors import CheckpointError
from fl_runtime.local import LocalTraining

if TYPE_CHECKING:
    from fl_runtime.modules.shared import SharedModel


@dataclass(frozen=True, kw_only=True)
class LearningSettings:
    """How to learn; the defaults train the compact model in this process and keep no states.

    Parameters
    ----------
    model : SharedModel or None
        What all clients share; ``None``: the compact model that comes with the package.
    device : str or None
        Where torch computes: ``cpu``, ``cuda`` or ``cuda:N``; ``None``: on CUDA if there is some.  The same
        device gives the same bytes; another one rounds otherwise.
    precision : str
        ``float32``, or ``bfloat16`` for products, which changes the bytes and pays for wide models and on
        GPUs; parameters, averages and logits stay float32.
    local : callable or None
        Trains the devices in each round; ``None``: all stacked in this process.
    checkpoint : str or path-like or None
        Folder that keeps the state after each round, made if need be; ``None`` keeps none.
    resume : bool
        Whether to go on from the newest state there, if there is one.  A run that was killed at any moment
        and is resumed ends with the same bytes as one that was not.

    Raises
    ------
    CheckpointError
        If ``resume`` is true and there is no folder.
    """

    model: "SharedModel | None" = None
    device: str | None = None
    precision: Precision = "float32"
    local: LocalTraining | None = None
    checkpoint: str | os.PathLike[str] | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.checkpoint is None:
            raise CheckpointError("resume needs the folder of the checkpoints: give checkpoint as well")
