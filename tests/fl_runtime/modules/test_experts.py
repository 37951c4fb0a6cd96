import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the model needs torch")

from fl_runtime.modules.adapters import adapter_size, initial_adapter, perceptron  # noqa: E402
from fl_runtime.modules.experts import Mixture, initial_gate  # noqa: E402

WIDTH, BOTTLENECK = 8, 3


def double(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def mixture(clients, num_experts, num_chosen, seed=0):
    return Mixture(
        gate=double(clients, WIDTH, num_experts, seed=seed).requires_grad_(),
        experts=double(clients, num_experts, adapter_size(WIDTH, BOTTLENECK), seed=seed + 1).requires_grad_(),
        bottleneck=BOTTLENECK,
        num_chosen=num_chosen,
    )


def plain(tokens, gate, experts, num_chosen):
    """One client, token by token: experts are sorted, the first are run, and everything is counted."""
    results, counts, total = [], torch.zeros(len(experts)).double(), torch.zeros(len(experts)).double()
    rows = tokens.reshape(-1, WIDTH)
    for row in rows:
        x = (row - row.mean()) / (row.var(unbiased=False) + 1e-5).sqrt()
        scores = (x @ gate).exp()
        probabilities = scores / scores.sum()
        result = row
        for index in sorted(range(len(experts)), key=lambda i: -probabilities[i].item())[:num_chosen]:
            down, up, bias_down, bias_up = experts[index].split([24, 24, 3, 8])
            hidden = torch.nn.functional.gelu(x @ down.view(8, 3) + bias_down)
            result = result + probabilities[index] * (hidden @ up.view(3, 8) + bias_up)
            counts[index] += 1
        results.append(result)
        total = total + probabilities
    shares, means = counts / counts.sum(), total / len(rows)
    return torch.stack(results).view(tokens.shape), len(experts) * (shares * means).sum()


@pytest.mark.parametrize(("num_experts", "num_chosen"), [(4, 1), (4, 2), (3, 3), (2, 5), (1, 1)])
def test_values_and_gradients_are_those_of_one_token_after_another(num_experts, num_chosen):
    mixed = mixture(3, num_experts, num_chosen)
    tokens = double(3, 2, 5, WIDTH, seed=7).requires_grad_()
    weights = double(3, 2, 5, WIDTH, seed=8)
    found, imbalance = mixed.mixed(tokens)
    parts = [plain(tokens[i], mixed.gate[i], mixed.experts[i], num_chosen) for i in range(3)]
    expected = torch.stack([part for part, _ in parts])
    uneven = torch.stack([part for _, part in parts])
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(imbalance, uneven, atol=1e-12, rtol=0)
    inputs = [tokens, mixed.gate, mixed.experts]
    mine = torch.autograd.grad((found * weights).sum() + (imbalance * double(3)).sum(), inputs)
    other = torch.autograd.grad((expected * weights).sum() + (uneven * double(3)).sum(), inputs)
    for gradient, plain_gradient in zip(mine, other, strict=True):
        torch.testing.assert_close(gradient, plain_gradient, atol=1e-12, rtol=1e-12)


def test_an_expert_works_only_for_the_tokens_that_chose_it(monkeypatch):
    seen = []

    def counted(rows, flat, bottleneck):
        seen.append(rows)
        return perceptron(rows, flat, bottleneck)

    monkeypatch.setattr("fl_runtime.modules.experts.perceptron", counted)
    gate = torch.zeros(1, WIDTH, 4, dtype=torch.float64)
    gate[0, 0], gate[0, 1] = torch.tensor([3.0, 0.0, -1.0, -2.0]), torch.tensor([0.0, 3.0, -1.0, -2.0])
    tokens = torch.eye(WIDTH, dtype=torch.float64)[None, [[0, 1, 0, 1, 0, 1]]]
    mixed = Mixture(gate=gate, experts=mixture(1, 4, 1).experts, bottleneck=BOTTLENECK, num_chosen=1)
    result, _ = mixed.mixed(tokens)
    assert seen[0].shape == (4, 3, WIDTH)  # three tokens of six for each of two experts; room for the others
    assert (seen[0][2:] == 0).all()
    (gradient,) = torch.autograd.grad(result.sum(), [mixed.experts])
    assert (gradient[0, :2].abs().amax(dim=1) > 0).all()
    assert (gradient[0, 2:] == 0).all()


def test_imbalance_is_one_where_all_are_used_alike_and_grows_to_their_number():
    even = Mixture(torch.zeros(1, 2, 2), torch.zeros(1, 2, adapter_size(2, 1)), 1, num_chosen=2)
    assert even.mixed(torch.tensor([[[[1.0, 2.0], [3.0, 1.0]]]]))[1].tolist() == [1.0]
    one_sided = torch.tensor([[[40.0, 0.0], [-40.0, 0.0]]])  # norm of (2, 1) is (1, -1): logits 80 and 0
    uneven = Mixture(one_sided, torch.zeros(1, 2, adapter_size(2, 1)), 1, num_chosen=1)
    assert uneven.mixed(torch.tensor([[[[2.0, 1.0], [4.0, 1.0]]]]))[1].tolist() == pytest.approx([2.0])


def test_descending_the_imbalance_alone_evens_out_the_use():
    gate = double(1, WIDTH, 4, seed=5).requires_grad_()
    tokens, experts = double(1, 1, 200, WIDTH, seed=6), mixture(1, 4, 1).experts.detach()
    before = after = None
    for _ in range(100):
        _, imbalance = Mixture(gate, experts, BOTTLENECK, 1).mixed(tokens)
        (gradient,) = torch.autograd.grad(imbalance.sum(), [gate])
        with torch.no_grad():
            gate -= 0.5 * gradient
        before, after = before or imbalance.item(), imbalance.item()
    assert before > 1.05
    assert after < 1.0 + 0.3 * (before - 1.0)


def test_first_experts_change_nothing():
    rng = np.random.default_rng(0)
    gate = torch.from_numpy(initial_gate(WIDTH, 3, rng)).view(1, WIDTH, 3)
    experts = torch.from_numpy(np.stack([initial_adapter(WIDTH, BOTTLENECK, rng) for _ in range(3)]))[None]
    tokens = double(1, 2, 4, WIDTH).float()
    result, imbalance = Mixture(gate, experts, BOTTLENECK, 2).mixed(tokens)
    assert torch.equal(result, tokens)
    assert 0.9 < imbalance.item() < 1.1


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), num_experts=st.integers(1, 5), k=st.integers(1, 5))
def test_a_client_does_not_feel_the_others(seed, num_experts, k):
    mixed = mixture(3, num_experts, k, seed=seed)
    tokens = double(3, 1, 6, WIDTH, seed=seed + 2)
    together, imbalance = mixed.mixed(tokens)
    alone = Mixture(mixed.gate[[1]], mixed.experts[[1]], BOTTLENECK, k).mixed(tokens[[1]])
    torch.testing.assert_close(together[[1]], alone[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(imbalance[[1]], alone[1], atol=1e-12, rtol=0)
    assert 0 < alone[1].item() <= num_experts + 1e-9
