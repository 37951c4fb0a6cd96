"""Prompts, stacked by client: learned tokens that the last block attends to (Jia et al. 2022)."""

import numpy as np
import numpy.typing as npt
import torch


def initial_prompt(width: int, num_tokens: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return small random tokens, one flat vector of ``num_tokens * width``."""
    return rng.normal(0.0, 0.02, size=num_tokens * width).astype(np.float32)


def with_prompts(
    tokens: torch.Tensor, real: torch.Tensor | None, flat: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return each client's tokens followed by its prompt, and which of all these tokens count.

    Parameters
    ----------
    tokens : tensor, shape (clients, samples, tokens, width)
        Tokens of all samples of a client.
    real : tensor of bool, shape (clients, samples, tokens), or None
        Which tokens count; those of prompts do.  ``None``: all.
    flat : tensor, shape (clients, prompt tokens * width), or None
        Each client's prompt, the same for all of its samples; ``None``: there are no prompts.
    """
    if flat is None:
        return tokens, real
    clients, samples, _, width = tokens.shape
    prompts = flat.reshape(clients, 1, -1, width).expand(-1, samples, -1, -1)
    if real is not None:
        real = torch.cat([real, real.new_ones(prompts.shape[:3])], dim=2)
    return torch.cat([tokens, prompts], dim=2), real
