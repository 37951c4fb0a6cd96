"""Devices that slow down: the best common moment, ways and hulls at all frequencies, bounds by moments."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from fl_runtime import check_schedule, play
from hfedfm_opt.planning import ways as ways_module
from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.baselines import around_servers
from hfedfm_opt.planning.cluster_options import Rhythm, server_options
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.deadline_turns import Turns
from hfedfm_opt.planning.formulate_placement import formulate_placement, servings_of
from hfedfm_opt.planning.hulls import PRICES_OF_TIME, hulls_of, second_j_of
from hfedfm_opt.planning.joint_cluster import joint_options, sharers_of
from hfedfm_opt.planning.moment_bound import moment_bound
from hfedfm_opt.planning.pace import Pace, best_moment_s, pace_of, paced, slowable_devices
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.place import Placed
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.relaying_floor import floor_at_member, floor_at_server
from hfedfm_opt.planning.time_prices import even_prices
from hfedfm_opt.planning.ways import choices_of, ways_of
from hfedfm_opt.system.decisions import Frequency
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Network, resolve_network
from solvers.clusters import solve

MakeInstance = Callable[..., Instance]


def placements_of(network: Network) -> list[Placed]:
    """Return every placement that the memories of all nodes allow."""
    task = formulate_placement(network)
    modules = [found for by_module in choices_of(task.candidates).values() for found in by_module]
    placements = []
    for way in product(*modules):
        hosted, servings = servings_of(network, task, {(c.device, c.module): c for c in way})
        used: dict[str, float] = {}
        for entry in hosted:
            used[entry.node] = used.get(entry.node, 0.0) + network.modules[entry.module].memory_bytes
        limits = ((network.nodes[node].memory_bytes, amount) for node, amount in used.items())
        if all(limit is None or amount <= limit for limit, amount in limits):
            placements.append(Placed(hosted, servings, -np.inf))
    return placements


def cost_of(network: Network, placed: Placed, frequency_hz: dict[str, float]) -> float:
    """Return the objective of a placement whose servers average, at some frequencies, over two rounds."""
    frequencies = tuple(Frequency(device=device, frequency_hz=hz) for device, hz in frequency_hz.items())
    arrangement = Arrangement(around_servers(network), frequencies, -np.inf, "")
    cost = predict(network, assemble(network, "hand", 2, placed, arrangement))
    weights = network.instance.objective
    return weights.energy_weight_per_j * cost.energy_j + weights.time_weight_per_s * cost.latency_s


def test_two_devices_by_hand_are_ready_together():
    """10 s and 2 s of own work, 4 s elsewhere: at 20 s they run at 10 / 16 and 2 / 16 of full speed."""
    pace = Pace(
        ("a", "b"),
        own_s=np.array([10.0, 2.0]),
        own_j=np.array([40.0, 3.0]),
        other_s=np.array([4.0, 4.0]),
        full_hz=np.array([1e9, 2e9]),
        floor_s=14.0,
    )
    assert pace.parts(20.0) == pytest.approx([10 / 16, 2 / 16])
    assert pace.joules(20.0) == pytest.approx(40 * (10 / 16) ** 2 + 3 * (2 / 16) ** 2)
    # -d/dr of 40 (10 / (r - 4))^2 + 3 (2 / (r - 4))^2 is 2 (4000 + 12) / (r - 4)^3
    assert pace.saved_w(20.0) == pytest.approx(2 * 4012 / 16**3)
    assert best_moment_s(pace, 0.5) == pytest.approx(4 + (2 * 4012 / 0.5) ** (1 / 3))
    assert pace.saved_w(14.0) == pytest.approx(2 * 4012 / 10**3)
    assert best_moment_s(pace, 8.1) == 14.0


@pytest.mark.parametrize("seed", range(4))
def test_paced_devices_train_as_long_and_for_as_much_as_their_frequencies_say(make_instance, seed):
    network = resolve_network(make_instance(seed, split=True))
    placed = Turns("auto", np.inf, np.inf, 0).place(
        network, formulate_placement(network), even_prices(network)
    )
    ready = readiness(network, placed.servings)
    pace = pace_of(network, ready)
    for moment_s in (pace.floor_s, 1.7 * pace.floor_s, 9.0 * pace.floor_s):
        slowed, hertz = paced(ready, pace, moment_s)
        for device in network.devices:
            ledger = Ledger()
            served = [serving for serving in placed.servings if serving.device == device]
            seconds = Phase(network, ledger, "", "").train(device, hertz.get(device), served)
            assert slowed.seconds[device] == pytest.approx(seconds, rel=1e-12)
            assert slowed.joules[device] == pytest.approx(sum(ledger.energy_j.values()), rel=1e-12)
            assert seconds <= moment_s * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_hull_at_any_sampled_price_is_the_least_of_all_ways_and_frequencies(make_instance, seed):
    network = resolve_network(make_instance(seed, split=True))
    task, parts = formulate_placement(network), np.linspace(2e-3, 1.0, 4000)
    hulls = hulls_of(network, task, {}, slowable_devices(network))
    for device, found in choices_of(task.candidates).items():
        ways = ways_of(network, device, found, {}, slows=True)
        for price_w in second_j_of(network) * PRICES_OF_TIME[[0, 20, 40, 60, 71]]:
            seconds = ways.seconds[:, None] + ways.own_s[:, None] / parts
            joules = ways.joules[:, None] + ways.full_w * ways.own_s[:, None] * parts**2
            least = (joules + price_w * seconds).min()
            hull = hulls[device]
            assert (hull.joules + price_w * hull.seconds).min() <= least * (1 + 1e-12)
            assert (hull.joules + price_w * hull.seconds).min() == pytest.approx(least, rel=2e-3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("slows", [False, True])
def test_the_bound_by_moments_is_the_least_over_all_moments(make_instance, seed, slows):
    network = resolve_network(make_instance(seed, split=True))
    task, weights = formulate_placement(network), network.instance.objective
    later_s = {device: 0.1 * index for index, device in enumerate(network.devices)}
    bound = moment_bound(network, task, later_s, slows=slows, gap=1e-4)
    moments_s = np.geomspace(1e-2, 1e4, 4000)
    cost = weights.time_weight_per_s * moments_s
    for device, found in choices_of(task.candidates).items():
        ways = ways_of(network, device, found, {}, slows=slows)
        joules = ways.within(moments_s - later_s[device]).min(axis=0)
        cost = cost + weights.energy_weight_per_j * joules
    assert bound <= cost.min() * (1 + 1e-9)
    assert bound == pytest.approx(cost.min(), rel=6e-3)  # the moments of the grid are 0.35 % apart


def test_ways_that_become_one_are_below_all_of_them(monkeypatch):
    network = resolve_network(campus_instance())
    found = choices_of(formulate_placement(network).candidates)
    moments_s = np.array([30.0, 60.0, 120.0, 400.0])
    for device in network.devices[:4]:
        whole = ways_of(network, device, found[device], {}, slows=True).within(moments_s).min(axis=0)
        monkeypatch.setattr(ways_module, "MOST_WAYS", 5)
        fewer = ways_of(network, device, found[device], {}, slows=True, optimistic=True)
        monkeypatch.undo()
        assert len(fewer.own_s) <= 5
        assert (fewer.within(moments_s).min(axis=0) <= whole * (1 + 1e-12)).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_option_averages_for_less_than_the_floor(make_instance, seed):
    network = resolve_network(make_instance(seed, devices_per_server=(3, 2)))
    ready, sharers, rhythm = readiness(network, ()), sharers_of(network), Rhythm(2)
    for index, server in enumerate(network.members):
        floor = floor_at_member(network, server, rhythm)
        (option,) = joint_options(network, index, server, rhythm, ready, sharers).options
        for time_weight in (1e-3, 1.0, 1e3):
            problem = option.joint.relaxed
            priced = type(problem)(
                **{
                    name: getattr(problem, name)
                    for name in problem.__dataclass_fields__
                    if name not in ("cycles", "time_weight")
                },
                time_weight=time_weight,
            )
            best = solve(priced).solution
            assert floor.joules <= float(best.energy_j) * (1 + 1e-9)
            assert floor.seconds <= float(best.latency_s) * (1 + 1e-9)
        nominal, *_ = server_options(network, index, server, rhythm, ready, allocate=False)
        at_server = floor_at_server(network, server, rhythm)
        trained_j = rhythm.num_rounds * sum(ready.joules[device] for device in option.plan.members)
        assert at_server.joules <= nominal.joules - trained_j
        assert at_server.seconds <= nominal.seconds


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("joint", [False, True])
def test_all_placements_and_frequencies_by_brute_force_are_above_the_bound_and_no_better(
    make_instance, seed, joint
):
    """Every placement at many common moments, and at random frequencies of each device."""
    instance = make_instance(seed, split=True, devices_per_server=(2, 1), overhead=bool(seed % 2))
    network, generator = resolve_network(instance), np.random.default_rng(seed)
    found = plan(instance, "optimised:2", allocate_d2d=joint)
    least = np.inf
    for placed in placements_of(network):
        ready = readiness(network, placed.servings)
        pace = pace_of(network, ready)
        for moment_s in pace.floor_s * np.geomspace(1.0, 20.0, 12):
            least = min(least, cost_of(network, placed, dict(paced(ready, pace, moment_s)[1])))
        for _ in range(3):
            parts = generator.uniform(0.05, 1.0, len(pace.devices))
            hertz = dict(zip(pace.devices, (parts * pace.full_hz).tolist(), strict=True))
            least = min(least, cost_of(network, placed, hertz))
    assert found.plan is not None
    assert found.plan.violations == ()
    assert found.bound <= least * (1 + 1e-9)
    assert found.objective <= least * (1 + 2e-3)


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("joint", [False, True])
def test_helped_devices_slow_down_and_the_clock_measures_what_was_predicted(make_instance, duplex, joint):
    instance = make_instance(0, split=True, duplex=duplex, devices_per_server=(3, 3))
    found = plan(instance, "optimised:2", allocate_d2d=joint, duplex=duplex)
    assert found.plan is not None
    decisions = found.plan.decisions
    helped = {serving.device for serving in decisions.servings}
    assert helped & {entry.device for entry in decisions.frequencies}
    schedule = found.plan.compile(4)
    assert check_schedule(schedule) == ()
    timeline, cost = play(schedule), found.plan.prediction
    assert timeline.cycle_latency_s == pytest.approx(cost.latency_s, rel=1e-9)
    assert timeline.cycle_energy_j == pytest.approx(cost.energy_j, rel=1e-9)
    full = plan(instance, "optimised:2", allocate=False, duplex=duplex)
    assert found.objective < full.objective


def test_limits_are_kept_where_devices_slow_down(make_instance):
    found = 0
    for seed in range(3):
        instance = make_instance(seed, split=True)
        free = plan(instance, "optimised:2", allocate_d2d=False)
        fast = plan(instance, "optimised:2", allocate_d2d=False, max_latency_s=0.8 * free.latency_s)
        cheap = plan(instance, "optimised:2", allocate_d2d=False, max_energy_j=0.9 * free.energy_j)
        for result, most in ((fast, 0.8 * free.latency_s), (cheap, 0.9 * free.energy_j)):
            if result.plan is None:
                assert "of the placements tried" in result.explanation
                continue
            found += 1
            assert (result.latency_s if result is fast else result.energy_j) <= most * (1 + 1e-9)
            assert result.objective >= free.objective * (1 - 1e-9)
            assert result.bound <= result.objective
    assert found >= 2
