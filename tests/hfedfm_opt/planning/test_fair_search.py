"""Limits of single devices and fairness: bounds are bounds, plans are near the best, and limits hold."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hfedfm_opt.planning.arrangement import Arrangement
from hfedfm_opt.planning.assemble import assemble
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.formulate_placement import formulate_placement
from hfedfm_opt.planning.front import FrontOptions, plan_front
from hfedfm_opt.planning.least_energy import least_energy
from hfedfm_opt.planning.optimise import assemble_choices, options_of
from hfedfm_opt.planning.option_curves import Choice
from hfedfm_opt.planning.place import NoPlacement, place
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.system.decisions import Decisions, Hop
from hfedfm_opt.system.instance import Instance, Limits, Objective
from hfedfm_opt.system.network import WirelessEdge, resolve_network
from solvers.common import Options, Status

MakeInstance = Callable[..., Instance]
DrawPlan = Callable[[Plan, np.random.Generator], Plan]


def with_wishes(instance: Instance, *, fairness: float = 0.0, limit_j: float | None = None) -> Instance:
    objective = instance.objective.model_copy(update={"fairness_weight_per_j": fairness})
    limits = Limits(max_device_energy_j=limit_j)
    return instance.model_copy(update={"objective": objective, "limits": limits})


def all_nominal_plans(instance: Instance) -> Iterator[Plan]:
    """Yield every plan at nominal resources: each option of each cluster with each of the others."""
    network = resolve_network(instance)
    task = formulate_placement(network)
    placed = place(network, task, "auto", Options())
    rhythm = Rhythm(instance.training.period)
    options = options_of(network, rhythm, readiness(network, placed.servings), allocate=False)
    of_cluster: dict[int, list[Choice]] = {}
    for option in options:
        of_cluster.setdefault(option.cluster, []).append(Choice(option))
    for choices in itertools.product(*of_cluster.values()):
        clusters, frequencies = assemble_choices(network, choices)
        arrangement = Arrangement(clusters, frequencies, -math.inf, "")
        yield Plan(instance, assemble(network, "any", rhythm.period, placed, arrangement))


def for_instance(instance: Instance, decisions: Decisions) -> Plan:
    """Return a plan as if it had been made for an instance with other limits."""
    changes = {"instance_sha256": instance_digest(instance), "claim": None}
    return Plan(instance, decisions.model_copy(update=changes))


def require_sound(result: PlanResult, limit_j: float = math.inf) -> Plan:
    """Return the plan, whose claim, limits and parts of the gap hold."""
    made = result.plan
    assert made is not None, result.explanation
    assert made.violations == ()
    assert made.largest_device_energy[1] <= limit_j * (1 + 1e-9)
    assert result.objective == pytest.approx(made.objective, rel=1e-12)
    assert result.bound <= result.objective * (1 + 1e-9)
    assert sum(part.amount for part in result.gap_parts) == pytest.approx(
        result.objective - result.bound, abs=1e-9 * result.objective
    )
    return made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("period", [1, 2])
def test_nominal_plans_are_near_the_best_by_brute_force(
    make_instance: MakeInstance, seed: int, period: int
) -> None:
    given = make_instance(seed, devices_per_server=(2, 2))
    given = given.model_copy(update={"training": given.training.model_copy(update={"period": period})})
    for fairness, part in ((0.0, 0.9), (3.0, None), (2.0, 0.95)):
        free = [made.largest_device_energy[1] for made in all_nominal_plans(given)]
        limit = None if part is None else min(free) + part * (max(free) - min(free))
        instance = with_wishes(given, fairness=fairness, limit_j=limit)
        values = [made.objective for made in all_nominal_plans(instance) if not made.violations]
        result = plan(instance, "optimised", allocate=False)
        if not values:
            assert result.plan is None
            continue
        require_sound(result, limit or math.inf)
        assert result.bound <= min(values) * (1 + 1e-9)
        assert result.objective >= min(values) * (1 - 1e-9)
        assert result.objective == pytest.approx(min(values), rel=0.02)


def grid_of_plans(instance: Instance, made: Plan, steps: int) -> Iterator[Plan]:
    """Yield plans in which both devices send to their server, over a grid of bands, powers and CPU speeds."""
    network, (cluster,) = made.network, made.decisions.clusters
    first, second = cluster.members
    parts = np.linspace(0.1, 0.9, steps)
    powers = np.geomspace(0.01, 1.0, steps)
    edge = network.edges[first, cluster.id]
    assert isinstance(edge, WirelessEdge)
    band_hz = network.bands[edge.band].band_hz

    def hop(device: str, part: float, power: float) -> Hop:
        radio = network.nodes[device].radio
        assert radio is not None
        return Hop(
            source=device, target=cluster.id, band_hz=part * band_hz, power_w=power * radio.max_power_w
        )

    for part, one, other in itertools.product(parts.tolist(), powers.tolist(), powers.tolist()):
        gather = (hop(first, part, one), hop(second, 1.0 - part, other))
        changed = cluster.model_copy(update={"gather": gather, "gather_to_cloud": None})
        yield for_instance(instance, made.decisions.model_copy(update={"clusters": (changed,)}))


@pytest.mark.parametrize(("fairness", "part"), [(20.0, None), (0.0, 0.8), (5.0, 0.85)])
def test_allocated_plans_are_no_worse_than_a_grid(
    make_instance: MakeInstance, fairness: float, part: float | None
) -> None:
    given = make_instance(7, devices_per_server=(2,), computing=False, overhead=False)
    given = given.model_copy(
        update={
            "wireless_links": tuple(link for link in given.wireless_links if link.band.startswith("up")),
            "objective": Objective(energy_weight_per_j=1.0, time_weight_per_s=1.0),
        }
    )
    free = plan(given, "optimised:1").plan
    assert free is not None
    limit = None if part is None else part * free.largest_device_energy[1]
    instance = with_wishes(given, fairness=fairness, limit_j=limit)
    values = [tried.objective for tried in grid_of_plans(instance, free, 9) if not tried.violations]
    result = plan(instance, "optimised:1")
    require_sound(result, limit or math.inf)
    assert result.bound <= min(values)
    assert result.objective <= min(values) * (1 + 1e-3)
    assert result.gap <= 0.01


@pytest.mark.parametrize("seed", [0, 5])
def test_no_random_plan_is_below_the_bound(
    make_instance: MakeInstance, draw_plan: DrawPlan, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    given = make_instance(seed, devices_per_server=(2, 2))
    instance = with_wishes(given, fairness=4.0)
    result = plan(instance, "optimised", gap=1e-2)
    made = require_sound(result)
    limited = with_wishes(given, fairness=4.0, limit_j=2.0 * made.largest_device_energy[1])
    within = plan(limited, "optimised", gap=1e-2)
    assert within.bound >= result.bound * (1 - 1e-6) - 0.01 * result.objective
    num_within = 0
    for _ in range(60):
        drawn = draw_plan(made, generator)
        assert drawn.objective >= result.bound * (1 - 1e-9)
        if not for_instance(limited, drawn.decisions).violations:
            num_within += 1
            assert drawn.objective >= within.bound * (1 - 1e-9)
    assert num_within > 0


def test_limits_that_do_not_bind_change_nothing(make_instance: MakeInstance) -> None:
    given = make_instance(3, devices_per_server=(2, 2))
    free = plan(given, "optimised:2")
    within = plan(given, "optimised:2", max_device_energy_j=1e6)
    assert free.plan is not None
    assert within.plan is not None
    assert within.plan.decisions == free.plan.decisions
    assert (within.objective, within.bound, within.proof) == (free.objective, free.bound, free.proof)


def test_a_battery_limits_one_device(make_instance: MakeInstance) -> None:
    given = make_instance(2, devices_per_server=(2, 2))
    free = plan(given, "optimised:2", gap=1e-3, allocate_d2d=False).plan
    assert free is not None
    device, spent = free.largest_device_energy
    nodes = tuple(
        node.model_copy(update={"max_energy_j": 0.9 * spent}) if node.id == device else node
        for node in given.nodes
    )
    result = plan(given.model_copy(update={"nodes": nodes}), "optimised:2", gap=1e-2, allocate_d2d=False)
    made = require_sound(result)
    assert made.prediction.node_energy_j[device] <= 0.9 * spent * (1 + 1e-9)
    assert result.objective >= free.objective * (1 - 1e-3)


def test_only_the_largest_energy_may_have_a_price(make_instance: MakeInstance) -> None:
    given = make_instance(4, devices_per_server=(2, 2))
    weights = {"energy_weight_per_j": 0.0, "fairness_weight_per_j": 10.0}
    free = plan(given, "optimised:2", gap=1e-3).plan
    result = plan(given, "optimised:2", gap=1e-3, **weights)
    made = require_sound(result)
    assert free is not None
    weighted = Plan(made.instance, free.decisions.model_copy(update={"claim": None}))
    assert result.objective <= weighted.objective * (1 + 1e-9)
    assert result.gap <= 0.05


def test_impossible_limits_name_the_least_energy(make_instance: MakeInstance) -> None:
    given = make_instance(2, devices_per_server=(2,))
    result = plan(given, "optimised:2", max_device_energy_j=1e-9)
    least = least_energy(resolve_network(given), "d0", Rhythm(2), math.inf, allocate=True)
    assert (result.status, result.plan, result.bound) == (Status.INFEASIBLE, None, math.inf)
    assert f"device 'd0' may spend 1e-09 J a round, but needs at least {least.joules:.6g} J" in (
        result.explanation
    )
    assert least.training_j == 0.0  # it may compute as slowly as it likes


@pytest.mark.parametrize("seed", range(3))
def test_every_device_spends_its_least_energy(
    make_instance: MakeInstance, draw_plan: DrawPlan, seed: int
) -> None:
    given = make_instance(seed)
    made = plan(given, "star").plan
    assert made is not None
    for _ in range(40):
        drawn = draw_plan(made, np.random.default_rng(seed))
        cost = drawn.prediction
        period = drawn.decisions.periods[0].period
        for device in drawn.network.devices:
            least = least_energy(drawn.network, device, Rhythm(period), cost.latency_s, allocate=True)
            assert 0 < least.joules <= cost.node_energy_j[device]


def test_a_limit_that_no_plan_kept_is_named_with_what_was_spent(make_instance: MakeInstance) -> None:
    given = make_instance(1, devices_per_server=(2,))
    plans = [made.largest_device_energy[1] for made in all_nominal_plans(given)]
    result = plan(given, "optimised", allocate=False, max_device_energy_j=0.9 * min(plans))
    assert result.plan is None
    assert "may spend" in result.explanation
    assert "raise" in result.explanation


def test_a_front_keeps_limits_of_devices(make_instance: MakeInstance) -> None:
    given = make_instance(0, devices_per_server=(2, 2))
    front = plan_front(given, FrontOptions(period=2))
    largest = [front.plan(point).largest_device_energy[1] for point in range(len(front))]
    assert front.exact
    assert min(largest) < max(largest)
    limit = 0.5 * (min(largest) + max(largest))
    within = plan_front(with_wishes(given, limit_j=limit), FrontOptions(period=2))
    kept = [point for point, joules in enumerate(largest) if joules <= limit]
    assert not within.exact
    assert within.energy_j.tolist() == front.energy_j[kept].tolist()
    assert within.bound_j.tolist() == front.bound_j[kept].tolist()
    assert all(within.plan(point).violations == () for point in range(len(within)))
    with pytest.raises(NoPlacement, match=r"each of the \d+ points breaks a limit on the energy of a device"):
        plan_front(with_wishes(given, limit_j=0.5 * min(largest)), FrontOptions(period=2))


def test_a_fifth_less_for_the_busiest_device_of_the_published_network(paper: Instance) -> None:
    free = plan(paper, "optimised:2")
    assert free.plan is not None
    limit = 0.8 * free.plan.largest_device_energy[1]
    result = plan(paper, "optimised:2", max_device_energy_j=limit, gap=2e-3)
    require_sound(result, limit)
    assert free.objective < result.objective < 1.005 * free.objective
    assert result.status is Status.OPTIMAL
