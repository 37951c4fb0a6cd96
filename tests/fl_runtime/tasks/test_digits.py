import numpy as np
import pytest

from fl_runtime.tasks import digits_workload
from fl_runtime.tasks.digits import (
    CELL,
    Digits,
    compose,
    digit_splits,
    draw_scenes,
    draw_sounds,
    questions,
    tones_of,
)

CELLS = [
    (slice(CELL * (i // 2), CELL * (i // 2 + 1)), slice(CELL * (i % 2), CELL * (i % 2 + 1))) for i in range(4)
]


@pytest.fixture(scope="module")
def workload():
    return digits_workload(300, 100)


def test_the_splits_are_disjoint_and_complete():
    splits = digit_splits()
    assert [len(splits[name].labels) for name in ("public", "train", "test")] == [700, 600, 497]
    images = np.concatenate([split.images.reshape(-1, 64) for split in splits.values()])
    from sklearn.datasets import load_digits

    everything = load_digits().data / 16.0
    assert sorted(map(tuple, images.tolist())) == sorted(map(tuple, everything.tolist()))


def test_shapes_types_and_classes_are_as_documented(workload):
    shapes = {"image": (24, 24), "audio": (256,), "text": (2,)}
    for name, modalities, num_classes in (
        ("read", {"image", "text"}, 10),
        ("spoken", {"audio", "text"}, 10),
        ("cmp", {"image", "audio", "text"}, 3),
    ):
        task = workload.task(name)
        assert task.num_classes == num_classes
        for samples, size in ((task.train, 300), (task.test, 100)):
            assert set(samples.inputs) == modalities
            assert set(np.unique(samples.labels)) == set(range(num_classes))
            assert len(samples) == size
            for modality, array in samples.inputs.items():
                assert array.shape == (size, *shapes[modality])
                assert not array.flags.writeable


def test_classes_are_about_equally_frequent(workload):
    for task in digits_workload().tasks.values():
        frequencies = np.bincount(task.train.labels) / len(task.train)
        assert abs(frequencies * task.num_classes - 1).max() < 0.25


def test_a_digit_stays_within_its_cell():
    blank = np.zeros((50, 4, 8, 8), dtype=np.float32)
    for cell, area in enumerate(CELLS):
        shown = blank.copy()
        shown[:, cell] = 100.0
        canvas = compose(np.random.default_rng(cell), shown) > 50
        assert (canvas[:, *area].sum(axis=(1, 2)) == 64).all()
        assert (canvas.sum(axis=(1, 2)) == 64).all()


def test_the_asked_cell_shows_the_asked_digit():
    labels = np.arange(10)
    marked = Digits(images=np.full((10, 8, 8), labels[:, None, None], dtype=np.float32), labels=labels)
    asked, cells = np.tile(labels, 8), np.arange(80) % 4
    scenes = draw_scenes(np.random.default_rng(0), marked, cells, asked)
    for scene, cell, digit in zip(scenes, cells, asked, strict=True):
        ink = np.sort(scene[CELLS[cell]].ravel())[-64:] if digit else scene[CELLS[cell]]
        assert round(float(ink.mean())) == digit


def test_the_comparison_s_label_agrees_with_its_digits(monkeypatch):
    from fl_runtime.tasks import digits

    seen = {}
    monkeypatch.setattr(
        digits, "draw_scenes", lambda rng, images, cells, asked: seen.setdefault("cell", asked)
    )
    monkeypatch.setattr(digits, "draw_sounds", lambda rng, spoken: seen.setdefault("spoken", spoken))
    samples = digits.sample_cmp(np.random.default_rng(0), digit_splits()["train"], 500)
    np.testing.assert_array_equal(samples.labels, np.sign(seen["cell"] - seen["spoken"]) + 1)


def test_a_sound_has_its_two_tones():
    spoken = np.repeat(np.arange(10), 30)
    power = abs(np.fft.rfft(draw_sounds(np.random.default_rng(0), spoken))) ** 2
    nominal_hz = np.array([697, 770, 852, 941, 1209, 1336, 1477])
    bins = np.rint(nominal_hz / 8000 * 256).astype(int)
    near = np.stack([power[:, b - 1 : b + 2].max(axis=1) for b in bins], axis=1)
    low, high = near[:, :4].argmax(axis=1), near[:, 4:].argmax(axis=1)
    right = (tones_of(spoken)[np.arange(300), low] == 1) & (tones_of(spoken)[np.arange(300), 4 + high] == 1)
    assert right.mean() > 0.9
    assert len({tuple(row) for row in tones_of(np.arange(10))}) == 10


def test_questions_name_the_task_and_the_cell():
    np.testing.assert_array_equal(questions("cmp", np.array([0, 3])), [[2, 3], [2, 6]])
    np.testing.assert_array_equal(questions("spoken", np.array([4])), [[1, 7]])


def test_the_workload_is_the_same_at_every_call(workload):
    digits_workload.cache_clear()
    again = digits_workload(300, 100)
    for name, task in workload.tasks.items():
        for modality, array in task.train.inputs.items():
            assert array.tobytes() == again.tasks[name].train.inputs[modality].tobytes()


def test_unknown_tasks_and_modalities_are_told_the_known_ones(workload):
    with pytest.raises(
        ValueError, match=r"unknown task 'sing': the workload 'digits' knows cmp, read, spoken"
    ):
        workload.task("sing")
    with pytest.raises(
        ValueError, match=r"unknown modality 'x': the workload 'digits' knows audio, image, text"
    ):
        workload.used_modalities("read", ["image", "x"])
    with pytest.raises(
        ValueError, match=r"task 'read' needs some of the modalities image, text; .* offers audio"
    ):
        workload.used_modalities("read", ["audio"])


def test_modalities_that_a_task_does_not_need_are_not_used(workload):
    assert workload.used_modalities("read", ["text", "audio", "image"]) == ("image", "text")
    assert workload.used_modalities("cmp", ["text", "audio"]) == ("audio", "text")
