"""Loops that numba compiles where it is installed; without it they are plain Python with the same answer."""

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


@cache
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
    use the four operations and square roots, and to rounding in the other functions.  A division by zero is
    infinite, as in numpy.  Compiled loops let other threads run.

    Files that use this decorator are imported only by the methods that run them: numba takes a third of a
    second to load.
    """
    if not has_compiler():
        return function
    from numba import config, njit

    before = config.CACHE_DIR
    if not before:
        config.CACHE_DIR = _cache_folder(".".join(function.__module__.split(".")[:2]))
    try:
        decorated: Function = njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return decorated


@cache
def _cache_folder(package: str) -> str:
    """Return where the code of a package is kept: a folder for each state of all its sources.

    Numba looks for changes in a function's own file alone, but its code has those that it calls in it.
    """
    module = sys.modules[package]
    if not hasattr(module, "__path__"):
        return ""
    root = Path(module.__path__[0])
    state = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        seen = path.stat()
        state.update(f"{path.relative_to(root)} {seen.st_mtime_ns} {seen.st_size};".encode())
    return str(root / "__pycache__" / f"compiled-{state.hexdigest()[:16]}")
