"""First parameters of the modules that are the same in every model: they work on tokens of some width."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from fl_runtime.modules.adapters import initial_adapter
from fl_runtime.modules.experts import initial_gate
from fl_runtime.modules.heads import initial_head
from fl_runtime.modules.prompts import initial_prompt


class AddedSizes(Protocol):
    """Sizes of what clients add to a model."""

    @property
    def expert_bottleneck(self) -> int:
        """Width of the hidden layer of an expert."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Tokens of a prompt."""
        ...


def initial_on_tokens(
    kind: str,
    width: int,
    sizes: AddedSizes,
    rng: np.random.Generator,
    *,
    num_classes: int,
    num_experts: int,
) -> npt.NDArray[np.float32] | None:
    """Return an expert, gate, prompt or head before it is trained, one flat vector; ``None``: another kind.

    Parameters
    ----------
    kind : str
        Of the module.
    width : int
        Numbers of a token.
    sizes : AddedSizes
        Of the model.
    rng : Generator
        Draws what is not zero.
    num_classes, num_experts : int
        Of the task of a head, and of the group of a gate.
    """
    match kind:
        case "expert":
            return initial_adapter(width, sizes.expert_bottleneck, rng)
        case "gate":
            return initial_gate(width, num_experts, rng)
        case "prompt":
            return initial_prompt(width, sizes.prompt_tokens, rng)
        case "head":
            return initial_head(width, num_classes, rng)
        case _:
            return None


def no_such_module(kind: str, modality: str | None, model: str) -> ValueError:
    """Return the error that clients cannot have a module of a kind of their own in a model."""
    of = "" if modality is None else f" of {modality}"
    return ValueError(f"clients have no {kind}{of} of their own in the {model} model: set trainable to false")
