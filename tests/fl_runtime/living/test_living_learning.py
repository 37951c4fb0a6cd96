"""Training in a living network: who trains, what is kept, and the same bytes after any kill."""

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

from fl_runtime import LearningSettings  # noqa: E402
from fl_runtime.clock import play  # noqa: E402
from fl_runtime.fading import Fading  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_key import learning_key  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.run import run  # noqa: E402
from fl_runtime.schedule import (  # noqa: E402
    Compute,
    Cpu,
    DropOut,
    LivingNetwork,
    Losses,
    Policy,
    Straggling,
    Training,
)
from fl_runtime.schedule_json import write_schedule  # noqa: E402
from fl_runtime.server_optimisers import Momentum  # noqa: E402
from fl_runtime.variants import with_precision, with_server_optimiser  # noqa: E402

ROUNDS = 6
FAULTS = LivingNetwork(
    drop_out=DropOut(share=0.3),
    straggling=Straggling(spread=0.5),
    losses=Losses(probability=0.25, max_attempts=1, wired=True),
)
CPU = Cpu(flops_per_cycle=1.0, max_frequency_hz=1.0, effective_capacitance=1.0)


@pytest.fixture(scope="module")
def still(bench):
    found = bench.federation(
        ("edge", "cloud"), clusters=2, size=3, rounds=ROUNDS, samples=16,
        training=Training(local_steps=1, batch_size=2),
    )  # fmt: skip
    kinds = tuple(replace(kind, steps=tuple(map(_timed, in_order(kind.steps)))) for kind in found.kinds)
    nodes = tuple(replace(node, processor=CPU if node.id[0] == "d" else None) for node in found.nodes)
    return replace(found, kinds=kinds, nodes=nodes)


def _timed(step):
    return replace(step, frequency_hz=1.0) if isinstance(step, Compute) else step


@pytest.fixture(scope="module")
def lively(still):
    """Everything at once: 4 bits, momentum at the cloud, all faults, and a deadline for cloud rounds."""
    found = with_server_optimiser(with_precision(still, 4), Momentum(), ["cloud"])
    kinds = tuple(
        replace(kind, policy=Policy(deadline_s=2.0)) if kind.reaches_cloud else kind for kind in found.kinds
    )
    return replace(found, kinds=kinds, living=FAULTS)


@pytest.fixture(scope="module")
def whole(lively):
    return learn(lively, seed=3)


def assert_same(curve, whole):
    assert curve.accuracy.tobytes() == whole.accuracy.tobytes()
    assert all(curve.state[name].tobytes() == rows.tobytes() for name, rows in whole.state.items())


def test_all_kinds_of_faults_occur(lively):
    summary = play(lively, seed=3).record.summary()
    assert all(summary[name] > 0 for name in ("away", "slow", "lost", "not sent", "called off"))


@pytest.mark.parametrize("bits", [32, 4])
def test_who_is_away_does_not_train_and_its_replicas_stay(still, bits):
    gone = LivingNetwork(drop_out=DropOut(share=1 - 1e-15, nodes=("d1",)))
    schedule = replace(with_precision(still, bits), living=gone)
    curve, other = learn(schedule, seed=3), learn(replace(schedule, living=None), seed=3)
    place = {r.host: row for row, r in enumerate(r for r in still.replicas if r.module == "adapter")}
    first = learn(replace(schedule, rounds=1), seed=3).state["adapter"][place["d1"]]
    assert curve.state["adapter"][place["d1"]].tobytes() == first.tobytes()
    assert not np.array_equal(curve.state["adapter"][place["d0"]], other.state["adapter"][place["d0"]])


def test_faults_of_no_strength_learn_the_same_bytes(still):
    nothing = LivingNetwork(drop_out=DropOut(share=0.0), losses=Losses(probability=0.0, wired=True))
    for schedule in (still, with_precision(still, 4)):
        assert_same(learn(replace(schedule, living=nothing), seed=3), learn(schedule, seed=3))


@pytest.mark.parametrize("bits", [32, 4, 1])
def test_training_goes_on_and_all_stays_finite(still, bits):
    schedule = replace(with_precision(still, bits), living=FAULTS, rounds=10)
    curve = learn(schedule, seed=0)
    assert np.isfinite(curve.accuracy).all()
    assert all(np.isfinite(rows).all() for rows in curve.state.values())
    assert curve.mean_accuracy[-1] > 0


def test_same_seed_same_bytes_and_another_seed_others(lively, whole):
    assert_same(learn(lively, seed=3), whole)
    assert learn(lively, seed=4).accuracy.tobytes() != whole.accuracy.tobytes()


def test_a_run_says_what_happened(lively, whole, tmp_path):
    measured = run(lively, seed=3)
    assert_same(measured.learning, whole)
    assert measured.summary()["living"] == measured.timeline.record.summary()


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


TARGETS = ("training.train_round", "checkpoint.write_whole", "transport_state.quantise_rows")
MOST_CALLS = {"training.train_round": ROUNDS, "checkpoint.write_whole": 2 * ROUNDS}
RNG = np.random.default_rng(6)
MOMENTS = [
    (target, int(RNG.integers(1, MOST_CALLS.get(target, 100) + 1)))
    for target in (TARGETS[index % 3] for index in range(20))
]


@pytest.mark.parametrize(("target", "call"), MOMENTS)
def test_killed_at_a_random_moment_and_resumed_it_ends_with_the_same_bytes(
    lively, whole, tmp_path, monkeypatch, target, call
):
    module, name = target.split(".")
    owner = sys.modules[f"fl_runtime.{module}"]
    original, calls = getattr(owner, name), []

    def instead(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    record = play(lively, seed=3).record  # its own quantising of nothing is not counted
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, instead)
        with pytest.raises(Killed):
            learn(lively, seed=3, record=record, settings=LearningSettings(checkpoint=tmp_path))
    assert_same(learn(lively, seed=3, settings=LearningSettings(checkpoint=tmp_path, resume=True)), whole)


def test_a_process_killed_again_and_again_ends_the_same(lively, whole, tmp_path):
    """SIGKILL leaves no time to tidy up."""
    write_schedule(lively, tmp_path / "schedule.json")
    code = (
        "from fl_runtime import LearningSettings, read_schedule; from fl_runtime.learn import learn\n"
        "settings = LearningSettings(checkpoint='kept', resume=True)\n"
        "learn(read_schedule('schedule.json'), seed=3, settings=settings)"
    )
    root = Path(__file__).parents[3]
    for number in (2,):
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}
        )
        while process.poll() is None and not list((tmp_path / "kept").glob(f"round-00000{number}.json")):
            time.sleep(0.001)
        time.sleep(np.random.default_rng().uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert_same(
        learn(lively, seed=3, settings=LearningSettings(checkpoint=tmp_path / "kept", resume=True)), whole
    )


def test_all_of_a_living_network_counts_in_the_key(still, lively):
    keys = {learning_key(still), learning_key(lively)}
    for changed in (
        replace(lively, living=replace(FAULTS, drop_out=DropOut(share=0.2))),
        replace(lively, living=replace(FAULTS, losses=Losses(probability=0.1))),
        replace(lively, living=replace(FAULTS, straggling=None)),
        replace(lively, living=replace(FAULTS, fading=Fading())),
        replace(lively, kinds=tuple(replace(kind, policy=Policy(count=2)) for kind in lively.kinds)),
        replace(lively, nodes=tuple(replace(node, half_duplex=True) for node in lively.nodes)),
    ):
        keys.add(learning_key(changed))
    assert len(keys) == 8
    assert learning_key(lively) == learning_key(replace(lively))


def test_fading_given_to_a_run_is_a_part_of_its_states(lively, tmp_path):
    from fl_runtime.errors import CheckpointError

    run(lively, seed=3, fading=Fading(), learning=LearningSettings(checkpoint=tmp_path))
    with pytest.raises(CheckpointError, match="of another run: schedule_sha256"):
        run(lively, seed=3, learning=LearningSettings(checkpoint=tmp_path, resume=True))
