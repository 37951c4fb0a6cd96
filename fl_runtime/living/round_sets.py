"""Sets of rounds: whole numbers whose bit i stands for round i, so that one operation follows many rounds."""

import numpy as np

from fl_runtime.living.draws import BoolArray

Rounds = int
"""A set of rounds."""


def as_rounds(chosen: BoolArray) -> Rounds:
    """Return the set of the rounds where an array (rounds,) is true."""
    return int.from_bytes(np.packbits(chosen, bitorder="little").tobytes(), "little")


def as_array(rounds: Rounds, num_rounds: int) -> BoolArray:
    """Return where a set of rounds has each of so many, (rounds,)."""
    content = rounds.to_bytes(-(-num_rounds // 8), "little")
    bits = np.unpackbits(np.frombuffer(content, dtype=np.uint8), count=num_rounds, bitorder="little")
    return bits.astype(np.bool_)


def has(rounds: Rounds, row: int) -> bool:
    """Return whether a set of rounds has one."""
    return bool(rounds >> row & 1)


def rows_of(rounds: Rounds) -> list[int]:
    """Return the members of a set of rounds, the first first."""
    return [row for row, digit in enumerate(reversed(f"{rounds:b}")) if digit == "1"]
