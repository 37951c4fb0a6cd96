"""What holds for each kind of module that is trained in place of the adapter."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime import LearningSettings  # noqa: E402
from fl_runtime.check import check_schedule  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_key import learning_key  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.variants import with_precision  # noqa: E402

GAIN_OF_KIND = {
    "encoders": 0.04,
    "experts": 0.1,
    "lora": 0.1,
}  # encoders are pretrained: less is left to gain


@pytest.fixture(scope="module", params=GAIN_OF_KIND)
def alone(request, bench, kinds):
    """A federation of six devices that trains this kind only; the heads keep their random weights."""
    training = Training(local_steps=8, learning_rate=6e-3, label_skew=None)
    schedule = bench.federation(("cloud",), clusters=3, size=2, rounds=8, training=training)
    ordered = tuple(replace(kind, steps=in_order(kind.steps)) for kind in schedule.kinds)
    schedule = replace(schedule, kinds=ordered)
    return kinds.with_frozen_heads(getattr(kinds, f"with_{request.param}")(schedule))


@pytest.fixture(scope="module")
def curve(alone):
    return learn(alone, seed=0)


def test_it_learns_with_random_heads_and_all_replicas_agree(request, alone, curve):
    assert check_schedule(alone) == ()
    kind = request.node.callspec.params["alone"]
    assert curve.mean_accuracy[-1] > curve.mean_accuracy[0] + GAIN_OF_KIND[kind]
    trained = [module.id for module in alone.modules if module.trainable]
    assert trained
    for name in trained:
        assert len({row.tobytes() for row in curve.state[name]}) == 1


def test_four_bits_learn_nearly_as_much(alone, curve):
    packed = replace(with_precision(alone, 4), rounds=4)
    assert learning_key(packed) != learning_key(alone)
    found = learn(packed, seed=0)
    assert found.mean_accuracy == pytest.approx(curve.mean_accuracy[:4], abs=0.05)
    assert any((found.state[m.id] != curve.state[m.id]).any() for m in alone.modules if m.trainable)


def test_stopped_and_resumed_it_ends_with_the_same_bytes(alone, curve, tmp_path):
    class Stopped(BaseException):
        pass

    def stop(index, accuracy):
        if index == 2:
            raise Stopped

    with pytest.raises(Stopped):
        learn(alone, seed=0, observer=stop, settings=LearningSettings(checkpoint=tmp_path))
    again = learn(alone, seed=0, settings=LearningSettings(checkpoint=tmp_path, resume=True))
    assert again.accuracy.tobytes() == curve.accuracy.tobytes()
    assert all(again.state[name].tobytes() == rows.tobytes() for name, rows in curve.state.items())


def test_its_parameters_are_finite(curve):
    assert all(np.isfinite(rows).all() for rows in curve.state.values())
