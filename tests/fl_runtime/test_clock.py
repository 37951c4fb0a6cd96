"""Timelines worked by hand, an independent oracle, a naive player of the documented rule, and laws."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_runtime.clock import play
from fl_runtime.compiled import nodes_of_step
from fl_runtime.errors import ScheduleError
from fl_runtime.fading import Fading
from fl_runtime.schedule import (
    Band,
    Compute,
    Cpu,
    Deliver,
    Evaluate,
    FixedSpeed,
    Mix,
    Module,
    Node,
    Replica,
    RoundKind,
    Schedule,
    Transfer,
    Wired,
    Wireless,
)

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
BAND_HZ = 2.0**20
CPU = Cpu(flops_per_cycle=1.0, max_frequency_hz=1e9, effective_capacitance=1e-27)


def send(name, source, target, seconds, after=(), part=2.0**-10):
    """Return activation traffic that takes ``seconds`` on a part of the band: its signal equals its noise."""
    share_hz = part * BAND_HZ
    medium = Wireless(band="air", band_hz=share_hz, power_w=1.0, gain=1.0, noise_w_per_hz=1.0 / share_hz)
    return Transfer(
        id=name,
        after=tuple(after),
        source=source,
        target=target,
        content="activation",
        modules=("m",),
        bits=seconds * share_hz,
        medium=medium,
    )


def work(name, node, seconds, after=()):
    """Return work that takes ``seconds`` on CPU."""
    return Compute(id=name, after=tuple(after), node=node, flops=seconds * 1e8, frequency_hz=1e8)


def meet(name, nodes, after):
    """Return a step of no time in which ``nodes`` mix: all of them must have come so far."""
    weights = tuple(tuple(1.0 / len(nodes) for _ in nodes) for _ in nodes)
    return Mix(id=name, after=tuple(after), nodes=tuple(nodes), modules=("m",), weights=weights)


def world(*kinds, cycle=None, rounds=1, half_duplex=(), processors=None, **fields_of_nodes):
    """Return a schedule whose kinds of round are the lists of steps; every node hosts the module."""
    names = sorted({name for steps in kinds for step in steps for name in nodes_of_step(step)})
    computing = {step.node for steps in kinds for step in steps if isinstance(step, Compute)}
    processors = dict.fromkeys(computing, CPU) | (processors or {})
    return Schedule(
        name="test",
        nodes=tuple(
            Node(
                id=name,
                tier="device",
                processor=processors.get(name),
                half_duplex=half_duplex is True or name in half_duplex,
                **fields_of_nodes,
            )
            for name in names
        ),
        bands=(Band(id="air", band_hz=BAND_HZ),),
        modules=(Module(id="m", kind="head", update_bits=1.0, trainable=True),),
        replicas=tuple(Replica(module="m", host=name, weight=1.0) for name in names),
        routes=(),
        kinds=tuple(RoundKind(name=f"k{i}", steps=tuple(steps)) for i, steps in enumerate(kinds)),
        cycle=cycle or tuple(f"k{i}" for i in range(len(kinds))),
        rounds=rounds,
    )


def times(timeline, *names):
    """Return (start, end) of the named steps, in the order of rows; of all steps without a name."""
    chosen = [row for row, step in enumerate(timeline.step) if not names or step in names]
    return [(timeline.start_s[row], timeline.end_s[row]) for row in chosen]


# By hand: precedence, radios, bands, processors


def test_star_of_three_ends_with_its_slowest_device():
    steps = [
        *(work(f"c{i}", f"d{i}", seconds) for i, seconds in enumerate((1.0, 2.0, 3.0))),
        *(send(f"u{i}", f"d{i}", "edge", seconds, [f"c{i}"]) for i, seconds in enumerate((4.0, 1.0, 1.5))),
        meet("average", ["edge"], ["u0", "u1", "u2"]),
    ]
    timeline = play(world(steps))
    assert times(timeline) == [(0, 1), (0, 2), (0, 3), (1, 5), (2, 3), (3, 4.5), (5, 5)]
    assert timeline.latency_s == 5.0


def test_relay_chain_goes_hop_by_hop():
    steps = [send("ab", "a", "b", 1.0), send("bc", "b", "c", 2.0, ["ab"]), send("cd", "c", "d", 0.5, ["bc"])]
    assert times(play(world(steps, half_duplex=True))) == [(0, 1), (1, 3), (3, 3.5)]


def test_half_duplex_receiver_serves_senders_in_list_order():
    steps = [send("z", "c", "edge", 1.0), send("y", "b", "edge", 2.0), send("x", "a", "edge", 4.0)]
    assert times(play(world(steps, half_duplex=["edge"]))) == [(0, 1), (1, 3), (3, 7)]


def test_half_duplex_receiver_serves_the_sender_first_that_was_ready_first():
    steps = [
        work("ca", "a", 3.0),
        work("cb", "b", 2.0),
        send("ua", "a", "edge", 1.0, ["ca"]),
        send("ub", "b", "edge", 1.0, ["cb"]),
        send("busy", "x", "edge", 5.0),
    ]
    timeline = play(world(steps, half_duplex=["edge"]))
    assert times(timeline, "ua", "ub", "busy") == [(6, 7), (5, 6), (0, 5)]


def test_half_duplex_relay_does_not_send_while_it_receives():
    steps = [send("in", "a", "r", 3.0), send("out", "r", "b", 1.0)]
    assert times(play(world(steps, half_duplex=["r"]))) == [(0, 3), (3, 4)]


def test_full_duplex_relay_sends_while_it_receives():
    steps = [send("in", "a", "r", 3.0), send("out", "r", "b", 1.0)]
    assert times(play(world(steps))) == [(0, 3), (0, 1)]


def test_step_that_waits_for_one_radio_does_not_reserve_the_other():
    steps = [send("ab", "a", "b", 2.0), send("bc", "b", "c", 1.0), send("cd", "c", "d", 3.0)]
    assert times(play(world(steps, half_duplex=True))) == [(0, 2), (3, 4), (0, 3)]


def test_wide_share_waits_and_a_narrow_one_that_fits_goes_on():
    steps = [
        send("first", "a", "b", 2.0, part=0.625),
        send("wide", "c", "d", 1.0, part=0.625),
        send("narrow", "e", "f", 3.0, part=0.375),
        send("last", "g", "h", 1.0, part=0.5),
    ]
    assert times(play(world(steps))) == [(0, 2), (2, 3), (0, 3), (3, 4)]


def test_shares_that_fill_the_band_up_to_rounding_go_in_parallel():
    steps = [send(f"s{i}", f"a{i}", f"b{i}", 1.0, part=1 / 49) for i in range(49)]
    assert play(world(steps)).makespan_s == 1.0


def test_wired_transfers_do_not_contend_and_pay_their_delay():
    wire = Wired(rate_bps=10.0, delay_s=0.5, power_w=4.0)
    steps = [replace(send(name, name, "cloud", 1.0), bits=20.0, medium=wire) for name in ("a", "b")]
    timeline = play(world(steps, half_duplex=True))
    assert times(timeline) == [(0, 2.5), (0, 2.5)]
    assert timeline.node_energy_j.tolist() == [10.0, 10.0]
    assert timeline.peer_energy_j.tolist() == [0.0, 0.0]


def test_wire_of_unlimited_rate_takes_its_delay():
    steps = [replace(send("s", "a", "b", 1.0), medium=Wired(rate_bps=None, delay_s=0.25))]
    assert times(play(world(steps))) == [(0, 0.25)]


def test_cpu_computes_one_work_at_a_time():
    assert times(play(world([work("x", "a", 1.0), work("y", "a", 2.0)]))) == [(0, 1), (1, 3)]


def test_reserved_shares_run_side_by_side_while_they_fit():
    server = FixedSpeed(flops_per_s=10.0, power_w=8.0)
    steps = [Compute(id=name, node="s", flops=10.0, share=0.5) for name in ("x", "y", "z")]
    timeline = play(world(steps, processors={"s": server}))
    assert times(timeline) == [(0, 2), (0, 2), (2, 4)]
    assert timeline.node_energy_j.tolist() == [8.0, 8.0, 8.0]


def test_node_without_processor_computes_in_no_time():
    steps = [Compute(id="x", node="a", flops=1e12)]
    timeline = play(world(steps, processors={"a": None}))
    assert times(timeline) == [(0, 0)]
    assert timeline.energy_per_round_j == 0.0


def test_step_of_no_time_needs_no_free_resource():
    steps = [work("long", "a", 2.0), work("nothing", "a", 0.0), send("none", "a", "b", 0.0)]
    assert times(play(world(steps, half_duplex=True))) == [(0, 2), (0, 0), (0, 0)]


def test_ends_that_differ_by_rounding_are_one_moment():
    assert 0.1 + 0.2 > 0.3  # so the listed first would come second if rounding decided
    steps = [
        work("a1", "a", 0.1),
        work("a2", "a", 0.2, ["a1"]),
        work("b1", "b", 0.3),
        send("first", "a", "edge", 5.0, ["a2"]),
        send("second", "b", "edge", 1.0, ["b1"]),
    ]
    timeline = play(world(steps, half_duplex=["edge"]))
    assert times(timeline, "first")[0][0] < times(timeline, "second")[0][0]


# By hand: rounds


def test_clusters_run_freely_and_wait_for_each_other_where_they_meet():
    edge_round = [work("ca", "a", 1.0), send("ua", "a", "A", 1.0, ["ca"]), work("cb", "b", 5.0)]
    cloud_round = [
        work("ca", "a", 1.0),
        work("cb", "b", 5.0),
        send("ub", "b", "A", 2.0, ["cb"]),
        meet("meet", ["a", "b", "A"], ["ca", "ub"]),
    ]
    timeline = play(world(edge_round, cloud_round, rounds=3))
    assert times(timeline) == [
        *[(0, 1), (1, 2), (0, 5)],
        *[(2, 3), (5, 10), (10, 12), (12, 12)],  # a starts when it is through with round 0, at 2
        *[(12, 13), (13, 14), (12, 17)],
    ]
    assert timeline.round_end_s.tolist() == [5.0, 12.0, 17.0]
    assert timeline.latency_s == 17.0 / 3
    assert timeline.cycle_latency_s == 6.0  # rounds 0 and 1 are the only whole cycle


def test_receiver_holds_its_next_round_back_until_the_reception_has_ended():
    steps = [work("ca", "a", 1.0), send("s", "b", "a", 4.0)]
    assert times(play(world(steps, rounds=2))) == [(0, 1), (0, 4), (4, 5), (4, 8)]


def test_node_without_steps_in_a_round_goes_on_to_the_next():
    timeline = play(world([work("x", "a", 1.0)], [work("y", "b", 3.0)], rounds=3))
    assert times(timeline) == [(0, 1), (0, 3), (1, 2)]


def test_round_end_is_the_latest_end_of_this_and_earlier_rounds():
    timeline = play(world([work("x", "a", 9.0)], [work("y", "b", 3.0)], rounds=2))
    assert timeline.round_end_s.tolist() == [9.0, 9.0]


def test_rounds_of_one_node_contend_with_earlier_rounds_of_another():
    steps = [send("a", "a", "x", 1.0, part=0.625), send("b", "b", "y", 2.0, part=0.625)]
    timeline = play(world(steps, rounds=2))
    # a's second round is ready at 1, when b's first, ready at 0, takes the band
    assert times(timeline) == [(0, 1), (1, 3), (3, 4), (4, 6)]


def test_evaluation_waits_for_all_earlier_rounds_and_holds_nobody_back():
    steps = [work("x", "a", 1.0), work("y", "b", 3.0), Evaluate(id="test", after=("x",))]
    timeline = play(world(steps, rounds=2))
    assert times(timeline, "test") == [(1, 1), (3, 3)]
    assert times(timeline, "x") == [(0, 1), (1, 2)]


def test_rounds_overrule_those_of_the_schedule():
    timeline = play(world([work("x", "a", 1.0)], rounds=7), rounds=2)
    assert timeline.num_rounds == 2


def test_less_than_a_cycle_counts_all_rounds():
    timeline = play(world([work("x", "a", 1.0)], [work("x", "a", 5.0)], [work("x", "a", 6.0)], rounds=2))
    assert timeline.cycle_latency_s == 3.0
    assert timeline.cycle_energy_j == timeline.energy_per_round_j


# Energy


def test_wireless_energy_is_paid_by_sender_and_receiver():
    schedule = world(
        [send("s", "a", "b", 2.0)], amplifier_efficiency=0.5, circuit_power_w=0.25, receive_power_w=0.125
    )
    timeline = play(schedule)
    assert timeline.node_energy_j.tolist() == [4.5]
    assert timeline.peer_energy_j.tolist() == [0.25]
    assert timeline.energy_of_node_j == {"a": 4.5, "b": 0.25}
    assert timeline.energy_j.tolist() == [4.75]


def test_cpu_energy_by_hand():
    timeline = play(world([work("x", "a", 2.0)], rounds=3))
    assert timeline.energy_per_round_j == pytest.approx(1e-27 * 2e8 * 1e16)


def test_columns_name_step_action_nodes_modules_and_bits():
    steps = [send("s", "a", "b", 2.0), meet("mix", ["a", "b"], ["s"]), Evaluate(id="test", after=("mix",))]
    timeline = play(world(steps))
    assert timeline.step == ("s", "mix", "test")
    assert timeline.action == ("transfer", "mix", "evaluate")
    assert timeline.node == ("a", "", "")
    assert timeline.peer == ("b", "", "")
    assert timeline.modules == (("m",), ("m",), ())
    assert timeline.bits.tolist() == [2048.0, 0.0, 0.0]
    assert timeline.bits_of_round.tolist() == [2048.0]
    assert not timeline.end_s.flags.writeable


# Fading


def test_fading_changes_times_by_the_rate_of_the_faded_gain():
    timeline = play(world([send("s", "a", "b", 1.0)], rounds=200), fading=Fading(), seed=3)
    seconds = timeline.end_s - timeline.start_s
    gains = 2.0 ** (1.0 / seconds) - 1.0  # the still link has a signal-to-noise ratio of one
    assert len(set(gains.tolist())) == 200
    assert gains.mean() == pytest.approx(1.0, abs=0.25)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    schedule = world([send("s", "a", "b", 1.0)], rounds=5)
    one, same, other = (play(schedule, fading=Fading(), seed=seed) for seed in (1, 1, 2))
    assert one.end_s.tobytes() == same.end_s.tobytes()
    assert one.end_s.tobytes() != other.end_s.tobytes()


def test_fading_does_not_depend_on_the_order_of_the_steps():
    steps = [send(f"s{i}", f"a{i}", f"b{i}", 1.0) for i in range(5)]
    forward = play(world(steps, rounds=3), fading=Fading())
    backward = play(world(steps[::-1], rounds=3), fading=Fading())
    ends = [
        {(r, step): end for r, step, end in zip(t.round, t.step, t.end_s, strict=True)}
        for t in (forward, backward)
    ]
    assert ends[0] == ends[1]


def test_transfers_of_a_round_over_one_link_meet_the_same_gain():
    timeline = play(world([send("s", "a", "b", 1.0), send("t", "a", "b", 1.0)], rounds=4), fading=Fading())
    seconds = (timeline.end_s - timeline.start_s).reshape(4, 2)
    assert seconds[:, 0] == pytest.approx(seconds[:, 1], rel=1e-12)


# Refusals


def test_defects_are_raised_together():
    schedule = replace(world([work("x", "a", 1.0), work("y", "a", -1.0)]), rounds=0)
    with pytest.raises(ScheduleError, match=r"(?s)'test': 2 defects.*rounds is 0.*flops is -1") as caught:
        play(schedule)
    assert len(caught.value.defects) == 2


def test_no_round_and_a_negative_seed_are_refused():
    schedule = world([work("x", "a", 1.0)])
    with pytest.raises(ValueError, match="rounds is 0, must be >= 1"):
        play(schedule, rounds=0)
    with pytest.raises(ValueError, match="seed is -1, must be >= 0"):
        play(schedule, seed=-1)


# Random schedules


@st.composite
def schedules(draw, contested, max_steps=14):
    """Draw a schedule of one or two kinds; times are multiples of a quarter, so that ends often coincide."""
    names = [f"n{i}" for i in range(draw(st.integers(2, 5)))]
    quarter = st.integers(0, 8).map(lambda count: count / 4)
    kinds = []
    for _ in range(draw(st.integers(1, 2))):
        steps = []
        for position in range(draw(st.integers(1, max_steps))):
            earlier = [step.id for step in steps]
            after = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True)) if earlier else []
            pair = draw(st.permutations(names))[:2]
            what = draw(st.sampled_from(["send", "send", "meet", "test", *(["work"] if contested else [])]))
            if what == "send":
                part = draw(st.sampled_from([0.3, 0.5, 0.7, 1.0])) if contested else 2.0**-10
                steps.append(send(f"s{position}", *pair, draw(quarter), after, part))
            elif what == "work":
                steps.append(work(f"s{position}", pair[0], draw(quarter), after))
            elif what == "test":
                steps.append(Evaluate(id=f"s{position}", after=tuple(after)))
            else:
                steps.append(meet(f"s{position}", pair, after))
        kinds.append(steps)
    half_duplex = draw(st.lists(st.sampled_from(names), unique=True)) if contested else ()
    return world(*kinds, rounds=draw(st.integers(1, 4)), half_duplex=half_duplex)


def seconds_of(step):
    if isinstance(step, Transfer):
        return step.bits / step.medium.band_hz
    return step.flops / 1e8 if isinstance(step, Compute) else 0.0


def longest_paths(schedule):
    """Return the ends of all steps where nothing is contested, as longest paths in a graph of steps."""
    graph = nx.DiGraph()
    last_of_node = {node.id: [] for node in schedule.nodes}
    rows = []
    for index in range(schedule.rounds):
        mine = {node.id: [] for node in schedule.nodes}
        for step in schedule.kind_of_round(index).steps:
            row = (index, step.id)
            rows.append(row)
            graph.add_node(row, seconds=seconds_of(step))
            graph.add_edges_from(((index, name), row) for name in step.after)
            if not nodes_of_step(step):
                graph.add_edges_from((earlier, row) for earlier in rows if earlier[0] < index)
            for name in nodes_of_step(step):
                graph.add_edges_from((earlier, row) for earlier in last_of_node[name])
                mine[name].append(row)
        for name, steps in mine.items():
            last_of_node[name] = steps or last_of_node[name]
    end = {}
    for row in nx.topological_sort(graph):
        start = max((end[earlier] for earlier in graph.predecessors(row)), default=0.0)
        end[row] = start + graph.nodes[row]["seconds"]
    return [end[row] for row in rows]


@SETTINGS
@given(schedule=schedules(contested=False))
def test_uncontested_ends_are_longest_paths(schedule):
    assert play(schedule).end_s.tolist() == pytest.approx(longest_paths(schedule), rel=1e-12)


def play_naively(schedule):
    """Return (start, end) of all rows by the documented rule, looking at every step at every moment."""
    rows = [(r, i, s) for r in range(schedule.rounds) for i, s in enumerate(schedule.kind_of_round(r).steps)]
    place = {(r, s.id): row for row, (r, _, s) in enumerate(rows)}
    half_duplex = {node.id for node in schedule.nodes if node.half_duplex}
    start, end, ready = {}, {}, {}

    def has_ended(row, now):
        return row in end and end[row] <= now

    def is_ready(row, now):
        index, _, step = rows[row]
        mine = set(nodes_of_step(step))
        before = [place[index, name] for name in step.after]
        before += [
            other
            for other, (r, _, s) in enumerate(rows)
            if r < index and (not mine or mine & set(nodes_of_step(s)))
        ]
        return all(has_ended(other, now) for other in before)

    def holds(step):
        if seconds_of(step) == 0:
            return {}
        if isinstance(step, Compute):
            return {("cpu", step.node): 1.0}
        radios = {("radio", name): 1.0 for name in nodes_of_step(step) if name in half_duplex}
        return radios | {"air": step.medium.band_hz / BAND_HZ} if isinstance(step, Transfer) else {}

    now = 0.0
    while len(end) < len(rows) or any(time > now for time in end.values()):
        changed = True
        while changed:  # steps that need nothing start; those of no time make further ones ready
            changed = False
            for row in range(len(rows)):
                if row not in ready and is_ready(row, now):
                    ready[row] = now
                    changed = True
                    if not holds(rows[row][2]):
                        start[row], end[row] = now, now + seconds_of(rows[row][2])
        for row in sorted((r for r in ready if r not in start), key=lambda r: (ready[r], rows[r][:2])):
            used = {}
            for other in (o for o in start if end[o] > now):
                for name, part in holds(rows[other][2]).items():
                    used[name] = used.get(name, 0.0) + part
            if all(part <= 1 - used.get(name, 0.0) + 1e-9 for name, part in holds(rows[row][2]).items()):
                start[row], end[row] = now, now + seconds_of(rows[row][2])
        now = min((time for time in end.values() if time > now), default=now)
    return [(start[row], end[row]) for row in range(len(rows))]


@settings(SETTINGS, max_examples=150)
@given(schedule=schedules(contested=True))
def test_contested_schedules_follow_the_documented_rule(schedule):
    timeline = play(schedule)
    expected = np.array(play_naively(schedule))
    assert np.column_stack([timeline.start_s, timeline.end_s]) == pytest.approx(expected, rel=1e-12)


@SETTINGS
@given(schedule=schedules(contested=False), data=st.data())
def test_slower_link_never_ends_anything_earlier(schedule, data):
    transfers = [step for step in schedule.kinds[0].steps if isinstance(step, Transfer)]
    if not transfers:
        return
    slowed = data.draw(st.sampled_from(transfers))
    slower = replace(slowed, bits=slowed.bits * 1.5 + 1.0)
    steps = tuple(slower if step is slowed else step for step in schedule.kinds[0].steps)
    changed = replace(schedule, kinds=(replace(schedule.kinds[0], steps=steps), *schedule.kinds[1:]))
    assert np.all(play(changed).end_s >= play(schedule).end_s)


@SETTINGS
@given(schedule=schedules(contested=True), factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_bits_and_work_times_a_factor_take_that_factor_of_time_and_energy(schedule, factor):
    def scaled(step):
        if isinstance(step, Transfer):
            return replace(step, bits=step.bits * factor)
        return replace(step, flops=step.flops * factor) if isinstance(step, Compute) else step

    kinds = tuple(replace(kind, steps=tuple(map(scaled, kind.steps))) for kind in schedule.kinds)
    one, many = play(schedule), play(replace(schedule, kinds=kinds))
    assert many.end_s == pytest.approx(factor * one.end_s, rel=1e-12)
    assert many.energy_j == pytest.approx(factor * one.energy_j, rel=1e-12)


@SETTINGS
@given(schedule=schedules(contested=True))
def test_energy_adds_up_over_rows_rounds_and_nodes(schedule):
    timeline = play(schedule)
    total = sum(timeline.node_energy_j) + sum(timeline.peer_energy_j)
    assert timeline.energy_j.sum() == pytest.approx(total, rel=1e-12)
    assert sum(timeline.energy_of_node_j.values()) == pytest.approx(total, rel=1e-12)
    assert timeline.energy_per_round_j * timeline.num_rounds == pytest.approx(total, rel=1e-12)


@SETTINGS
@given(schedule=schedules(contested=True))
def test_more_rounds_keep_the_first_ones_where_all_meet_at_their_end(schedule):
    schedule = replace(schedule, kinds=tuple(_with_a_last_meeting(schedule, kind) for kind in schedule.kinds))
    short, long = play(schedule, rounds=2), play(schedule, rounds=4)
    assert long.end_s[: len(short)].tobytes() == short.end_s.tobytes()


def _with_a_last_meeting(schedule, kind):
    names = [node.id for node in schedule.nodes]
    if not names:  # nothing but evaluations
        return kind
    return replace(kind, steps=(*kind.steps, meet("last", names, [step.id for step in kind.steps])))


def test_deliver_makes_its_nodes_meet():
    steps = [
        work("ca", "a", 1.0),
        work("cb", "b", 2.0),
        meet("mix", ["a", "b"], ["ca", "cb"]),
        Deliver(id="deliver", after=("mix",), nodes=("a", "b"), modules=("m",)),
    ]
    assert times(play(world(steps, rounds=2)), "ca") == [(0, 1), (2, 3)]
