"""From token numbers and pixels to what enters the first block of ViLT."""

from typing import Any

import torch
from torch.nn import functional


def text_tokens(vilt: Any, numbers: torch.Tensor) -> torch.Tensor:
    """Return tokens (n, length, width) of numbers (n, length), zeros where a question is filled up."""
    tokens: torch.Tensor = vilt.embeddings.text_embeddings(input_ids=numbers)
    return tokens * (numbers != 0)[..., None]


def image_tokens(vilt: Any, images: torch.Tensor) -> torch.Tensor:
    """Return tokens (n, 1 + patches, width) of bytes (n, size, size, 3).

    The pixels become numbers in [-1, 1], as ViLT expects.
    """
    embeddings = vilt.embeddings
    pixels = images.movedim(-1, 1).float() / 127.5 - 1.0  # (n, 3, size, size)
    patches = embeddings.patch_embeddings(pixels)  # (n, width, rows, columns)
    tokens = patches.flatten(2).transpose(1, 2) + _places(vilt, patches.shape[2:])
    begin = (embeddings.cls_token + embeddings.position_embeddings[:, :1]).expand(len(tokens), -1, -1)
    return torch.cat([begin, tokens], dim=1)


def _places(vilt: Any, grid: torch.Size) -> torch.Tensor:
    """Return position embeddings (1, patches, width), interpolated as ViLT does for other sizes."""
    side = vilt.config.image_size // vilt.config.patch_size
    learned: torch.Tensor = vilt.embeddings.position_embeddings[:, 1:]  # (1, side * side, width)
    if grid == (side, side):
        return learned
    plane = learned.transpose(1, 2).view(1, -1, side, side)
    plane = functional.interpolate(plane, size=tuple(grid), mode="bilinear", align_corners=True)
    return plane.flatten(2).transpose(1, 2)
