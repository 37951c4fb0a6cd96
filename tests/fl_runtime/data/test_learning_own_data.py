"""The same schedules learn from users' own folders, on ViLT and on the compact model."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime import LearningSettings  # noqa: E402
from fl_runtime.data import VqaFolder, load_vqa  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.modules.weights import compact_model  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.run import run  # noqa: E402
from fl_runtime.schedule import Module, Replica, Route, Training  # noqa: E402

TINY = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
    "image_size": 32, "patch_size": 16, "vocab_size": 64, "max_position_embeddings": 10,
    "initializer_range": 0.2,
}  # fmt: skip
TRAINING = Training(local_steps=8, batch_size=16, learning_rate=0.01, label_skew=1.0)
MORE = {
    "lora": {},
    "prompt": {},
    "backbone": {},
    "gate": {"expert_group": "e"},
    "expert": {"expert_group": "e"},
}


@pytest.fixture(scope="module")
def vilt():
    pytest.importorskip("transformers", reason="ViLT needs transformers")
    from fl_runtime.modules.vilt import ViltModules
    from fl_runtime.modules.vilt_weights import vilt_model

    return vilt_model(config=TINY, modules=ViltModules(num_blocks=2, bottleneck=16))


@pytest.fixture(scope="module")
def folder(folders, tmp_path_factory):
    return VqaFolder(task="things", format="gqa", folder=folders.gqa(tmp_path_factory.mktemp("gqa"), 120))


@pytest.fixture(scope="module")
def schedule(bench):
    """Four devices in two cells, whose servers average in each round and the cloud in each second."""
    return of_one_task(bench, ("edge", "cloud"), 8, TRAINING, {})


def of_one_task(bench, cycle, rounds, training, more):
    found = bench.federation(cycle, clusters=2, size=2, rounds=rounds, samples=40, training=training)
    devices = sorted({route.device for route in found.routes})
    names = ("adapter", "head-things", *more)
    modules = [Module(id="adapter", kind="adapter", update_bits=1e5, trainable=True)]
    modules += [Module(id="head-things", kind="head", update_bits=1e4, trainable=True, task="things")]
    modules += [
        Module(id=name, kind=name, update_bits=1e4, trainable=True, **fields) for name, fields in more.items()
    ]
    kinds = [
        replace(kind, steps=in_order(
            [replace(step, modules=names) if hasattr(step, "modules") else step for step in kind.steps]
        ))
        for kind in found.kinds
    ]  # fmt: skip
    return replace(
        found,
        modules=tuple(modules),
        replicas=tuple(Replica(module=name, host=host, weight=40.0) for host in devices for name in names),
        routes=tuple(
            Route(device=host, task="things", samples=40, modalities=("image", "text"),
                  hosts=dict.fromkeys(names, host))
            for host in devices
        ),
        kinds=tuple(kinds),
    )  # fmt: skip


def test_a_federation_learns_a_rule_on_vilt(schedule, vilt, folder):
    curve = run(schedule, load_vqa(folder, vilt.inputs), learning=LearningSettings(model=vilt)).learning
    assert curve.accuracy[0, 0] < 0.5
    assert curve.accuracy[-1, 0] > 0.65  # five answers: a guess gets 0.2


def test_the_same_schedule_learns_the_rule_on_the_compact_model(schedule, folder):
    workload = load_vqa(folder)
    length = workload.task("things").train.inputs["text"].shape[1]
    model = compact_model(len(workload.words), length)
    curve = learn(schedule, workload, settings=LearningSettings(model=model))
    assert curve.accuracy[0, 0] < 0.5
    assert curve.accuracy[-1, 0] > 0.65


def test_every_kind_of_module_is_trained_on_vilt_and_again_with_the_same_bytes(bench, vilt, folder, tmp_path):
    training = replace(TRAINING, local_steps=2, batch_size=4, num_shards=2, quantity_skew=4.0)
    everything = of_one_task(bench, ("cloud",), 2, training, MORE)
    workload = load_vqa(folder, vilt.inputs)
    first = learn(everything, workload, settings=LearningSettings(model=vilt, checkpoint=tmp_path))
    again = learn(
        everything, workload, settings=LearningSettings(model=vilt, checkpoint=tmp_path, resume=True)
    )
    begin = learn(replace(everything, rounds=1), workload, settings=LearningSettings(model=vilt))
    for name, rows in first.state.items():
        assert rows.tobytes() == again.state[name].tobytes()
        assert (rows[0] != begin.state[name][0]).any()
        assert np.isfinite(rows).all()
    assert set(first.state) == {"adapter", "head-things", *MORE}


def test_devices_without_a_modality_train_without_it(bench, vilt, folder):
    everything = of_one_task(bench, ("cloud",), 1, replace(TRAINING, local_steps=2), MORE)
    workload = load_vqa(folder, vilt.inputs)

    def changed(name):
        task = workload.task("things")
        inputs = {**task.train.inputs, name: np.roll(task.train.inputs[name], 1, axis=0)}
        other = replace(task, train=replace(task.train, inputs=inputs))
        return replace(workload, tasks={"things": other})

    for kept, missing in (("image", "text"), ("text", "image")):
        routes = tuple(replace(route, modalities=(kept,)) for route in everything.routes)
        schedule = replace(everything, routes=routes)
        state = learn(schedule, workload, settings=LearningSettings(model=vilt)).state
        for other, same in ((changed(missing), True), (changed(kept), False)):
            found = learn(schedule, other, settings=LearningSettings(model=vilt)).state
            assert (found["adapter"].tobytes() == state["adapter"].tobytes()) is same


def test_data_in_another_form_than_the_models_is_refused(schedule, vilt, folder):
    with pytest.raises(ValueError, match="has images of 24 x 24, but the model 'vilt' takes 32 x 32 x 3"):
        learn(schedule, load_vqa(folder), settings=LearningSettings(model=vilt))
    with pytest.raises(
        ValueError, match="questions of 7 tokens up to number 11, but the model 'compact' takes 2"
    ):
        learn(schedule, load_vqa(folder))


def test_prefixes_that_no_memory_holds_are_refused(schedule, vilt, folder, monkeypatch):
    workload = load_vqa(folder, vilt.inputs)
    task = workload.task("things")
    tokens = task.train.inputs["text"].shape[1] + 5  # and five of the image
    needed = (len(task.train) + len(task.test)) * tokens * 32 * 4
    once = replace(schedule, rounds=1)
    monkeypatch.setattr("fl_runtime.fitting.memory_bytes", lambda: needed)
    learn(once, workload, settings=LearningSettings(model=vilt))
    monkeypatch.setattr("fl_runtime.fitting.memory_bytes", lambda: needed - 1)
    with pytest.raises(
        ValueError, match=r"takes 0\.0 GB, the memory of this machine has 0\.0 GB; take fewer"
    ):
        learn(once, workload, settings=LearningSettings(model=vilt))


def test_a_modality_that_the_model_does_not_take_is_refused(bench, vilt):
    digits = bench.federation(("cloud",), clusters=1, size=2, rounds=1)
    heard = replace(digits, routes=tuple(route for route in digits.routes if route.task == "spoken"))
    with pytest.raises(ValueError, match="has the modality 'audio', but the model 'vilt' takes image, text"):
        learn(heard, settings=LearningSettings(model=vilt))


def test_passes_of_one_client_each_learn_the_same(bench, vilt, folder, monkeypatch):
    everything = of_one_task(bench, ("cloud",), 2, replace(TRAINING, local_steps=2), MORE)
    workload = load_vqa(folder, vilt.inputs)
    together = learn(everything, workload, settings=LearningSettings(model=vilt))
    monkeypatch.setattr("fl_runtime.training.pass_sizes.PASS_NUMBERS", 1)
    alone = learn(everything, workload, settings=LearningSettings(model=vilt))
    assert alone.accuracy == pytest.approx(together.accuracy, abs=0.05)
    for name, rows in together.state.items():
        assert np.abs(alone.state[name] - rows).max() < 0.02


def test_vilt_learns_with_products_in_bfloat16(bench, vilt, folder):
    everything = of_one_task(bench, ("cloud",), 1, replace(TRAINING, local_steps=2), MORE)
    workload = load_vqa(folder, vilt.inputs)
    rough = learn(everything, workload, settings=LearningSettings(model=vilt, precision="bfloat16"))
    exact = learn(everything, workload, settings=LearningSettings(model=vilt))
    for name in ("adapter", "backbone", "head-things", "lora", "prompt"):
        rows = exact.state[name]
        assert rough.state[name].tobytes() != rows.tobytes()
        assert np.abs(rough.state[name] - rows).mean() < 0.01  # two steps of 0.01
