"""Images from files, brought to the size that a model takes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fl_runtime.data.annotations import NUM_NAMED
from fl_runtime.defects import Defects
from fl_runtime.modules.inputs import InputFormat

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def require_pillow() -> None:
    """Refuse to go on without the package that reads images."""
    if find_spec("PIL") is None:
        raise ImportError("reading images needs pillow: pip install 'hfedfm-opt[images]'")


def image_files(folders: Iterable[Path], where: str, defects: Defects) -> dict[str, Path]:
    """Return the image files of folders by name with and without its ending; earlier folders come first."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            defects.add(where, f"folder {str(folder)!r} cannot be read: {error.strerror}")
            continue
        for path in paths:
            if path.suffix.lower() in ENDINGS:
                found.setdefault(path.name, path)
                found.setdefault(path.stem, path)
    return found


def read_images(
    names: Sequence[str], files: Mapping[str, Path], wanted: InputFormat, where: str, defects: Defects
) -> npt.NDArray[np.generic]:
    """Return the images of samples, (n, *wanted.image_shape): uint8 in colour, float32 in [0, 1] in grey.

    An image is turned as its camera says and squeezed to a square.  Each file is read once; files that
    cannot be read are named in ``defects``, and their rows are zeros.
    """
    images = np.zeros((len(names), *wanted.image_shape), dtype=np.uint8 if wanted.colour else np.float32)
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows_of.setdefault(name, []).append(row)
    unreadable = []
    for name, rows in rows_of.items():
        image = _pixels(files[name], wanted)
        if isinstance(image, str):
            unreadable.append(f"{str(files[name])!r} ({image})")
        else:
            images[rows] = image
    name_some(f"{where}: images that cannot be read", unreadable, defects)
    return images


def name_some(what: str, names: Sequence[str], defects: Defects) -> None:
    """Add one line about things of one kind, with the first of them."""
    if names:
        more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
        defects.add(what, ", ".join(names[:NUM_NAMED]) + more)


def _pixels(path: Path, wanted: InputFormat) -> npt.NDArray[np.generic] | str:
    """Return an image, or why it cannot be read."""
    from PIL import Image, ImageOps

    size = (wanted.image_size, wanted.image_size)
    try:
        with Image.open(path) as opened:
            opened.draft(
                None, (2 * size[0], 2 * size[1])
            )  # large photographs are decoded at a part of their size
            image = ImageOps.exif_transpose(opened)
            if "transparency" in image.info:
                image = image.convert("RGBA")
            image = image.convert("RGB" if wanted.colour else "L").resize(size, Image.Resampling.BICUBIC)
    except Image.DecompressionBombError as error:
        return str(error)
    except (OSError, SyntaxError, ValueError) as error:  # what decoders raise for broken files
        reason = getattr(error, "strerror", None) or str(error)
        return re.sub(r"cannot identify image file.*", "no image", str(reason))
    pixels: npt.NDArray[np.uint8] = np.asarray(image)
    return pixels if wanted.colour else pixels.astype(np.float32) / np.float32(255)
