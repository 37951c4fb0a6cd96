"""The options that every solver understands."""

from dataclasses import dataclass

from solvers.common.errors import InvalidProblem
from solvers.common.progress import Observer


@dataclass(frozen=True, kw_only=True)
class Options:
    """When to stop, and with which randomness.

    Parameters
    ----------
    gap : float or None
        Relative gap at which the search may stop, in [0, 1); ``None`` takes the default of the problem.
    time_limit_s : float or None
        Wall seconds after which the best checked answer is returned, > 0; ``None`` means no limit.
    seed : int
        Seed of every random choice, >= 0.
    threads : int
        Threads that a backend may use, >= 1.
    observer : callable or None
        Is told bound, objective and seconds, as a :class:`solvers.common.Progress`, each time that one of the
        first two became better.
    """

    gap: float | None = None
    time_limit_s: float | None = None
    seed: int = 0
    threads: int = 2
    observer: Observer | None = None

    def __post_init__(self) -> None:
        if self.gap is not None and not 0 <= self.gap < 1:
            raise InvalidProblem("options.gap", None, self.gap, "at least 0 and below 1, or None")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise InvalidProblem("options.time_limit_s", None, self.time_limit_s, "above 0 seconds, or None")
        if self.seed < 0:
            raise InvalidProblem("options.seed", None, self.seed, "at least 0")
        if self.threads < 1:
            raise InvalidProblem("options.threads", None, self.threads, "at least 1")
