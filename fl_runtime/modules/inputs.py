"""The form in which a model takes images and questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokenise = Callable[[Sequence[str]], npt.NDArray[np.int64]]
"""Turns questions into token numbers, (n, length); shorter ones are filled up with 0."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
"""Tokens before all words: what fills up, an unknown word, begin and end of a question."""

PAD, UNKNOWN, BEGIN, END = range(len(SPECIAL))


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """What a model takes.

    Parameters
    ----------
    image_size : int
        Pixels of an image in each direction, >= 1.
    colour : bool
        Whether images are (size, size, 3) with bytes; otherwise (size, size) of grey in [0, 1].
    num_tokens : int
        Token numbers that the model knows, >= 8.
    text_length : int
        Most tokens of a question, >= 4; longer ones are cut.
    tokenise : callable or None
        The model's own tokeniser; ``None``: the words of the training questions are numbered.
    """

    image_size: int = 24
    colour: bool = False
    num_tokens: int = 512
    text_length: int = 16
    tokenise: Tokenise | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return (self.image_size, self.image_size, 3) if self.colour else (self.image_size, self.image_size)

    @property
    def bytes_of_image(self) -> int:
        """Bytes that one image takes in memory."""
        return self.image_size**2 * (3 if self.colour else 4)
