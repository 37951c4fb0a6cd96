"""Prompts, stacked by client: learned tokens that the last block attends to (Jia et al. 2022)."""

import numpy as np
import numpy.typing as npt
import torch


def initial_prompt(width: int, num_tokens: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return small random tokens, one flat vector of ``num_tokens * width``."""
    return rng.normal(0.0, 0.02, size=num_tokens * width).astype(np.float32)


def with_prompts(tokens: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """Return each client's tokens followed by its prompt.

    Parameters
    ----------
    tokens : tensor, shape (clients, samples, tokens, width)
        Tokens of all samples of a client.
    flat : tensor, shape (clients, prompt tokens * width)
        Each client's prompt, the same for all of its samples.
    """
    clients, samples, _, width = tokens.shape
    prompts = flat.reshape(clients, 1, -1, width).expand(-1, samples, -1, -1)
    return torch.cat([tokens, prompts], dim=2)
