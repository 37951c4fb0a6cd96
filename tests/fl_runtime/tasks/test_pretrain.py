import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")

from fl_runtime.modules.weights import SHIPPED, load_frozen  # noqa: E402
from fl_runtime.tasks import pretrain as recipe  # noqa: E402


def test_the_recipe_lowers_its_loss_and_is_the_same_for_the_same_seed():
    losses = []
    first, second = (recipe.pretrain(12, 3, lambda step, loss: losses.append(loss)) for _ in range(2))
    assert losses[1] < 0.7 * losses[0]
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


def test_the_command_writes_weights_that_load(tmp_path, capsys):
    path = tmp_path / "weights.safetensors"
    recipe.main([str(path), "--steps", "1", "--seed", "9"])
    assert "step 0: loss" in capsys.readouterr().err
    expected = recipe.pretrain(1, 9).state_dict()
    loaded = load_frozen(path).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in expected.items())


def test_the_shipped_weights_are_small_and_frozen():
    assert SHIPPED.stat().st_size < 2_000_000
    model = load_frozen()
    assert not any(parameter.requires_grad for parameter in model.parameters())
