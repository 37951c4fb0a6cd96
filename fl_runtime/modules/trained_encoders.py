"""Encoders that clients train, stacked by client: pure functions of inputs and parameters.

They compute what those of :mod:`fl_runtime.modules.encoders` do.  An encoder's parameters are one flat
vector, in the order in which the encoder names them; a leading dimension counts clients.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from fl_runtime.modules.encoders import AudioEncoder, ImageEncoder, TextEncoder


def encoder_parameters(encoder: nn.Module) -> npt.NDArray[np.float32]:
    """Return an encoder's parameters as one flat vector."""
    parts = [parameter.detach().flatten() for parameter in encoder.parameters()]
    return torch.cat(parts).cpu().numpy().copy()


def encode(encoder: nn.Module, inputs: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """Return each client's tokens, (clients, samples, tokens, width).

    Parameters
    ----------
    encoder : ImageEncoder, AudioEncoder or TextEncoder
        Says how the parameters are used; its own are not.
    inputs : tensor, shape (clients, samples, ...)
        Images, waveforms or token numbers.
    flat : tensor, shape (clients, parameters)
        Each client's parameters.
    """
    own = _named(encoder, flat)
    match encoder:
        case ImageEncoder():
            tokens = _of_images(encoder, inputs, own)
        case AudioEncoder():
            spectra = encoder.spectra(inputs.flatten(0, 1))  # (clients * samples, frames, 33)
            rows = spectra.reshape(len(flat), -1, spectra.shape[2])
            projected = torch.baddbmm(own["project.bias"][:, None], rows, own["project.weight"].mT)
            tokens = projected.reshape(*inputs.shape[:2], spectra.shape[1], -1)
        case TextEncoder():
            client = torch.arange(len(flat), device=flat.device)[:, None, None]
            tokens = own["embedding.weight"][client, inputs]  # (clients, samples, length, width)
        case _:
            raise TypeError(f"no way to train an encoder of the type {type(encoder).__name__}")
    return tokens + own["position"][:, None, : tokens.shape[2]]


def _of_images(encoder: ImageEncoder, images: torch.Tensor, own: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return tokens of images (clients, samples, canvas, canvas), without positions: grouped convolutions."""
    clients, samples = images.shape[:2]
    planes = images.transpose(0, 1)  # (samples, clients, canvas, canvas)
    for name, layer in encoder.layers.named_children():
        if isinstance(layer, nn.Conv2d):
            planes = functional.conv2d(
                planes,
                own[f"layers.{name}.weight"].flatten(0, 1),
                own[f"layers.{name}.bias"].flatten(),
                layer.stride,
                layer.padding,
                groups=clients,
            )
        else:
            planes = layer(planes)
    return planes.reshape(samples, clients, -1, math.prod(planes.shape[2:])).permute(1, 0, 3, 2)


def _named(encoder: nn.Module, flat: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return each parameter, (clients, *its shape), by name."""
    shapes = {name: parameter.shape for name, parameter in encoder.named_parameters()}
    parts = torch.split(flat, [shape.numel() for shape in shapes.values()], dim=1)
    return {name: part.reshape(-1, *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
