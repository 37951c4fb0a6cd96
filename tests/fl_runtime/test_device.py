"""Devices that train by themselves make the same bytes as all of them stacked; who is missing is left out."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from fl_runtime import LearningSettings, Momentum, run, with_precision, with_server_optimiser
from fl_runtime.accelerator import reproducible
from fl_runtime.device import own_data, part_of, rows_of, train_devices, training_devices
from fl_runtime.learn import learn
from fl_runtime.local import Trained
from fl_runtime.modules.weights import load_frozen
from fl_runtime.tasks.digits import digits_workload


@pytest.fixture(scope="module")
def workload():
    return digits_workload(200, 60)


class InTurn:
    """Trains groups of devices one after another, each by its part of the schedule alone."""

    def __init__(self, schedule, workload, group_size=1, missing_in=None):
        self.model, self.missing_in = load_frozen(), missing_in or {}
        self.training, devices = schedule.training, training_devices(schedule)
        self.groups = []
        for start in range(0, len(devices), group_size):
            group = devices[start : start + group_size]
            part = part_of(schedule, group)
            with reproducible(self.model.device):
                own = own_data(part, workload, self.model, 0)
            self.groups.append((group, own, rows_of(schedule, part)))

    def __call__(self, round_index, state, away):
        result = {name: rows.copy() for name, rows in state.items()}
        missing = self.missing_in.get(round_index, frozenset())
        for group, own, rows in self.groups:
            if missing.isdisjoint(group):
                before = {name: state[name][places] for name, places in rows.items() if name in state}
                after = train_devices(own, self.model, self.training, 0, before, round_index, away)
                for name, values in after.items():
                    result[name][rows[name]] = values
        return Trained(result, missing)


def same_bytes(one, other):
    return all(np.array_equal(one.state[name], other.state[name]) for name in one.state)


@pytest.mark.parametrize("group_size", [1, 3])
@pytest.mark.parametrize("cycle", [("cloud",), ("edge", "cloud"), ("local",)])
def test_devices_by_themselves_make_the_same_bytes_as_stacked(bench, workload, cycle, group_size):
    schedule = bench.federation(cycle, clusters=2, size=4, rounds=4, samples=24)
    apart = learn(schedule, workload, settings=LearningSettings(local=InTurn(schedule, workload, group_size)))

    assert same_bytes(apart, learn(schedule, workload))


@pytest.mark.parametrize("kind", ["with_experts_of_task", "with_frozen_heads", "with_prompts"])
def test_so_they_do_with_modules_of_every_kind(bench, kinds, workload, kind):
    schedule = getattr(kinds, kind)(bench.federation(("cloud",), clusters=1, size=3, rounds=2, samples=16))
    apart = learn(schedule, workload, settings=LearningSettings(local=InTurn(schedule, workload)))

    assert same_bytes(apart, learn(schedule, workload))


@pytest.mark.parametrize(("kind", "most"), [("with_lora", 1e-6), ("with_everything", 2e-5)])
def test_with_loras_or_encoders_they_make_the_same_far_closer_than_a_step(bench, kinds, workload, kind, most):
    schedule = getattr(kinds, kind)(bench.federation(("cloud",), clusters=1, size=3, rounds=1, samples=16))
    stacked = learn(schedule, workload)
    apart = learn(schedule, workload, settings=LearningSettings(local=InTurn(schedule, workload)))

    for name in stacked.state:
        difference = abs(apart.state[name] - stacked.state[name])
        assert np.quantile(difference, 0.99) < most
        assert difference.max() < 3e-3  # a step of AdamW, which divides by gradients near 0


def test_a_run_takes_what_trains(bench, workload):
    schedule = bench.federation(("edge",), clusters=1, size=2, rounds=2, samples=16)
    rounds = []

    def local(round_index, state, away):
        rounds.append(round_index)
        return Trained(state)

    before = learn(replace(schedule, rounds=1), workload, settings=LearningSettings(local=local))
    after = run(schedule, workload, learning=LearningSettings(local=local))

    assert rounds == [0, 0, 1]
    assert same_bytes(before, after.learning)  # nobody trains, and all start alike


def test_a_part_says_nothing_of_other_devices(bench):
    schedule = bench.federation(("cloud",), clusters=2, size=2)
    part = part_of(schedule, ["d1"])

    assert {route.device for route in part.routes} == {"d1"}
    assert {replica.host for replica in part.replicas} == {"d1"}
    assert part.nodes == part.kinds == part.bands == part.cycle == ()
    assert rows_of(schedule, part)["adapter"].tolist() == [1]


def test_a_device_that_trains_what_another_node_hosts_is_refused(bench):
    schedule = bench.federation(("cloud",), clusters=1, size=2)
    elsewhere = replace(schedule.routes[0], hosts={**schedule.routes[0].hosts, "adapter": "e0"})

    with pytest.raises(ValueError, match="device 'd0': the trainable module 'adapter' is hosted at 'e0'"):
        part_of(replace(schedule, routes=(elsewhere, *schedule.routes[1:])), ["d0"])


def adapters_of(bench, workload, missing_in, changed=lambda schedule: schedule, rounds=1):
    """The adapters of three devices that average at the cloud in each round."""
    schedule = changed(bench.federation(("cloud",), clusters=1, size=3, rounds=rounds, samples=16))
    curve = learn(
        schedule, workload, settings=LearningSettings(local=InTurn(schedule, workload, missing_in=missing_in))
    )
    return curve.state["adapter"].astype(np.float64)


def test_an_average_leaves_out_whom_it_misses(bench, workload):
    nobody_averages = bench.federation(("local",), clusters=1, size=3, rounds=1, samples=16)
    own = learn(nobody_averages, workload).state["adapter"].astype(np.float64)
    averaged = adapters_of(bench, workload, {0: frozenset({"d1"})})

    np.testing.assert_allclose(averaged, np.tile((own[0] + own[2]) / 2, (3, 1)), atol=1e-7)


def test_an_average_of_nobody_keeps_the_last_model(bench, workload):
    everyone = frozenset({"d0", "d1", "d2"})
    once = adapters_of(bench, workload, {})
    twice = adapters_of(bench, workload, {1: everyone}, rounds=2)

    np.testing.assert_allclose(twice, once, atol=1e-7)


@pytest.mark.parametrize(
    "changed",
    [
        lambda schedule: with_precision(schedule, 16),
        lambda schedule: with_server_optimiser(schedule, Momentum(momentum=0.0, rate=1.0), ["cloud"]),
    ],
    ids=["16 bits", "momentum"],
)
def test_transport_leaves_out_whom_it_misses_too(bench, workload, changed):
    missing = {0: frozenset({"d1"}), 1: frozenset({"d0", "d1", "d2"})}
    plain = adapters_of(bench, workload, missing, rounds=3)
    carried = adapters_of(bench, workload, missing, changed, rounds=3)

    assert np.abs(plain).max() > 0.01
    np.testing.assert_allclose(carried, plain, atol=2e-4)
