"""An update on its way in parts, told from one model each, and what of it is sent in codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fl_runtime.packing import FULL_BITS
from fl_runtime.transport_state import Coding, FloatArray, Load, State

Part = tuple[float, FloatArray]
"""A weight, and the weighted sum of differences (or of states) that it belongs to."""


@dataclass(slots=True, eq=False)
class Update:
    """A weighted sum on its way, in parts: by the number of the model from which they differ.

    The part ``None`` is a sum of whole states.  ``load`` is how it travelled last, ``coders`` are the nodes
    whose codes are in it.
    """

    parts: Mapping[int | None, Part]
    load: Load = field(default_factory=lambda: Load(0, 0))
    coders: frozenset[str] = frozenset()


def added(updates: Sequence[Update]) -> Update:
    """Return the sum of updates, part by part."""
    if len(updates) == 1:
        return Update(updates[0].parts, coders=updates[0].coders)
    parts: dict[int | None, Part] = {}
    for update in updates:
        for number, (weight, whole) in update.parts.items():
            if number in parts:
                parts[number] = (parts[number][0] + weight, parts[number][1] + whole)
            else:
                parts[number] = (weight, whole)
    return Update(parts, coders=frozenset().union(*(update.coders for update in updates)))


@dataclass(slots=True)
class Sent:
    """A part of the update of transfer number ``place`` that travels in codes."""

    place: int
    number: int
    weight: float
    whole: FloatArray
    rests: dict[str, State]


def coding(sent: Sequence[Sent], bits: int, sources: Sequence[str]) -> Coding:
    """Return the averages of parts as what is to be sent."""
    values = np.empty((len(sent), len(sent[0].whole)))
    for row, part in zip(values, sent, strict=True):
        row[:] = part.whole
    values /= np.array([part.weight or 1.0 for part in sent])[:, None]
    return Coding(
        values=values,
        bits=bits,
        references=[part.number for part in sent],
        weights=[part.weight for part in sent],
        rests=[part.rests for part in sent],
        nodes=[sources[part.place] for part in sent],
    )


def load_of(parts: Mapping[int | None, Part], bits: int, num_bytes: int) -> Load:
    """Return what a transfer of these parts carries, with so many bytes of packets."""
    if bits == FULL_BITS:
        return Load(len(parts), 0)
    states = int(None in parts)
    return Load(states, len(parts) - states, num_bytes)
