import json
import re
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models need torch")
transformers = pytest.importorskip("transformers", reason="ViLT needs transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from fl_runtime.modules.vilt import ViltModules  # noqa: E402
from fl_runtime.modules.vilt_weights import vilt_model  # noqa: E402

TINY = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "image_size": 32, "patch_size": 16, "vocab_size": 40, "max_position_embeddings": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Weights for visual questions, as they are published: ViLT within a classifier."""
    folder = tmp_path_factory.mktemp("vilt")
    torch.manual_seed(0)
    whole = transformers.ViltForQuestionAnswering(transformers.ViltConfig(**TINY, num_labels=3))
    whole.config.to_json_file(folder / "config.json")
    save_file({name: value.contiguous() for name, value in whole.state_dict().items()},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    return folder, whole.vilt


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "weights")


def changed(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_folder_gives_the_weights_that_were_saved(saved):
    model = vilt_model(saved[0])
    for name, values in saved[1].state_dict().items():
        assert torch.equal(model.vilt.state_dict()[name], values)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.inputs.tokenise is None
    assert model.digest() == vilt_model(saved[0]).digest() != vilt_model(config=TINY).digest()


def test_the_tokeniser_of_a_folder_is_used(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "colour", "is", "it", "?"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}'
    )
    model = vilt_model(folder)
    numbers = model.inputs.tokenise(["What colour is it?", "", "is " * 20])
    assert numbers.tolist()[:2] == [[2, 5, 6, 7, 8, 9, 3, 0], [2, 3, 0, 0, 0, 0, 0, 0]]
    assert numbers[2].tolist() == [2, *[7] * 6, 3]
    assert numbers.dtype == np.int64
    assert model.empty_question.tolist() == [2, 3]


def test_a_tokeniser_that_fills_up_with_another_token_is_refused(folder):
    words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "what"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    with pytest.raises(ValueError, match="fills up with token 1 and has 6 tokens; must be token 0"):
        vilt_model(folder)


def one_line(folder):
    with pytest.raises(ValueError, match="ViLT folder") as caught:
        vilt_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_weight_of_a_wrong_shape_is_one_line(folder):
    changed(folder, lambda weights: weights.update({"vilt.pooler.dense.weight": torch.zeros(16, 15)}))
    expected = "pooler.dense.weight has the shape (16, 15), must have (16, 16)"
    assert one_line(folder).endswith(f"has weights that do not fit its config.json: {expected}")


def test_missing_weights_are_one_line(folder):
    def without_last_block(weights):
        for name in [name for name in weights if "layer.1." in name]:
            del weights[name]

    changed(folder, without_last_block)
    assert "encoder.layer.1.attention.attention.key.bias is missing" in one_line(folder)
    assert one_line(folder).endswith(" and 13 more")


@pytest.mark.parametrize(
    ("name", "message"), [("config.json", "has no config.json"), ("model.safetensors", "cannot be loaded")]
)
def test_a_missing_file_is_one_line(folder, name, message):
    (folder / name).unlink()
    assert message in one_line(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_file_is_one_line(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 3])
    assert "cannot be loaded" in one_line(folder)


def test_settings_of_the_wrong_type_are_one_line(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": "large"}))
    assert "Validation error for field 'hidden_size'" in one_line(folder)


def test_a_folder_that_is_none_is_one_line(tmp_path):
    assert one_line(tmp_path / "none").endswith("is no folder; give one with config.json and weights")


def test_a_folder_of_another_model_is_one_line(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    assert "is of a 'bert' model, must be of 'vilt'" in one_line(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modules": ViltModules(num_blocks=3)}, "num_blocks is 3, must be at most 2"),
        ({"modules": ViltModules(num_blocks=0)}, "num_blocks is 0, must be 1 at least"),
        ({"modules": ViltModules(rank=0)}, "rank is 0, must be 1 at least"),
        ({"image_size": 40}, "image_size is 40, must be a multiple of the patch, 16"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        vilt_model(config=TINY, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden_size": "x"},
            "there is no ViLT of these settings: Validation error for field 'hidden_size'",
        ),
        ({"hidden_size": 33}, "there is no ViLT of these settings: The hidden size 33 is not a multiple"),
        ({"hidden_sise": 32}, "ViLT has no setting 'hidden_sise'; did you mean 'hidden_size'?"),
        ({"num_channels": 1}, "num_channels is 1, must be 3"),
        ({"vocab_size": 2}, "vocab_size is 2, must be 8 at least"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0, must be 1 at least"),
    ],
)
def test_settings_that_vilt_cannot_have_are_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        vilt_model(config={**TINY, **settings})


def test_random_weights_come_from_their_own_seed():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = vilt_model(config=TINY, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (
        first.digest() == vilt_model(config=TINY, seed=1).digest() != vilt_model(config=TINY, seed=2).digest()
    )
