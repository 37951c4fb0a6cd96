"""Placement: which node hosts which replica, and which replica serves each demand."""

from solvers.placement.explain import Infeasibility, LimitKind, Relaxation, explain_infeasible
from solvers.placement.prices import LimitPrice, LimitPrices, price_limits
from solvers.placement.problem import PlacementProblem
from solvers.placement.solution import PlacementSolution
from solvers.placement.solve import DEFAULT_GAP, METHODS, solve

__all__ = [
    "DEFAULT_GAP",
    "METHODS",
    "Infeasibility",
    "LimitKind",
    "LimitPrice",
    "LimitPrices",
    "PlacementProblem",
    "PlacementSolution",
    "Relaxation",
    "explain_infeasible",
    "price_limits",
    "solve",
]
