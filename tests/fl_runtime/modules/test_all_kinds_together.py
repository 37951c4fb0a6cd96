"""All kinds of modules at once, on devices of unequal data, tasks, modalities and experts."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.cohorts import form_cohorts  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_draws import initial_state, round_batches  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402
from fl_runtime.training import prefixes_of, train_round  # noqa: E402
from fl_runtime.variants import with_precision  # noqa: E402

TRAINING = Training(local_steps=2, batch_size=3)


@pytest.fixture(scope="module")
def everything(bench, kinds):
    """Six devices in three cells: ``d1`` hears nothing, ``d4`` holds no data."""
    schedule = bench.federation(
        ("edge", "cloud"), clusters=3, size=2, rounds=3, samples=24, training=TRAINING
    )
    routes = []
    for route in kinds.with_everything(schedule).routes:
        if route.device == "d1":
            kept = tuple(name for name in route.modalities if name != "audio")
            routes.append(replace(route, modalities=kept))
        else:
            routes.append(replace(route, samples=0) if route.device == "d4" else route)
    return replace(kinds.with_everything(schedule), routes=tuple(routes))


def test_stacked_training_gives_what_one_after_another_gives(bench, everything):
    once = replace(TRAINING, local_steps=1)
    cohorts = form_cohorts(everything, digits_workload(), 0)
    noise = np.random.default_rng(0)  # away from zeros, by whose gradients AdamW would divide
    state = {
        name: rows + noise.normal(0.0, 0.02, size=rows.shape).astype(np.float32)
        for name, rows in initial_state(everything, cohorts, 0).items()
    }
    prefixes, batches = prefixes_of(load_frozen(), cohorts), round_batches(cohorts, once, 0, 0)
    stacked = train_round(load_frozen(), cohorts, prefixes, state, batches, once)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, once)
    assert set(stacked) == {module.id for module in everything.modules}
    hosts = {name: [r.host for r in everything.replicas if r.module == name] for name in stacked}
    for name, rows in stacked.items():
        assert np.quantile(abs(rows - one_by_one[name]), 0.99) < 2e-7
        moved = abs(rows - state[name]).max(axis=1) > 0
        assert not moved[[host == "d4" for host in hosts[name]]].any()
        assert moved.any()
    deaf = hosts["encoder-audio"].index("d1")
    assert (stacked["encoder-audio"][deaf] == state["encoder-audio"][deaf]).all()


def test_it_runs_over_edge_and_cloud_rounds_with_each_kind_in_its_own_precision(everything):
    precise = everything
    for bits, names in {8: ["gate", "x0"], 4: ["lora", "the-adapter"], 2: ["encoder-image"]}.items():
        precise = with_precision(precise, bits, modules=names)
    curve = learn(precise, seed=1)
    assert np.isfinite(curve.accuracy).all()
    assert all(np.isfinite(rows).all() for rows in curve.state.values())
    for name in ("lora", "gate", "encoder-image", "x1"):  # the last round reached the cell alone
        rows = [row.tobytes() for row in curve.state[name]]
        assert rows[0] == rows[1]
        assert rows[0] != rows[2]
