"""The part of the backbone that clients train, stacked by client: the last block and the final norm.

All below it stays frozen, so that what enters it can still be computed once per sample and kept.  Its
parameters are one flat vector: those of the block, then those of the norm, each in the order in which the
layer names them; a leading dimension counts clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional


def backbone_parameters(block: nn.Module, norm: nn.Module) -> npt.NDArray[np.float32]:
    """Return the parameters of the last block and of the final norm as one flat vector."""
    parts = [parameter.detach().flatten() for layer in (block, norm) for parameter in layer.parameters()]
    return torch.cat(parts).numpy().copy()


@dataclass(frozen=True)
class OwnWeights:
    """Each client's weights of some layers.

    Parameters
    ----------
    weights : mapping of str to tensor
        By the name of the parameter: (clients, *its shape).
    """

    weights: Mapping[str, torch.Tensor]

    @staticmethod
    def split(block: nn.Module, norm: nn.Module, flat: torch.Tensor) -> "tuple[OwnWeights, OwnWeights]":
        """Return what ``flat`` (clients, parameters) has for the last block and for the final norm."""
        sizes = [sum(parameter.numel() for parameter in layer.parameters()) for layer in (block, norm)]
        of_block, of_norm = torch.split(flat, sizes, dim=1)
        return OwnWeights.of(block, of_block), OwnWeights.of(norm, of_norm)

    @staticmethod
    def of(layer: nn.Module, flat: torch.Tensor) -> "OwnWeights":
        """Return the weights in ``flat`` (clients, parameters), in the order in which a layer names them."""
        shapes = {name: parameter.shape for name, parameter in layer.named_parameters()}
        parts = torch.split(flat, [shape.numel() for shape in shapes.values()], dim=1)
        return OwnWeights(
            {
                name: part.reshape(-1, *shape)
                for (name, shape), part in zip(shapes.items(), parts, strict=True)
            }
        )

    def linear(self, name: str, tokens: torch.Tensor) -> torch.Tensor:
        """Return what each client's linear layer ``name`` makes of its tokens.

        Parameters
        ----------
        name : str
            The layer.
        tokens : tensor, shape (clients * samples, tokens, inner)
            What enters it, client after client.
        """
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        rows = tokens.reshape(len(weight), -1, tokens.shape[-1])  # (clients, rows, inner)
        result = torch.baddbmm(bias[:, None], rows, weight.mT)
        return result.view(*tokens.shape[:-1], -1)

    def norm(self, prefix: str, tokens: torch.Tensor, floor: float = 1e-5) -> torch.Tensor:
        """Return normalised tokens, scaled and moved by each client's ``prefix + "weight"`` and bias.

        Parameters
        ----------
        prefix : str
            The layer's name with a dot, or nothing.
        tokens : tensor, shape (clients * samples, tokens, width)
            What is normalised, client after client.
        floor : float
            What is added to variances, > 0; the default is torch's.
        """
        weight, bias = self.weights[f"{prefix}weight"], self.weights[f"{prefix}bias"]  # (clients, width)
        normed = functional.layer_norm(tokens, tokens.shape[-1:], eps=floor)
        rows = normed.reshape(len(weight), -1, tokens.shape[-1])
        return torch.addcmul(bias[:, None], rows, weight[:, None]).view(tokens.shape)
