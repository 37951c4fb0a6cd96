"""Replicas that are trained elsewhere: the stacked engine, a loop over devices, and parties that exchange
only activations and gradients agree."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.check import check_schedule  # noqa: E402
from fl_runtime.cohorts import form_cohorts  # noqa: E402
from fl_runtime.crews import crews_of  # noqa: E402
from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_draws import initial_state, round_batches  # noqa: E402
from fl_runtime.modules.weights import load_frozen  # noqa: E402
from fl_runtime.schedule import Training  # noqa: E402
from fl_runtime.tasks import digits_workload  # noqa: E402
from fl_runtime.training import prefixes_of, train_round  # noqa: E402
from fl_runtime.variants import with_precision  # noqa: E402

TRAINING = Training(local_steps=3, batch_size=4, backbone_rate=0.1)


def server(device):
    return f"e{int(device[1:]) // 2}"


def neighbour(device):
    return f"d{int(device[1:]) // 2 * 2}"


CASES = {
    "adapter at the server": (None, {"adapter": server}),
    "adapter at a neighbour": (None, {"adapter": neighbour}),
    "heads at the server": (None, {f"head-{task}": server for task in ("cmp", "read", "spoken")}),
    "one adapter for all": (None, {"adapter": lambda device: "e0"}),
    "prompts at a neighbour": ("with_prompts", {"p-read": neighbour, "p-cmp": server}),
    "lora at the server": ("with_lora", {"lora": server}),
    "experts on different nodes": ("with_experts", {"x0": server, "x1": neighbour}),
    "gate at the server": ("with_experts", {"gate": server, "x3": server}),
    "experts of tasks": ("with_experts_of_task", {"x1": server, "x2": neighbour, "gate": neighbour}),
    "encoders at a neighbour": ("with_encoders", {"encoder-image": neighbour, "encoder-text": neighbour}),
    "backbone at the server": ("with_backbone", {"backbone": server}),
    "backbone alone": ("with_backbone_alone", {"backbone": neighbour}),
    "everything": (
        "with_everything",
        {
            "encoder-image": neighbour,
            "x0": neighbour,
            "x2": server,
            "gate": server,
            "the-adapter": server,
            "lora": neighbour,
            "head-cmp": server,
        },
    ),
}


@pytest.fixture(scope="module")
def small(bench):
    return bench.federation(("edge", "cloud"), clusters=2, size=2, samples=24, rounds=2, training=TRAINING)


def schedule_of(case, small, kinds, split):
    which, host_of = CASES[case]
    whole = small if which is None else getattr(kinds, which)(small)
    return split.served(whole, host_of)


def prepared(schedule, seed=0):
    """Return cohorts, replicas that differ and of which every part matters, and batches."""
    cohorts = form_cohorts(schedule, digits_workload(), seed)
    rng = np.random.default_rng(seed)
    state = {
        name: rows + rng.normal(0.0, 0.05, size=rows.shape).astype(np.float32)
        for name, rows in initial_state(schedule, cohorts, seed).items()
    }
    return cohorts, state, round_batches(cohorts, TRAINING, seed, 0)


class Watched(torch.optim.AdamW):
    """Remembers what it descends first, by group."""

    def step(self, *args, **options):
        if not hasattr(Watched, "seen"):
            Watched.seen = [group["params"][0].grad.clone() for group in self.param_groups]
        return super().step(*args, **options)


def stacked(cohorts, state, batches, training=TRAINING):
    return train_round(load_frozen(), cohorts, prefixes_of(load_frozen(), cohorts), state, batches, training)


def first_gradients(monkeypatch, cohorts, state, batches):
    """Return what the stacked engine descends first, by module: all devices are one crew."""
    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    stacked(cohorts, state, batches)
    monkeypatch.undo()
    seen, found = torch.cat(Watched.seen).numpy(), {}
    del Watched.seen
    (crew,) = crews_of(cohorts, 512)
    slow = [name for name in crew.rows if name.startswith(("backbone", "encoder"))]
    for name in [*slow, *(name for name in crew.rows if name not in slow)]:
        found[name], seen = seen[: state[name].size].reshape(state[name].shape), seen[state[name].size :]
    return found


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_states_are_those_of_parties_that_exchange_activations(
    case, small, kinds, split, parties, monkeypatch
):
    schedule = schedule_of(case, small, kinds, split)
    assert check_schedule(schedule) == ()
    cohorts, state, batches = prepared(schedule)
    trained = stacked(cohorts, state, batches)
    apart = parties.Parties(load_frozen(), schedule, cohorts, state, TRAINING)
    states, gradients = apart.train(batches, TRAINING.local_steps)
    first = first_gradients(monkeypatch, cohorts, state, batches)
    for module, hosts in apart.hosts.items():
        received = np.stack([gradients[0][host][module].numpy() for host in hosts])
        largest = abs(received).max()
        assert largest > 1e-3
        np.testing.assert_allclose(first[module], received, rtol=0, atol=1e-6 * max(1.0, largest))
        assert abs(trained[module] - state[module]).max() > 5e-4
        difference = abs(trained[module] - states[module])
        assert np.quantile(difference, 0.99) < 1e-6
        if module != "backbone":  # the bias of its keys has no gradient but rounding, by which AdamW divides
            assert difference.max() < 0.1 * TRAINING.learning_rate


@pytest.mark.parametrize("case", CASES)
def test_shared_replicas_are_trained_as_by_clients_one_after_another(case, small, kinds, split, bench):
    cohorts, state, batches = prepared(schedule_of(case, small, kinds, split))
    once = replace(TRAINING, local_steps=1 if case == "everything" else 3)  # so deep, rounding adds up
    trained = stacked(cohorts, state, batches, once)
    one_by_one = bench.train_one_by_one(load_frozen(), cohorts, state, batches, once)
    for name, rows in trained.items():
        assert abs(rows - state[name]).max() > 2e-4
        assert np.quantile(abs(rows - one_by_one[name]), 0.99) < 2e-7


def test_a_device_that_is_served_has_no_replica_and_sends_none(small, split):
    schedule = split.served(small, {"adapter": lambda device: "e0" if device == "d1" else device})
    assert {r.host for r in schedule.replicas if r.module == "adapter"} == {"d0", "d2", "d3", "e0"}
    (sent,) = (step for step in schedule.kinds[0].steps if step.id == "up-d1")
    assert sent.modules == ("head-cmp", "head-spoken")
    curve = learn(schedule, seed=3)
    assert curve.state["adapter"].shape[0] == 4
    assert len({row.tobytes() for row in curve.state["adapter"]}) == 1


def test_a_host_s_replica_enters_averages_with_the_samples_that_trained_it(small, split):
    """d1 is served by e0: in an edge round e0 averages the adapters of d0 and itself, both of 48 samples."""
    served = split.served(small, {"adapter": lambda device: "e0" if device == "d1" else device})
    local = replace(served, kinds=tuple(replace(k, steps=k.steps[:1]) for k in served.kinds), rounds=1)
    before = learn(local, seed=3).state["adapter"].astype(np.float64)
    after = learn(replace(served, cycle=("edge",), rounds=1), seed=3).state["adapter"]
    hosts = [r.host for r in served.replicas if r.module == "adapter"]
    weights = [r.weight for r in served.replicas if r.module == "adapter"]
    assert (hosts, weights) == (["d0", "d2", "d3", "e0"], [48.0] * 4)
    np.testing.assert_allclose(after[[0, 3]], [(before[0] + before[3]) / 2] * 2, rtol=0, atol=1e-7)
    np.testing.assert_allclose(after[[1, 2]], [(before[1] + before[2]) / 2] * 2, rtol=0, atol=1e-7)


@pytest.mark.parametrize("bits", [4, 32])
def test_replicas_of_servers_and_neighbours_take_part_in_packed_rounds(small, split, bits):
    schedule = with_precision(split.served(small, {"adapter": server, "head-cmp": neighbour}), bits)
    assert check_schedule(schedule) == ()
    curve = learn(schedule, seed=3)
    for rows in curve.state.values():
        assert len({row.tobytes() for row in rows}) == 1
        assert np.isfinite(rows).all()


def changed(schedule, steps):
    return replace(schedule, kinds=tuple(replace(k, steps=steps(k.steps)) for k in schedule.kinds[:1]))


def without(schedule, *names):
    def steps(all_steps):
        kept = [step for step in all_steps if step.id not in names]
        return tuple(
            replace(s, after=tuple(name if name not in names else "work-d1" for name in s.after))
            for s in kept
        )

    return changed(replace(schedule, cycle=("cloud",)), steps)


@pytest.fixture
def sound(small, split):
    return split.served(small, {"adapter": lambda device: "e0" if device == "d1" else device})


def test_activations_that_never_reach_the_host_are_a_defect(sound):
    assert check_schedule(without(sound, "adapter-out-d1")) == (
        "kind 'cloud': module 'adapter' of 'd1': no transfer brings activations from 'd1' to 'e0'; add "
        "transfers of content 'activation' with 'adapter' there, or let the route use a replica on the "
        "device",
    )


def test_activations_that_never_come_back_are_a_defect(sound):
    assert check_schedule(without(sound, "adapter-back-d1")) == (
        "kind 'cloud': module 'adapter' of 'd1': no later transfer brings back activations from 'e0' to "
        "'d1'; add transfers of content 'activation' with 'adapter' there, or let the route use a replica on "
        "the device",
    )


def test_results_that_come_back_before_activations_left_are_a_defect(sound):
    def swapped(steps):
        there, back = (next(s for s in steps if s.id == f"adapter-{w}-d1") for w in ("out", "back"))
        early = replace(back, after=there.after)
        return (
            *(s for s in steps if s.type == "compute"),
            early,
            *(s for s in steps if s not in (back,) and s.type != "compute"),
        )

    found = check_schedule(changed(replace(sound, cycle=("cloud",)), swapped))
    assert any("no later transfer brings back activations from 'e0' to 'd1'" in line for line in found)


def test_activations_may_take_several_hops(sound):
    def through_d0(steps):
        result = []
        for step in steps:
            if step.id == "adapter-out-d1":
                result.append(replace(step, id="to-d0", target="d0"))
                result.append(replace(step, source="d0", after=("to-d0",)))
            else:
                result.append(step)
        return tuple(result)

    assert check_schedule(changed(replace(sound, cycle=("cloud",)), through_d0)) == ()


def test_a_host_without_a_replica_is_one_defect(sound):
    gone = replace(
        sound, replicas=tuple(r for r in sound.replicas if (r.module, r.host) != ("adapter", "e0"))
    )
    (line,) = [line for line in check_schedule(gone) if line.startswith("route of 'd1' for 'spoken'")]
    assert line.endswith("'e0' has no replica of 'adapter'; add one or name another host")
    assert not [line for line in check_schedule(gone) if "activations" in line]


def test_a_device_without_samples_needs_no_activations(sound):
    quiet = tuple(replace(r, samples=0) if r.device == "d1" else r for r in sound.routes)
    assert check_schedule(replace(without(sound, "adapter-out-d1", "adapter-back-d1"), routes=quiet)) == ()
