import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime import LearningSettings, checkpoint  # noqa: E402
from fl_runtime.errors import CheckpointError  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.run import run  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.schedule_json import write_schedule  # noqa: E402
from fl_runtime.server_optimisers import Adam, Momentum  # noqa: E402
from fl_runtime.variants import with_precision, with_server_optimiser  # noqa: E402

ROUNDS = 5


@pytest.fixture(scope="module")
def schedule(bench):
    """Everything that has a state: 2 and 8 bits, momentum at the cloud, Adam at a server."""
    found = bench.federation(
        ("edge", "cloud"), clusters=2, size=2, rounds=ROUNDS, samples=16,
        training=Training(local_steps=1, batch_size=2),
    )  # fmt: skip
    kinds = tuple(replace(kind, steps=in_order(kind.steps)) for kind in found.kinds)
    found = with_precision(replace(found, kinds=kinds), 2, 8)
    found = with_server_optimiser(found, Momentum(), ["cloud"])
    return with_server_optimiser(found, Adam(), ["e1"])


@pytest.fixture(scope="module")
def whole(schedule):
    return learn(schedule, seed=3)


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def assert_same(curve, whole):
    assert curve.accuracy.tobytes() == whole.accuracy.tobytes()
    assert list(curve.state) == list(whole.state)
    assert all(curve.state[name].tobytes() == rows.tobytes() for name, rows in whole.state.items())


def killed_at(monkeypatch, target, call):
    """Let the ``call``-th call of a function end the process instead."""
    module, _, name = target.rpartition(".")
    original, calls = getattr(sys.modules[module], name), []

    def instead(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(sys.modules[module], name, instead)


MOMENTS = [
    ("fl_runtime.training.train_round", 1),
    ("fl_runtime.training.train_round", 4),
    ("fl_runtime.training.accuracy_of_devices", 3),
    ("fl_runtime.checkpoint.write_whole", 1),  # before the arrays of round 1
    ("fl_runtime.checkpoint.write_whole", 4),  # between the arrays and the facts of round 2
    ("fl_runtime.checkpoint.write_whole", 9),  # before the arrays of the last round
    *(  # in the midst of carrying updates and models
        ("fl_runtime.transport_state.quantise_rows", int(call))
        for call in np.random.default_rng(0).integers(1, 25, size=12)
    ),
]


@pytest.mark.parametrize(("target", "call"), MOMENTS)
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_bytes(
    schedule, whole, tmp_path, monkeypatch, target, call
):
    with monkeypatch.context() as patch:
        killed_at(patch, target, call)
        with pytest.raises(Killed):
            learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path))
    assert_same(learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path, resume=True)), whole)


def test_killed_again_and_again_after_each_round_it_ends_the_same(schedule, whole, tmp_path):
    def kill(index, accuracy):
        raise Killed

    for _ in range(ROUNDS):
        with pytest.raises(Killed):
            learn(
                schedule, seed=3, observer=kill, settings=LearningSettings(checkpoint=tmp_path, resume=True)
            )
    assert_same(
        learn(schedule, seed=3, observer=kill, settings=LearningSettings(checkpoint=tmp_path, resume=True)),
        whole,
    )


def test_a_process_that_is_killed_at_a_random_moment_and_resumed_ends_the_same(schedule, whole, tmp_path):
    """SIGKILL leaves no time to tidy up."""
    write_schedule(schedule, tmp_path / "schedule.json")
    code = (
        "from fl_runtime import LearningSettings, read_schedule; from fl_runtime.learn import learn\n"
        "settings = LearningSettings(checkpoint='kept', resume=True)\n"
        "learn(read_schedule('schedule.json'), seed=3, settings=settings)"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}
    )
    while process.poll() is None and not list((tmp_path / "kept").glob("round-*.json")):
        time.sleep(0.001)
    time.sleep(np.random.default_rng().uniform(0.0, 0.1))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert_same(
        learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path / "kept", resume=True)), whole
    )
    assert not list((tmp_path / "kept").glob(".*"))


def test_a_finished_run_is_told_again_without_training(schedule, whole, tmp_path, monkeypatch):
    learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path))
    killed_at(monkeypatch, "fl_runtime.training.train_round", 1)
    assert_same(learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path, resume=True)), whole)


def test_a_resumed_run_measures_the_same_time_energy_and_summary(schedule, tmp_path):
    def kill(report):
        if report.index == 1:
            raise Killed

    expected = run(schedule, seed=3)
    with pytest.raises(Killed):
        run(schedule, seed=3, observer=kill, learning=LearningSettings(checkpoint=tmp_path / "new"))
    measured = run(schedule, seed=3, learning=LearningSettings(checkpoint=tmp_path / "new", resume=True))
    assert measured.summary() == expected.summary()
    assert measured.timeline.bits.tobytes() == expected.timeline.bits.tobytes()


def test_the_newest_two_states_stay(schedule, tmp_path):
    learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"round-00000{n}.{ending}" for n in (4, 5) for ending in ("json", "safetensors")]


@pytest.fixture
def kept(schedule, tmp_path):
    learn(replace(schedule), seed=3, settings=LearningSettings(checkpoint=tmp_path))
    return tmp_path


def resumed(schedule, folder, seed=3, **options):
    return learn(schedule, seed=seed, settings=LearningSettings(checkpoint=folder, resume=True, **options))


def damage(path, what):
    match what:
        case "flipped":
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "cut":
            path.write_bytes(path.read_bytes()[:100])
        case "digit":
            text = path.read_text()
            place = text.index("0.", text.index("accuracies")) + 2
            path.write_text(text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :])
        case "gone":
            path.unlink()
        case "other keys":
            path.write_text("{}")


@pytest.mark.parametrize(
    ("ending", "what", "message"),
    [
        ("safetensors", "flipped", r"round-000005.safetensors' is damaged: it has not the digest"),
        ("safetensors", "cut", r"round-000005.safetensors' is damaged: it has not the digest"),
        ("safetensors", "gone", r"round-000005.safetensors' cannot be read: No such file"),
        ("json", "digit", r"round-000005.json' is damaged: it has not the digest"),
        ("json", "cut", r"round-000005.json' is damaged: no JSON"),
        (
            "json",
            "other keys",
            r"round-000005.json' is damaged: it must have the keys accuracies, facts_sha256",
        ),
    ],
)
def test_a_damaged_state_is_one_error_and_the_one_before_still_serves(
    schedule, whole, kept, ending, what, message
):
    damage(kept / f"round-000005.{ending}", what)
    with pytest.raises(CheckpointError, match=message) as caught:
        resumed(schedule, kept)
    assert "the state after round 4 is whole: remove '" in str(caught.value)
    assert "\n" not in str(caught.value)
    for path in kept.glob("round-000005.*"):
        path.unlink()
    assert_same(resumed(schedule, kept), whole)


def test_if_no_state_is_whole_it_says_so(schedule, kept):
    for path in kept.glob("*.safetensors"):
        damage(path, "cut")
    with pytest.raises(CheckpointError, match="no earlier state is whole: start anew in another folder"):
        resumed(schedule, kept)


def test_a_state_of_another_run_is_refused(schedule, kept):
    with pytest.raises(
        CheckpointError, match=r"is of another run: seed is 3, this run has 4; resume the same"
    ):
        resumed(schedule, kept, seed=4)
    other = replace(schedule, training=replace(schedule.training, learning_rate=0.1))
    with pytest.raises(CheckpointError, match=r"is of another run: schedule_sha256 is"):
        resumed(other, kept)
    with pytest.raises(CheckpointError, match="is of another run: precision is 'float32', this run has"):
        resumed(schedule, kept, precision="bfloat16")


def test_a_state_of_another_version_is_refused(schedule, kept):
    path = kept / "round-000005.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    with pytest.raises(CheckpointError, match=r"has version 2, must be 1; resume with the release"):
        resumed(schedule, kept)


def test_a_full_disk_is_one_error_and_the_last_good_state_stays(schedule, whole, tmp_path, monkeypatch):
    def full(path, content):
        if "000003" in str(path):
            raise OSError(28, "No space left on device")
        return original(path, content)

    original = checkpoint.write_whole
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_whole", full)
        with pytest.raises(
            CheckpointError,
            match=r"round-000003' cannot be written: No space left on device; the state after round 2 stays",
        ):
            learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path))
    assert_same(resumed(schedule, tmp_path), whole)


def test_a_write_that_the_system_refuses_leaves_no_part_of_a_file(schedule, tmp_path):
    """The system itself stops the write in the midst of it: files may have 4 KiB."""
    resource = pytest.importorskip("resource", reason="limits of a process need a Unix")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written: File too large; there is no earlier"):
            learn(schedule, seed=3, settings=LearningSettings(checkpoint=tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_not_overwritten(schedule, kept):
    with pytest.raises(CheckpointError, match="holds a run already: resume it, or give another folder"):
        learn(schedule, seed=3, settings=LearningSettings(checkpoint=kept))


def test_wrong_use_is_refused(schedule, tmp_path):
    with pytest.raises(CheckpointError, match="resume needs the folder of the checkpoints"):
        LearningSettings(resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="File exists"):
        run(schedule, learning=LearningSettings(checkpoint=tmp_path / "file"))


def test_nothing_is_pickled(kept):
    from safetensors import safe_open

    with safe_open(kept / "round-000005.safetensors", framework="numpy") as arrays:
        names = {json.loads(name)[0] for name in arrays.keys()}  # noqa: SIM118 - not a mapping
    assert names == {"state", "models", "rest_up", "rest_down", "memories"}
