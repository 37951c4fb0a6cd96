"""Sizes of the compact model, for those who count as well as for those who compute; no torch."""

import math
from dataclasses import dataclass

PATCH = 6  # pixels that become a token, in each direction: a 24 x 24 canvas has 16
FRAME = 64  # sound samples: 256 have 4 frames


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """Sizes of the compact model; the defaults are those of the shipped weights."""

    width: int = 64
    num_blocks: int = 4
    num_heads: int = 4
    bottleneck: int = 16
    prompt_tokens: int = 4
    rank: int = 4
    expert_bottleneck: int = 32
    canvas: int = 24
    num_sound_samples: int = 256
    num_tokens: int = 8
    text_length: int = 2

    def input_shape(self, modality: str) -> tuple[int, ...]:
        """Return the shape of one sample of a modality."""
        shapes = {
            "image": (self.canvas, self.canvas),
            "audio": (self.num_sound_samples,),
            "text": (self.text_length,),
        }
        return shapes[modality]

    def num_inputs(self, modality: str) -> int:
        """Return how many numbers one sample of a modality has."""
        return math.prod(self.input_shape(modality))

    def tokens_of(self, modality: str) -> int:
        """Return how many tokens an encoder makes of one sample of a modality."""
        tokens = {
            "image": (self.canvas // PATCH) ** 2,
            "audio": self.num_sound_samples // FRAME,
            "text": self.text_length,
        }
        return tokens[modality]
