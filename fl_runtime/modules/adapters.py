"""Bottleneck adapters, stacked by client: ``x + up(gelu(down(norm(x))))`` (Houlsby et al. 2019).

A module's parameters are one flat vector; a leading dimension counts clients.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional


def adapter_size(width: int, bottleneck: int) -> int:
    """Return the number of parameters of one adapter."""
    return 2 * width * bottleneck + bottleneck + width


def initial_adapter(width: int, bottleneck: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return an adapter that changes nothing yet: ``down`` is drawn, all else is zero."""
    flat = np.zeros(adapter_size(width, bottleneck), dtype=np.float32)
    flat[: width * bottleneck] = rng.normal(0.0, width**-0.5, size=width * bottleneck)
    return flat


def normalised(tokens: torch.Tensor) -> torch.Tensor:
    """Return tokens (..., width) with mean 0 and variance 1 over the width."""
    width = tokens.shape[-1]  # torch is quicker with a scale than without one
    return functional.layer_norm(tokens, (width,), tokens.new_ones(width), tokens.new_zeros(width))


def adapt(tokens: torch.Tensor, flat: torch.Tensor, bottleneck: int) -> torch.Tensor:
    """Apply each client's adapter to its tokens.

    Parameters
    ----------
    tokens : tensor, shape (clients, rows, width)
        Tokens of all samples of a client, one per row.
    flat : tensor, shape (clients, adapter_size)
        ``down``, ``up``, bias of ``down``, bias of ``up``.
    bottleneck : int
        Width of the bottleneck.
    """
    return tokens + perceptron(normalised(tokens), flat, bottleneck)


def perceptron(normed: torch.Tensor, flat: torch.Tensor, bottleneck: int) -> torch.Tensor:
    """Return ``up(gelu(down(x)))`` of rows (clients, rows, width), without norm and residual."""
    width = normed.shape[-1]
    product = width * bottleneck
    down, up, bias_down, bias_up = torch.split(flat, [product, product, bottleneck, width], dim=1)
    hidden = torch.baddbmm(bias_down[:, None], normed, down.reshape(-1, width, bottleneck))
    hidden = functional.gelu(hidden)  # (clients, rows, bottleneck)
    return torch.baddbmm(bias_up[:, None], hidden, up.reshape(-1, bottleneck, width))
