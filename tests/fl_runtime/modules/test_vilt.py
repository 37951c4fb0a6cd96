import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models need torch")
pytest.importorskip("transformers", reason="ViLT needs transformers")

from torch.nn import functional  # noqa: E402

from fl_runtime.modules.experts import Mixture  # noqa: E402
from fl_runtime.modules.vilt import ViltModules  # noqa: E402
from fl_runtime.modules.vilt_weights import vilt_model  # noqa: E402

TINY = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "image_size": 32, "patch_size": 16, "vocab_size": 40, "max_position_embeddings": 8,
    "initializer_range": 0.2,
}  # fmt: skip
CLIENTS, SAMPLES = 2, 3
LINEAR = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "join": "attention.output.dense",
    "expand": "intermediate.dense",
    "contract": "output.dense",
}


def model_of(num_blocks=2, **settings):
    return vilt_model(
        config=TINY, modules=ViltModules(num_blocks=num_blocks, bottleneck=5, rank=3), **settings
    )


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def inputs():
    """Images and questions of unequal length of two clients, (clients * samples, ...)."""
    rng = np.random.default_rng(0)
    text = rng.integers(4, 40, size=(CLIENTS * SAMPLES, 8))
    for row, length in enumerate((8, 5, 3, 6, 4, 8)):
        text[row, length:] = 0
    image = rng.integers(0, 256, size=(CLIENTS * SAMPLES, 32, 32, 3)).astype(np.uint8)
    return {"image": torch.tensor(image), "text": torch.tensor(text)}


def by_client(tokens):
    return tokens.view(CLIENTS, SAMPLES, *tokens.shape[1:])


def drawn(model, kind, seed=1):
    """Each client's module, not as it starts but somewhere, (clients, size)."""
    size = len(model.initial(kind, np.random.default_rng(0), num_classes=2, num_experts=2, modality=None))
    return torch.tensor(np.random.default_rng(seed).normal(0, 0.3, (CLIENTS, size)), dtype=torch.float32)


def plain(vilt, inputs):
    """ViLT's own way from inputs to the pooled token."""
    return vilt(
        input_ids=inputs["text"],
        attention_mask=(inputs["text"] != 0).long(),
        pixel_values=inputs["image"].movedim(-1, 1) / 127.5 - 1,
    ).pooler_output


def parts_of(flat, *shapes):
    """Cut a vector into matrices."""
    cut = torch.split(flat, [int(np.prod(shape)) for shape in shapes])
    return [part.view(shape) for part, shape in zip(cut, shapes, strict=True)]


@pytest.mark.parametrize("num_blocks", [1, 3])
def test_without_clients_modules_it_is_vilt(inputs, num_blocks):
    model = model_of(num_blocks)
    features = model.features(by_client(model.prefix(inputs)))
    assert torch.allclose(features.flatten(0, 1), plain(model.vilt, inputs), atol=1e-5)


def test_without_images_it_is_vilt_whose_image_tokens_are_masked(model, inputs):
    text = {"text": inputs["text"]}
    features = model.features(by_client(model.prefix(text))).flatten(0, 1)
    pixels = torch.zeros(len(inputs["text"]), 3, 32, 32)
    tokens, mask = model.vilt.embeddings(
        inputs["text"],
        (inputs["text"] != 0).long(),
        None,
        pixels,
        torch.ones_like(pixels)[:, 0].long(),
        None,
        None,
    )
    mask[:, 8:] = 0  # of the image
    bias = (1.0 - mask[:, None, None].float()) * torch.finfo(torch.float32).min
    hidden = model.vilt.encoder(tokens, attention_mask=bias).last_hidden_state
    assert torch.allclose(features, model.vilt.pooler(model.vilt.layernorm(hidden)), atol=1e-5)


def test_without_text_it_asks_the_empty_question(model, inputs):
    nothing = torch.tensor([[2, 3, 0, 0]]).expand(len(inputs["text"]), -1)  # begin and end
    image = {"image": inputs["image"]}
    alone = model.features(by_client(model.prefix(image)))
    asked = model.features(by_client(model.prefix({**image, "text": nothing})))
    assert torch.allclose(alone, asked, atol=1e-6)


def test_what_is_masked_changes_nothing(inputs):
    model = model_of()
    used = [drawn(model, kind) for kind in ("adapter", "prompt", "lora")]
    before = model.features(by_client(model.prefix(inputs)), *used)
    with torch.no_grad():
        model.vilt.embeddings.text_embeddings.word_embeddings.weight[0] += 3.0  # of what fills up
    assert torch.equal(model.features(by_client(model.prefix(inputs)), *used), before)
    short = {**inputs, "text": inputs["text"][1:3, :5].repeat(3, 1)}
    long = {**short, "text": functional.pad(short["text"], (0, 3))}
    results = [model.features(by_client(model.prefix(given)), *used) for given in (short, long)]
    assert torch.allclose(*results, atol=1e-6)


def test_experts_leave_masked_tokens_alone(model, inputs):
    tokens = by_client(model.prefix(inputs))
    real = model.real(tokens)
    assert real.sum(dim=2).tolist() == [[13, 10, 8], [11, 9, 13]]  # words and five image tokens
    experts = torch.stack([drawn(model, "expert", seed) for seed in (1, 2)], dim=1)
    gate = drawn(model, "gate").view(CLIENTS, 32, 2)
    mixture = Mixture(gate=gate, experts=experts, bottleneck=model.expert_bottleneck, num_chosen=1)
    mixed, imbalance = mixture.mixed(tokens, real)
    assert torch.equal(model.real(mixed), real)
    for client in range(CLIENTS):  # a client whose samples have no masked tokens, token by token
        own = Mixture(gate=gate[[client]], experts=experts[[client]], bottleneck=64, num_chosen=1)
        rows = tokens[client][real[client]][None, None]
        alone, own_imbalance = own.mixed(rows)
        assert torch.allclose(mixed[client][real[client]], alone[0, 0], atol=1e-6)
        assert torch.allclose(imbalance[client], own_imbalance[0], atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks by its old name
def test_lora_is_that_of_peft_in_logits_and_gradients(model, inputs):
    peft = pytest.importorskip("peft", reason="compares with peft")
    flat = drawn(model, "lora")
    head = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    ours = flat.clone().requires_grad_()
    logits = model.features(by_client(model.prefix(inputs)), lora=ours) @ head
    (gradient,) = torch.autograd.grad(logits.square().sum(), ours)
    shapes = dict.fromkeys(("query", "key", "value", "join"), (32, 32))
    shapes |= {"expand": (32, 48), "contract": (48, 32)}
    for client in range(CLIENTS):
        config = peft.LoraConfig(
            r=3, lora_alpha=3, lora_dropout=0.0, bias="none",
            target_modules=[f"encoder.layer.{block}.{name}" for block in (1, 2) for name in LINEAR.values()],
        )  # fmt: skip
        theirs = peft.get_peft_model(model_of().vilt, config)
        added = []
        for block, of_block in zip((1, 2), flat[client].chunk(2), strict=True):
            cut = parts_of(of_block, *[shape for i, o in shapes.values() for shape in ((i, 3), (3, o))])
            for place, name in enumerate(shapes):
                layer = theirs.base_model.model.encoder.layer[block].get_submodule(LINEAR[name])
                for part, values in (("lora_A", cut[2 * place]), ("lora_B", cut[2 * place + 1])):
                    weight = getattr(layer, part)["default"].weight
                    weight.data = values.T.contiguous()
                    added.append(weight)
        own = {name: by_client(values)[client] for name, values in inputs.items()}
        expected = plain(theirs, own) @ head
        assert torch.allclose(logits[client], expected, atol=1e-5)
        wanted = torch.autograd.grad(expected.square().sum(), added)
        wanted = torch.cat([part.T.flatten() for part in wanted])
        assert torch.allclose(gradient[client], wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


def test_adapters_are_those_of_houlsby_written_by_hand(model, inputs):
    flat = drawn(model, "adapter")
    ours = flat.clone().requires_grad_()
    features = model.features(by_client(model.prefix(inputs)), ours)
    (gradient,) = torch.autograd.grad(features.square().sum(), ours)
    for client in range(CLIENTS):
        own = flat[client].clone().requires_grad_()
        vilt = model_of().vilt
        for block, of_block in zip((1, 2), own.chunk(2), strict=True):
            layer = vilt.encoder.layer[block]
            for dense, part in zip(
                (layer.attention.output.dense, layer.output.dense), of_block.chunk(2), strict=True
            ):
                down, up, bias_down, bias_up = parts_of(part, (32, 5), (5, 32), (5,), (32,))

                def adapted(_module, _given, x, *, down=down, up=up, bias_down=bias_down, bias_up=bias_up):
                    return x + functional.gelu(x @ down + bias_down) @ up + bias_up

                dense.register_forward_hook(adapted)
        expected = plain(vilt, {name: by_client(values)[client] for name, values in inputs.items()})
        assert torch.allclose(features[client], expected, atol=1e-5)
        (wanted,) = torch.autograd.grad(expected.square().sum(), own)
        assert torch.allclose(gradient[client], wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("num_blocks", [1, 2])
def test_backbones_of_ones_own_are_vilt_with_these_weights(inputs, num_blocks):
    model = model_of(num_blocks)
    fresh = model.initial("backbone", np.random.default_rng(0), num_classes=2, num_experts=1, modality=None)
    tokens = by_client(model.prefix(inputs))
    shared = model.features(tokens)
    assert torch.allclose(
        model.features(tokens, backbone=torch.tensor(fresh).repeat(2, 1)), shared, atol=1e-6
    )
    moved = torch.tensor(
        np.random.default_rng(1).normal(fresh, 0.05, (CLIENTS, len(fresh))).astype(np.float32)
    )
    ours = moved.clone().requires_grad_()
    features = model.features(tokens, backbone=ours)
    (gradient,) = torch.autograd.grad(features.square().sum(), ours)
    for client in range(CLIENTS):
        vilt = model_of(num_blocks).vilt
        layers = [*vilt.encoder.layer[-num_blocks:], vilt.layernorm, vilt.pooler]
        weights = [weight.requires_grad_() for layer in layers for weight in layer.parameters()]
        torch.nn.utils.vector_to_parameters(moved[client], weights)
        expected = plain(vilt, {name: by_client(values)[client] for name, values in inputs.items()})
        assert torch.allclose(features[client], expected, atol=1e-5)
        wanted = torch.autograd.grad(expected.square().sum(), weights)
        wanted = torch.cat([part.flatten() for part in wanted])
        assert torch.allclose(gradient[client], wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


def test_clients_side_by_side_are_as_each_alone(model, inputs):
    tokens = by_client(model.prefix(inputs))
    used = [drawn(model, kind) for kind in ("adapter", "prompt", "lora", "backbone")]
    together = model.features(tokens, *used)
    for client in range(CLIENTS):
        alone = model.features(tokens[[client]], *(part[[client]] for part in used))
        assert torch.allclose(together[client], alone[0], atol=1e-6)
    for fewer in (2, 3):
        assert not torch.allclose(together, model.features(tokens, *used[:fewer]), atol=1e-3)


def test_many_samples_in_parts_are_as_all_at_once(model, inputs, monkeypatch):
    used = [drawn(model, kind) for kind in ("adapter", "prompt", "lora")]

    def computed():
        with torch.no_grad():
            return model.features(by_client(model.prefix(inputs)), *used)

    at_once = computed()
    monkeypatch.setattr("fl_runtime.modules.vilt._NUMBERS_AT_ONCE", 4 * 13 * 48)  # four samples, two a client
    assert torch.allclose(computed(), at_once, atol=1e-6)


@pytest.mark.parametrize("kind", ["adapter", "lora"])
def test_new_modules_change_nothing_yet(model, inputs, kind):
    first = model.initial(kind, np.random.default_rng(0), num_classes=2, num_experts=1, modality=None)
    flat = torch.tensor(first).expand(CLIENTS, -1)
    tokens = by_client(model.prefix(inputs))
    place = {"adapter": "adapters", "lora": "lora"}[kind]
    assert torch.allclose(model.features(tokens, **{place: flat}), model.features(tokens), atol=1e-6)


def test_images_of_another_size_have_positions_in_between(inputs):
    model = model_of(image_size=64)
    assert model.inputs.image_shape == (64, 64, 3)
    large = inputs["image"].repeat_interleave(2, 1).repeat_interleave(2, 2)
    features = model.features(by_client(model.prefix({**inputs, "image": large})))
    vilt = model.vilt
    assert torch.allclose(
        features.flatten(0, 1),
        vilt(
            input_ids=inputs["text"],
            attention_mask=(inputs["text"] != 0).long(),
            pixel_values=large.movedim(-1, 1) / 127.5 - 1,
            pixel_mask=torch.ones(len(large), 64, 64).long(),
        ).pooler_output,
        atol=1e-5,
    )


def test_adapters_in_all_blocks_of_the_published_model_have_its_9_46_million_parameters():
    from fl_runtime.modules.adapters import adapter_size

    size = len(
        model_of(3).initial("adapter", np.random.default_rng(0), num_classes=2, num_experts=1, modality=None)
    )
    assert size == 3 * 2 * adapter_size(32, 5)
    assert 12 * 2 * adapter_size(768, 256) == 9_461_760


def test_an_encoder_of_ones_own_is_refused(model):
    with pytest.raises(ValueError, match="clients have no encoder of image of their own in the vilt model"):
        model.initial("encoder", np.random.default_rng(0), num_classes=2, num_experts=1, modality="image")


def test_the_digest_knows_weights_and_sizes():
    digests = [model_of().digest(), model_of().digest(), model_of(1).digest(), model_of(seed=1).digest()]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
