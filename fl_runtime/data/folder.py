"""A data folder as its publisher packs it: which file has the questions, and where the images are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fl_runtime.data.annotations import VqaFormat
from fl_runtime.defects import Defects

FORMATS = ("gqa", "artvqa", "vizwiz")


@dataclass(frozen=True, kw_only=True)
class VqaFolder:
    """A task: a folder of images and annotations, and what to take of it.

    Parameters
    ----------
    task : str
        Name of the task, as in the routes of a schedule.
    format : str
        ``gqa``, ``artvqa`` or ``vizwiz``.
    folder : Path
        Where it is.
    train, test : str or None
        Annotation file in the folder, or a pattern such as ``"train_all_questions/*.json"``; ``None``: as
        the publisher names it.  Without a test file, a share of the images is kept for testing.
    images : str or None
        Folder of the images, within the folder; ``None``: where publishers put them.
    num_answers : int
        Classes: so many of the most frequent answers of the training questions, >= 2.
    balanced : bool
        Whether each class has as many training samples as the rarest one.
    train_of_class, test_of_class : int or None
        Most samples of a class for training and testing, >= 1; ``None``: all.
    test_share : float
        Share of the images for testing where there is no test file, in (0, 1).
    """

    task: str
    format: VqaFormat
    folder: Path
    train: str | None = None
    test: str | None = None
    images: str | None = None
    num_answers: int = 10
    balanced: bool = True
    train_of_class: int | None = 500
    test_of_class: int | None = 100
    test_share: float = 0.2

    def check(self, defects: Defects) -> None:
        """Add what is wrong with the settings."""
        where = f"task {self.task!r}"
        defects.name(where, "format", self.format, FORMATS, "format of annotations")
        defects.count(where, "num_answers", self.num_answers, 2)
        for field in ("train_of_class", "test_of_class"):
            if getattr(self, field) is not None:
                defects.count(where, field, getattr(self, field), 1)
        if defects.number(where, "test_share", self.test_share, positive=True) and self.test_share >= 1:
            defects.add(where, f"test_share is {self.test_share!r}, must be below 1")


_TRAIN: Mapping[str, Sequence[str]] = {
    "gqa": ("train_balanced_questions.json", "train_all_questions/*.json", "train*.json", "questions.json"),
    "artvqa": ("train.json",),
    "vizwiz": ("train.json",),
}
_TEST: Mapping[str, Sequence[str]] = {
    "gqa": ("val_balanced_questions.json", "testdev_balanced_questions.json", "val*.json", "test*.json"),
    "artvqa": ("test.json", "val.json"),
    "vizwiz": ("val.json",),  # the published test questions have no answers
}
_PLACES = (".", "questions", "AQUA", "Annotations", "annotations")
_IMAGES = ("images", "Images", "allImages/images", "SemArt/Images", "train", "val", "test", ".")


def annotation_files(folder: VqaFolder, defects: Defects) -> tuple[list[Path], list[Path]]:
    """Return the files for training and for testing; the latter may be none."""
    where = f"task {folder.task!r}: folder {str(folder.folder)!r}"
    if not folder.folder.is_dir():
        defects.add(where, "is no folder")
        return [], []
    train = _matching(folder.folder, [folder.train] if folder.train else _TRAIN[folder.format])
    if not train:
        expected = folder.train or " or ".join(_TRAIN[folder.format])
        defects.add(where, f"has no training annotations {expected}; name the file by 'train'")
    test = _matching(folder.folder, [folder.test] if folder.test else _TEST[folder.format])
    if folder.test and not test:
        defects.add(where, f"has no test annotations {folder.test}")
    return train, test


def image_folders(folder: VqaFolder, defects: Defects) -> list[Path]:
    """Return the folders in which images may be."""
    if folder.images is None:
        return [folder.folder / name for name in _IMAGES if (folder.folder / name).is_dir()]
    named = folder.folder / folder.images
    if not named.is_dir():
        defects.add(f"task {folder.task!r}", f"images {str(named)!r} is no folder")
        return []
    return [named]


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files of the first pattern that some file matches, in the first place that has one."""
    for pattern in patterns:
        if Path(pattern).is_absolute():
            return [path for path in [Path(pattern)] if path.is_file()]
        for place in _PLACES:
            found = sorted(path for path in (folder / place).glob(pattern) if path.is_file())
            if found:
                return found
    return []
