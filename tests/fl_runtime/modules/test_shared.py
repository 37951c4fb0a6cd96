from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models need torch")

from fl_runtime import LearningSettings  # noqa: E402
from fl_runtime.errors import CheckpointError  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_key import learning_key  # noqa: E402
from fl_runtime.modules.model import FrozenModel  # noqa: E402
from fl_runtime.modules.size import ModelSize  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.run import run  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402


@pytest.fixture(scope="module")
def schedule(bench):
    found = bench.federation(
        ("cloud",), clusters=2, size=2, rounds=2, samples=16, training=Training(local_steps=1, batch_size=4)
    )
    kinds = tuple(replace(kind, steps=in_order(kind.steps)) for kind in found.kinds)
    return replace(found, kinds=kinds)


def drawn(width=64, seed=0):
    torch.manual_seed(seed)
    return FrozenModel(ModelSize(width=width)).requires_grad_(False)


def test_no_model_is_the_shipped_model(schedule):
    unnamed, named = learn(schedule), learn(schedule, settings=LearningSettings(model=load_frozen()))
    assert unnamed.state["adapter"].tobytes() == named.state["adapter"].tobytes()


def test_a_model_of_another_width_trains_modules_of_its_own_sizes(schedule):
    small = drawn(width=32)
    curve = run(schedule, learning=LearningSettings(model=small)).learning
    assert curve.state["adapter"].shape[1] < learn(schedule).state["adapter"].shape[1]
    assert curve.state["head-read"].shape[1] == 33 * 10


def test_the_digest_knows_every_weight_and_size():
    digests = [model.digest() for model in (drawn(), drawn(), drawn(seed=1), drawn(width=32), load_frozen())]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    nudged = drawn()
    with torch.no_grad():
        nudged.norm.bias[-1] += 1e-7
    assert nudged.digest() != digests[0]
    ranked = drawn()
    ranked.size = replace(ranked.size, rank=2)
    assert ranked.digest() != digests[0]


def test_the_model_counts_in_checkpoints_and_keys(schedule, tmp_path):
    learn(schedule, settings=LearningSettings(checkpoint=tmp_path))
    with pytest.raises(CheckpointError, match="of another run: model_sha256 is"):
        learn(schedule, settings=LearningSettings(checkpoint=tmp_path, resume=True, model=drawn()))
    assert learning_key(schedule, model=drawn()) != learning_key(schedule, model=load_frozen())


def test_a_kind_that_no_client_can_have_is_refused():
    with pytest.raises(ValueError, match="clients have no decoder of their own in the compact model"):
        load_frozen().initial(
            "decoder", np.random.default_rng(0), num_classes=2, num_experts=1, modality=None
        )
