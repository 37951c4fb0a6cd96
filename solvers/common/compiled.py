"""Loops that numba compiles where it is installed; without it they are plain Python with the same answer."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def has_compiler() -> bool:
    """Return whether loops are compiled: numba is installed and not told to stand aside.

    ``NUMBA_DISABLE_JIT=1`` in the environment tells it so.
    """
    if find_spec("numba") is None:
        return False
    from numba import config

    return not config.DISABLE_JIT


def compiled(function: Function) -> Function:
    """Return ``function`` compiled at its first call, or itself where numba is not installed.

    The machine code is kept beside the source file (or in the user's cache if that is not writable), so
    that it is compiled once per installation.  Arithmetic keeps the order and the rounding that is written:
    nothing is fused or reassociated, so that compiled and plain answers agree to the last digit where they
    use the four operations and square roots, and to rounding in the other functions.

    Files that use this decorator are imported only by the methods that run them: numba takes a third of a
    second to load.
    """
    if not has_compiler():
        return function
    from numba import njit

    decorated: Function = njit(cache=True)(function)
    return decorated
