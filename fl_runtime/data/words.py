"""Numbers for the words of questions, where a model has no tokeniser of its own."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fl_runtime.modules.inputs import BEGIN, END, PAD, SPECIAL, UNKNOWN
from fl_runtime.tasks.workload import IntArray

_WORD = re.compile(r"\w+(?:'\w+)?")


@dataclass(frozen=True)
class Words:
    """A vocabulary: the number of a word is its position.

    Parameters
    ----------
    words : tuple of str
        ``SPECIAL``, then words in lower case.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, questions: Iterable[str], num_tokens: int) -> "Words":
        """Return the most frequent words of questions, ties by text: ``num_tokens`` with the special ones."""
        counts = Counter(word for question in questions for word in _words(question))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls((*SPECIAL, *ranked[: num_tokens - len(SPECIAL)]))

    def tokenise(self, questions: Sequence[str], length: int) -> IntArray:
        """Return token numbers (n, length): begin, words, end, and zeros; long questions are cut."""
        number_of = {word: number for number, word in enumerate(self.words)}
        tokens = np.full((len(questions), length), PAD, dtype=np.int64)
        for row, question in zip(tokens, questions, strict=True):
            found = [number_of.get(word, UNKNOWN) for word in _words(question)][: length - 2]
            row[: len(found) + 2] = [BEGIN, *found, END]
        return tokens


def _words(question: str) -> list[str]:
    return _WORD.findall(question.lower())
