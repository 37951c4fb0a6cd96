"""Devices in blocks: what is computed on the way for one of them stays in the processor's cache."""

from collections.abc import Iterator

BLOCK = 16_384
"""Devices worked on at a time."""


def blocks(length: int) -> Iterator[slice]:
    """Yield slices of at most :data:`BLOCK` that cover ``length`` devices."""
    for start in range(0, length, BLOCK):
        yield slice(start, min(start + BLOCK, length))
