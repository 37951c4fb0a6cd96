"""What a method hands to the front door."""

from dataclasses import dataclass

from solvers.common.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Weights as a method found them, and what is proven.

    Parameters
    ----------
    weight : (E,) float
        Weight of each edge.
    bound : float
        A proven lower bound on the factor of all weights; 0 is always one.
    timed_out : bool
        Whether the time limit ended the search.
    """

    weight: FloatArray
    bound: float = 0.0
    timed_out: bool = False
