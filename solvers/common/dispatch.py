"""Tables of methods: each problem has one, and its front door looks methods up in it."""

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from solvers.common.errors import MissingBackend, UnknownMethod


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to solve a problem, as data.

    Parameters
    ----------
    target : str
        ``"module:function"``; the module is imported only when the method is used.
    summary : str
        What the method does, in one line.
    exact : bool
        Whether it can prove optimality.
    needs : tuple of str
        Import names of the packages that it needs beyond numpy and scipy.
    extra : str
        Name of the extra of this distribution that installs them; empty when the base does.
    behind : str
        ``"module:function"`` that is asked for what this method leaves with too large a gap; empty for none.
    """

    target: str
    summary: str
    exact: bool
    needs: tuple[str, ...] = ()
    extra: str = ""
    behind: str = ""

    def missing(self) -> tuple[str, ...]:
        """Return the import names of needed packages that are not installed."""
        return tuple(name for name in self.needs if find_spec(name) is None)


def load_method(table: Mapping[str, Method], name: str, problem_name: str) -> Callable[..., Any]:
    """Return the function behind a method's name.

    Parameters
    ----------
    table : mapping of str to Method
        The methods of the problem.
    name : str
        The method asked for.
    problem_name : str
        Word for the problem in error messages, such as ``"placement"``.

    Raises
    ------
    UnknownMethod
        If the table has no such name.
    MissingBackend
        If a package that the method needs is not installed.
    """
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ","
        raise UnknownMethod(f"{problem_name} has no method {name!r}{hint} known: {', '.join(sorted(table))}")
    method = table[name]
    missing = method.missing()
    if missing:
        remedy = (
            f"pip install 'hfedfm-opt[{method.extra}]'"
            if method.extra
            else f"pip install {' '.join(missing)}"
        )
        raise MissingBackend(f"method {name!r} needs the package {', '.join(missing)}: {remedy}")
    return load_function(method.target)


def load_function(target: str) -> Callable[..., Any]:
    """Return the function that ``"module:function"`` names."""
    module_name, function_name = target.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module_name), function_name)
    return function
