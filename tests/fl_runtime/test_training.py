from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.cohorts import form_cohorts  # noqa: E402
from fl_runtime.learning_draws import initial_state, round_batches  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402
from fl_runtime.training import accuracy_of_devices, prefixes_of, train_round  # noqa: E402
from fl_runtime.training.pass_sizes import PassSizes  # noqa: E402

TRAINING = Training(local_steps=3, batch_size=4)


def prepared(schedule, seed=0):
    cohorts = form_cohorts(schedule, digits_workload(), seed)
    state = initial_state(schedule, cohorts, seed)
    return cohorts, prefixes_of(load_frozen(), cohorts), state, round_batches(cohorts, TRAINING, seed, 0)


@pytest.fixture(scope="module")
def small(bench):
    return bench.federation(("cloud",), clusters=3, size=2, samples=24, training=TRAINING)


def assert_trained_alike(stacked, one_by_one, state):
    """All moved, to the same weights but for the few whose gradient, by which AdamW divides, is near 0."""
    for name, rows in stacked.items():
        assert (abs(rows - state[name]).max(axis=1) > 1e-3).all()
        difference = abs(rows - one_by_one[name])
        assert np.quantile(difference, 0.99) < 2e-7
        assert difference.max() < 1e-2 * TRAINING.learning_rate


def with_samples(schedule, device, samples):
    routes = [replace(r, samples=samples) if r.device == device else r for r in schedule.routes]
    return replace(schedule, routes=tuple(routes))


def test_stacked_clients_get_the_weights_of_clients_one_after_another(bench, small):
    cohorts, prefixes, state, _ = prepared(small)
    for index in range(3):
        batches = round_batches(cohorts, TRAINING, 0, index)
        stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
        one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
        for name, rows in stacked.items():
            assert abs(rows - state[name]).max() > 1e-3
            np.testing.assert_allclose(rows, one_by_one[name], rtol=0, atol=2e-6)
        state = stacked


def test_clients_in_several_passes_get_the_weights_of_one_pass(small, monkeypatch):
    cohorts, prefixes, state, batches = prepared(small)
    at_once = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    monkeypatch.setattr("fl_runtime.training.pass_sizes.SIZES", {"cpu": PassSizes(train=3, test=1, crew=512)})
    in_parts = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    for name, rows in at_once.items():
        np.testing.assert_allclose(in_parts[name], rows, rtol=0, atol=2e-6)


def test_clients_in_several_crews_get_the_weights_of_one_crew(kinds, small, monkeypatch):
    cohorts, prefixes, state, batches = prepared(kinds.with_prompts(with_samples(small, "d4", 0)))
    at_once = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    monkeypatch.setattr("fl_runtime.training.pass_sizes.SIZES", {"cpu": PassSizes(train=4, test=4, crew=3)})
    in_parts = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    for name, rows in at_once.items():
        np.testing.assert_allclose(in_parts[name], rows, rtol=0, atol=2e-6)
        assert rows.tobytes() != state[name].tobytes()
    assert in_parts["adapter"][4].tobytes() == state["adapter"][4].tobytes()


def test_prompts_are_trained_like_one_after_another_too(bench, kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_prompts(small))
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
    assert set(stacked) == {"adapter", *(f"{kind}-{t}" for kind in ("head", "p") for t in bench.MODALITIES)}
    assert_trained_alike(stacked, one_by_one, state)


def test_a_client_s_result_does_not_depend_on_who_else_trains(small):
    cohorts, prefixes, state, batches = prepared(small)
    together = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    alone_schedule = small
    for device in ("d1", "d2", "d3", "d4", "d5"):
        alone_schedule = with_samples(alone_schedule, device, 0)
    cohorts, prefixes, state, batches = prepared(alone_schedule)
    alone = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    np.testing.assert_allclose(alone["adapter"][0], together["adapter"][0], rtol=0, atol=2e-6)


def test_a_replica_without_data_stays_as_it_is(small):
    cohorts, prefixes, state, batches = prepared(with_samples(small, "d4", 0))
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    moved = abs(trained["adapter"] - state["adapter"]).max(axis=1) > 0
    assert moved.tolist() == [True, True, True, True, False, True]


def test_a_module_that_is_not_trainable_keeps_its_first_parameters(small):
    modules = tuple(replace(m, trainable=m.id != "adapter" and m.trainable) for m in small.modules)
    cohorts, prefixes, state, batches = prepared(replace(small, modules=modules))
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    assert trained["adapter"].tobytes() == state["adapter"].tobytes()
    assert trained["head-read"].tobytes() != state["head-read"].tobytes()


def test_more_steps_go_on_from_fewer(small):
    cohorts, prefixes, state, batches = prepared(small)
    first = [batch[:, :1] for batch in batches]
    one = train_round(load_frozen(), cohorts, prefixes, state, first, replace(TRAINING, local_steps=1))
    largest_step = abs(one["adapter"] - state["adapter"]).max()
    assert largest_step == pytest.approx(TRAINING.learning_rate, rel=1e-2)  # AdamW's first step is its rate


def test_accuracy_is_the_mean_over_the_devices_that_run_the_task(small):
    cohorts, prefixes, state, batches = prepared(small)
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    of_all = accuracy_of_devices(load_frozen(), cohorts, prefixes, trained)
    for cohort, prefix in zip(cohorts, prefixes, strict=True):
        single = []
        for client in range(len(cohort.devices)):
            part = replace(
                cohort,
                devices=(cohort.devices[client],),
                parts=tuple(replace(part, rows=part.rows[[client]]) for part in cohort.parts),
                held=(cohort.held[client],),
            )
            accuracy = accuracy_of_devices(load_frozen(), [part], [prefix], trained)
            single.append(accuracy[cohort.task.name])
        assert of_all[cohort.task.name] == pytest.approx(np.mean(single), abs=1e-12)


def test_loras_are_trained_like_one_after_another(bench, kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_lora(small))
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
    assert set(stacked) == {"lora", *(f"head-{t}" for t in bench.MODALITIES)}
    assert_trained_alike(stacked, one_by_one, state)


def test_a_frozen_lora_is_a_part_of_the_backbone(kinds, small):
    cohorts, *_ = prepared(kinds.with_lora(small, trainable=False))
    assert {part.kind for cohort in cohorts for part in cohort.parts} == {"head"}


@pytest.mark.parametrize("which", ["with_experts", "with_experts_of_task"])
def test_experts_and_gate_are_trained_like_one_after_another(bench, kinds, small, which):
    cohorts, prefixes, state, batches = prepared(getattr(kinds, which)(small))
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
    assert set(stacked) == {"gate", "x0", "x1", "x2", "x3", *(f"head-{t}" for t in bench.MODALITIES)}
    if which == "with_experts":
        assert_trained_alike(stacked, one_by_one, state)
    for name, rows in stacked.items():
        assert np.quantile(abs(rows - one_by_one[name]), 0.99) < 2e-7


def test_an_expert_is_trained_only_where_a_task_has_it(kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_experts_of_task(small))
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    for name in ("x0", "x1", "x2", "x3"):
        users = {r.device for r in small.routes if name in kinds.EXPERTS_OF_TASK[r.task]}
        moved = abs(trained[name] - state[name]).max(axis=1) > 0
        assert {f"d{place}" for place in np.flatnonzero(moved)} == users
    assert len({rows[0].tobytes() for name, rows in state.items() if name.startswith("x")}) == 4


def test_a_frozen_gate_still_chooses(kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_experts(small, trainable_gate=False))
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    assert trained["gate"].tobytes() == state["gate"].tobytes()
    assert (abs(trained["x0"] - state["x0"]).max(axis=1) > 1e-3).all()


def test_the_weight_of_the_balance_moves_the_gate(kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_experts(small))
    gates = [
        train_round(load_frozen(), cohorts, prefixes, state, batches, replace(TRAINING, balance_weight=w))[
            "gate"
        ]
        for w in (0.0, 10.0)
    ]
    assert abs(gates[0] - gates[1]).max() > 1e-3


def test_encoders_are_trained_like_one_after_another(bench, kinds, small):
    schedule = kinds.with_encoders(small)
    cohorts, prefixes, state, batches = prepared(schedule)
    assert prefixes == [None] * len(cohorts)
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
    for name, rows in stacked.items():
        rate = TRAINING.learning_rate * (TRAINING.encoder_rate if name.startswith("encoder") else 1.0)
        assert 0.5 * rate < abs(rows - state[name]).max() < 4 * rate
        difference = abs(rows - one_by_one[name])
        assert np.quantile(difference, 0.99) < 2e-7
        assert difference.max() < 0.1 * rate


def test_backbones_are_trained_like_one_after_another_and_keep_the_prefix(bench, kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_backbone(small))
    assert None not in prefixes
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, TRAINING)
    assert_trained_alike({n: r for n, r in stacked.items() if n != "backbone"}, one_by_one, state)
    rate = TRAINING.learning_rate * TRAINING.backbone_rate
    moved = abs(stacked["backbone"] - state["backbone"])
    assert (0.5 * rate < moved.max(axis=1)).all()
    assert moved.max() < 4 * rate
    difference = abs(stacked["backbone"] - one_by_one["backbone"])[:, ~is_bias_of_keys()]
    assert np.quantile(difference, 0.99) < 2e-7
    assert difference.max() < 0.1 * rate


def is_bias_of_keys():
    """Of each parameter of the backbone; scores move alike with it, so that its gradient is but rounding."""
    found = []
    for layer in (load_frozen().blocks[-1], load_frozen().norm):
        for name, parameter in layer.named_parameters():
            place = np.arange(parameter.numel())
            found.append((name == "key_value.bias") & (place < load_frozen().size.width))
    return np.concatenate(found)


def test_a_first_backbone_is_the_shipped_one(kinds, small):
    cohorts, prefixes, state, _ = prepared(kinds.with_backbone(small))
    without = [replace(c, parts=tuple(p for p in c.parts if p.kind != "backbone")) for c in cohorts]
    assert state["backbone"].shape == (6, 33_600)
    first = accuracy_of_devices(load_frozen(), cohorts, prefixes, state)
    assert first == accuracy_of_devices(load_frozen(), without, prefixes, state)


def test_a_device_without_a_modality_trains_without_its_encoder(kinds, small):
    schedule = kinds.with_encoders(small)
    deaf = tuple(
        replace(r, modalities=tuple(name for name in r.modalities if name != "audio"))
        if r.device in {"d1", "d2"} and r.task == "cmp"
        else r
        for r in schedule.routes
    )
    cohorts, prefixes, state, batches = prepared(replace(schedule, routes=deaf))
    slots = {(c.task.name, c.devices): {part.slot for part in c.parts} for c in cohorts}
    without = next(found for (task, devices), found in slots.items() if task == "cmp" and "d2" in devices)
    assert without == {"encoder-image", "encoder-text", "head"}
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    assert (trained["encoder-audio"][2] == state["encoder-audio"][2]).all()
    assert (trained["encoder-image"][2] != state["encoder-image"][2]).any()


def test_accuracy_with_encoders_of_their_own_is_that_of_each_device(kinds, small):
    cohorts, prefixes, state, batches = prepared(kinds.with_encoders(small, ("image",)))
    trained = train_round(load_frozen(), cohorts, prefixes, state, batches, TRAINING)
    found = accuracy_of_devices(load_frozen(), cohorts, prefixes, trained)
    back = accuracy_of_devices(
        load_frozen(), cohorts, prefixes, {**trained, "encoder-image": state["encoder-image"]}
    )
    cached_cohorts, cached, *_ = prepared(small)
    parts = [replace(c, parts=tuple(p for p in c.parts if p.kind == "head")) for c in cached_cohorts]
    assert back == accuracy_of_devices(load_frozen(), parts, cached, trained)
    assert found != back
