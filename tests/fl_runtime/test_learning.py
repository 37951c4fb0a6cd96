import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from fl_runtime.learn import learn  # noqa: E402
from fl_runtime.learning_curve import LearningCurve  # noqa: E402
from fl_runtime.learning_key import learning_key  # noqa: E402
from fl_runtime.order import in_order  # noqa: E402
from fl_runtime.schedule import Merge, Module, Replica, Training, Transfer, Wired  # noqa: E402
from fl_runtime.server_optimisers import Momentum  # noqa: E402
from fl_runtime.variants import with_precision, with_server_optimiser  # noqa: E402

TRAINING = Training(local_steps=2, batch_size=4)


def small(bench, cycle, *, rounds=4):
    return bench.federation(cycle, clusters=3, size=2, rounds=rounds, samples=24, training=TRAINING)


@pytest.fixture(scope="module")
def hierarchical(bench):
    return small(bench, ("edge", "cloud"))


@pytest.fixture(scope="module")
def curve(hierarchical):
    return learn(hierarchical, seed=5)


def through_relays(schedule):
    """The same averages, but the first device of each cell merges the second's updates and sends both."""
    kinds = []
    for kind in schedule.kinds:
        steps = []
        for step in kind.steps:
            if isinstance(step, Transfer) and step.content == "update" and step.source in {"d1", "d3", "d5"}:
                relay = f"d{int(step.source[1]) - 1}"
                steps.append(replace(step, target=relay, medium=Wired(rate_bps=1.0)))
            elif isinstance(step, Transfer) and step.content == "update" and step.source.startswith("d"):
                below = f"d{int(step.source[1]) + 1}"
                arrived = next(s for s in kind.steps if s.id == f"up-{below}")
                modules = tuple(sorted({*step.modules, *arrived.modules}))
                merge = f"merge-{step.source}"
                steps.append(
                    Merge(id=merge, after=(f"up-{below}", *step.after), node=step.source, modules=modules)
                )
                steps.append(replace(step, after=(merge,), modules=modules))
            else:
                steps.append(step)
        kinds.append(replace(kind, steps=tuple(steps)))
    return replace(schedule, kinds=tuple(kinds), name="relayed")


def test_the_curve_tells_each_round_and_task(curve):
    assert curve.tasks == ("cmp", "read", "spoken")
    assert curve.accuracy.shape == (4, 3)
    assert curve.reached_cloud.tolist() == [False, True, False, True]
    assert ((curve.accuracy >= 0) & (curve.accuracy <= 1)).all()


def test_metrics_are_those_of_the_last_sync_and_of_the_last_third():
    curve = LearningCurve(
        tasks=("a", "b"),
        accuracy=np.array([[0.1, 0.3], [0.2, 0.4], [0.5, 0.7], [0.6, 0.8], [0.7, 0.3], [0.8, 0.4]]),
        reached_cloud=np.array([False, True, False, True, False, False]),
        state={},
    )
    assert curve.at_last_sync == {"a": 0.6, "b": 0.8}
    assert curve.late_average == pytest.approx({"a": 0.75, "b": 0.35})
    assert curve.mean_accuracy == pytest.approx([0.2, 0.3, 0.6, 0.7, 0.5, 0.6])
    never = replace(curve, reached_cloud=np.zeros(6, dtype=bool))
    assert never.at_last_sync == {"a": 0.8, "b": 0.4}


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(hierarchical, curve):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = learn(hierarchical, seed=5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert not torch.are_deterministic_algorithms_enabled()
    assert again.accuracy.tobytes() == curve.accuracy.tobytes()
    assert all(again.state[name].tobytes() == rows.tobytes() for name, rows in curve.state.items())


def test_another_seed_gives_another_model(hierarchical, curve):
    other = learn(replace(hierarchical, rounds=1), seed=6)
    assert other.state["adapter"].tobytes() != curve.state["adapter"].tobytes()


def test_other_relays_share_the_key_and_learn_the_very_same_models(hierarchical, curve):
    relayed = through_relays(hierarchical)
    assert relayed.kinds != hierarchical.kinds
    assert learning_key(relayed, 5) == learning_key(hierarchical, 5)
    again = learn(relayed, seed=5)
    assert again.accuracy.tobytes() == curve.accuracy.tobytes()
    assert all(again.state[name].tobytes() == rows.tobytes() for name, rows in curve.state.items())


@pytest.mark.parametrize("change", ["seed", "cycle", "rounds", "training", "samples", "weights"])
def test_the_key_tells_apart_what_learns_differently(hierarchical, change):
    changed, seed = hierarchical, 6 if change == "seed" else 5
    if change == "cycle":
        changed = replace(hierarchical, cycle=("cloud", "edge"))
    if change == "rounds":
        changed = replace(hierarchical, rounds=5)
    if change == "training":
        changed = replace(hierarchical, training=replace(TRAINING, learning_rate=1e-3))
    if change == "samples":
        first, *others = hierarchical.routes
        changed = replace(hierarchical, routes=(replace(first, samples=25), *others))
    if change == "weights":
        first, *others = hierarchical.replicas
        changed = replace(hierarchical, replicas=(replace(first, weight=1.0), *others))
    assert learning_key(changed, seed) != learning_key(hierarchical, 5)


def sent_with(schedule, bits):
    kinds = tuple(replace(kind, steps=in_order(kind.steps)) for kind in schedule.kinds)
    return with_precision(replace(schedule, kinds=kinds), bits)


def test_a_precision_of_32_bits_changes_no_byte(hierarchical, curve):
    same = sent_with(hierarchical, 32)
    assert learning_key(same, 5) == learning_key(hierarchical, 5)
    again = learn(same, seed=5)
    assert all(again.state[name].tobytes() == rows.tobytes() for name, rows in curve.state.items())


def test_16_bits_learn_what_32_bits_learn(hierarchical, curve):
    again = learn(sent_with(hierarchical, 16), seed=5)
    assert list(again.state) == list(curve.state)
    for name, rows in curve.state.items():
        np.testing.assert_allclose(again.state[name], rows, rtol=0, atol=2e-3)


@pytest.mark.parametrize("bits", [4, 1])
def test_after_the_cloud_all_replicas_hold_what_the_codes_said(hierarchical, curve, bits):
    quantised = learn(sent_with(hierarchical, bits), seed=5)
    assert len({row.tobytes() for row in quantised.state["adapter"]}) == 1
    assert quantised.state["adapter"].tobytes() != curve.state["adapter"].tobytes()


def test_where_relays_round_their_ways_count_for_the_key(hierarchical):
    direct, relayed = sent_with(hierarchical, 4), sent_with(through_relays(hierarchical), 4)
    keys = [learning_key(schedule, 5) for schedule in (hierarchical, direct, relayed, sent_with(direct, 8))]
    assert len(set(keys)) == 4


def test_server_momentum_moves_the_cloud_s_model_further(bench):
    star = small(bench, ("cloud",), rounds=3)
    plain, quick = learn(star, seed=5), learn(with_server_optimiser(star, Momentum(), ["cloud"]), seed=5)
    start = learn(small(bench, ("cloud",), rounds=1), seed=5).state["adapter"][0]
    moved = [np.linalg.norm(found.state["adapter"][0] - start) for found in (plain, quick)]
    assert moved[1] > 1.2 * moved[0]
    assert learning_key(star) != learning_key(with_server_optimiser(star, Momentum(), ["cloud"]))


def test_names_of_kinds_and_order_of_unused_kinds_do_not_change_the_key(hierarchical):
    kinds = tuple(replace(kind, name=f"my {kind.name}") for kind in hierarchical.kinds)
    renamed = replace(hierarchical, kinds=kinds[::-1], cycle=("my edge", "my cloud"))
    assert learning_key(renamed, 0) == learning_key(hierarchical, 0)


def test_replicas_are_equal_after_the_cloud_and_within_a_cluster_after_the_edge(bench, curve):
    assert len({row.tobytes() for row in curve.state["adapter"]}) == 1
    edge = learn(small(bench, ("edge",), rounds=2), seed=5)
    rows = [row.tobytes() for row in edge.state["adapter"]]
    assert rows[0::2] == rows[1::2]
    assert len(set(rows)) == 3


def test_modules_that_are_never_averaged_stay_personal(bench):
    local = learn(small(bench, ("local",), rounds=1), seed=5)
    assert len({row.tobytes() for row in local.state["adapter"]}) == 6
    assert not local.reached_cloud.any()


def test_an_average_is_the_mean_of_what_the_devices_trained(bench):
    local = learn(small(bench, ("local",), rounds=1), seed=5)
    star = learn(small(bench, ("cloud",), rounds=1), seed=5)
    mean = local.state["adapter"].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(star.state["adapter"][0], mean, rtol=0, atol=1e-7)


def test_the_observer_hears_every_round(bench):
    heard = []
    curve = learn(
        small(bench, ("cloud",), rounds=2), observer=lambda index, accuracy: heard.append((index, accuracy))
    )
    assert [index for index, _ in heard] == [0, 1]
    assert [list(accuracy.values()) for _, accuracy in heard] == curve.accuracy.tolist()


def test_frozen_modules_may_be_hosted_anywhere(bench, hierarchical, curve):
    backbone = Module(id="backbone", kind="backbone", update_bits=0.0, trainable=False)
    routes = [replace(r, hosts={**r.hosts, "backbone": "e0"}) for r in hierarchical.routes]
    split = replace(
        hierarchical,
        modules=(*hierarchical.modules, backbone),
        replicas=(*hierarchical.replicas, Replica(module="backbone", host="e0")),
        routes=tuple(routes),
    )
    assert learn(split, seed=5).accuracy.tobytes() == curve.accuracy.tobytes()


def test_one_adapter_per_task_or_none_is_fine(bench):
    schedule = small(bench, ("local",), rounds=1)
    per_task = [
        Module(id=f"a-{t}", kind="adapter", update_bits=1.0, trainable=True) for t in bench.MODALITIES
    ]
    routes = []
    for route in schedule.routes:
        hosts = {name: host for name, host in route.hosts.items() if name != "adapter"}
        routes.append(
            replace(route, hosts=hosts | ({} if route.task == "cmp" else {f"a-{route.task}": route.device}))
        )
    replicas = [Replica(module=name, host=host) for route in routes for name, host in route.hosts.items()]
    heads = tuple(module for module in schedule.modules if module.kind == "head")
    schedule = replace(schedule, modules=(*heads, *per_task), replicas=tuple(replicas), routes=tuple(routes))
    curve = learn(schedule)
    assert set(curve.state) == {"a-read", "a-spoken", "head-cmp", "head-read", "head-spoken"}
    assert len({row.tobytes() for row in curve.state["a-read"]}) == 4


def broken(schedule, what):
    route, *others = schedule.routes
    adapter, *heads = schedule.modules
    match what:
        case "decoder" | "encoder" | "expert" | "gate":
            return replace(schedule, modules=(replace(adapter, kind=what, expert_group="x"), *heads))
        case "encoders":
            encoder = replace(adapter, kind="encoder", modality="text")
            hosts = {**route.hosts, "second": "d0"}
            return replace(
                schedule,
                modules=(encoder, replace(encoder, id="second"), *heads),
                replicas=(*schedule.replicas, Replica(module="second", host="d0")),
                routes=(replace(route, hosts=hosts), *others),
            )
        case "nobody":
            return replace(schedule, replicas=schedule.replicas[1:])
        case "task":
            return replace(schedule, routes=(replace(route, task="sing"), *others))
        case "modality":
            return replace(schedule, routes=(replace(route, modalities=("smell",)), *others))
        case "head":
            return replace(schedule, routes=(replace(route, hosts={"adapter": "d0"}), *others))
        case "wrong head":
            hosts = {"adapter": "d0", "head-spoken": "d0"}
            return replace(schedule, routes=(replace(route, hosts=hosts), *others))
        case "adapters":
            second = replace(adapter, id="second")
            hosts = {**route.hosts, "second": "d0"}
            return replace(
                schedule, modules=(adapter, second, *heads), routes=(replace(route, hosts=hosts), *others)
            )
        case _:
            return replace(schedule, routes=())


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "decoder",
            r"'adapter' is a trainable decoder; this engine trains adapters, backbones, encoders, experts, ",
        ),
        ("expert", r"names the trainable expert 'adapter' of the group 'x', but no gate of that group"),
        ("encoder", r"the trainable encoder 'adapter' has no modality; give it one"),
        ("encoders", r"names the trainable encoders adapter, second of 'text'; at most one can serve"),
        ("gate", r"names the gate 'adapter', but no expert of its group 'x'"),
        ("nobody", r"device 'd0': no replica of 'adapter' is hosted at 'd0'"),
        ("task", r"unknown task 'sing': the workload 'digits' knows cmp, read, spoken"),
        ("modality", r"unknown modality 'smell': the workload 'digits' knows audio, image, text"),
        ("head", r"device 'd0', task 'read': names the heads none; one head of the task must serve"),
        ("wrong head", r"task 'read': names 'head-spoken', the head of task 'spoken'"),
        ("adapters", r"task 'read': names the adapters adapter, second; at most one can serve"),
        ("routes", r"has no routes: no device has data to learn from"),
    ],
)
def test_what_cannot_be_trained_is_named(hierarchical, what, message):
    with pytest.raises(ValueError, match=message):
        learn(broken(hierarchical, what))


def test_a_missing_torch_is_named_with_its_remedy():
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'torch' else find(name, *more)\n"
        "from fl_runtime.learn import learn\n"
        "try:\n    learn(None)\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "training needs torch: pip install 'hfedfm-opt[runtime]'"


def test_importing_the_learning_side_loads_no_torch():
    code = "import sys, fl_runtime.learn, fl_runtime.tasks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_published_order_of_accuracies_holds(bench):
    late, sync = {}, {}
    for name, cycle in bench.CYCLES.items():
        curve = learn(bench.federation(cycle))
        late[name], sync[name] = (
            100 * np.mean(list(metric.values())) for metric in (curve.late_average, curve.at_last_sync)
        )
    assert abs(sync["star"] - sync["hierarchical:2"]) < 2
    assert late["hierarchical:2"] - late["hierarchical:8"] > 5
    assert late["hierarchical:8"] - late["edge-only"] > 5
