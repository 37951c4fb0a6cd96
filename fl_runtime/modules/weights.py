"""The shipped weights of the encoders and the backbone."""

from functools import cache
from pathlib import Path

from fl_runtime.modules.model import FrozenModel
from fl_runtime.modules.size import ModelSize

SHIPPED = Path(__file__).parent.parent / "tasks" / "data" / "backbone.safetensors"


@cache
def load_frozen(path: Path = SHIPPED) -> FrozenModel:
    """Return the frozen model with the weights of a file.

    Parameters
    ----------
    path : Path
        A safetensors file that ``python -m fl_runtime.tasks.pretrain`` wrote; the shipped one by default.
    """
    from safetensors.torch import load_file

    model = FrozenModel(ModelSize())
    model.load_state_dict(load_file(path))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model
