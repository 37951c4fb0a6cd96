import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime import LearningSettings  # noqa: E402
from fl_runtime.accelerator import choose_device, reproducible  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402


def _settings():
    return (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.allow_tf32,
        torch.is_autocast_enabled("cpu"),
    )


def test_no_name_takes_cuda_where_there_is_some():
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "meta", "mps", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"device is '{name}', "):
        choose_device(name)


def test_settings_are_fixed_inside_and_restored_after():
    before = _settings()
    with reproducible(torch.device("cpu"), "bfloat16"):
        assert _settings() == (1, 2, False, False, True)
    assert _settings() == before
    with pytest.raises(RuntimeError, match="from inside"), reproducible(torch.device("cpu")):
        raise RuntimeError("from inside")
    assert _settings() == before


def test_an_unknown_precision_is_refused():
    message = "precision is 'float16', must be one of float32, bfloat16"
    with pytest.raises(ValueError, match=message), reproducible(torch.device("cpu"), "float16"):
        pass


def test_a_model_is_the_same_one_on_the_same_device():
    model = load_frozen()
    assert model.on(torch.device("cpu")) is model
    away = model.on(torch.device("meta"))
    assert away.device == torch.device("meta")
    assert model.on(torch.device("meta")) is away
    assert model.device == torch.device("cpu")


def test_bfloat16_learns_about_the_same_with_other_bytes(bench):
    schedule = bench.federation(("cloud",), clusters=2, size=2, rounds=2, samples=24)
    exact, rough = learn(schedule), learn(schedule, settings=LearningSettings(precision="bfloat16"))
    for name, rows in exact.state.items():
        assert rough.state[name].dtype == rows.dtype
        assert rough.state[name].tobytes() != rows.tobytes()
        moved = abs(rows - rows.mean()).mean()
        assert abs(rough.state[name] - rows).mean() < 0.1 * moved
    assert abs(exact.accuracy - rough.accuracy).max() < 0.1
    again = learn(schedule, settings=LearningSettings(precision="bfloat16"))
    assert all(rows.tobytes() == again.state[name].tobytes() for name, rows in rough.state.items())
