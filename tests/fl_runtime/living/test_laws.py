"""Laws of any living network, and an independent follower of what happens to the replicas."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from living_federations import BAND_HZ, MODULES, POLICIES, POWER_W, SIZE, federations
from scipy import integrate, stats

from fl_runtime.aggregation import mixings
from fl_runtime.check import check_schedule
from fl_runtime.clock import play
from fl_runtime.fading import Fading
from fl_runtime.living.draws import attempts_of
from fl_runtime.schedule import (
    Aggregate,
    Band,
    Compute,
    Deliver,
    DropOut,
    LivingNetwork,
    Losses,
    Merge,
    Module,
    Node,
    Replica,
    RoundKind,
    Schedule,
    Straggling,
    Transfer,
    Wireless,
)
from fl_runtime.transport import Transport
from fl_runtime.transport_state import Kept

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
ANY = st.one_of(federations(), federations(policies=POLICIES), federations(bits=4, policies=POLICIES))
SEEDS = st.integers(0, 50)
COLUMNS = ("start_s", "end_s", "bits", "node_energy_j", "peer_energy_j")


def bytes_of(timeline):
    return [getattr(timeline, name).tobytes() for name in COLUMNS]


@SETTINGS
@given(schedule=st.one_of(federations(), federations(bits=4)), fading=st.sampled_from([None, Fading()]))
def test_with_probabilities_zero_the_timeline_is_that_of_a_still_network(schedule, fading):
    nothing = LivingNetwork(
        drop_out=DropOut(share=0.0), straggling=Straggling(spread=0.0), losses=Losses(probability=0.0)
    )
    still = play(replace(schedule, living=None), fading=fading, seed=1)
    timeline = play(replace(schedule, living=nothing), fading=fading, seed=1)
    assert bytes_of(timeline) == bytes_of(still)
    assert timeline.record.events == ()


@SETTINGS
@given(schedule=ANY, seed=SEEDS)
def test_each_row_costs_its_power_times_its_time_and_all_rows_the_total(schedule, seed):
    """Whatever was lost, slow, repeated or cut off."""
    assert check_schedule(schedule) == ()
    timeline = play(schedule, seed=seed)
    seconds = timeline.end_s - timeline.start_s
    is_transfer = np.array(timeline.action) == "transfer"
    is_work = np.array(timeline.action) == "compute"
    cpu_w = 1e-27 * (1e8) ** 3
    expected = seconds * ((POWER_W + 0.1 + 0.2) * is_transfer + cpu_w * is_work)
    joules = timeline.node_energy_j + timeline.peer_energy_j
    np.testing.assert_allclose(joules, expected, rtol=1e-9, atol=1e-15)
    assert timeline.energy_j.sum() == pytest.approx(expected.sum(), rel=1e-9)
    assert sum(timeline.energy_of_node_j.values()) == pytest.approx(expected.sum(), rel=1e-9)
    for name in COLUMNS:
        assert np.isfinite(getattr(timeline, name)).all()
        assert (getattr(timeline, name) >= 0).all()


@SETTINGS
@given(schedule=ANY, seed=SEEDS)
def test_nothing_ends_before_it_starts_or_starts_before_what_it_waits_for(schedule, seed):
    timeline = play(schedule, seed=seed)
    assert (timeline.end_s >= timeline.start_s).all()
    row = 0
    for index in range(timeline.num_rounds):
        end_of = {}
        for step in schedule.kind_of_round(index).steps:
            for name in step.after:
                assert timeline.start_s[row] >= end_of[name] * (1 - 1e-12)
            end_of[step.id] = timeline.end_s[row]
            row += 1


@SETTINGS
@given(schedule=ANY, seed=SEEDS)
def test_band_radios_and_processors_are_never_used_beyond_what_they_have(schedule, seed):
    timeline = play(schedule, seed=seed)
    half_duplex = {node.id for node in schedule.nodes if node.half_duplex}
    rows = [
        (timeline.start_s[row], timeline.end_s[row], step)
        for row, step in enumerate(
            step for index in range(timeline.num_rounds) for step in schedule.kind_of_round(index).steps
        )
        if timeline.end_s[row] > timeline.start_s[row]
    ]
    for moment in {start for start, _, _ in rows}:
        used = {}
        for start, end, step in rows:
            if start <= moment < end * (1 - 1e-9):
                held = {("cpu", step.node): 1.0} if isinstance(step, Compute) else {}
                if isinstance(step, Transfer):
                    held = {"air": step.medium.band_hz / BAND_HZ}
                    held |= {("radio", n): 1.0 for n in (step.source, step.target) if n in half_duplex}
                for resource, part in held.items():
                    used[resource] = used.get(resource, 0.0) + part
        assert all(total <= 1 + 1e-6 for total in used.values()), used


@SETTINGS
@given(schedule=ANY, seed=SEEDS)
def test_who_is_away_costs_nothing_and_the_same_seed_gives_the_same_bytes(schedule, seed):
    timeline = play(schedule, seed=seed)
    away = {(event.round, event.node) for event in timeline.record.events if event.event == "away"}
    for row, index in enumerate(timeline.round):
        if {(index, timeline.node[row]), (index, timeline.peer[row])} & away:
            assert timeline.node_energy_j[row] == timeline.peer_energy_j[row] == timeline.bits[row] == 0.0
            assert timeline.end_s[row] == timeline.start_s[row]
    again = play(schedule, seed=seed)
    assert bytes_of(again) == bytes_of(timeline)
    assert again.record.events == timeline.record.events


def naively(schedule, seed, index, module):
    """What becomes of the replicas of a module in a round that waits for all: dictionaries of weights."""
    away = {e.node for e in play(schedule, seed=seed).record.events if e.event == "away" and e.round == index}
    hosts = [replica for replica in schedule.replicas if replica.module == module]
    own = {r.host: {row: r.weight} for row, r in enumerate(hosts) if r.host not in away}
    arrived, models, rows = {}, {}, np.eye(len(hosts))
    for step in schedule.kind_of_round(index).steps:
        if module not in getattr(step, "modules", ()):
            continue
        if isinstance(step, Deliver):
            present = [host for host in step.nodes if host in models and host not in away]
            rows = np.array([models[r.host] if r.host in present else rows[i] for i, r in enumerate(hosts)])
        elif isinstance(step, Transfer):
            lost = not attempts_of(schedule.living.losses, seed, step, index + 1)[1][index]
            if lost or step.source in away or step.target in away:
                continue
            if step.content == "update" and own.get(step.source):
                arrived.setdefault(step.target, []).append(own[step.source])
            elif step.content == "model" and step.source in models:
                models[step.target] = models[step.source]
        elif isinstance(step, Merge | Aggregate) and step.node not in away:
            total = dict(own.get(step.node, {}))
            for row, weight in chain.from_iterable(u.items() for u in arrived.pop(step.node, [])):
                total[row] = total.get(row, 0.0) + weight
            own[step.node] = total
            if isinstance(step, Aggregate) and total:
                models[step.node] = np.array([total.get(row, 0.0) for row in range(len(hosts))])
                models[step.node] /= sum(total.values())
    return rows


@SETTINGS
@given(schedule=federations(), seed=SEEDS)
def test_averages_go_over_what_arrived(schedule, seed):
    record = play(schedule, seed=seed).record
    for index in range(schedule.rounds):
        happened = record.happened(index)
        found = mixings(happened.without_untrained(schedule), happened.kind)
        for module in MODULES:
            expected = naively(schedule, seed, index, module)
            np.testing.assert_allclose(found[module].matrix(), expected, rtol=0, atol=1e-12)


@SETTINGS
@given(schedule=ANY, seed=SEEDS)
def test_rows_of_all_averages_sum_to_one_and_nobody_untrained_counts(schedule, seed):
    record = play(schedule, seed=seed).record
    for index in range(schedule.rounds):
        happened = record.happened(index)
        found = mixings(happened.without_untrained(schedule), happened.kind)
        for module in MODULES:
            matrix = found[module].matrix()
            np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
            hosts = [replica.host for replica in schedule.replicas if replica.module == module]
            for column, host in enumerate(hosts):
                if (module, host) in happened.idle:
                    others = np.delete(matrix[:, column], column)
                    assert not others.any()


@settings(SETTINGS, max_examples=80)
@given(schedule=st.one_of(federations(bits=16), federations(bits=16, policies=POLICIES)), seed=SEEDS)
def test_packed_updates_give_the_same_averages_and_their_bits_are_those_of_the_clock(schedule, seed):
    """With 16 bits rounding is far below an update; a wrong reference would cost a whole one."""
    schedule = replace(schedule, rounds=8)
    timeline = play(schedule, seed=seed)
    rng = np.random.default_rng(seed)
    carried, rows_of = {}, {}
    for module in MODULES:
        first = rng.normal(size=SIZE).astype(np.float32)
        carried[module] = Transport(schedule, module, Kept({0: first}))
        count = sum(replica.module == module for replica in schedule.replicas)
        rows_of[module] = np.tile(first, (count, 1))
    repeated = {(e.round, e.step): e.value for e in timeline.record.events if e.event in ("repeated", "lost")}
    called_off = {(e.round, e.step) for e in timeline.record.events if e.event == "called off"}
    for index in range(8):
        happened = timeline.record.happened(index)
        exact = mixings(happened.without_untrained(schedule), happened.kind)
        bits = {}
        for module in MODULES:
            shape = rows_of[module].shape
            trained = rows_of[module] + rng.normal(scale=0.1, size=shape).astype(np.float32)
            rows, loads = carried[module].round(happened.kind.name, trained, happened)
            np.testing.assert_allclose(rows, exact[module].apply(trained), rtol=0, atol=1e-3)
            rows_of[module] = rows
            for name, load in loads.items():
                bits[name] = bits.get(name, 0) + 8 * load.packet_bytes + 32 * SIZE * load.states
        counted = {
            step: found
            for step, number, found in zip(timeline.step, timeline.round, timeline.bits, strict=True)
            if number == index and (index, step) not in called_off and found
        }
        said = {
            step: packed * repeated.get((index, step), 1)
            for step, packed in bits.items()
            if (index, step) not in called_off
        }
        assert counted == pytest.approx(said, rel=1e-12)


def link(probability, rounds):
    step = Transfer(
        id="up", source="d", target="e", content="activation", modules=("a",), bits=1e6,
        medium=_medium(),
    )  # fmt: skip
    return Schedule(
        name="link",
        nodes=(Node(id="d", tier="any"), Node(id="e", tier="any")),
        bands=(Band(id="air", band_hz=BAND_HZ),),
        modules=(Module(id="a", kind="adapter", update_bits=1.0, trainable=True),),
        replicas=(Replica(module="a", host="d"),),
        routes=(),
        kinds=(RoundKind(name="r", steps=(step,)),),
        cycle=("r",),
        rounds=rounds,
        living=LivingNetwork(losses=Losses(probability=probability, max_attempts=None)),
    )


def _medium():
    return Wireless(band="air", band_hz=BAND_HZ, power_w=1.0, gain=1.0, noise_w_per_hz=1e-6)


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_lost_attempts_stretch_time_and_energy_by_one_over_the_chance_of_success(probability):
    num = 4000
    timeline = play(link(probability, num), seed=5)
    seconds = timeline.end_s - timeline.start_s  # 1 s an attempt
    error = np.sqrt(probability) / (1 - probability) / np.sqrt(num)
    assert abs(seconds.mean() - 1 / (1 - probability)) < 3 * error
    assert timeline.node_energy_j.mean() == pytest.approx(seconds.mean())


@pytest.mark.parametrize("fading", [Fading(), Fading(model="rician", k_factor=3.0)])
def test_mean_of_200_rounds_of_fading_is_the_expectation_by_quadrature(fading):
    """A signal as strong as the noise: log2(1 + g) bit/s a hertz.

    Rayleigh fading has no finite mean of the time, so the rates are compared.
    """
    timeline = play(link(0.0, 200), fading=fading, seed=2)
    rate = 1.0 / (timeline.end_s - timeline.start_s)
    if fading.model == "rayleigh":
        law = stats.expon()
    else:
        law = stats.ncx2(2, 2 * fading.k_factor, scale=0.5 / (fading.k_factor + 1))
    expected, _ = integrate.quad(lambda gain: law.pdf(gain) * np.log2(1 + gain), 0, 60)
    assert abs(rate.mean() - expected) < 3 * rate.std(ddof=1) / np.sqrt(200)
