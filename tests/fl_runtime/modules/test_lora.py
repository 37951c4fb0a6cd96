import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")

from fl_runtime.modules.backbone import Block  # noqa: E402
from fl_runtime.modules.lora import Lora, initial_lora, layer_shapes, lora_size  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402

WIDTH, RANK, CLIENTS, SAMPLES = 8, 3, 3, 2


def double(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.fixture
def block():
    torch.manual_seed(0)
    return Block(WIDTH, 2).double()


def plain(block, tokens, flat):
    """One client's samples through a block whose weights are W + (down up)^T, by plain multiplications."""
    weights, start = {}, 0
    for name, layer in (*block.named_children(),):
        if not isinstance(layer, torch.nn.Linear):
            continue
        outer, inner = layer.weight.shape
        down = flat[start : start + inner * RANK].view(inner, RANK)
        up = flat[start + inner * RANK : start + (inner + outer) * RANK].view(RANK, outer)
        weights[name] = layer.weight.T + down @ up
        start += (inner + outer) * RANK

    def layer(name, x):
        return x @ weights[name] + getattr(block, name).bias

    x = block.norm_attention(tokens)
    query, (key, value) = layer("query", x), layer("key_value", x).split(WIDTH, dim=-1)
    mixed = []
    for part in (slice(0, 4), slice(4, 8)):  # two heads of width 4
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 2.0
        mixed.append(torch.softmax(scores, dim=-1) @ value[..., part])
    tokens = tokens + layer("join", torch.cat(mixed, dim=-1))
    hidden = torch.nn.functional.gelu(layer("expand", block.norm_mlp(tokens)))
    return tokens + layer("contract", hidden)


def test_the_layers_are_those_of_the_block_and_the_size_counts_them(block):
    shapes = {n: layer.weight.T.shape for n, layer in block.named_children() if hasattr(layer, "in_features")}
    assert layer_shapes(WIDTH) == shapes
    assert lora_size(WIDTH, RANK) == 3 * (16 + 24 + 16 + 24 + 24)
    assert initial_lora(WIDTH, RANK, np.random.default_rng(0)).shape == (lora_size(WIDTH, RANK),)


def test_a_first_lora_changes_nothing_but_has_a_gradient(block):
    tokens = double(SAMPLES, 5, WIDTH)
    flat = torch.from_numpy(initial_lora(WIDTH, RANK, np.random.default_rng(0))).double()[None]
    flat.requires_grad_()
    result = block(tokens, lora=Lora.of(flat, WIDTH, RANK))
    torch.testing.assert_close(result, block(tokens), atol=1e-15, rtol=0)
    (gradient,) = torch.autograd.grad(result.square().sum(), [flat])
    assert (gradient != 0).any()


@pytest.mark.parametrize("num_read", [None, 1])
def test_stacked_clients_get_values_and_gradients_of_plain_blocks(block, num_read):
    tokens = double(CLIENTS * SAMPLES, 5, WIDTH).requires_grad_()
    flat = (0.3 * double(CLIENTS, lora_size(WIDTH, RANK), seed=1)).requires_grad_()
    weights = double(CLIENTS, SAMPLES, num_read or 5, WIDTH, seed=2)
    stacked = block(tokens, num_read, Lora.of(flat, WIDTH, RANK)).view_as(weights)
    inputs = tokens.view(CLIENTS, SAMPLES, 5, WIDTH)
    alone = torch.stack([plain(block, inputs[i], flat[i])[:, :num_read] for i in range(CLIENTS)])
    torch.testing.assert_close(stacked, alone, atol=1e-12, rtol=0)
    found = torch.autograd.grad((stacked * weights).sum(), [flat, tokens])
    expected = torch.autograd.grad((alone * weights).sum(), [flat, tokens])
    for mine, other in zip(found, expected, strict=True):
        assert other.abs().max() > 0.1
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=1e-12)


def test_the_model_gives_each_client_its_own_additions():
    model = load_frozen()
    rng = np.random.default_rng(3)
    tokens = torch.from_numpy(rng.normal(size=(3, 2, 11, 64)).astype(np.float32))
    lora = torch.from_numpy(0.1 * rng.normal(size=(3, lora_size(64, 4))).astype(np.float32))
    together = model.features(tokens, lora=lora)
    alone = torch.cat([model.features(tokens[[i]], lora=lora[[i]]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert (together - model.features(tokens)).abs().max() > 0.1
