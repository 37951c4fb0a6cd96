"""Each defect with its message; and that sound schedules have none."""

from dataclasses import replace

import pytest

from fl_runtime.check import check_schedule
from fl_runtime.errors import ScheduleError
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    FixedSpeed,
    Merge,
    Mix,
    Module,
    Node,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Training,
    Transfer,
    Wired,
    Wireless,
)

RADIO = Wireless(band="cell", band_hz=1e6, power_w=0.1, gain=1e-9, noise_w_per_hz=4e-21)
WIRE = Wired(rate_bps=1e9)
NAN = float("nan")


def carry(name, source, target, content, after=(), medium=RADIO):
    return Transfer(
        id=name,
        after=tuple(after),
        source=source,
        target=target,
        content=content,
        modules=("head",),
        bits=1e6,
        medium=medium,
    )


# d1 sends to d2, which merges and sends to the edge, which averages; the model goes straight to both
STEPS = (
    Compute(id="train-1", node="d1", flops=1e9, frequency_hz=1e9),
    Compute(id="train-2", node="d2", flops=1e9, frequency_hz=1e9),
    carry("up-1", "d1", "d2", "update", ["train-1"]),
    Merge(id="merge", after=("train-2", "up-1"), node="d2", modules=("head",)),
    carry("up-2", "d2", "edge", "update", ["merge"]),
    Aggregate(id="average", after=("up-2",), node="edge", modules=("head",)),
    carry("down-1", "edge", "d1", "model", ["average"]),
    carry("down-2", "edge", "d2", "model", ["average"]),
    Deliver(id="deliver", after=("down-1", "down-2"), nodes=("d1", "d2"), modules=("head",)),
)
CPU = Cpu(flops_per_cycle=4.0, max_frequency_hz=2e9, effective_capacitance=1e-28)
SOUND = Schedule(
    name="relay",
    nodes=(
        Node(id="edge", tier="edge", processor=FixedSpeed(flops_per_s=1e12, power_w=100.0)),
        Node(id="d1", tier="device", processor=CPU),
        Node(id="d2", tier="device", processor=CPU),
    ),
    bands=(Band(id="cell", band_hz=2e6),),
    modules=(Module(id="head", kind="head", update_bits=1e6, trainable=True, task="read"),),
    replicas=tuple(Replica(module="head", host=name, weight=64.0) for name in ("d1", "d2")),
    routes=tuple(
        Route(device=name, task="read", samples=64, modalities=("image",), hosts={"head": name})
        for name in ("d1", "d2")
    ),
    kinds=(RoundKind(name="round", steps=STEPS),),
    cycle=("round",),
    rounds=10,
)


def with_step(name, **changes):
    """Return SOUND with one step changed."""
    steps = tuple(replace(step, **changes) if step.id == name else step for step in STEPS)
    return replace(SOUND, kinds=(RoundKind(name="round", steps=steps),))


def with_more(*steps):
    return replace(SOUND, kinds=(RoundKind(name="round", steps=(*STEPS, *steps)),))


def with_node(**changes):
    """Return SOUND with the edge server changed."""
    return replace(SOUND, nodes=(replace(SOUND.nodes[0], **changes), *SOUND.nodes[1:]))


def with_cpu(**changes):
    """Return SOUND with another processor of d1."""
    devices = (replace(SOUND.nodes[1], processor=replace(CPU, **changes)), SOUND.nodes[2])
    return replace(SOUND, nodes=(SOUND.nodes[0], *devices))


def mixing(weights, **changes):
    step = Mix(id="mix", after=("train-1", "train-2"), nodes=("d1", "d2"), modules=("head",), weights=weights)
    return with_more(replace(step, **changes))


def test_sound_schedule_has_no_defect():
    assert check_schedule(SOUND) == ()


def test_sound_mixing_has_no_defect():
    assert check_schedule(mixing(((0.75, 0.25), (0.25, 0.75)))) == ()


WORLD = {
    "nodes: id 'd1' occurs 2 times, must be unique": replace(SOUND, nodes=(*SOUND.nodes, SOUND.nodes[1])),
    "bands: id 'cell' occurs 2 times, must be unique": replace(SOUND, bands=SOUND.bands * 2),
    "modules: id 'head' occurs 2 times, must be unique": replace(SOUND, modules=SOUND.modules * 2),
    "replicas: (module, host) ('head', 'd1') occurs 2 times, must be unique": replace(
        SOUND, replicas=(*SOUND.replicas, SOUND.replicas[0])
    ),
    "routes: (device, task) ('d1', 'read') occurs 2 times, must be unique": replace(
        SOUND, routes=(*SOUND.routes, SOUND.routes[0])
    ),
    "kinds: name 'round' occurs 2 times, must be unique": replace(SOUND, kinds=SOUND.kinds * 2),
    "node 'edge': amplifier_efficiency is 1.5, must be in (0, 1]": with_node(amplifier_efficiency=1.5),
    "node 'edge': circuit_power_w is -0.1, must be a finite number >= 0": with_node(circuit_power_w=-0.1),
    "node 'edge': receive_power_w is nan, must be a finite number >= 0": with_node(receive_power_w=NAN),
    "node 'edge': processor: flops_per_s is 0.0, must be a finite number > 0": with_node(
        processor=FixedSpeed(flops_per_s=0.0, power_w=1.0)
    ),
    "node 'edge': processor: power_w is -1.0, must be a finite number >= 0": with_node(
        processor=FixedSpeed(flops_per_s=1.0, power_w=-1.0)
    ),
    "node 'd1': processor: flops_per_cycle is -1.0, must be a finite number > 0": with_cpu(
        flops_per_cycle=-1.0
    ),
    "node 'd1': processor: max_frequency_hz is '2e9', must be a finite number > 0": with_cpu(
        max_frequency_hz="2e9"
    ),
    "node 'd1': processor: effective_capacitance is inf, must be a finite number >= 0": with_cpu(
        effective_capacitance=float("inf")
    ),
    "band 'cell': band_hz is 0.0, must be a finite number > 0": replace(
        SOUND, bands=(Band(id="cell", band_hz=0.0),)
    ),
    "module 'head': update_bits is -1.0, must be a finite number >= 0": replace(
        SOUND, modules=(replace(SOUND.modules[0], update_bits=-1.0),)
    ),
    "module 'head': expert_group is 'x', must be left out for the kind 'head'": replace(
        SOUND, modules=(replace(SOUND.modules[0], expert_group="x"), *SOUND.modules[1:])
    ),
    "training: backbone_rate is -0.1, must be a finite number > 0": replace(
        SOUND, training=Training(backbone_rate=-0.1)
    ),
    "training: encoder_rate is 0.0, must be a finite number > 0": replace(
        SOUND, training=Training(encoder_rate=0.0)
    ),
    "training: experts_per_token is 0, must be a whole number >= 1": replace(
        SOUND, training=Training(experts_per_token=0)
    ),
    "module 'head': kind names 'heads', which is no kind of module; did you mean 'head'?": replace(
        SOUND, modules=(replace(SOUND.modules[0], kind="heads"),)
    ),
    "replica of 'haed' on 'd1': module names 'haed', which is no module; did you mean 'head'?": replace(
        SOUND, replicas=(*SOUND.replicas, Replica(module="haed", host="d1"))
    ),
    "replica of 'head' on 'moon': host names 'moon', which is no node": replace(
        SOUND, replicas=(*SOUND.replicas, Replica(module="head", host="moon"))
    ),
    "replica of 'head' on 'edge': weight is -1.0, must be a finite number >= 0": replace(
        SOUND, replicas=(*SOUND.replicas, Replica(module="head", host="edge", weight=-1.0))
    ),
    "route of 'd3' for 'read': device names 'd3', which is no node": replace(
        SOUND, routes=(*SOUND.routes, replace(SOUND.routes[0], device="d3"))
    ),
    "route of 'd1' for 'read': samples is 1.5, must be a whole number >= 0": replace(
        SOUND, routes=(replace(SOUND.routes[0], samples=1.5),)
    ),
    "route of 'd1' for 'read': hosts names 'haed', which is no module; did you mean 'head'?": replace(
        SOUND, routes=(replace(SOUND.routes[0], hosts={"haed": "d1"}),)
    ),
    "route of 'd1' for 'read': hosts['head'] names 'egde', which is no node; did you mean 'edge'?": replace(
        SOUND, routes=(replace(SOUND.routes[0], hosts={"head": "egde"}),)
    ),
    "route of 'd1' for 'read': 'edge' has no replica of 'head'; add one or name another host": replace(
        SOUND, routes=(replace(SOUND.routes[0], hosts={"head": "edge"}),)
    ),
    "schedule 'relay': rounds is 0, must be a whole number >= 1": replace(SOUND, rounds=0),
    "schedule 'relay': cycle is empty, must name at least one kind of round": replace(SOUND, cycle=()),
    "schedule 'relay': cycle names 'rond', which is no kind of round; did you mean 'round'?": replace(
        SOUND, cycle=("round", "rond")
    ),
    "training: local_steps is 0, must be a whole number >= 1": replace(
        SOUND, training=Training(local_steps=0)
    ),
    "training: batch_size is True, must be a whole number >= 1": replace(
        SOUND, training=Training(batch_size=True)
    ),
    "training: learning_rate is 0.0, must be a finite number > 0": replace(
        SOUND, training=Training(learning_rate=0.0)
    ),
    "training: label_skew is -1.0, must be a finite number > 0": replace(
        SOUND, training=Training(label_skew=-1.0)
    ),
    "training: num_shards is 0, must be a whole number >= 1": replace(SOUND, training=Training(num_shards=0)),
    "training: quantity_skew is 0.0, must be a finite number > 0": replace(
        SOUND, training=Training(quantity_skew=0.0)
    ),
}

UP = "step 'up-1': "
TRAIN = "step 'train-1': "
STEPWISE = {
    "steps is empty, must hold at least one step": replace(SOUND, kinds=(RoundKind(name="round", steps=()),)),
    "step 'train-1' occurs 2 times, must be unique": with_more(STEPS[0]),
    TRAIN + "after names the step itself; remove it": with_step("train-1", after=("train-1",)),
    TRAIN + "after names 'tarin-2', which is no step of this kind; did you mean 'train-2'?": with_step(
        "train-1", after=("tarin-2",)
    ),
    TRAIN + "after names 'train-2', which stands later in the list; move it before": with_step(
        "train-1", after=("train-2",)
    ),
    TRAIN + "node names 'egde', which is no node; did you mean 'edge'?": with_step("train-1", node="egde"),
    TRAIN + "flops is -1.0, must be a finite number >= 0": with_step("train-1", flops=-1.0),
    TRAIN + "frequency_hz is None, must be a finite number > 0": with_step("train-1", frequency_hz=None),
    TRAIN + "frequency_hz is 3000000000.0, must be <= 2000000000.0, the highest of its cpu": with_step(
        "train-1", frequency_hz=3e9
    ),
    TRAIN + "frequency_hz is 1000000000.0, must be None: 'edge' has no cpu": with_step(
        "train-1", node="edge"
    ),
    TRAIN + "share is 0.5, must be 1 unless the processor has a fixed speed": with_step("train-1", share=0.5),
    TRAIN + "share is 0.0, must be in (0, 1]": with_step(
        "train-1", node="edge", frequency_hz=None, share=0.0
    ),
    UP + "target names 'd3', which is no node": with_step("up-1", target="d3"),
    UP + "source and target are both 'd1', must differ": with_step("up-1", target="d1"),
    UP + "bits is nan, must be a finite number >= 0": with_step("up-1", bits=NAN),
    UP + "modules is empty, must name at least one module": with_step("up-1", modules=()),
    UP + "module 'head' occurs 2 times, must be unique": with_step("up-1", modules=("head", "head")),
    UP + "modules names 'haed', which is no module; did you mean 'head'?": with_step(
        "up-1", modules=("haed",)
    ),
    UP + "band names 'cel', which is no band; did you mean 'cell'?": with_step(
        "up-1", medium=replace(RADIO, band="cel")
    ),
    UP + "band_hz is 3000000.0, must be <= 2000000.0, the width of 'cell'": with_step(
        "up-1", medium=replace(RADIO, band_hz=3e6)
    ),
    UP + "power_w is 0.0, must be a finite number > 0": with_step("up-1", medium=replace(RADIO, power_w=0.0)),
    UP + "gain is -1.0, must be a finite number > 0": with_step("up-1", medium=replace(RADIO, gain=-1.0)),
    UP + "noise_w_per_hz is inf, must be a finite number > 0": with_step(
        "up-1", medium=replace(RADIO, noise_w_per_hz=float("inf"))
    ),
    UP + "the link's rate is 0 bit/s, must be > 0; raise power_w or gain": with_step(
        "up-1", medium=replace(RADIO, gain=5e-324)
    ),
    UP + "rate_bps is 0.0, must be a finite number > 0": with_step(
        "up-1", medium=replace(WIRE, rate_bps=0.0)
    ),
    UP + "delay_s is -1.0, must be a finite number >= 0": with_step(
        "up-1", medium=replace(WIRE, delay_s=-1.0)
    ),
    UP + "power_w is nan, must be a finite number >= 0": with_step("up-1", medium=replace(WIRE, power_w=NAN)),
    "step 'deliver': nodes is empty, must name at least one node": with_step("deliver", nodes=()),
    "step 'deliver': node 'd1' occurs 2 times, must be unique": with_step(
        "deliver", nodes=("d1", "d2", "d1")
    ),
    "step 'mix': sweeps is 0, must be a whole number >= 1": mixing(((0.5, 0.5), (0.5, 0.5)), sweeps=0),
    "step 'mix': weights has rows of [2] entries, must be 2 rows of 2: one per node": mixing(((0.5, 0.5),)),
    "step 'mix': weights[0][1] is -0.5, must be a finite number >= 0": mixing(((1.5, -0.5), (-0.5, 1.5))),
    "step 'mix': row 0 of weights sums to 0.75, must sum to 1": mixing(((0.5, 0.25), (0.5, 0.5))),
    "step 'mix': column 1 of weights sums to 1.25, must sum to 1": mixing(((0.5, 0.5), (0.25, 0.75))),
}

FLOW = {
    UP + "'edge' has no update of 'head' to send: it hosts no replica and merged none before;"
    " add a merge there and name it in after": with_step("up-1", source="edge"),
    "step 'average': 'edge' has no update of 'head': it hosts no replica and none arrived before;"
    " name the step that brings it in after": with_step("average", after=("train-1",)),
    "step 'up-1': the update of 'head' is lost at 'd2'; merge or aggregate it there later": with_step(
        "merge", node="d1"
    ),
    "step 'down-1': 'edge' has no model of 'head' to send; aggregate it there or bring it there,"
    " and name that step in after": with_step("down-1", after=("up-2",)),
    "step 'deliver': no model of 'head' reached 'd2'; send it, and name that step in after": with_step(
        "deliver", after=("down-1",)
    ),
    "step 'mix': 'edge' has nothing of 'head' to mix; bring it there before": mixing(
        ((0.5, 0.5), (0.5, 0.5)), nodes=("d1", "edge")
    ),
    "step 'up-1': nobody hosts module 'spare'; add a replica of it or leave it out": replace(
        with_step("up-1", modules=("spare",)),
        modules=(*SOUND.modules, Module(id="spare", kind="head", update_bits=1.0, trainable=True)),
    ),
}


@pytest.mark.parametrize(("line", "schedule"), WORLD.items(), ids=WORLD)
def test_defect_of_the_world_is_named(line, schedule):
    assert line in check_schedule(schedule)


@pytest.mark.parametrize(("line", "schedule"), [*STEPWISE.items(), *FLOW.items()], ids=[*STEPWISE, *FLOW])
def test_defect_of_a_step_is_named(line, schedule):
    defects = check_schedule(schedule)
    assert any(defect.startswith("kind 'round': ") and defect.endswith(line) for defect in defects), defects


def test_all_defects_are_reported_together():
    schedule = replace(with_step("up-1", bits=-1.0), rounds=-1, cycle=("rund",))
    assert len(check_schedule(schedule)) == 3


def test_one_slip_makes_one_line():
    assert len(check_schedule(with_step("up-1", bits=-1.0))) == 1
    assert len(check_schedule(with_step("up-2", target="egde"))) == 2  # and the average lacks its update


def test_delivery_of_nothing_is_a_meeting_and_no_defect():
    meeting = Deliver(id="meet", nodes=("d1", "d2"), modules=())
    assert check_schedule(with_more(meeting)) == ()


def test_delivery_passes_over_nodes_without_a_replica():
    assert check_schedule(with_step("deliver", nodes=("d1", "d2", "edge"))) == ()


def test_share_of_the_band_may_overrun_it_by_rounding():
    assert check_schedule(with_step("up-1", medium=replace(RADIO, band_hz=2e6 * (1 + 1e-12)))) == ()


def test_error_holds_the_lines_and_counts_them():
    error = ScheduleError(["one: bad", "two: bad"], "schedule 'x'")
    assert error.defects == ("one: bad", "two: bad")
    assert str(error) == "schedule 'x': 2 defects\n- one: bad\n- two: bad"
    assert isinstance(error, ValueError)


# d1's update passes d2, which sends its own besides, and the edge averages both
PASSING = (
    STEPS[0],
    STEPS[1],
    carry("up-1", "d1", "d2", "update", ["train-1"]),
    replace(carry("on-1", "d2", "edge", "update", ["up-1"]), origin="d1"),
    carry("up-2", "d2", "edge", "update", ["train-2"]),
    Aggregate(id="average", after=("on-1", "up-2"), node="edge", modules=("head",)),
    *STEPS[6:],
)


def with_steps(steps):
    return replace(SOUND, kinds=(RoundKind(name="round", steps=tuple(steps)),))


def test_an_update_may_be_passed_on():
    assert check_schedule(with_steps(PASSING)) == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"on-1": {"after": ("train-2",)}},
            "'d2' has no update of 'head' from 'd1' to pass on; bring it there with the same origin",
        ),
        ({"on-1": {"origin": "d3"}}, "origin names 'd3', which is no node"),
        ({"down-1": {"origin": "d2"}}, "origin is 'd2', must be null: only updates are passed on"),
        ({"average": {"node": "d2"}}, "step 'on-1': the update of 'head' is lost at 'edge'"),
    ],
)
def test_an_update_that_cannot_be_passed_on_is_told(changed, message):
    steps = [replace(step, **changed.get(step.id, {})) for step in PASSING]
    assert any(message in line for line in check_schedule(with_steps(steps)))
