"""Folders of images and questions as a workload: one task of each folder."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

import numpy as np
import numpy.typing as npt

from fl_runtime.data.annotations import Question, read_questions
from fl_runtime.data.folder import VqaFolder, annotation_files, image_folders
from fl_runtime.data.images import image_files, name_some, read_images, require_pillow
from fl_runtime.data.words import Words
from fl_runtime.defects import Defects
from fl_runtime.errors import DataError
from fl_runtime.modules.inputs import InputFormat
from fl_runtime.tasks.workload import IntArray, Samples, Task, Workload

MAX_BYTES = 2 * 1024**3
"""Bytes that the images of a workload may take unless another limit is given."""


def load_vqa(
    folders: VqaFolder | Sequence[VqaFolder],
    wanted: InputFormat | None = None,
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
) -> Workload:
    """Return a workload of folders in the formats of GQA, ArtVQA or VizWiz, one task of each.

    The classes of a task are the most frequent answers of its training questions, ties by text; questions
    with other answers are left out and counted.  No image is in both training and test set.  Samples are
    drawn before images are read, so that memory holds the samples taken and no others.

    Parameters
    ----------
    folders : VqaFolder or sequence of VqaFolder
        What to load.
    wanted : InputFormat or None
        How the model takes images and questions; ``None``: 24 x 24 pixels of grey and numbered words.
    seed : int
        Draws test images where there is no test file, and samples of classes, >= 0.
    max_bytes : int
        Most bytes of all images together.

    Raises
    ------
    DataError
        With all defects of all folders: what is missing, cannot be read, or has not the format.
    ImportError
        If pillow is not installed.
    """
    require_pillow()
    wanted = wanted or InputFormat()
    folders = [folders] if isinstance(folders, VqaFolder) else list(folders)
    defects = Defects()
    if not folders:
        defects.add("tasks", "there are none, must be one at least")
    defects.unique("tasks", "name", (folder.task for folder in folders))
    chosen = [found for folder in folders if (found := _choose(folder, seed, defects)) is not None]
    num_samples = sum(len(found.train) + len(found.test) for found in chosen)
    if num_samples * wanted.bytes_of_image > max_bytes:
        shape = " x ".join(map(str, wanted.image_shape))
        defects.add(
            "images",
            f"{num_samples} samples of {shape} take {num_samples * wanted.bytes_of_image} bytes, must be at "
            f"most {max_bytes}; take fewer samples of each class (train_of_class, test_of_class) or answers",
        )
        chosen = []
    words = _words(chosen, wanted)
    tasks = [_task(found, words, wanted, defects) for found in chosen]
    if defects.lines:
        raise DataError(defects.lines, "data")
    return Workload(
        name="+".join(sorted(task.name for task in tasks)),
        tasks=MappingProxyType({task.name: task for task in _trimmed(tasks)}),
        words=words.words if words else (),
    )


@dataclass(frozen=True)
class _Chosen:
    """What is taken of a folder, before any image is read."""

    name: str
    answers: tuple[str, ...]
    train: list[Question]
    test: list[Question]
    left_out: Mapping[str, int]
    files: Mapping[str, Path]


def _choose(folder: VqaFolder, seed: int, defects: Defects) -> _Chosen | None:
    """Return what to take of a folder; ``None`` if defects leave nothing to take."""
    before = len(defects.lines)
    folder.check(defects)
    if len(defects.lines) > before:
        return None
    paths, test_paths = annotation_files(folder, defects)
    train = [found for path in paths for found in read_questions(path, folder.format, defects)]
    test = [found for path in test_paths for found in read_questions(path, folder.format, defects)]
    if len(defects.lines) > before and not train:
        return None
    rng = np.random.default_rng([seed, crc32(folder.task.encode())])
    where = f"task {folder.task!r}"
    if test_paths:
        _refuse_common_images(where, train, test, defects)
    else:
        train, test = _split(train, folder.test_share, rng)
    files = image_files(image_folders(folder, defects), where, defects)
    train, test = (
        _present(part, files, where, what, defects) for part, what in ((train, "training"), (test, "test"))
    )
    counts = Counter(question.answer for question in train if question.answer)
    answers = tuple(sorted(counts, key=lambda text: (-counts[text], text))[: folder.num_answers])
    if len(answers) < 2:
        defects.add(
            where, f"its training questions have {len(answers)} different answers, must be 2 at least"
        )
        return None
    most = min(counts[answer] for answer in answers) if folder.balanced else None
    most_train = min((n for n in (most, folder.train_of_class) if n is not None), default=None)
    chosen_test = _of_classes(test, answers, folder.test_of_class, rng)
    if not chosen_test:
        defects.add(where, f"no test question has one of the answers {', '.join(map(repr, answers))}")
    return _Chosen(
        name=folder.task,
        answers=answers,
        train=_of_classes(train, answers, most_train, rng),
        test=chosen_test,
        left_out={"train": _num_other(train, answers), "test": _num_other(test, answers)},
        files=files,
    )


def _refuse_common_images(where: str, train: list[Question], test: list[Question], defects: Defects) -> None:
    common = sorted({question.image for question in train} & {question.image for question in test})
    name_some(
        f"{where}: images in both training and test annotations", [repr(name) for name in common], defects
    )


def _split(
    questions: list[Question], share: float, rng: np.random.Generator
) -> tuple[list[Question], list[Question]]:
    """Keep the questions about a share of the images for testing, at least one image."""
    images = sorted({question.image for question in questions})
    num_test = max(1, round(share * len(images)))
    kept = {images[place] for place in rng.permutation(len(images))[:num_test]}
    train = [question for question in questions if question.image not in kept]
    return train, [question for question in questions if question.image in kept]


def _present(
    questions: list[Question], files: Mapping[str, Path], where: str, what: str, defects: Defects
) -> list[Question]:
    """Return the questions whose images are there; the others are named."""
    missing = sorted({question.image for question in questions if question.image not in files})
    name_some(
        f"{where}: images of {what} questions that are missing", [repr(name) for name in missing], defects
    )
    return [question for question in questions if question.image in files] if missing else questions


def _of_classes(
    questions: list[Question], answers: Sequence[str], most: int | None, rng: np.random.Generator
) -> list[Question]:
    """Return at most so many questions of each answer, drawn at random, in their old order."""
    places_of: dict[str, list[int]] = {answer: [] for answer in answers}
    for place, question in enumerate(questions):
        if question.answer in places_of:
            places_of[question.answer].append(place)
    kept = [np.sort(rng.permutation(places)[:most]) for places in places_of.values()]
    return [questions[int(place)] for place in np.sort(np.concatenate(kept))]


def _num_other(questions: list[Question], answers: Sequence[str]) -> int:
    known = set(answers)
    return sum(question.answer not in known for question in questions)


def _words(chosen: Sequence[_Chosen], wanted: InputFormat) -> Words | None:
    if wanted.tokenise is not None:
        return None
    return Words.of((question.text for found in chosen for question in found.train), wanted.num_tokens)


def _task(found: _Chosen, words: Words | None, wanted: InputFormat, defects: Defects) -> Task:
    label_of = {answer: label for label, answer in enumerate(found.answers)}

    def samples(questions: list[Question]) -> Samples:
        texts = [question.text for question in questions]
        if words is not None:
            tokens = words.tokenise(texts, wanted.text_length)
        else:
            assert wanted.tokenise is not None
            tokens = wanted.tokenise(texts)
        names = [question.image for question in questions]
        images = read_images(names, found.files, wanted, f"task {found.name!r}", defects)
        labels = [label_of[question.answer] for question in questions]
        return _frozen(np.array(labels, dtype=np.int64), images, tokens)

    return Task(
        name=found.name,
        num_classes=len(found.answers),
        modalities=("image", "text"),
        train=samples(found.train),
        test=samples(found.test),
        answers=found.answers,
        left_out=MappingProxyType(dict(found.left_out)),
    )


def _trimmed(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks without the columns that only fill up the questions of all of them."""
    parts = [part for task in tasks for part in (task.train, task.test)]
    used = [
        int(np.flatnonzero(part.inputs["text"].any(axis=0)).max(initial=0)) + 1 for part in parts if len(part)
    ]
    length = max(used)

    def cut(part: Samples) -> Samples:
        return _frozen(part.labels, part.inputs["image"], part.inputs["text"][:, :length])

    return [replace(task, train=cut(task.train), test=cut(task.test)) for task in tasks]


def _frozen(labels: IntArray, images: npt.NDArray[np.generic], tokens: npt.NDArray[np.generic]) -> Samples:
    for array in (labels, images, tokens):
        array.setflags(write=False)
    return Samples(inputs=MappingProxyType({"image": images, "text": tokens}), labels=labels)
