from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")

from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.modules.encoders import AudioEncoder, ImageEncoder, TextEncoder  # noqa: E402
from fl_runtime.modules.trained_encoders import encode, encoder_parameters  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402

CLIENTS, SAMPLES, WIDTH = 3, 2, 8


def made(modality):
    """An encoder in double precision, and inputs for it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    match modality:
        case "image":
            encoder, inputs = ImageEncoder(WIDTH, 12), rng.normal(size=(CLIENTS, SAMPLES, 12, 12))
        case "audio":
            encoder, inputs = AudioEncoder(WIDTH, 128), rng.normal(size=(CLIENTS, SAMPLES, 128))
        case _:
            encoder, inputs = TextEncoder(WIDTH, 5, 3), rng.integers(5, size=(CLIENTS, SAMPLES, 3))
    return encoder.double(), torch.from_numpy(inputs)


@pytest.mark.parametrize("modality", ["image", "audio", "text"])
def test_stacked_clients_get_values_and_gradients_of_encoders_of_their_own(modality):
    encoder, inputs = made(modality)
    size = len(encoder_parameters(encoder))
    flat = (0.3 * torch.from_numpy(np.random.default_rng(2).normal(size=(CLIENTS, size)))).requires_grad_()
    stacked = encode(encoder, inputs, flat)
    alone = []
    for client in range(CLIENTS):
        weights, start = {}, 0
        for name, parameter in encoder.named_parameters():
            weights[name] = flat[client, start : start + parameter.numel()].view(parameter.shape)
            start += parameter.numel()
        alone.append(torch.func.functional_call(encoder, weights, (inputs[client],)))
    expected = torch.stack(alone)
    torch.testing.assert_close(stacked, expected, atol=1e-12, rtol=0)
    factors = torch.from_numpy(np.random.default_rng(3).normal(size=expected.shape))
    (gradient,) = torch.autograd.grad((stacked * factors).sum(), [flat])
    (plain,) = torch.autograd.grad((expected * factors).sum(), [flat])
    assert plain.abs().max() > 0.1
    torch.testing.assert_close(gradient, plain, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("modality", ["image", "audio", "text"])
def test_shipped_parameters_give_the_tokens_of_the_shipped_encoder(modality):
    encoder = load_frozen().encoders[modality]
    samples = torch.tensor(digits_workload().task("cmp").test.inputs[modality][:4])
    flat = torch.from_numpy(encoder_parameters(encoder))
    tokens = encode(encoder, samples[None], flat[None])[0]
    torch.testing.assert_close(tokens, encoder(samples), atol=1e-5, rtol=1e-5)


def test_an_encoder_of_a_foreign_type_is_refused():
    with pytest.raises(TypeError, match="no way to train an encoder of the type Linear"):
        encode(torch.nn.Linear(2, 2), torch.zeros(1, 1, 2), torch.zeros(1, 6))


def negative(workload):
    """The same workload with black and white exchanged, which the shipped encoder has never seen."""

    def changed(samples):
        image = {"image": 0.5 - samples.inputs["image"]} if "image" in samples.inputs else {}
        return replace(samples, inputs={**samples.inputs, **image})

    tasks = {
        name: replace(task, train=changed(task.train), test=changed(task.test))
        for name, task in workload.tasks.items()
    }
    return replace(workload, tasks=tasks)


def test_trained_encoders_learn_images_of_another_kind(bench, kinds):
    training = Training(local_steps=8, learning_rate=6e-3, label_skew=None, encoder_rate=0.3)
    trained = kinds.with_encoders(
        bench.federation(("cloud",), clusters=3, size=2, rounds=8, training=training), ("image",)
    )
    modules = tuple(replace(m, trainable=m.trainable and m.kind == "head") for m in trained.modules)
    workload = negative(digits_workload())
    read = {
        name: learn(schedule, workload).late_average["read"]
        for name, schedule in (("trained", trained), ("frozen", replace(trained, modules=modules)))
    }
    assert read["trained"] > read["frozen"] + 0.05
