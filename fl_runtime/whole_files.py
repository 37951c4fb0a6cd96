"""Writes files whole or not at all."""

import gzip
import os
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    path : str or path-like
        The file; its folder must exist.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        Where the file cannot be written; an old one is then still as it was.
    """
    target = Path(path)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def packed(content: bytes) -> bytes:
    """Return ``content`` as gzip packs it; the same content gives the same bytes."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def unpacked(content: bytes) -> bytes:
    """Return what was packed.

    Parameters
    ----------
    content : bytes
        A whole gzip file.

    Raises
    ------
    OSError
        If it is damaged, cut off or no gzip file.
    """
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error) as error:
        raise OSError(f"damaged gzip file: {error}") from error


def _umask() -> int:
    """Return the process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
