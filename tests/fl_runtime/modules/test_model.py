import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")

from fl_runtime.modules.adapters import adapt, adapter_size, initial_adapter  # noqa: E402
from fl_runtime.modules.backbone import Block  # noqa: E402
from fl_runtime.modules.heads import classify, head_size, initial_head  # noqa: E402
from fl_runtime.modules.model import adapters_size, initial_adapters  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402

RNG = np.random.default_rng(0)


def tensor(*shape):
    return torch.from_numpy(RNG.normal(size=shape).astype(np.float32))


def test_a_first_adapter_changes_nothing():
    tokens = tensor(2, 5, 8)
    flat = torch.from_numpy(np.stack([initial_adapter(8, 3, np.random.default_rng(i)) for i in range(2)]))
    assert torch.equal(adapt(tokens, flat, 3), tokens)


def test_an_adapter_is_its_formula_for_each_client():
    tokens, flat = tensor(2, 5, 8), tensor(2, adapter_size(8, 3))
    adapted = adapt(tokens, flat, 3)
    for client in range(2):
        down, up, bias_down, bias_up = np.split(flat[client].double().numpy(), [24, 48, 51])
        x = tokens[client].double().numpy()
        normed = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        hidden = torch.nn.functional.gelu(torch.from_numpy(normed @ down.reshape(8, 3) + bias_down)).numpy()
        expected = x + hidden @ up.reshape(3, 8) + bias_up
        np.testing.assert_allclose(adapted[client].numpy(), expected, atol=1e-5)


def test_a_head_is_linear_for_each_client():
    features, flat = tensor(2, 5, 8), tensor(2, head_size(8, 3))
    logits = classify(features, flat, 3)
    for client in range(2):
        weight, bias = flat[client, :24].view(8, 3), flat[client, 24:]
        torch.testing.assert_close(logits[client], features[client] @ weight + bias)
    assert initial_head(8, 3, np.random.default_rng(0))[24:].tolist() == [0, 0, 0]


def test_reading_few_tokens_gives_the_same_as_reading_all():
    block, tokens = Block(8, 2), tensor(3, 6, 8)
    torch.testing.assert_close(block(tokens, num_read=2), block(tokens)[:, :2])


def test_a_client_s_features_depend_on_its_own_adapters_only():
    model = load_frozen()
    tokens, adapters = tensor(3, 2, 11, 64), 0.1 * tensor(3, adapters_size(model.size))
    together = model.features(tokens, adapters)
    alone = torch.cat([model.features(tokens[[i]], adapters[[i]]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_first_adapters_leave_the_backbone_as_it_is():
    model = load_frozen()
    tokens = tensor(1, 4, 11, 64)
    first = torch.from_numpy(initial_adapters(model.size, np.random.default_rng(0)))[None]
    assert torch.equal(model.features(tokens, first), model.features(tokens))


@pytest.mark.parametrize(("task", "num_tokens"), [("read", 19), ("spoken", 7), ("cmp", 23)])
def test_a_prefix_has_the_read_out_token_and_those_of_the_modalities(task, num_tokens):
    samples = digits_workload().task(task).test
    inputs = {name: torch.tensor(array[:3]) for name, array in samples.inputs.items()}
    prefix = load_frozen().prefix(inputs)
    assert prefix.shape == (3, num_tokens, 64)
    lengths = [load_frozen().tokens_of(name, prefix, inputs).shape[1] for name in sorted(inputs)]
    assert 1 + sum(lengths) == num_tokens


def test_the_shipped_backbone_is_worth_more_than_a_random_one():
    from sklearn.linear_model import RidgeClassifier

    from fl_runtime.modules.model import FrozenModel
    from fl_runtime.modules.size import ModelSize

    torch.manual_seed(0)
    accuracy = {}
    task = digits_workload().task("read")
    for name, model in (("shipped", load_frozen()), ("random", FrozenModel(ModelSize()))):
        with torch.no_grad():
            train, test = (
                model.features(
                    model.prefix({k: torch.tensor(v[:400]) for k, v in part.inputs.items()})[None], None
                )[0].numpy()
                for part in (task.train, task.test)
            )
        classifier = RidgeClassifier().fit(train, task.train.labels[:400])
        accuracy[name] = classifier.score(test, task.test.labels[:400])
    assert accuracy["shipped"] > 0.6
    assert accuracy["random"] < 0.3
