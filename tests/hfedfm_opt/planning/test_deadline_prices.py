"""Hulls of what devices can do, prices of time at the best common deadline, and the bounds that they give."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.deadline_prices import busy_seconds, deadline_of, deadline_prices
from hfedfm_opt.planning.deadline_turns import Turns, place_by_deadline
from hfedfm_opt.planning.formulate_placement import PlacementTask, formulate_placement, price
from hfedfm_opt.planning.hulls import hulls_of
from hfedfm_opt.planning.optimise import SearchSettings, least_relaying_j, options_of
from hfedfm_opt.planning.placement_bound import BoundSettings, bound_over_placements
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.proofs import evidence_of
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.time_prices import TimePrices
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Network, resolve_network

MakeInstance = Callable[..., Instance]


def ways_of(network: Network, task: PlacementTask, device: str) -> list[tuple[float, float]]:
    """Return seconds and joules of every choice of hosts that fits the device's memory."""
    modules: dict[str, list] = {}
    for candidate in task.candidates:
        if candidate.device == device:
            modules.setdefault(candidate.module, []).append(candidate)
    memory = network.nodes[device].memory_bytes or np.inf
    found = []
    for way in product(*modules.values()):
        if sum(network.modules[c.module].memory_bytes for c in way if c.host == device) <= memory:
            found.append((sum(c.link_seconds + c.host_seconds for c in way), sum(c.joules for c in way)))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_hull_is_the_least_weighted_cost_of_all_ways_at_any_price(make_instance, seed):
    network = resolve_network(make_instance(seed, split=True))
    task = formulate_placement(network)
    for device, hull in hulls_of(network, task, {}).items():
        ways = np.array(ways_of(network, task, device))
        for price_w in (0.0, 0.01, 0.3, 2.0, 50.0, 1e6):
            least = (ways[:, 1] + price_w * ways[:, 0]).min()
            assert (hull.joules + price_w * hull.seconds).min() == pytest.approx(least, rel=1e-12)
        assert (np.diff(hull.seconds) > 0).all()
        assert (np.diff(hull.slopes_w()) < 0).all()


def test_a_hull_of_the_campus_is_exact_too_where_ways_are_thinned():
    network = resolve_network(campus_instance())
    task = formulate_placement(network)
    hulls = hulls_of(network, task, {})
    for device in network.devices[:6]:
        ways = np.array(ways_of(network, task, device))
        for price_w in (0.01, 0.5, 20.0):
            hull = hulls[device]
            least = (ways[:, 1] + price_w * ways[:, 0]).min()
            assert (hull.joules + price_w * hull.seconds).min() == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_deadline_is_the_best_for_the_hulls(make_instance, seed):
    instance = make_instance(seed, split=True, devices_per_server=(5, 4))
    network = resolve_network(instance)
    hulls = hulls_of(network, formulate_placement(network), {})
    weights = instance.objective

    def cost(deadline_s):
        energy = sum(np.interp(deadline_s, hull.seconds, hull.joules) for hull in hulls.values())
        return weights.energy_weight_per_j * energy + weights.time_weight_per_s * deadline_s

    floor_s = max(hull.seconds[0] for hull in hulls.values())
    grid = np.concatenate([[floor_s], *(h.seconds[h.seconds >= floor_s] for h in hulls.values())])
    assert cost(deadline_of(network, hulls)) == pytest.approx(min(map(cost, grid)), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_weights_sum_to_one_and_only_devices_at_the_deadline_pay(make_instance, seed):
    network = resolve_network(make_instance(seed, split=True))
    hulls = hulls_of(network, formulate_placement(network), {})
    lower, _ = deadline_prices(network, hulls, ())
    deadline_s = deadline_of(network, hulls)

    assert sum(lower.device_weight.values()) == pytest.approx(1.0, rel=1e-12)
    for device, weight in lower.device_weight.items():
        if hulls[device].seconds[-1] < deadline_s * (1 - 1e-12):
            assert weight == 0.0


def test_a_host_is_busy_for_all_that_it_was_given(make_instance):
    network = resolve_network(make_instance(1, split=True))
    task = formulate_placement(network)
    placed = place_by_deadline(network, task, Turns("auto", np.inf, np.inf, 0)).placed
    busy = busy_seconds(network, task, placed.servings)

    for host, seconds in busy.items():
        flops = sum(
            c.flops
            for c in task.candidates
            if any((c.device, c.module, c.host) == (s.device, s.module, host) for s in placed.servings)
        )
        assert seconds == pytest.approx(flops / network.nodes[host].processor.flops_per_s)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("allocate", "joint"), [(False, False), (True, False), (True, True)])
def test_the_bound_is_below_every_plan_of_any_placement(make_instance, seed, allocate, joint):
    instance = make_instance(seed, split=True, overhead=bool(seed % 2))
    network = resolve_network(instance)
    task, rhythm = formulate_placement(network), Rhythm(2)
    lower, _ = deadline_prices(network, hulls_of(network, task, {}), ())
    best = plan(instance, "optimised:2", allocate=allocate, allocate_d2d=joint)
    ready = readiness(network, best.plan.decisions.servings)
    options = options_of(network, rhythm, ready, allocate=allocate, joint=joint)
    settings = SearchSettings(allocate, 1e-6, np.inf, np.inf, joint=joint, counts_joint=joint)
    relaying_j = least_relaying_j(network, options, ready, rhythm, evidence_of(network, joint=joint))
    by = BoundSettings(lower, relaying_j, relax_devices=False)
    bound, _ = bound_over_placements(network, task, rhythm, settings, by)

    assert 0 < bound <= best.objective * (1 + 1e-9)
    for other in ("random-placement:2", "greedy-placement:2", "nearest-placement:2", "hierarchical:2"):
        for place_seed in range(2):
            found = plan(instance, other, seed=place_seed)
            assert found.plan is None or bound <= found.objective * (1 + 1e-9)


def test_slow_processors_price_a_module_at_the_frequency_that_costs_least(make_instance):
    network = resolve_network(make_instance(0, split=False))
    task = formulate_placement(network)
    even = TimePrices(dict.fromkeys(network.devices, 1.0 / len(network.devices)), {})
    full, slowed = (
        price(network, task, even, slowable=who).problem.pair_cost for who in ((), network.devices)
    )
    weights = network.instance.objective
    x = np.linspace(1e-3, 1.0, 200_001)
    for candidate, least, most in zip(task.candidates, slowed, full, strict=True):
        seconds = weights.time_weight_per_s * candidate.host_seconds / len(network.devices)
        tried = weights.energy_weight_per_j * candidate.joules * x**2 + seconds / x
        assert least <= most * (1 + 1e-12)
        assert least == pytest.approx(tried.min(), rel=1e-6)


def test_a_short_time_limit_leaves_a_plan_and_a_bound():
    result = plan(campus_instance(3), "optimised:2", time_limit_s=0.5)

    assert result.plan is not None
    assert result.plan.violations == ()
    assert 0 < result.bound <= result.objective


@pytest.mark.parametrize(("energy_weight", "time_weight"), [(0.0, 1.0), (1.0, 0.0), (1.0, 1e9), (1e9, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_one_price_alone_is_planned_for_too(make_instance, seed, energy_weight, time_weight):
    weights = {"energy_weight_per_j": energy_weight, "time_weight_per_s": time_weight}
    result = plan(make_instance(seed, split=True), "optimised:2", allocate=False, **weights)

    assert result.plan is not None
    assert result.plan.violations == ()
    assert result.bound <= result.objective * (1 + 1e-9)


def test_the_first_placement_is_no_worse_than_that_of_even_prices():
    network = resolve_network(campus_instance())
    task = formulate_placement(network)
    weights = network.instance.objective

    def value(servings):
        ready = readiness(network, servings)
        return weights.energy_weight_per_j * sum(ready.joules.values()) + weights.time_weight_per_s * max(
            ready.seconds.values()
        )

    from hfedfm_opt.planning.place import place
    from solvers.common import Options

    even = place(network, task, "auto", Options()).servings
    assert value(place_by_deadline(network, task, Turns("auto", np.inf, np.inf, 0)).placed.servings) <= value(
        even
    )
