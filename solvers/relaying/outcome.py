"""What a method hands to the front door."""

import math
from dataclasses import dataclass

from solvers.relaying.solution import RelayingSolution


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A plan evaluated from the problem's arrays, what is proven, and how the method ended.

    Parameters
    ----------
    plan : RelayingSolution or None
        The best plan found.
    bound : float
        A proven lower bound on the objective, ``-inf`` when the method has none.
    infeasible : bool
        Whether the method has proven that there is no plan.
    timed_out : bool
        Whether the time limit ended the search.
    explanation : str
        What a person should know besides.
    """

    plan: RelayingSolution | None = None
    bound: float = -math.inf
    infeasible: bool = False
    timed_out: bool = False
    explanation: str = ""
