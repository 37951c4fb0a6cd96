"""The first parameters of each kind of module."""

import numpy as np
import numpy.typing as npt

from fl_runtime.modules.adapters import initial_adapter
from fl_runtime.modules.experts import initial_gate
from fl_runtime.modules.heads import initial_head
from fl_runtime.modules.lora import initial_lora
from fl_runtime.modules.model import initial_adapters
from fl_runtime.modules.prompts import initial_prompt
from fl_runtime.modules.size import ModelSize
from fl_runtime.modules.trained_backbone import backbone_parameters
from fl_runtime.modules.trained_encoders import encoder_parameters
from fl_runtime.modules.weights import load_frozen


def initial_parameters(
    kind: str, rng: np.random.Generator, *, num_classes: int, num_experts: int, modality: str | None
) -> npt.NDArray[np.float32]:
    """Return one flat vector of a module's parameters before it is trained.

    Parameters
    ----------
    kind : str
        ``adapter``, ``backbone``, ``encoder``, ``expert``, ``gate``, ``lora``, ``prompt`` or ``head``.  An
        encoder and the backbone start from the shipped weights.
    rng : Generator
        Draws what is not zero.
    num_classes : int
        Of the task of a head.
    num_experts : int
        Experts of the group of a gate.
    modality : str or None
        Of an encoder.
    """
    size = ModelSize()
    match kind:
        case "adapter":
            return initial_adapters(size, rng)
        case "backbone":
            return backbone_parameters(load_frozen().blocks[-1], load_frozen().norm)
        case "encoder":
            return encoder_parameters(load_frozen().encoders[str(modality)])
        case "expert":
            return initial_adapter(size.width, size.expert_bottleneck, rng)
        case "gate":
            return initial_gate(size.width, num_experts, rng)
        case "lora":
            return initial_lora(size.width, size.rank, rng)
        case "prompt":
            return initial_prompt(size.width, size.prompt_tokens, rng)
        case _:
            return initial_head(size.width, num_classes, rng)
