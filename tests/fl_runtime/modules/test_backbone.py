"""Reading few tokens without keys and values of any token, against the plain way to attend."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.modules.backbone import Block  # noqa: E402
from fl_runtime.modules.lora import Lora, initial_lora, layer_shapes, lora_size  # noqa: E402

WIDTH, HEADS, RANK = 24, 3, 2


@pytest.fixture
def block():
    torch.manual_seed(0)
    return Block(WIDTH, HEADS).double()


def tokens(clients=2, samples=3, length=5):
    values = np.random.default_rng(1).normal(size=(clients * samples, length, WIDTH))
    return torch.from_numpy(values).requires_grad_()


def random_lora(clients):
    flat = np.random.default_rng(2).normal(0.0, 0.3, size=(clients, lora_size(WIDTH, RANK)))
    return torch.from_numpy(flat).requires_grad_()


@pytest.mark.parametrize("num_read", [1, 2])
def test_few_read_tokens_are_those_of_all(block, num_read):
    entered = tokens()
    few, whole = block(entered, num_read), block(entered)[:, :num_read]
    np.testing.assert_allclose(few.detach(), whole.detach(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(*(_gradients(read, entered) for read in (few, whole)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_read", [1, 2])
def test_few_read_tokens_with_lora_are_those_of_all(block, num_read):
    entered, flat = tokens(), random_lora(2)
    lora = Lora.of(flat, WIDTH, RANK)
    few, whole = block(entered, num_read, lora), block(entered, None, lora)[:, :num_read]
    np.testing.assert_allclose(few.detach(), whole.detach(), rtol=0, atol=1e-12)
    for source in (entered, flat):
        np.testing.assert_allclose(*(_gradients(read, source) for read in (few, whole)), rtol=0, atol=1e-11)


def test_lora_is_that_of_weights_with_the_product_added(block):
    entered, flat = tokens(clients=1), random_lora(1)
    lora = Lora.of(flat, WIDTH, RANK)
    few = block(entered, 1, lora)
    merged = {
        f"{name}.weight": block.get_parameter(f"{name}.weight") + (lora.down[name][0] @ lora.up[name][0]).T
        for name in layer_shapes(WIDTH)
    }
    whole = torch.func.functional_call(block, dict(block.named_parameters()) | merged, (entered,))[:, :1]
    np.testing.assert_allclose(few.detach(), whole.detach(), rtol=0, atol=1e-12)


def test_a_first_lora_changes_nothing(block):
    first = initial_lora(WIDTH, RANK, np.random.default_rng(0))[None].astype(np.float64)
    entered = tokens(clients=1)
    changed = block(entered, 1, Lora.of(torch.from_numpy(first), WIDTH, RANK))
    np.testing.assert_allclose(changed.detach(), block(entered, 1).detach(), rtol=0, atol=1e-13)


def _gradients(read, source):
    weights = torch.linspace(-1, 1, read.numel(), dtype=read.dtype).view(read.shape)
    return torch.autograd.grad((read * weights).sum(), source, retain_graph=True)[0]
