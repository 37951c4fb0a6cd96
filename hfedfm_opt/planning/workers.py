"""Who does the planner's independent pieces of work: this process, others beside it, or a cluster.

A piece of work is a function at the top of a module and one small record; its answer depends on nothing else,
so that answers are the same, to the byte, whoever gives them and in whatever number.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, Protocol, TypeVar

from hfedfm_opt.planning.engines import ENGINES, Hired, require
from solvers.common import InvalidProblem

Item = TypeVar("Item")
Answer = TypeVar("Answer")
EngineName = Literal["processes", "ray", "dask"]

CHUNKS_PER_JOB = 4
"""Pieces that each job gets of a list, so that the last to end has not much more to do than the first."""


class Workers(Protocol):
    """Those who work."""

    @property
    def jobs(self) -> int:
        """How many pieces of work are done at a time, >= 1."""
        ...

    def map(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Return the function's answer to each item, in their order."""
        ...


class Alone:
    """The process by itself."""

    jobs = 1

    def map(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Return the function's answer to each item, one after another."""
        return [function(item) for item in items]


ALONE = Alone()


class Crew:
    """Workers of an engine, hired when there is something to do for the first time.

    Parameters
    ----------
    engine : "processes", "ray" or "dask"
        Of :mod:`hfedfm_opt.planning.engines`.
    jobs : int or None
        How many; ``None``: as many as the engine's cluster has.
    """

    def __init__(self, engine: EngineName, jobs: int | None) -> None:
        self._engine, self._asked = engine, jobs
        self._held = ExitStack()
        self._hired: Hired | None = None

    @property
    def jobs(self) -> int:
        """How many pieces of work are done at a time; hires where the cluster must be asked."""
        return self._asked if self._asked is not None else self._hire().jobs

    def map(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Return the function's answer to each item, in their order; a single item is done here."""
        if len(items) < 2:
            return ALONE.map(function, items)
        from joblib import delayed

        hired = self._hire()
        size = math.ceil(len(items) / (CHUNKS_PER_JOB * hired.jobs))
        chunks = [items[begin : begin + size] for begin in range(0, len(items), size)]
        answers = hired.parallel(delayed(_answers)(function, chunk) for chunk in chunks)
        return [answer for chunk in answers for answer in chunk]

    def dismiss(self, error: BaseException | None) -> None:
        """Let all workers go; after an error whatever they still do is ended."""
        self._hired = None
        self._held.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _hire(self) -> Hired:
        if self._hired is None:
            self._hired = self._held.enter_context(ENGINES[self._engine](self._asked))
        return self._hired


def _answers(function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    return [function(item) for item in items]


@contextmanager
def hired(jobs: int | None, engine: EngineName) -> Iterator[Workers]:
    """Give workers for a while; when it ends, however it ends, none of them is left.

    Parameters
    ----------
    jobs : int or None
        How many; ``None``: this process alone with ``"processes"``, else as many as the cluster has.
    engine : "processes", "ray" or "dask"
        Of :mod:`hfedfm_opt.planning.engines`.

    Raises
    ------
    InvalidProblem
        For fewer jobs than one, or an engine that there is not.
    MissingBackend
        If the engine's package is not installed.
    """
    if jobs is not None and jobs < 1:
        raise InvalidProblem("jobs", None, jobs, "a whole number >= 1, or None")
    if engine not in ENGINES:
        raise InvalidProblem("engine", None, engine, f"one of {', '.join(ENGINES)}")
    require(engine)
    if engine == "processes" and (jobs is None or jobs == 1):
        yield ALONE
        return
    crew = Crew(engine, jobs)
    try:
        yield crew
    except BaseException as error:
        crew.dismiss(error)
        raise
    crew.dismiss(None)


def wall_time(stop_at: float) -> float:
    """Return when a moment of ``time.monotonic()`` of this process is on the clock of the wall.

    That one is the same for processes and, near enough, for the machines of a cluster.
    """
    return time.time() + (stop_at - time.monotonic())
