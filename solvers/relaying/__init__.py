"""Relaying: trees that gather the items of nodes at a root, merging on the way, and bring the union back."""

from solvers.relaying.aggregators import AggregatorsSolution, solve_aggregators
from solvers.relaying.by_enumeration import pareto_front, pareto_fronts
from solvers.relaying.evaluate import evaluate, violations
from solvers.relaying.problem import RelayingProblem
from solvers.relaying.solution import Front, RelayingSolution
from solvers.relaying.solve import METHODS, solve
from solvers.relaying.sparse_arborescence import Arborescence, minimum_arborescence, reduced_costs

__all__ = [
    "METHODS",
    "AggregatorsSolution",
    "Arborescence",
    "Front",
    "RelayingProblem",
    "RelayingSolution",
    "evaluate",
    "minimum_arborescence",
    "pareto_front",
    "pareto_fronts",
    "reduced_costs",
    "solve",
    "solve_aggregators",
    "violations",
]
