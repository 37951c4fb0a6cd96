"""Reads and writes whole files; what goes wrong is one readable line."""

import difflib
import errno
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from fl_runtime.whole_files import packed, write_whole

StrPath = str | os.PathLike[str]

DEFAULT_MAX_BYTES = 256 * 2**20
"""Larger files are refused before they are read, 256 MiB."""


PACKING_LEVEL, GZIP_WINDOW = 6, 31
"""How ``packed`` packs: level, and zlib's code of a gzip header with the largest window."""
PIECES_AT_ONCE = 4096
"""Pieces of a text that are packed in one go."""


class FileError(OSError):
    """A file that cannot be read or written; the text says which, why, and what helps."""


def read_text(path: StrPath, max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """Return the text of a UTF-8 file; one whose name ends in ``.gz`` is unpacked.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int
        Largest size, packed and unpacked, byte; a larger file is refused without reading it.

    Raises
    ------
    FileError
        If the file is missing, a folder, not a regular file, not permitted, too large, damaged or not UTF-8.
    """
    content = read_bytes(path, max_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: byte {error.start} is 0x{content[error.start]:02x}, must be UTF-8 text; "
            "save the file as UTF-8"
        ) from error


def read_bytes(path: StrPath, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """Return the content of a file; one whose name ends in ``.gz`` is unpacked.

    Parameters and errors are those of :func:`read_text`, but for the encoding.
    """
    file = Path(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"{path}: is {_kind(status.st_mode)}, must be a file")
        if status.st_size > max_bytes:
            raise _too_large(path, f"{status.st_size:,} bytes", max_bytes)
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no such file{_nearest(file)}") from error
    except PermissionError as error:
        raise FileError(f"{path}: may not be read; change its permissions (chmod u+r)") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: cannot be read: {_reason(error)}") from error
    return _unpacked(path, content, max_bytes) if file.suffix == ".gz" else content


def write_text(path: StrPath, text: str) -> None:
    """Write a UTF-8 file whole or not at all; one whose name ends in ``.gz`` is packed.

    The same text gives the same bytes.  A reader of ``path`` sees the old content or the new, never a part.

    Parameters
    ----------
    path : str or path-like
        The file; its folder must exist.
    text : str
        All of its content.

    Raises
    ------
    FileError
        If the folder is missing or not writable, the disk is full, or ``path`` is not a regular file.
    """
    write_bytes(path, text.encode("utf-8"))


def write_pieces(path: StrPath, pieces: Iterable[str]) -> None:
    """Write a file as :func:`write_text` writes the joined text, not held whole where it is packed."""
    if Path(os.path.realpath(path)).suffix != ".gz":
        write_text(path, "".join(pieces))
        return
    packer = zlib.compressobj(PACKING_LEVEL, wbits=GZIP_WINDOW)
    parts = [packer.compress("".join(some).encode("utf-8")) for some in _batches(pieces)]
    _write(path, b"".join([*parts, packer.flush()]))


def _batches(pieces: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(pieces)
    while some := list(islice(waiting, PIECES_AT_ONCE)):
        yield some


def write_bytes(path: StrPath, content: bytes) -> None:
    """Write a file whole or not at all; see :func:`write_text`."""
    _write(path, packed(content) if Path(os.path.realpath(path)).suffix == ".gz" else content)


def _write(path: StrPath, content: bytes) -> None:
    """Write a file whole or not at all, as it is."""
    target = Path(os.path.realpath(path))  # a symbolic link keeps pointing to the file
    try:
        if target.exists() and not target.is_file():
            raise FileError(f"{path}: is {_kind(target.stat().st_mode)}, must be a file")
        write_whole(target, content)
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no folder {str(target.parent)!r}; create it (mkdir -p)") from error
    except PermissionError as error:
        raise FileError(
            f"{path}: the folder {str(target.parent)!r} is not writable; choose another one"
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"{path}: cannot be written: {_reason(error)}; what was there before is unchanged"
        ) from error


def _unpacked(path: StrPath, content: bytes, max_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: is damaged or no gzip file: {error}; fetch or write it again") from error
    if len(unpacked) > max_bytes:
        raise _too_large(path, "larger unpacked", max_bytes)
    return unpacked


def _too_large(path: StrPath, size: str, max_bytes: int) -> FileError:
    return FileError(f"{path}: is {size}, must be at most {max_bytes:,} bytes")


def _nearest(file: Path) -> str:
    """Return the file of the same folder whose name is nearest, as an offer, or nothing."""
    try:
        names = os.listdir(file.parent)
    except FileNotFoundError:
        return f", nor its folder {str(file.parent)!r}"
    except OSError:
        return ""
    close = difflib.get_close_matches(file.name, names, n=1)
    return f"; did you mean {str(file.with_name(close[0]))!r}?" if close else ""


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
