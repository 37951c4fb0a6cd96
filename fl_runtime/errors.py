"""The exceptions of the runtime.

::

    ScheduleError         defects of a schedule, all of them together
     +-- ScheduleFileError   a file that is no schedule: bad JSON, unknown keys, wrong types
    DataError             defects of data folders, all of them together
    CheckpointError       a state that cannot be kept, or not be taken up again
"""

from collections.abc import Iterable


class ScheduleError(ValueError):
    """A schedule that cannot be played.

    Parameters
    ----------
    defects : iterable of str
        One readable line each.
    source : str
        The schedule's name or its file, for the head of the message.

    Attributes
    ----------
    defects : tuple of str
        The same lines.
    """

    def __init__(self, defects: Iterable[str], source: str) -> None:
        self.defects = tuple(defects)
        self.source = source
        super().__init__(_listed(self.defects, source))


class ScheduleFileError(ScheduleError):
    """A file that does not hold a schedule; ``defects`` name the places in it."""


class DataError(ValueError):
    """Data that cannot be loaded; ``defects`` has one readable line each, ``source`` what was loaded."""

    def __init__(self, defects: Iterable[str], source: str) -> None:
        self.defects = tuple(defects)
        self.source = source
        super().__init__(_listed(self.defects, source))


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, is damaged or of another run; the message has the remedy."""


def _listed(defects: tuple[str, ...], source: str) -> str:
    head = f"{source}: {len(defects)} {'defect' if len(defects) == 1 else 'defects'}"
    return "\n".join([head, *(f"- {line}" for line in defects)])
