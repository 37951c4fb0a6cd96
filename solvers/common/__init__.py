"""What all problems share: options, results, dispatch and errors."""

from solvers.common.dispatch import Method, load_method
from solvers.common.errors import BackendFailure, InvalidProblem, MissingBackend, SolverError, UnknownMethod
from solvers.common.options import Options
from solvers.common.progress import Progress
from solvers.common.result import Result, Status, StopReason, Violation, relative_gap

__all__ = [
    "BackendFailure",
    "InvalidProblem",
    "Method",
    "MissingBackend",
    "Options",
    "Progress",
    "Result",
    "SolverError",
    "Status",
    "StopReason",
    "UnknownMethod",
    "Violation",
    "load_method",
    "relative_gap",
]
