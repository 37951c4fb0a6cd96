"""Ends what was started for a run and has not ended by itself: found by a mark in its environment."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")
_POLL_S = 0.05


def end_marked(name: str, value: str, grace_s: float = 5.0) -> None:
    """Wait until all processes that were started with ``name=value`` in their environment have ended.

    Those that have not after ``grace_s`` seconds are killed, each by its id.  Where there is no ``/proc``, it
    cannot be known which they are, and nothing is done.
    """
    deadline_s = time.monotonic() + grace_s
    while left := _marked(f"{name}={value}".encode()):
        if time.monotonic() > deadline_s:
            for identity in left:
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(identity, signal.SIGKILL)
        time.sleep(_POLL_S)


def _marked(mark: bytes) -> list[int]:
    found = []
    for path in _PROCESSES.glob("[0-9]*/environ"):
        with suppress(OSError):  # it has just ended, or is not ours to read
            if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found
