"""The solver behind Pyomo: named by the caller or the environment, or the first that is there."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from solvers.common.errors import MissingBackend

SOLVER_VARIABLE = "HFEDFM_PYOMO_SOLVER"
"""Environment variable that names the solver, as Pyomo calls it."""


def pyomo_solver(known: Sequence[str], name: str = "") -> tuple[str, Any]:
    """Return a solver's name and Pyomo's object for it.

    Parameters
    ----------
    known : sequence of str
        Solvers in the order in which they are looked for.
    name : str
        The one wanted; empty for the one that ``HFEDFM_PYOMO_SOLVER`` names, or the first of ``known``.

    Raises
    ------
    MissingBackend
        If it is not available, or cannot be loaded here: HiGHS and OR-Tools do not share a process.
    """
    import pyomo.environ as pyo

    name = name or os.environ.get(SOLVER_VARIABLE, "")
    for candidate in (name,) if name else known:
        if "highs" in candidate and "ortools" in sys.modules:
            if name:
                raise MissingBackend(
                    f"Pyomo's {name!r} needs the package highspy, which cannot be loaded beside ortools: "
                    "solve in a process that has not used OR-Tools, or name another solver"
                )
            continue
        optimiser = pyo.SolverFactory(candidate)
        if optimiser.available(exception_flag=False):
            return candidate, optimiser
    wanted = name or " or ".join(known)
    raise MissingBackend(f"Pyomo finds no solver {wanted!r}: pip install highspy, or name another")
