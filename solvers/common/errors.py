"""The exceptions of the solvers.

::

    SolverError
     +-- InvalidProblem    an array or a number that has no meaning (field, index, value, expected)
     +-- UnknownMethod     a method name that the problem does not have
     +-- MissingBackend    a package that a method needs is not installed
     +-- BackendFailure    a backend crashed, or claimed what its own numbers refute

Infeasible problems and time limits are results, not exceptions.
"""


class SolverError(Exception):
    """Anything that the solvers raise on purpose."""


class InvalidProblem(SolverError, ValueError):
    """An array or a number of a problem that has no meaning.

    Parameters
    ----------
    field : str
        Name of the field, such as ``"gain"``.
    index : int or tuple of int or None
        Where in the array; ``None`` for a scalar or for the shape of the whole array.
    value : object
        What was found there.
    expected : str
        What would have been right, such as ``"a finite number >= 0"``.
    """

    def __init__(self, field: str, index: int | tuple[int, ...] | None, value: object, expected: str) -> None:
        self.field = field
        self.index = index
        self.value = value
        self.expected = expected
        place = field if index is None else f"{field}[{_shown(index)}]"
        super().__init__(f"{place} is {value!r}, must be {expected}")


class UnknownMethod(SolverError, ValueError):
    """A method name that the problem does not have; the message lists those that it has."""


class MissingBackend(SolverError, ImportError):
    """A package that a method needs is not installed; the message says how to install it."""


class BackendFailure(SolverError, RuntimeError):
    """A backend crashed, or its own numbers refute what it claimed; both are in the message."""


def _shown(index: int | tuple[int, ...]) -> str:
    return str(index) if isinstance(index, int) else ", ".join(str(part) for part in index)
