"""From which models differences are told, chosen once for all rounds in which nodes have alike models.

Who has which models follows from the names in the schedule alone, and comes back cycle after cycle.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fl_runtime.transport_state import Kept, Known

_MOST_PATTERNS = 64
"""Patterns remembered of a module; where nodes drop out at random there may be no end of them."""


@dataclass(frozen=True)
class Choices:
    """Choices of one round of one module.

    Parameters
    ----------
    known : mapping of str to frozenset of int
        Numbers of the models that each node has at the start of the round.
    numbers : list of int
        Numbers of all models that some node has then, rising.
    ranks : dict of str to int or None
        By the id of a step: the place in ``numbers`` of the model that was chosen; more are added.
    lacking : dict of str to bool
        By the id of a transfer: whether its target lacks what was chosen; more are added.
    """

    known: Known
    numbers: list[int]
    ranks: dict[str, int | None]
    lacking: dict[str, bool]

    def model_for(self, step: str, choose: Callable[[], int | None]) -> int | None:
        """Return the number of the model of a step, chosen if it is not yet."""
        if step not in self.ranks:
            number = choose()
            self.ranks[step] = None if number is None else self.numbers.index(number)
        rank = self.ranks[step]
        return None if rank is None else self.numbers[rank]

    def is_lacking(self, step: str, target: str, number: int) -> bool:
        """Return whether the target of a transfer lacks a model."""
        if step not in self.lacking:
            self.lacking[step] = number not in self.known[target]
        return self.lacking[step]


@dataclass
class Memory:
    """Choices by kind of round and by the pattern of who has which models."""

    sources: Mapping[str, tuple[str, ...]]
    found: dict[object, tuple[dict[str, int | None], dict[str, bool]]] = field(default_factory=dict)

    def choices(self, kind: str, kept: Kept) -> Choices:
        """Return the choices of a round of a kind, with what was chosen earlier where all is alike."""
        numbers = sorted(kept.models)
        rank_of = {number: rank for rank, number in enumerate(numbers)}
        none: dict[str, int] = {}
        pattern = tuple(
            tuple(rank_of[kept.number_of.get(node, none).get(maker, 0)] for maker in makers)
            for node, makers in self.sources.items()
        )
        if len(self.found) > _MOST_PATTERNS:
            self.found.clear()
        ranks, lacking = self.found.setdefault((kind, pattern), ({}, {}))
        return Choices(_Known(self.sources, kept), numbers, ranks, lacking)


def fresh_choices(sources: Mapping[str, tuple[str, ...]], kept: Kept) -> Choices:
    """Return the choices of a round that is like no other, as where nodes are away."""
    return Choices(_Known(sources, kept), sorted(kept.models), {}, {})


class _Known(dict[str, frozenset[int]]):
    """Finds what a node has when it is asked for."""

    def __init__(self, sources: Mapping[str, tuple[str, ...]], kept: Kept) -> None:
        super().__init__()
        self._sources = sources
        self._number_of = {node: dict(last) for node, last in kept.number_of.items()}

    def __missing__(self, node: str) -> frozenset[int]:
        last = self._number_of.get(node, {})
        numbers = frozenset(last.get(maker, 0) for maker in self._sources.get(node, ())) or frozenset({0})
        self[node] = numbers
        return numbers
