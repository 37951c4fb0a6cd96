"""The bits of activations are those of the arrays that parties really exchange."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.activations import activation_bits  # noqa: E402
from fl_runtime.cohorts import form_cohorts  # noqa: E402
from fl_runtime.learning_draws import initial_state, round_batches  # noqa: E402
from fl_runtime.modules.size import ModelSize  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402

TRAINING = Training(local_steps=2, batch_size=4)
SAMPLES = TRAINING.local_steps * TRAINING.batch_size
CLASSES = {"read": 10, "spoken": 10, "cmp": 3}
TOKENS = {"read": 19, "spoken": 7, "cmp": 23}  # the read-out token, 16 of an image, 4 of a sound, 2 of a text


@pytest.fixture(scope="module")
def small(bench):
    return bench.federation(("cloud",), clusters=1, size=3, samples=24, rounds=1, training=TRAINING)


def exchanged(schedule, split, parties, module):
    """Return the served schedule, and the bits that each device sent to the host and got back."""
    served = split.served(schedule, {module: lambda device: "e0"})
    cohorts = form_cohorts(served, digits_workload(), 0)
    state, batches = initial_state(served, cohorts, 0), round_batches(cohorts, TRAINING, 0, 0)
    apart = parties.Parties(load_frozen(), served, cohorts, state, TRAINING)
    apart.train(batches, TRAINING.local_steps)
    return served, {
        device: tuple(32 * apart.sent.get((*ends, module), 0) for ends in ((device, "e0"), ("e0", device)))
        for device in ("d0", "d1", "d2")
    }


def counted(schedule, module):
    """Return what the devices should send and get in a round, by routes and samples."""
    found = {}
    for route in schedule.routes:
        bits = activation_bits(schedule, route, CLASSES[route.task]).get(module)
        out, back = found.get(route.device, (0.0, 0.0))
        if bits is not None:
            out, back = out + SAMPLES * bits.out_bits, back + SAMPLES * bits.back_bits
        found[route.device] = out, back
    return found


@pytest.mark.parametrize(
    ("which", "module"),
    [
        (None, "adapter"),
        (None, "head-read"),
        ("with_prompts", "adapter"),
        ("with_prompts", "p-cmp"),
        ("with_lora", "lora"),
        ("with_backbone", "backbone"),
        ("with_backbone", "the-adapter"),
        ("with_backbone_alone", "backbone"),
        ("with_experts", "gate"),
        ("with_experts", "head-cmp"),
        ("with_encoders", "encoder-image"),
        ("with_encoders", "encoder-text"),
        ("with_encoders", "head-spoken"),
        ("with_everything", "encoder-audio"),
        ("with_everything", "gate"),
        ("with_everything", "the-adapter"),
        ("with_everything", "p-read"),
        ("with_everything", "lora"),
        ("with_everything", "head-cmp"),
    ],
)
def test_bits_are_those_of_the_arrays_that_are_exchanged(small, kinds, split, parties, which, module):
    served, sent = exchanged(small if which is None else getattr(kinds, which)(small), split, parties, module)
    assert counted(served, module) == {device: pytest.approx(bits) for device, bits in sent.items()}
    assert max(sent.values()) > (0, 0)


@pytest.mark.parametrize("which", ["with_experts", "with_experts_of_task", "with_everything"])
def test_experts_together_get_each_token_as_often_as_it_is_routed(small, kinds, split, parties, which):
    schedule, total, expected = getattr(kinds, which)(small), np.zeros(2), np.zeros(2)
    for name in ("x0", "x1", "x2", "x3"):
        served, sent = exchanged(schedule, split, parties, name)
        expected += np.sum(list(counted(served, name).values()), axis=0)
        total += np.sum(list(sent.values()), axis=0)
        for device, (out, _) in sent.items():
            routes = [r for r in served.routes if r.device == device and name in r.hosts]
            most = sum(2 * 32 * 64 * TOKENS[route.task] * SAMPLES for route in routes)
            assert out <= most
    np.testing.assert_allclose(total, expected, rtol=1e-12)


def test_bits_of_the_read_task_by_hand(small, kinds):
    """19 tokens of width 64: below a head there is the adapter; below the first adapter nothing learns."""
    route = next(r for r in small.routes if r.task == "read")
    bits = activation_bits(small, route, 10)
    assert set(bits) == {"adapter", "head-read"}
    assert bits["head-read"].out_bits == bits["head-read"].back_bits == 32 * (64 + 10)
    assert bits["adapter"].out_bits == 32 * (2 * 19 * 64 + 2 * 64)
    assert bits["adapter"].back_bits == 32 * (19 * 64 + 2 * 64)


def test_nothing_comes_back_below_the_first_trained_module(small, kinds):
    encoders = kinds.with_encoders(small, ("image",))
    route = next(r for r in encoders.routes if r.task == "read")
    bits = activation_bits(encoders, route, 10)["encoder-image"]
    assert bits.out_bits == 32 * (24 * 24 + 16 * 64)
    assert bits.back_bits == 32 * 16 * 64


def test_a_frozen_head_gets_gradients_only_where_something_below_learns(small):
    heads = tuple(replace(m, trainable=False) if m.kind == "head" else m for m in small.modules)
    nobody = tuple(replace(m, trainable=False) for m in small.modules)
    route = next(r for r in small.routes if r.task == "cmp")
    both = activation_bits(replace(small, modules=heads), route, 3)["head-cmp"]
    assert (both.out_bits, both.back_bits) == (32 * (64 + 3), 32 * (64 + 3))
    forward = activation_bits(replace(small, modules=nobody), route, 3)["head-cmp"]
    assert (forward.out_bits, forward.back_bits) == (32 * 64, 32 * 3)


def test_the_sizes_are_those_of_the_encoders(small):
    size, task = ModelSize(), digits_workload().task("cmp")
    for modality in ("image", "audio", "text"):
        inputs = torch.tensor(task.train.inputs[modality][:2])
        assert inputs.shape[1:] == size.input_shape(modality)
        tokens = load_frozen().encoders[modality](inputs)
        assert tokens.shape == (2, size.tokens_of(modality), size.width)
