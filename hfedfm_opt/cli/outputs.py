"""Where results go: told before a long computation, not after it, if that place cannot be written."""

import os
from pathlib import Path

from hfedfm_opt.cli.terminal import CommandError


def require_writable(path: Path) -> None:
    """Refuse a file that cannot be written.

    Parameters
    ----------
    path : Path
        The file; its folder must exist.

    Raises
    ------
    CommandError
        If the folder is missing or not writable, or the file is a folder.
    """
    folder = path.parent
    if path.is_dir():
        raise CommandError(f"{path}: is a folder, must be a file")
    if not folder.is_dir():
        raise CommandError(f"{path}: there is no folder {str(folder)!r}; create it (mkdir -p)")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"{path}: the folder {str(folder)!r} is not writable; choose another one")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    CommandError
        If it cannot be made or not be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise CommandError(f"{path}: is a file, must be a folder") from error
    except OSError as error:
        raise CommandError(f"{path}: the folder cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise CommandError(f"{path}: the folder is not writable; choose another one")
