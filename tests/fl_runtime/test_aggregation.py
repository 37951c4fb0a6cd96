import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_runtime.aggregation import mixings
from fl_runtime.schedule import (
    Aggregate,
    Deliver,
    Merge,
    Mix,
    Module,
    Node,
    Replica,
    RoundKind,
    Schedule,
    Transfer,
    Wired,
)

WIRE = Wired(rate_bps=1e6)


def send(source, target, content="update", after=()):
    return Transfer(
        id=f"{content}:{source}>{target}",
        after=tuple(after),
        source=source,
        target=target,
        content=content,
        modules=("m",),
        bits=1.0,
        medium=WIRE,
    )


def schedule_of(steps, weights, *, extra=("e0", "e1", "c")):
    hosts = [f"d{i}" for i in range(len(weights))]
    return Schedule(
        name="by hand",
        nodes=tuple(Node(id=name, tier="any") for name in (*hosts, *extra)),
        bands=(),
        modules=(
            Module(id="m", kind="adapter", update_bits=1.0, trainable=True),
            Module(id="frozen", kind="backbone", update_bits=0.0, trainable=False),
        ),
        replicas=tuple(
            Replica(module="m", host=host, weight=weight) for host, weight in zip(hosts, weights, strict=True)
        ),
        routes=(),
        kinds=(RoundKind(name="round", steps=tuple(steps)),),
        cycle=("round",),
        rounds=1,
    )


def matrix_of(schedule):
    return mixings(schedule, schedule.kinds[0])["m"].matrix()


def tree_steps(parent, *, model_to):
    """Updates flow up a tree to its root, where they are averaged; the model goes straight to all."""
    children = {
        node: [child for child, up in parent.items() if up == node] for node in {*parent, *parent.values()}
    }
    root = next(node for node in children if node not in parent)
    steps = []
    for node, below in children.items():
        arrivals = [f"update:{child}>{node}" for child in below]
        kind = Aggregate if node == root else Merge
        steps.append(kind(id=f"join:{node}", after=tuple(arrivals), node=node, modules=("m",)))
        if node != root:
            steps.append(send(node, parent[node], after=[f"join:{node}"]))
    downs = [node for node in model_to if node != root]
    steps += [send(root, node, "model", after=[f"join:{root}"]) for node in downs]
    after = (f"join:{root}", *(f"model:{root}>{node}" for node in downs))
    steps.append(Deliver(id=f"deliver:{root}", after=after, nodes=tuple(model_to), modules=("m",)))
    return steps


def test_a_star_averages_by_samples():
    parent = {"d0": "c", "d1": "c", "d2": "c"}
    schedule = schedule_of(tree_steps(parent, model_to=["d0", "d1", "d2"]), [1, 3, 4])
    np.testing.assert_array_equal(matrix_of(schedule), np.tile([0.125, 0.375, 0.5], (3, 1)))


def test_clusters_that_reach_no_cloud_make_a_block_diagonal_matrix():
    steps = []
    for server, cell in (("e0", ["d0", "d1"]), ("e1", ["d2", "d3"])):
        steps += tree_steps(dict.fromkeys(cell, server), model_to=cell)
    expected = np.kron(np.eye(2), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(matrix_of(schedule_of(steps, [7, 7, 7, 7])), expected)


def test_a_replica_that_is_not_delivered_keeps_its_own_parameters():
    schedule = schedule_of(tree_steps({"d0": "c", "d1": "c"}, model_to=["d0"]), [1, 1, 5])
    np.testing.assert_array_equal(matrix_of(schedule), [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]])


def test_a_replica_without_samples_receives_but_does_not_count():
    parent = {"d0": "c", "d1": "c"}
    schedule = schedule_of(tree_steps(parent, model_to=["d0", "d1"]), [4, 0])
    np.testing.assert_array_equal(matrix_of(schedule), [[1, 0], [1, 0]])


def test_a_relay_that_passes_an_update_on_does_not_merge_it_as_well():
    pass_on = Transfer(
        id="pass", after=("update:d0>d1",), source="d1", target="c", origin="d0", content="update",
        modules=("m",), bits=1.0, medium=WIRE,
    )  # fmt: skip
    steps = [
        send("d0", "d1"),
        pass_on,
        Merge(id="own", after=("pass",), node="d1", modules=("m",)),
        send("d1", "c", after=["own"]),
        Aggregate(id="a", after=("pass", "update:d1>c"), node="c", modules=("m",)),
        send("c", "d0", "model", after=["a"]),
        Deliver(id="d", after=("model:c>d0",), nodes=("d0",), modules=("m",)),
    ]
    np.testing.assert_array_equal(matrix_of(schedule_of(steps, [1, 3]))[0], [0.25, 0.75])


def test_a_relay_that_does_not_merge_passes_on_its_own_update_only():
    steps = [
        send("d0", "d1"),
        send("d1", "c", after=["update:d0>d1"]),
        Aggregate(id="a", after=("update:d1>c",), node="c", modules=("m",)),
        send("c", "d0", "model", after=["a"]),
        Deliver(id="d", after=("model:c>d0",), nodes=("d0",), modules=("m",)),
    ]
    np.testing.assert_array_equal(matrix_of(schedule_of(steps, [1, 1])), [[0, 1], [0, 1]])


@given(
    weights=st.lists(st.integers(1, 10**6), min_size=5, max_size=5),
    parents=st.tuples(*(st.integers(0, i - 1) for i in range(1, 5))),
    scale=st.sampled_from([1.0, 0.1, 3.7e-5]),
)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_every_relay_tree_gives_the_very_same_matrix(weights, parents, scale):
    hosts = [f"d{i}" for i in range(5)]
    scaled = [weight * scale for weight in weights]
    tree = {f"d{i + 1}": f"d{up}" for i, up in enumerate(parents)}
    by_tree = mixings(*_with_kind(schedule_of(tree_steps(tree, model_to=hosts), scaled)))["m"]
    by_star = mixings(
        *_with_kind(schedule_of(tree_steps(dict.fromkeys(hosts, "c"), model_to=hosts), scaled))
    )["m"]
    state = np.random.default_rng(0).normal(size=(5, 17)).astype(np.float32)
    assert by_tree.matrix().tobytes() == by_star.matrix().tobytes()
    assert by_tree.apply(state).tobytes() == by_star.apply(state).tobytes()
    assert abs(by_tree.matrix().sum(axis=1) - 1).max() < 1e-15


def _with_kind(schedule):
    return schedule, schedule.kinds[0]


def two_level_steps(cells, *, average_at_the_edge):
    steps, ups = [], []
    for server, cell in cells.items():
        joined = Aggregate if average_at_the_edge else Merge
        steps += [send(d, server) for d in cell]
        arrived = tuple(f"update:{d}>{server}" for d in cell)
        steps.append(joined(id=f"join:{server}", after=arrived, node=server, modules=("m",)))
        steps.append(send(server, "c", after=[f"join:{server}"]))
        ups.append(f"update:{server}>c")
    steps.append(Aggregate(id="join:c", after=tuple(ups), node="c", modules=("m",)))
    devices = [d for cell in cells.values() for d in cell]
    for server, cell in cells.items():
        steps.append(send("c", server, "model", after=["join:c"]))
        steps += [send(server, d, "model", after=[f"model:c>{server}"]) for d in cell]
    downs = tuple(step.id for step in steps if isinstance(step, Transfer) and step.content == "model")
    steps.append(Deliver(id="deliver", after=downs, nodes=tuple(devices), modules=("m",)))
    return steps


def test_an_average_of_averages_is_the_average_of_all_samples():
    cells, weights = {"e0": ["d0"], "e1": ["d1", "d2"]}, [3, 11, 7]
    averaged = matrix_of(schedule_of(two_level_steps(cells, average_at_the_edge=True), weights))
    merged = matrix_of(schedule_of(two_level_steps(cells, average_at_the_edge=False), weights))
    np.testing.assert_array_equal(averaged, np.tile(np.array(weights) / 21, (3, 1)))
    assert averaged.tobytes() == merged.tobytes()


def test_consensus_sweeps_apply_the_power_of_their_matrix():
    weights = ((0.5, 0.5, 0.0), (0.5, 0.25, 0.25), (0.0, 0.25, 0.75))
    hosts = ("d0", "d1", "d2")
    steps = [
        Mix(id="mix", nodes=hosts, modules=("m",), weights=weights, sweeps=3),
        Deliver(id="deliver", after=("mix",), nodes=hosts, modules=("m",)),
    ]
    expected = np.linalg.matrix_power(np.array(weights), 3)
    np.testing.assert_allclose(matrix_of(schedule_of(steps, [5, 0, 2])), expected, rtol=1e-15)


def test_a_mixed_model_enters_a_later_average_with_its_node_s_weight():
    steps = [
        Mix(id="mix", nodes=("d0", "d1"), modules=("m",), weights=((0.75, 0.25), (0.25, 0.75))),
        send("d0", "c", after=["mix"]),
        send("d2", "c"),
        Aggregate(id="a", after=("update:d0>c", "update:d2>c"), node="c", modules=("m",)),
        send("c", "d2", "model", after=["a"]),
        Deliver(id="deliver", after=("model:c>d2",), nodes=("d2",), modules=("m",)),
    ]
    np.testing.assert_array_equal(matrix_of(schedule_of(steps, [1, 1, 3]))[2], [0.75 / 4, 0.25 / 4, 0.75])


def test_equal_rows_are_kept_once_and_give_equal_bytes():
    hosts = [f"d{i}" for i in range(40)]
    schedule = schedule_of(tree_steps(dict.fromkeys(hosts, "c"), model_to=hosts), [i + 1 for i in range(40)])
    mixing = mixings(schedule, schedule.kinds[0])["m"]
    mixed = mixing.apply(np.random.default_rng(1).normal(size=(40, 999)).astype(np.float32))
    assert mixing.rows.shape == (1, 40)
    assert len({row.tobytes() for row in mixed}) == 1


def test_only_trainable_modules_are_mixed():
    assert set(mixings(*_with_kind(schedule_of([], [1.0])))) == {"m"}


def test_steps_are_followed_in_the_order_of_after_not_of_the_list():
    steps = tree_steps({"d0": "c", "d1": "c"}, model_to=["d0", "d1"])
    forwards, backwards = (matrix_of(schedule_of(order, [1, 2])) for order in (steps, steps[::-1]))
    assert forwards.tobytes() == backwards.tobytes()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([send("e0", "c")], r"step 'update:e0>c': no update of 'm' has reached node 'e0'"),
        ([send("c", "d0", "model")], r"step 'model:c>d0': no model of 'm' has reached node 'c'"),
        ([Merge(id="x", node="e0", modules=("m",))], r"step 'x': no update of 'm' has reached node 'e0'"),
        (
            [Deliver(id="x", nodes=("d0",), modules=("m",))],
            r"step 'x': no model of 'm' has reached node 'd0'",
        ),
        (
            [Aggregate(id="x", node="d1", modules=("m",))],
            r"step 'x': .* node 'd1' averages all have weight 0",
        ),
    ],
)
def test_a_step_that_uses_what_never_arrived_is_named(steps, message):
    with pytest.raises(ValueError, match=message):
        matrix_of(schedule_of(steps, [1.0, 0.0]))
