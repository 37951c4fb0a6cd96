"""What a search knows at a moment, told to an observer while it runs."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from solvers.common.result import relative_gap


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is known so far.

    Parameters
    ----------
    seconds : float
        Wall seconds since the search began.
    bound : float
        The best proven lower bound, ``-inf`` while there is none.
    objective : float
        Cost of the best placement within the limits, ``inf`` while there is none.
    """

    seconds: float
    bound: float
    objective: float

    @property
    def gap(self) -> float:
        """Relative distance of the objective from the bound, see :func:`solvers.common.relative_gap`."""
        return relative_gap(self.objective, self.bound)


Observer = Callable[[Progress], None]
"""Is told each time that bound or objective became better; one call at a time, from any thread."""


class Reporter:
    """Keeps the best bound and objective of a search, and tells the observer of each better one."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._begun = time.perf_counter()
        self._bound, self._objective = -math.inf, math.inf
        self._lock = threading.Lock()

    def bound(self, value: float) -> None:
        """Take a proven lower bound in."""
        with self._lock:
            if value > self._bound:
                self._bound = value
                self._tell()

    def objective(self, value: float) -> None:
        """Take the cost of an answer within the limits in."""
        with self._lock:
            if value < self._objective:
                self._objective = value
                self._tell()

    def _tell(self) -> None:
        if self._observer is not None:
            seconds = time.perf_counter() - self._begun
            self._observer(Progress(seconds=seconds, bound=self._bound, objective=self._objective))
