"""What a placement says, and what a method claims before it is checked."""

from dataclasses import dataclass

from solvers.common.arrays import BoolArray, FloatArray, IntArray
from solvers.common.result import StopReason


@dataclass(frozen=True, eq=False)
class PlacementSolution:
    """Who serves each demand, and where replicas are.

    Parameters
    ----------
    demand_node : (D,) int
        The node that serves each demand; the one with the largest fraction if demands are split.
    demand_pair : (D,) int
        The candidate pair behind it.
    hosted : (H,) bool
        Which replicas exist: exactly those that serve something.
    pair_fraction : (K,) float or None
        With split demands, the part of its demand that each pair serves; ``None`` otherwise.
    """

    demand_node: IntArray
    demand_pair: IntArray
    hosted: BoolArray
    pair_fraction: FloatArray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Claim:
    """What a method says it found, not yet checked.

    Parameters
    ----------
    demand_pair : (D,) int or None
        The pair chosen for each demand; ``None`` when nothing was found.
    pair_fraction : (K,) float or None
        Fractions instead, for split demands.
    bound : float
        Claimed lower bound on the optimum; ``inf`` says infeasible.
    stop_reason : StopReason
        Why the method ended.
    explanation : str
        What a person should know besides.
    """

    demand_pair: IntArray | None = None
    pair_fraction: FloatArray | None = None
    bound: float
    stop_reason: StopReason
    explanation: str = ""
