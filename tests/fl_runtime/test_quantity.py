from dataclasses import replace

import numpy as np
import pytest

from fl_runtime.aggregation import mixings
from fl_runtime.quantity import with_drawn_quantities
from fl_runtime.tasks.partition import draw_quantity


@pytest.fixture(scope="module")
def schedule(bench):
    found = bench.federation(("cloud",), clusters=2, size=2, rounds=1, samples=100)
    return replace(found, training=replace(found.training, quantity_skew=1.0))


def test_weights_are_the_samples_that_train_each_replica(schedule):
    drawn = with_drawn_quantities(schedule, 7)
    held = {(route.device, route.task): route.samples for route in drawn.routes}
    assert len(set(held.values())) > 1
    assert held == {key: draw_quantity(100, 1.0, 7, key) for key in held}
    for replica in drawn.replicas:
        task = replica.module.removeprefix("head-")
        own = {key: samples for key, samples in held.items() if key[0] == replica.host}
        expected = sum(own.values()) if replica.module == "adapter" else own[replica.host, task]
        assert replica.weight == expected


def test_the_average_weighs_devices_by_what_they_hold(schedule):
    drawn = with_drawn_quantities(schedule, 7)
    weights = np.array([replica.weight for replica in drawn.replicas if replica.module == "adapter"])
    (kind,) = drawn.kinds
    row = mixings(drawn, kind)["adapter"].rows.toarray()[0]
    assert row == pytest.approx(weights / weights.sum(), rel=1e-12)


def test_a_device_holds_the_same_whoever_else_is_there(schedule):
    fewer = replace(schedule, routes=schedule.routes[3:])
    assert with_drawn_quantities(fewer, 7).routes == with_drawn_quantities(schedule, 7).routes[3:]


def test_without_skew_nothing_changes(schedule):
    even = replace(schedule, training=replace(schedule.training, quantity_skew=None))
    assert with_drawn_quantities(even, 7) is even


def test_devices_train_on_what_was_drawn(schedule):
    pytest.importorskip("torch", reason="training needs torch")
    from fl_runtime.learn import learn

    small = replace(
        schedule, rounds=1, training=replace(schedule.training, local_steps=1, batch_size=2, num_shards=2)
    )
    drawn = learn(with_drawn_quantities(small, 3), seed=3)
    assert learn(small, seed=3).state["adapter"].tobytes() == drawn.state["adapter"].tobytes()
    even = replace(small, training=replace(small.training, quantity_skew=None))
    assert learn(even, seed=3).state["adapter"].tobytes() != drawn.state["adapter"].tobytes()
