"""Rounds of a living network, worked by hand: wires of 1 Mbit/s, one module of 1 Mbit."""

from dataclasses import replace

import numpy as np
import pytest

from fl_runtime.aggregation import mixings
from fl_runtime.clock import play
from fl_runtime.schedule import (
    Aggregate,
    Compute,
    Cpu,
    Deliver,
    DropOut,
    LinkGains,
    LivingNetwork,
    Losses,
    Merge,
    Mix,
    Module,
    Node,
    Policy,
    Replica,
    RoundKind,
    Route,
    Schedule,
    Straggling,
    Transfer,
    Wired,
)

ALWAYS = 1.0 - 1e-15
"""A probability that no draw here misses."""
CPU = Cpu(flops_per_cycle=1.0, max_frequency_hz=1e3, effective_capacitance=1e-9)  # 1 W at 1 kHz
GONE = LivingNetwork(losses=Losses(probability=ALWAYS, max_attempts=2, wired=True))


def away(*nodes):
    return LivingNetwork(drop_out=DropOut(share=ALWAYS, nodes=nodes))


def work(node, seconds):
    """One joule a second."""
    return Compute(id=f"train {node}", node=node, flops=seconds * 1e3, frequency_hz=1e3)


def send(content, source, target, after, seconds=1.0, power_w=1.0, origin=None):
    return Transfer(
        id=f"{content} {origin or source}: {source} > {target}", after=tuple(after), source=source,
        target=target, content=content, origin=origin, modules=("m",), bits=seconds * 1e6,
        medium=Wired(rate_bps=1e6, power_w=power_w),
    )  # fmt: skip


def world(*steps, weights, policy=None, living=None, rounds=1):
    names = dict.fromkeys(weights)
    for step in steps:
        for field in ("source", "target", "node"):
            if hasattr(step, field):
                names.setdefault(getattr(step, field))
    return Schedule(
        name="by hand",
        nodes=tuple(Node(id=name, tier="any", processor=CPU) for name in names),
        bands=(),
        modules=(Module(id="m", kind="adapter", update_bits=1e6, trainable=True),),
        replicas=tuple(Replica(module="m", host=host, weight=weight) for host, weight in weights.items()),
        routes=(),
        kinds=(RoundKind(name="round", steps=tuple(steps), policy=policy or Policy()),),
        cycle=("round",),
        rounds=rounds,
        living=living,
    )  # fmt: skip


def star(seconds=(1.0, 2.0, 4.0), up_s=1.0, **options):
    """d1, d2, d3 work, send up in ``up_s`` and get the average in 1 s; weights 1, 2, 3."""
    devices = ("d1", "d2", "d3")
    steps = [work(d, s) for d, s in zip(devices, seconds, strict=True)]
    steps += [send("update", d, "e", [f"train {d}"], up_s) for d in devices]
    ups = tuple(step.id for step in steps[3:])
    steps.append(Aggregate(id="average", after=ups, node="e", modules=("m",)))
    steps += [send("model", "e", d, ["average"]) for d in devices]
    downs = tuple(step.id for step in steps[-3:])
    steps.append(Deliver(id="deliver", after=downs, nodes=devices, modules=("m",)))
    return world(*steps, weights={"d1": 1.0, "d2": 2.0, "d3": 3.0}, **options)


def rows(timeline):
    """(start, end, joules) by step, of one round."""
    joules = timeline.node_energy_j + timeline.peer_energy_j
    return dict(zip(timeline.step, zip(timeline.start_s, timeline.end_s, joules, strict=True), strict=True))


def matrix(schedule):
    """What a round makes of the replicas."""
    happened = play(schedule).record.happened(0)
    return mixings(happened.without_untrained(schedule), happened.kind)["m"].matrix()


def events(schedule):
    return [(e.event, e.node, e.step, e.value) for e in play(schedule).record.events]


def test_still_star_takes_six_seconds():
    timeline = play(star())
    assert timeline.makespan_s == 6.0
    assert timeline.energy_j.sum() == pytest.approx(7.0 + 6.0)
    assert timeline.record is None


# Drop-out


def test_who_is_away_costs_nothing_and_nobody_waits_for_it():
    timeline = play(star(living=away("d3")))
    found = rows(timeline)
    assert found["average"][:2] == (3.0, 3.0)
    for step in ("train d3", "update d3: d3 > e", "model e: e > d3"):
        assert found[step][0] == found[step][1]
        assert found[step][2] == 0.0
    assert timeline.makespan_s == 4.0
    assert timeline.energy_j.sum() == pytest.approx(3.0 + 4.0)
    assert timeline.bits.sum() == 4e6


def test_who_is_away_keeps_its_replica_and_weights_are_those_of_the_others():
    assert matrix(star(living=away("d3"))).tolist() == [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0], [0, 0, 1]]


def test_an_average_of_nothing_makes_no_model_and_nothing_is_sent():
    schedule = star(living=away("d1", "d2", "d3"))
    assert play(schedule).energy_j.sum() == 0.0
    assert play(schedule).makespan_s == 0.0
    assert matrix(schedule).tolist() == np.eye(3).tolist()
    assert ("nothing to average", "e", "average", 1.0) in events(schedule)


def test_an_update_has_no_way_over_a_relay_that_is_away():
    steps = (
        work("d1", 1.0), work("d2", 1.0),
        send("update", "d1", "r", ["train d1"]),
        Merge(id="merge", after=("update d1: d1 > r",), node="r", modules=("m",)),
        send("update", "r", "e", ["merge"]),
        send("update", "d2", "e", ["train d2"]),
        Aggregate(
            id="average", after=("update r: r > e", "update d2: d2 > e"), node="e", modules=("m",)
        ),
        send("model", "e", "d2", ["average"]),
        Deliver(id="deliver", after=("model e: e > d2",), nodes=("d1", "d2"), modules=("m",)),
    )  # fmt: skip
    # d1 has no model on the way back either: the delivery would be a defect, so it gets one from e
    steps = (*steps[:-1], send("model", "e", "d1", ["average"]), replace(
        steps[-1], after=("model e: e > d2", "model e: e > d1")
    ))  # fmt: skip
    schedule = world(*steps, weights={"d1": 1.0, "d2": 3.0, "r": 0.0}, living=away("r"))
    found = rows(play(schedule))
    assert found["update d1: d1 > r"][2] == found["update r: r > e"][2] == 0.0
    assert found["train d1"][2] == pytest.approx(1.0)  # its work is done for nothing
    assert matrix(schedule)[:2].tolist() == [[0, 1, 0], [0, 1, 0]]


# Stragglers and losses


def test_slow_work_takes_and_costs_its_factor():
    schedule = star(living=LivingNetwork(straggling=Straggling(spread=0.5, nodes=("d1",))))
    timeline = play(schedule, seed=3)
    ((event, node, step, factor),) = [(e.event, e.node, e.step, e.value) for e in timeline.record.events]
    assert (event, node, step) == ("slow", "d1", "train d1")
    assert factor > 1.0
    assert rows(timeline)["train d1"] == pytest.approx((0.0, factor, factor))
    assert rows(timeline)["train d2"] == pytest.approx((0.0, 2.0, 2.0))


def test_lost_attempts_take_their_whole_time_and_energy():
    schedule = star(living=GONE)
    found = rows(play(schedule))
    assert found["update d1: d1 > e"] == pytest.approx((1.0, 3.0, 2.0))
    assert found["update d3: d3 > e"] == pytest.approx((4.0, 6.0, 2.0))
    assert found["model e: e > d1"][2] == 0.0  # there is no model
    assert play(schedule).bits.sum() == 6e6
    assert matrix(schedule).tolist() == np.eye(3).tolist()


def test_wires_lose_nothing_unless_said():
    living = LivingNetwork(losses=Losses(probability=ALWAYS, max_attempts=2))
    timeline = play(star(living=living))
    assert timeline.makespan_s == 6.0
    assert timeline.record.events == ()


def test_who_gets_no_model_keeps_its_own_trained_one():
    """Seed 0 with one attempt in three: what is lost is read from the record, the average follows."""
    living = LivingNetwork(losses=Losses(probability=0.4, max_attempts=1, wired=True))
    schedule = star(living=living, rounds=40)
    record = play(schedule).record
    weights = np.array([1.0, 2.0, 3.0])
    seen = set()
    for index in range(40):
        lost = {e.step for e in record.events if e.round == index and e.event == "lost"}
        came = np.array([f"update {d}: {d} > e" not in lost for d in ("d1", "d2", "d3")])
        expected = np.eye(3)
        for row, device in enumerate(("d1", "d2", "d3")):
            if came.any() and f"model e: e > {device}" not in lost:
                expected[row] = weights * came / (weights * came).sum()
        happened = record.happened(index)
        found = mixings(happened.without_untrained(schedule), happened.kind)["m"].matrix()
        np.testing.assert_allclose(found, expected, atol=1e-15)
        seen.add((came.sum(), len(lost)))
    assert len(seen) > 5


# Deadlines


def test_a_deadline_leaves_out_who_is_late_and_bills_what_was_done():
    """At 3.5 s d1 and d2 are there; d3 has worked 3.5 of 4 s."""
    schedule = star(policy=Policy(deadline_s=3.5))
    found = rows(play(schedule))
    assert found["average"][:2] == (3.5, 3.5)
    assert found["train d3"] == pytest.approx((0.0, 3.5, 3.5))
    assert found["update d3: d3 > e"] == pytest.approx((3.5, 3.5, 0.0))
    assert found["deliver"][:2] == (4.5, 4.5)
    assert matrix(schedule).tolist() == [[1 / 3, 2 / 3, 0]] * 3  # d3 takes the model of the others
    assert events(schedule) == [
        ("called off", "d3", "train d3", 1.0), ("called off", "d3", "update d3: d3 > e", 1.0)
    ]  # fmt: skip


def test_a_transfer_under_way_is_cut_off_and_billed_up_to_there():
    schedule = star(up_s=2.0, policy=Policy(deadline_s=5.0))
    found = rows(play(schedule))
    assert found["update d3: d3 > e"] == pytest.approx((4.0, 5.0, 1.0))
    timeline = play(schedule)
    assert dict(zip(timeline.step, timeline.bits, strict=True))["update d3: d3 > e"] == pytest.approx(1e6)


def test_what_ends_at_the_deadline_is_in_time():
    assert matrix(star(policy=Policy(deadline_s=5.0)))[0].tolist() == [1 / 6, 2 / 6, 3 / 6]


def test_a_deadline_that_nobody_meets_makes_no_model():
    schedule = star(policy=Policy(deadline_s=0.5))
    timeline = play(schedule)
    assert timeline.makespan_s == 0.5
    assert timeline.energy_j.sum() == pytest.approx(1.5)
    assert matrix(schedule).tolist() == np.eye(3).tolist()
    assert timeline.record.happened(0).untrained == {"d1", "d2", "d3"}


def test_the_next_round_begins_when_the_one_before_has_ended_everywhere():
    timeline = play(star(policy=Policy(deadline_s=3.5), rounds=3))
    assert timeline.round_end_s.tolist() == pytest.approx([4.5, 9.0, 13.5])
    assert timeline.energy_j.tolist() == pytest.approx([timeline.energy_j[0]] * 3)


def test_averages_are_made_when_enough_updates_are_there():
    for policy in (Policy(share=0.5), Policy(count=2), Policy(share=2 / 3, deadline_s=50.0)):
        schedule = star(policy=policy)
        found = rows(play(schedule))
        assert found["average"][:2] == (3.0, 3.0)
        assert found["train d3"] == pytest.approx((0.0, 3.0, 3.0))
        assert matrix(schedule).tolist() == [[1 / 3, 2 / 3, 0]] * 3


def test_a_share_counts_those_that_are_there():
    """Without d1, half of the others is one: d2, at 3 s."""
    schedule = star(policy=Policy(share=0.5), living=away("d1"))
    assert matrix(schedule).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_updates_at_the_same_moment_are_all_in():
    schedule = star(seconds=(1.0, 1.0, 4.0), policy=Policy(count=1))
    assert matrix(schedule)[2].tolist() == [1 / 3, 2 / 3, 0]


def test_a_count_that_cannot_be_reached_waits_for_all_that_come():
    assert play(star(policy=Policy(count=9))).makespan_s == 6.0


def hierarchy(policy):
    """d1 and d2 merge at e, d3 at f; e and f send to the cloud in 1 s, models come back in 1 s each."""
    cells = {"e": ("d1", "d2"), "f": ("d3",)}
    steps = [work(d, s) for d, s in (("d1", 1.0), ("d2", 6.0), ("d3", 2.0))]
    for server, devices in cells.items():
        steps += [send("update", d, server, [f"train {d}"]) for d in devices]
        after = tuple(step.id for step in steps[-len(devices) :])
        steps.append(Merge(id=f"merge {server}", after=after, node=server, modules=("m",)))
        steps.append(send("update", server, "c", [f"merge {server}"]))
    steps.append(
        Aggregate(id="average", after=("update e: e > c", "update f: f > c"), node="c", modules=("m",))
    )
    ends = []
    for server, devices in cells.items():
        steps.append(send("model", "c", server, ["average"]))
        steps += [send("model", server, d, [f"model c: c > {server}"]) for d in devices]
        ends += [step.id for step in steps[-len(devices) :]]
    steps.append(Deliver(id="deliver", after=tuple(ends), nodes=("d1", "d2", "d3"), modules=("m",)))
    return world(*steps, weights={"d1": 1.0, "d2": 2.0, "d3": 3.0}, policy=policy)


def test_a_merge_without_a_deadline_of_its_own_makes_the_average_lose_its_cluster():
    schedule = hierarchy(Policy(deadline_s=5.0))
    found = rows(play(schedule))
    assert found["train d2"] == pytest.approx((0.0, 5.0, 5.0))
    assert found["update d1: d1 > e"] == pytest.approx((1.0, 2.0, 1.0))  # sent for nothing, and paid
    assert found["update e: e > c"][2] == 0.0
    assert matrix(schedule)[0].tolist() == [0, 0, 1]


def test_a_merge_deadline_saves_those_of_the_cluster_that_were_in_time():
    schedule = hierarchy(Policy(deadline_s=5.0, merge_deadline_s=3.0))
    found = rows(play(schedule))
    assert found["train d2"] == pytest.approx((0.0, 3.0, 3.0))
    assert found["update e: e > c"] == pytest.approx((3.0, 4.0, 1.0))
    assert found["average"][:2] == (4.0, 4.0)
    assert matrix(schedule)[0].tolist() == [0.25, 0, 0.75]


def test_a_merge_share_does_the_same():
    assert matrix(hierarchy(Policy(merge_share=0.5)))[0].tolist() == [0.25, 0, 0.75]


def test_a_relay_that_was_still_training_sends_what_came_without_its_own():
    steps = (
        work("d1", 1.0), work("r", 9.0),
        send("update", "d1", "r", ["train d1"]),
        Merge(id="merge", after=("train r", "update d1: d1 > r"), node="r", modules=("m",)),
        send("update", "r", "e", ["merge"]),
        Aggregate(id="average", after=("update r: r > e",), node="e", modules=("m",)),
        send("model", "e", "r", ["average"]), send("model", "e", "d1", ["average"]),
        Deliver(
            id="deliver", after=("model e: e > r", "model e: e > d1"), nodes=("d1", "r"), modules=("m",)
        ),
    )  # fmt: skip
    schedule = world(*steps, weights={"d1": 1.0, "r": 5.0}, policy=Policy(merge_deadline_s=3.0))
    found = rows(play(schedule))
    assert found["train r"] == pytest.approx((0.0, 3.0, 3.0))
    assert found["average"][:2] == (4.0, 4.0)
    assert matrix(schedule).tolist() == [[1, 0], [1, 0]]


# Consensus, activations, gains


def test_consensus_goes_on_without_who_is_away_and_stays_doubly_stochastic():
    names = ("d1", "d2", "d3")
    steps = [work(d, 1.0) for d in names]
    steps += [send("update", a, b, [f"train {a}"]) for a in names for b in names if a != b]
    ups = tuple(step.id for step in steps[3:])
    weights = ((0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5))
    steps.append(Mix(id="mix", after=ups, nodes=names, modules=("m",), weights=weights))
    steps.append(Deliver(id="deliver", after=("mix",), nodes=names, modules=("m",)))
    schedule = world(*steps, weights=dict.fromkeys(names, 1.0), living=away("d3"))
    assert matrix(schedule).tolist() == [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]]
    lossy = world(*steps, weights=dict.fromkeys(names, 1.0), living=GONE)
    assert matrix(lossy).tolist() == np.eye(3).tolist()


def test_gains_that_change_by_round_begin_anew_at_their_end():
    from fl_runtime.schedule import Band, Wireless

    medium = Wireless(band="air", band_hz=1e6, power_w=1.0, gain=1.0, noise_w_per_hz=1e-6)
    step = replace(send("update", "d1", "e", []), medium=medium, content="activation")
    gains = LinkGains(source="d1", target="e", band="air", factors=(1.0, 3.0))
    schedule = replace(
        world(step, weights={"d1": 1.0, "e": 1.0}, rounds=5, living=LivingNetwork(gains=(gains,))),
        bands=(Band(id="air", band_hz=1e6),),
    )
    timeline = play(schedule)
    # a signal as strong as the noise carries 1 bit a hertz, three times as strong 2
    assert (timeline.end_s - timeline.start_s).tolist() == pytest.approx([1.0, 0.5, 1.0, 0.5, 1.0])


def split(living, policy=None):
    """d1 trains 1 s, the backbone at e works 2 s for it, then d1 sends; d2 trains by itself."""
    there = replace(send("activation", "d1", "e", ["train d1"]), modules=("b",))
    elsewhere = Compute(id="backbone", after=(there.id,), node="e", flops=2e3, frequency_hz=1e3)
    back = replace(send("activation", "e", "d1", ["backbone"]), modules=("b",))
    steps = (
        work("d1", 1.0), work("d2", 1.0), there, elsewhere, back,
        send("update", "d1", "e", [back.id]), send("update", "d2", "e", ["train d2"]),
        Aggregate(
            id="average", after=("update d1: d1 > e", "update d2: d2 > e"), node="e", modules=("m",)
        ),
        send("model", "e", "d1", ["average"]), send("model", "e", "d2", ["average"]),
        Deliver(
            id="deliver", after=("model e: e > d1", "model e: e > d2"), nodes=("d1", "d2"), modules=("m",)
        ),
    )  # fmt: skip
    schedule = world(*steps, weights={"d1": 1.0, "d2": 3.0}, living=living, policy=policy)
    backbone = Module(id="b", kind="backbone", update_bits=1e6, trainable=False)
    route = Route(device="d1", task="read", samples=1, modalities=("image",), hosts={"b": "e", "m": "d1"})
    return replace(
        schedule,
        modules=(*schedule.modules, backbone),
        replicas=(*schedule.replicas, Replica(module="b", host="e")),
        routes=(route,),
    )


def test_nothing_is_done_elsewhere_for_a_device_that_is_away():
    schedule = split(away("d1"))
    found = rows(play(schedule))
    assert found["backbone"][2] == 0.0
    assert found["average"][:2] == (2.0, 2.0)
    assert matrix(schedule).tolist() == [[1, 0], [0, 1]]


def test_a_device_whose_activations_are_lost_has_not_trained():
    """All transfers are lost; what d1 computed and sent is paid, the backbone has nothing to work on."""
    schedule = split(GONE)
    found = rows(play(schedule))
    assert found["activation d1: d1 > e"][2] == pytest.approx(2.0)
    assert found["backbone"][2] == found["activation e: e > d1"][2] == found["update d1: d1 > e"][2] == 0.0
    assert found["update d2: d2 > e"][2] == pytest.approx(2.0)
    assert play(schedule).record.happened(0).untrained == {"d1"}


def test_work_elsewhere_that_is_called_off_leaves_the_device_untrained_and_the_host_as_it_is():
    schedule = split(None, Policy(deadline_s=3.0))
    found = rows(play(schedule))
    assert found["backbone"] == pytest.approx((2.0, 3.0, 1.0))
    assert play(schedule).record.happened(0).untrained == {"d1"}
    assert matrix(schedule).tolist() == [[0, 1], [0, 1]]


def passed_on(living=None, policy=None):
    """d1's update goes over r, which passes it on and sends its own."""
    steps = (
        work("d1", 1.0), work("r", 1.0),
        send("update", "d1", "r", ["train d1"]),
        send("update", "r", "e", ["update d1: d1 > r"], origin="d1"),
        send("update", "r", "e", ["train r"]),
        Aggregate(
            id="average", after=("update d1: r > e", "update r: r > e"), node="e", modules=("m",)
        ),
        send("model", "e", "r", ["average"]), send("model", "r", "d1", ["model e: e > r"]),
        Deliver(
            id="deliver", after=("model e: e > r", "model r: r > d1"), nodes=("d1", "r"), modules=("m",)
        ),
    )  # fmt: skip
    return world(*steps, weights={"d1": 1.0, "r": 3.0}, living=living, policy=policy)


def test_an_update_that_is_not_passed_on_in_time_is_not_in():
    assert matrix(passed_on(policy=Policy(deadline_s=99.0))).tolist() == [[0.25, 0.75]] * 2
    schedule = passed_on(policy=Policy(count=1))
    found = rows(play(schedule))
    assert found["average"][:2] == (2.0, 2.0)  # r's own is there, d1's is at r
    assert found["update d1: r > e"][2] == 0.0
    assert matrix(schedule).tolist() == [[0, 1]] * 2


def test_nothing_is_passed_on_for_a_device_that_is_away():
    found = rows(play(passed_on(away("d1"))))
    assert found["update d1: d1 > r"][2] == found["update d1: r > e"][2] == 0.0
    assert matrix(passed_on(away("d1"))).tolist() == [[1, 0], [0, 1]]
    assert matrix(passed_on(away("r"))).tolist() == [[1, 0], [0, 1]]


def trained_at_a_server(living):
    """A replica at e that d1 and d2 train (e sends it to c), and one on d3; c averages, weights 4 and 1."""
    there = [send("activation", device, "e", []) for device in ("d1", "d2")]
    back = [send("activation", "e", step.source, [step.id]) for step in there]
    schedule = world(
        work("d3", 1.0), *there, *back,
        send("update", "e", "c", [step.id for step in back]), send("update", "d3", "c", ["train d3"]),
        Aggregate(
            id="average", after=("update e: e > c", "update d3: d3 > c"), node="c", modules=("m",)
        ),
        send("model", "c", "e", ["average"]), send("model", "c", "d3", ["average"]),
        Deliver(
            id="deliver", after=("model c: c > e", "model c: c > d3"), nodes=("e", "d3"), modules=("m",)
        ),
        weights={"e": 4.0, "d3": 1.0, "d1": 0.0, "d2": 0.0},
        living=living,
    )  # fmt: skip
    hosts = {"d1": "e", "d2": "e", "d3": "d3"}
    routes = tuple(
        Route(device=device, task="read", samples=1, modalities=("image",), hosts={"m": host})
        for device, host in hosts.items()
    )
    return replace(schedule, routes=routes, replicas=schedule.replicas[:2])


def test_a_replica_elsewhere_counts_while_one_of_its_devices_trains():
    flow = play(trained_at_a_server(away("d1"))).record.happened(0)
    assert flow.idle == frozenset()
    assert matrix(trained_at_a_server(away("d1"))).tolist() == [[0.8, 0.2]] * 2


def test_a_replica_elsewhere_that_nobody_trains_takes_no_part():
    schedule = trained_at_a_server(away("d1", "d2"))
    assert play(schedule).record.happened(0).idle == {("m", "e")}
    assert rows(play(schedule))["update e: e > c"][2] == 0.0
    assert matrix(schedule).tolist() == [[0, 1]] * 2
