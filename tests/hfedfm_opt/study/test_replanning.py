"""Plans made again while devices move: one schedule, one time line, one training run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fl_runtime import LearningSettings, LinkGains, LivingNetwork, RoundReport, check_schedule, play, run
from hfedfm_opt.planning.moves import moves_between
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.study.living import gains_of_moves, living_schedule, tracks_of
from hfedfm_opt.study.replanning import schedule_of_segments, segments_of
from hfedfm_opt.system.decisions import Hosting
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.instance import Instance, Living, Losses, Mobility, Replanning
from hfedfm_opt.system.mobility import Tracks

ROUNDS = 6
EVERY = Replanning(every_rounds=2)


def small(instance: Instance, num_devices: int = 6) -> Instance:
    """Return the campus with a few of its devices, all in the first cells that have any."""
    devices = [node for node in instance.nodes if node.tier == "device"]
    parents = sorted({node.parent for node in devices})[:2]
    stay = [node for parent in parents for node in devices if node.parent == parent][:3]
    stay += [node for node in devices if node.parent == parents[1]][: num_devices - 3]
    gone = {node.id for node in devices} - {node.id for node in stay}
    groups = []
    for group in instance.wireless_groups:
        sources = tuple(name for name in group.sources if name not in gone)
        targets = tuple(name for name in group.targets if name not in gone)
        if sources and targets:
            groups.append(group.model_copy(update={"sources": sources, "targets": targets}))
    nodes = tuple(node for node in instance.nodes if node.id not in gone)
    return instance.model_copy(update={"nodes": nodes, "wireless_groups": tuple(groups), "fading": None})


@pytest.fixture(scope="module")
def first() -> Plan:
    found = plan(small(campus_instance()), gap=0.05).plan
    assert found is not None
    return found


def standing(plan: Plan, places: list[list[tuple[float, float]]]) -> Tracks:
    """Return tracks of the first devices that stand still for two rounds, then jump."""
    names = plan.network.devices[: len(places)]
    return {
        name: np.repeat(np.array(of_device, dtype=np.float64), 2, axis=0)
        for name, of_device in zip(names, places, strict=True)
    }


@pytest.fixture(scope="module")
def jumps(first: Plan) -> Tracks:
    places = []
    for device, shift_m in zip(first.network.devices[:2], (250.0, -180.0), strict=True):
        x_m, y_m, _ = first.network.nodes[device].position_m or (0.0, 0.0, 0.0)
        places.append([(x_m, y_m), (x_m + shift_m, y_m), (x_m + shift_m, y_m + shift_m)])
    return standing(first, places)


def test_the_clock_measures_what_the_plans_predict_one_after_the_other(first: Plan, jumps: Tracks) -> None:
    """Whole cycles on gains that stand: their sums, and the moves between them."""
    segments = segments_of(first, ROUNDS, EVERY, jumps, "trained")
    schedule = schedule_of_segments(first, ROUNDS, segments)
    assert check_schedule(schedule) == ()
    gains = gains_of_moves(first, schedule, jumps)
    timeline = play(replace(schedule, living=_living(gains)))
    seconds = sum(2 * s.plan.prediction.latency_s + s.moves.seconds for s in segments)
    joules = sum(2 * s.plan.prediction.energy_j + s.moves.joules for s in segments)
    assert any(segment.is_new for segment in segments[1:])
    assert all(not segment.plan.violations for segment in segments)
    assert timeline.makespan_s == pytest.approx(seconds, rel=1e-9)
    assert timeline.energy_j.sum() == pytest.approx(joules, rel=1e-9)


def test_no_segment_costs_more_than_going_on_as_before(first: Plan, jumps: Tracks) -> None:
    segments = segments_of(first, ROUNDS, EVERY, jumps, "trained")
    prices = first.instance.objective
    totals = []
    for chosen in (segments, [replace(segments[0], moves=segments[0].moves)]):
        schedule = schedule_of_segments(first, ROUNDS, chosen)
        timeline = play(replace(schedule, living=_living(gains_of_moves(first, schedule, jumps))))
        totals.append(
            prices.energy_weight_per_j * timeline.energy_j.sum()
            + prices.time_weight_per_s * timeline.makespan_s
        )
    moved = sum(
        prices.energy_weight_per_j * s.moves.joules + prices.time_weight_per_s * s.moves.seconds
        for s in segments
    )
    assert totals[0] - moved < totals[1]


def _living(gains: tuple[LinkGains, ...]) -> LivingNetwork:
    return LivingNetwork(gains=gains)


def test_moves_go_before_all_else_in_their_round(first: Plan, jumps: Tracks) -> None:
    segments = segments_of(first, ROUNDS, EVERY, jumps, "trained")
    device = first.network.devices[0]
    held = {entry.module for entry in first.decisions.hosted if entry.node == device}
    name = next(module.id for module in first.instance.modules if module.id not in held)
    moves = moves_between(first.network, first.decisions.hosted, [Hosting(module=name, node=device)])
    moving = replace(segments[1], is_new=True, moves=moves)
    segments = [segments[0], moving, *segments[2:]]
    schedule = schedule_of_segments(first, ROUNDS, segments)
    timeline = play(schedule)
    rows = [
        n
        for n, (r, s) in enumerate(zip(timeline.round, timeline.step, strict=True))
        if r == moving.first_round
    ]
    sent = [n for n in rows if timeline.step[n].startswith("move ")]
    others = [n for n in rows if timeline.step[n].startswith("train ")]
    assert sum(timeline.bits[sent]) == pytest.approx(
        sum(8 * move.bytes * len(move.hops) for move in moving.moves.moves)
    )
    assert timeline.start_s[others].min() >= timeline.end_s[sent].max()


def test_a_run_that_is_killed_and_resumed_learns_on_from_plan_to_plan(
    first: Plan, jumps: Tracks, tmp_path: Path
) -> None:
    """Averages are over the same devices in the same rounds: the models are those of one plan, to the bit."""
    pytest.importorskip("torch")
    segments = segments_of(first, ROUNDS, EVERY, jumps, "trained")
    several, one = (
        replace(schedule, training=replace(schedule.training, local_steps=1, batch_size=2))
        for schedule in (schedule_of_segments(first, ROUNDS, segments), first.compile(ROUNDS))
    )
    assert several.kinds != one.kinds

    def stop(report: RoundReport) -> None:
        if report.index == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(several, observer=stop, learning=LearningSettings(checkpoint=tmp_path))
    again = LearningSettings(checkpoint=tmp_path, resume=True)
    resumed, whole = run(several, learning=again).learning, run(one).learning
    assert resumed is not None
    assert whole is not None
    assert resumed.accuracy.tobytes() == whole.accuracy.tobytes()
    for name, state in resumed.state.items():
        assert state.tobytes() == whole.state[name].tobytes()


def test_the_same_seed_gives_the_same_schedule(first: Plan) -> None:
    living = Living(mobility=Mobility(max_speed_m_per_s=20.0, min_speed_m_per_s=10.0), replanning=EVERY)
    one, other = (living_schedule(first, 4, living, seed=3) for _ in range(2))
    assert one == other
    assert len(one.cycle) in (2, 4)


def test_where_things_fail_hosts_stay(first: Plan) -> None:
    """Whose training a lost activation belongs to is known by the routes of the first plan."""
    mobility = Mobility(max_speed_m_per_s=20.0, min_speed_m_per_s=10.0, round_s=30.0)
    living = Living(mobility=mobility, replanning=EVERY, losses=Losses(probability=0.1))
    tracks = tracks_of(first, living, 3, None, 4)
    for segment in segments_of(first, 4, EVERY, tracks, "all"):
        assert segment.moves.moves == ()
        hosts = [{(s.device, s.module, s.host) for s in p.decisions.servings} for p in (first, segment.plan)]
        assert hosts[0] == hosts[1]
    schedule = living_schedule(first, 4, living, seed=3)
    assert check_schedule(schedule) == ()
    assert play(schedule).record is not None


def test_a_network_that_stands_still_is_not_planned_again(first: Plan) -> None:
    with pytest.raises(ValueError, match="plans again as devices move, and none does"):
        living_schedule(first, 4, Living(replanning=EVERY))
