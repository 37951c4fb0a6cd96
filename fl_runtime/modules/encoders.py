"""Modality encoders: each turns its inputs into tokens of the backbone's width."""

import torch
from torch import nn

from fl_runtime.modules.size import FRAME, PATCH


class ImageEncoder(nn.Module):
    """Three small convolutions, one token for each 6 x 6 pixels, plus a learned position."""

    def __init__(self, width: int, canvas: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, width, 3, stride=3),
        )
        self.position = nn.Parameter(0.1 * torch.randn((canvas // PATCH) ** 2, width))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, patches, width) of images (n, canvas, canvas)."""
        planes: torch.Tensor = self.layers(image[:, None])  # (n, width, rows, columns)
        return planes.flatten(2).transpose(1, 2) + self.position


class AudioEncoder(nn.Module):
    """Log-magnitude spectra of frames of 64 samples, each projected, plus a learned position."""

    def __init__(self, width: int, num_samples: int) -> None:
        super().__init__()
        self.project = nn.Linear(FRAME // 2 + 1, width)
        self.position = nn.Parameter(0.1 * torch.randn(num_samples // FRAME, width))

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, frames, width) of waveforms (n, samples)."""
        tokens: torch.Tensor = self.project(self.spectra(audio))
        return tokens + self.position

    def spectra(self, audio: torch.Tensor) -> torch.Tensor:
        """Return log-magnitude spectra (n, frames, 33) of waveforms (n, samples)."""
        frames = audio.unfold(1, FRAME, FRAME)  # (n, frames, 64)
        return torch.log1p(torch.fft.rfft(frames).abs())


class TextEncoder(nn.Module):
    """A table of token embeddings plus a learned position."""

    def __init__(self, width: int, num_tokens: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, width)
        self.position = nn.Parameter(0.1 * torch.randn(length, width))

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, length, width) of token numbers (n, length), of any length up to the table's."""
        tokens: torch.Tensor = self.embedding(text)
        return tokens + self.position[: text.shape[1]]
