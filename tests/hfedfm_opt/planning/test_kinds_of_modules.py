"""Instances may have trainable experts, gates, LoRAs and encoders: they are planned, compiled and trained."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fl_runtime import check_schedule, play
from hfedfm_opt import plan, read_instance
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.generate.trained_kinds import TRAINABLE_KINDS
from hfedfm_opt.system.instance import Instance

PAPER = Path(__file__).parents[3] / "instances" / "paper-40.json"
ADDED: dict[str, dict[str, Any]] = {
    "lora": {"kind": "lora"},
    "gate": {"kind": "gate", "expert_group": "mixture"},
    "expert-seen": {"kind": "expert", "expert_group": "mixture"},
    "expert-heard": {"kind": "expert", "expert_group": "mixture"},
}
OF_TASK = {
    "read": ["lora", "gate", "expert-seen"],
    "spoken": ["lora", "gate", "expert-heard"],
    "cmp": ["lora", "gate", "expert-seen", "expert-heard"],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The published network with further trainable modules, and the text encoder trainable."""
    content = json.loads(PAPER.read_text(encoding="utf-8"))
    for module in content["modules"]:
        module["trainable"] = module["trainable"] or module["id"] == "encoder-text"
    content["modules"] += [
        {"id": name, "parameters": 10_000, "trainable": True, **fields} for name, fields in ADDED.items()
    ]
    for task in content["tasks"]:
        task["modules"] += OF_TASK[task["id"]]
    content["training"] |= {
        "local_steps": 1,
        "encoder_rate": 0.3,
        "experts_per_token": 1,
        "balance_weight": 0.05,
        "num_shards": 2,
        "quantity_skew": 4.0,
    }
    file = tmp_path / "kinds.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_plan_with_every_kind_is_sound_and_trains_each(path: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from fl_runtime.learn import learn

    found = plan(read_instance(path), "star").plan
    assert found is not None
    schedule = found.compile(rounds=1)
    assert check_schedule(schedule) == ()
    settings = schedule.training
    assert (settings.encoder_rate, settings.experts_per_token, settings.balance_weight) == (0.3, 1, 0.05)
    assert (settings.num_shards, settings.quantity_skew) == (2, 4.0)
    groups = {module.id: module.expert_group for module in schedule.modules if module.expert_group}
    assert groups == dict.fromkeys(("gate", "expert-seen", "expert-heard"), "mixture")
    state = learn(schedule).state
    assert {*ADDED, "encoder-text", "adapter"} <= set(state)
    for name in ADDED:
        assert len({row.tobytes() for row in state[name]}) == 1  # the cloud averaged and all got it


def test_a_campus_trains_every_kind_with_unlike_devices_and_servers_that_help() -> None:
    """24 devices of 1 to 3 tasks and modalities; what does not fit on them is trained by their servers."""
    pytest.importorskip("torch", reason="training needs torch")
    from fl_runtime.learn import learn

    campus = campus_instance(trained=TRAINABLE_KINDS)
    assert read_instance_text(campus) == campus
    settings = campus.training.model_copy(update={"local_steps": 1, "batch_size": 2})
    found = plan(campus.model_copy(update={"training": settings}), "hierarchical:1").plan
    assert found is not None
    schedule = found.compile(rounds=1)
    assert check_schedule(schedule) == ()
    trained = {module.id: module.kind for module in schedule.modules if module.trainable}
    assert set(trained.values()) == {*TRAINABLE_KINDS, "adapter", "gate", "head"}
    devices = set(found.network.devices)
    elsewhere = {
        trained[r.module] for r in schedule.replicas if r.module in trained and r.host not in devices
    }
    assert {"encoder", "backbone", "expert"} <= elsewhere
    assert len({route.modalities for route in schedule.routes}) >= 3
    state = learn(schedule).state
    assert set(state) == set(trained)
    timeline = play(schedule)
    assert math.isclose(timeline.cycle_latency_s, found.prediction.latency_s, rel_tol=1e-9)
    assert math.isclose(timeline.cycle_energy_j, found.prediction.energy_j, rel_tol=1e-9)


def read_instance_text(instance: Instance) -> Instance:
    return Instance.model_validate_json(instance.model_dump_json())
