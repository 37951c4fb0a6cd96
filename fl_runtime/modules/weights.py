"""The shipped weights of the encoders and the backbone."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from fl_runtime.modules.encoders import TextEncoder
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


def compact_model(num_tokens: int, text_length: int, seed: int = 0) -> FrozenModel:
    """Return the shipped model with a random table of other tokens, for questions of one's own.

    Parameters
    ----------
    num_tokens : int
        Token numbers, >= 1.
    text_length : int
        Tokens of every question, >= 1.
    seed : int
        Draws the table and the positions.
    """
    shipped = load_frozen()
    size = replace(shipped.size, num_tokens=num_tokens, text_length=text_length)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FrozenModel(size)
        table = TextEncoder(size.width, num_tokens, text_length)
    weights = shipped.state_dict()
    weights |= {f"encoders.text.{name}": tensor for name, tensor in table.state_dict().items()}
    model.load_state_dict(weights)
    return model.requires_grad_(False)
