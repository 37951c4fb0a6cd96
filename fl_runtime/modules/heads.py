"""Task heads, stacked by client: a linear classifier on the read-out token."""

import numpy as np
import numpy.typing as npt
import torch


def head_size(width: int, num_classes: int) -> int:
    """Return the number of parameters of a head."""
    return (width + 1) * num_classes


def initial_head(width: int, num_classes: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a head of small random weights and no bias."""
    flat = np.zeros(head_size(width, num_classes), dtype=np.float32)
    flat[: width * num_classes] = rng.normal(0.0, 0.02, size=width * num_classes)
    return flat


def classify(features: torch.Tensor, flat: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return logits (clients, samples, classes) of features (clients, samples, width).

    ``flat`` (clients, head_size) holds each client's weights, then its biases.
    """
    width = features.shape[-1]
    weight, bias = torch.split(flat, [width * num_classes, num_classes], dim=1)
    return torch.baddbmm(bias[:, None], features, weight.reshape(-1, width, num_classes))
