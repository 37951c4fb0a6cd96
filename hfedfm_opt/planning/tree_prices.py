"""The fronts of all trees of clusters: priced side by side, remembered, not begun when time is over."""

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from hfedfm_opt.planning.workers import ALONE, Workers, wall_time
from solvers.relaying import Front, RelayingProblem, pareto_fronts

LEAST_TREES_TO_SEND = 3_000_000
"""Trees below which all are priced here: two to six seconds of work, and to begin a process takes one."""

Fronts = tuple[Front, ...]
"""One for each candidate root of a problem, in their order."""


class TreePrices:
    """Prices the trees of clusters, each once: what is asked for again is remembered by its content.

    Parameters
    ----------
    workers : Workers
        Who prices.
    """

    def __init__(self, workers: Workers = ALONE) -> None:
        self._workers = workers
        self._known: dict[Hashable, Fronts] = {}

    @property
    def num_priced(self) -> int:
        """How many problems are remembered."""
        return len(self._known)

    def fronts_of(
        self, problems: Sequence[RelayingProblem], stop_at: Sequence[float] | None = None
    ) -> list[Fronts | None]:
        """Return the fronts of each problem; ``None`` where none of it was priced in time.

        Parameters
        ----------
        problems : sequence of RelayingProblem
            Each with at most ``solvers.relaying.trees.MAX_NODES`` nodes.
        stop_at : sequence of float or None
            Moment of ``time.monotonic()`` after which a problem is not begun; ``None``: any time will do.
        """
        latest = [math.inf] * len(problems) if stop_at is None else stop_at
        keys = [content_of(problem) for problem in problems]
        end_of: dict[Hashable, float] = {}
        for key, end in zip(keys, latest, strict=True):
            end_of[key] = max(end, end_of.get(key, -math.inf))
        tasks = {
            key: TreeTask(problem, wall_time(end_of[key]))
            for key, problem in zip(keys, problems, strict=True)
            if key not in self._known
        }
        asked = list(tasks.values())
        many = sum(_num_trees(task.problem) for task in asked) >= LEAST_TREES_TO_SEND
        priced = (self._workers if many else ALONE).map(price_trees, asked)
        self._known |= {key: found for key, found in zip(tasks, priced, strict=True) if found is not None}
        return [self._known.get(key) for key in keys]


def content_of(problem: RelayingProblem) -> Hashable:
    """Return what two problems have in common exactly if they are the same, to the byte."""
    values = (getattr(problem, field.name) for field in fields(problem))
    return tuple(
        (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value for value in values
    )


@dataclass(frozen=True)
class TreeTask:
    """A problem, and the time on the clock of the wall after which it is not begun."""

    problem: RelayingProblem
    end_time: float


def price_trees(task: TreeTask) -> Fronts | None:
    """Return the fronts of a problem; ``None`` after its time."""
    return pareto_fronts(task.problem) if time.time() < task.end_time else None


def _num_trees(problem: RelayingProblem) -> int:
    trees_of_a_root: int = problem.num_nodes ** max(problem.num_nodes - 2, 0)
    return int(problem.roots.size) * trees_of_a_root
