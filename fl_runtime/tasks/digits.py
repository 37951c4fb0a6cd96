"""The default workload, ``digits``: questions about scenes of handwritten digits and spoken digits.

An image is a 24 x 24 canvas with a real handwritten digit (scikit-learn's ``load_digits``) somewhere in each
of its four 12 x 12 cells.  A sound is 256 samples at 8 kHz of the two tones that a telephone keypad
gives for a digit (ITU-T Q.23), in noise.  A text is a question of two tokens: what is
asked, and about which cell.

- ``read``: the digit in the asked cell, 10 classes; image and text.
- ``spoken``: the spoken digit, 10 classes; audio and text.
- ``cmp``: whether the cell's digit is smaller than, equal to or larger than the spoken one; all three.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fl_runtime.tasks.workload import FloatArray, IntArray, Samples, Task, Workload

CANVAS = 24
CELL = 12
DIGIT = 8
NUM_CELLS = 4
NUM_SOUND_SAMPLES = 256
SAMPLE_RATE_HZ = 8000.0
TASK_TOKENS: Mapping[str, int] = MappingProxyType({"read": 0, "spoken": 1, "cmp": 2})
NUM_TOKENS = 8
NUM_TONES = 7

_LOW_HZ = np.array([697.0, 770.0, 852.0, 941.0])
_HIGH_HZ = np.array([1209.0, 1336.0, 1477.0])
_SOUND_NOISE = 0.8  # standard deviation; each tone has an amplitude of about 1
_IMAGE_NOISE = 0.1  # standard deviation; ink has 1
_SPLIT_SEED = 2024
_PUBLIC, _TRAIN = 700, 600  # the other 497 images are for testing


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Handwritten digits: ``images`` (n, 8, 8) in [0, 1] and their ``labels`` (n,)."""

    images: FloatArray
    labels: IntArray


@cache
def digit_splits() -> Mapping[str, Digits]:
    """Return the disjoint splits ``public`` (700 images), ``train`` (600) and ``test`` (497)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(labels))
    parts = np.split(order, [_PUBLIC, _PUBLIC + _TRAIN])
    splits = {
        name: Digits(
            images=(images[part].reshape(-1, DIGIT, DIGIT) / 16.0).astype(np.float32),
            labels=labels[part].astype(np.int64),
        )
        for name, part in zip(("public", "train", "test"), parts, strict=True)
    }
    return MappingProxyType(splits)


@cache
def digits_workload(num_train: int = 2000, num_test: int = 400) -> Workload:
    """Return the default workload.

    Parameters
    ----------
    num_train, num_test : int
        Samples in the training pool and in the test set of each task.

    Returns
    -------
    Workload
        The same arrays at every call: the pool is the data set, and a run's seed draws from it.
    """
    splits = digit_splits()
    tasks = {}
    for index, (name, (num_classes, modalities, sample)) in enumerate(_TASKS.items()):
        train, test = (
            sample(np.random.default_rng([_SPLIT_SEED, index, part]), splits[split], size)
            for part, (split, size) in enumerate((("train", num_train), ("test", num_test)))
        )
        tasks[name] = Task(name=name, num_classes=num_classes, modalities=modalities, train=train, test=test)
    return Workload(name="digits", tasks=MappingProxyType(tasks))


def sample_read(rng: np.random.Generator, digits: Digits, size: int) -> Samples:
    """Draw samples of the task ``read``, classes equally likely."""
    cells, asked = rng.integers(NUM_CELLS, size=size), rng.integers(10, size=size)
    image = draw_scenes(rng, digits, cells, asked)
    return _samples(asked, image=image, text=questions("read", cells))


def sample_spoken(rng: np.random.Generator, digits: Digits, size: int) -> Samples:
    """Draw samples of the task ``spoken``, classes equally likely; needs no handwriting."""
    del digits
    spoken = rng.integers(10, size=size)
    return _samples(
        spoken, audio=draw_sounds(rng, spoken), text=questions("spoken", np.full(size, NUM_CELLS))
    )


def sample_cmp(rng: np.random.Generator, digits: Digits, size: int) -> Samples:
    """Draw samples of the task ``cmp``, classes (<, =, >) equally likely."""
    labels = rng.integers(3, size=size)
    first, second = np.divmod(np.arange(100), 10)
    pairs = [np.flatnonzero(np.sign(first - second) == sign) for sign in (-1, 0, 1)]
    chosen = np.array([rng.choice(pairs[label]) for label in labels], dtype=np.int64)
    cells = rng.integers(NUM_CELLS, size=size)
    image = draw_scenes(rng, digits, cells, first[chosen])
    audio = draw_sounds(rng, second[chosen])
    return _samples(labels, image=image, audio=audio, text=questions("cmp", cells))


def draw_scenes(rng: np.random.Generator, digits: Digits, cells: IntArray, asked: IntArray) -> FloatArray:
    """Draw canvases with digit ``asked[i]`` in cell ``cells[i]`` and any digit elsewhere, (n, 24, 24)."""
    chosen = rng.integers(len(digits.labels), size=(len(cells), NUM_CELLS))
    for digit in range(10):
        rows = np.flatnonzero(asked == digit)
        chosen[rows, cells[rows]] = rng.choice(np.flatnonzero(digits.labels == digit), size=len(rows))
    return compose(rng, digits.images[chosen])


def compose(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Put images (n, 4, 8, 8) at random places of their cells on noisy canvases, (n, 24, 24)."""
    size = len(images)
    shifts = rng.integers(CELL - DIGIT + 1, size=(size, NUM_CELLS, 2))
    canvas = rng.normal(0.0, _IMAGE_NOISE, size=(size, CANVAS, CANVAS))
    for row in range(size):
        for cell in range(NUM_CELLS):
            top = CELL * (cell // 2) + shifts[row, cell, 0]
            left = CELL * (cell % 2) + shifts[row, cell, 1]
            canvas[row, top : top + DIGIT, left : left + DIGIT] += images[row, cell]
    return canvas.astype(np.float32)


def draw_sounds(rng: np.random.Generator, spoken: IntArray) -> FloatArray:
    """Draw noisy two-tone waveforms of the digits, (n, 256)."""
    size = len(spoken)
    tones_hz = np.stack([_LOW_HZ[spoken // 3], _HIGH_HZ[spoken % 3]], axis=1)  # (n, 2)
    tones_hz *= rng.uniform(0.985, 1.015, size=(size, 2))
    amplitude = rng.uniform(0.7, 1.3, size=(size, 2))
    phase = rng.uniform(0.0, 2.0 * np.pi, size=(size, 2))
    seconds = np.arange(NUM_SOUND_SAMPLES) / SAMPLE_RATE_HZ
    waves = amplitude[..., None] * np.sin(2 * np.pi * tones_hz[..., None] * seconds + phase[..., None])
    noise = rng.normal(0.0, _SOUND_NOISE, size=(size, NUM_SOUND_SAMPLES))
    sounds: FloatArray = (waves.sum(axis=1) + noise).astype(np.float32)
    return sounds


def tones_of(spoken: IntArray) -> FloatArray:
    """Return which of the keypad's seven tones each digit has, (n, 7) of 0 and 1."""
    tones = np.zeros((len(spoken), NUM_TONES), dtype=np.float32)
    tones[np.arange(len(spoken)), spoken // 3] = 1.0
    tones[np.arange(len(spoken)), len(_LOW_HZ) + spoken % 3] = 1.0
    return tones


def questions(task: str, cells: IntArray) -> IntArray:
    """Return the two tokens of each question, (n, 2): the task and the cell; cell 4 stands for none."""
    return np.stack([np.full(len(cells), TASK_TOKENS[task]), len(TASK_TOKENS) + cells], axis=1).astype(
        np.int64
    )


def _samples(labels: IntArray, **inputs: npt.NDArray[np.generic]) -> Samples:
    for array in (labels, *inputs.values()):
        array.setflags(write=False)
    return Samples(inputs=MappingProxyType(inputs), labels=labels)


_Sampler = Callable[[np.random.Generator, Digits, int], Samples]
_TASKS: Mapping[str, tuple[int, tuple[str, ...], _Sampler]] = MappingProxyType(
    {
        "read": (10, ("image", "text"), sample_read),
        "spoken": (10, ("audio", "text"), sample_spoken),
        "cmp": (3, ("image", "audio", "text"), sample_cmp),
    }
)
