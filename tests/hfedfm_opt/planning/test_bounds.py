"""Bounds are below every plan: random instances, all planners, random search, and everything tried."""

import importlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hfedfm_opt.planning.cluster_options import Rhythm, relayed_options, server_options
from hfedfm_opt.planning.deadline_search import search_deadline
from hfedfm_opt.planning.joint_problem import floor_of
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network
from solvers.clusters import ClusterProblem, solve
from solvers.common import Status

ROOT = Path(__file__).parents[3]
MakeInstance = Callable[..., Instance]


@pytest.fixture(scope="module")
def bounding() -> Iterator[Callable[[str], ModuleType]]:
    """Return a function that imports a module of the benchmarks."""
    sys.path.insert(0, str(ROOT))
    try:
        yield lambda name: importlib.import_module(f"benchmarks.{name}")
    finally:
        sys.path.remove(str(ROOT))


@pytest.mark.parametrize("seed", [1, 3, 5, 7, 12, 17, 21, 22, 23, 25, 27, 28, 29, 33, 35, 36, 37, 40, 102])
def test_no_plan_of_a_random_instance_is_below_a_bound(
    bounding: Callable[[str], ModuleType], seed: int
) -> None:
    outcome = bounding("bounds").outcome_of(seed, trials=8, time_limit_s=0.5)
    assert outcome.excess == []
    assert outcome.num_plans > 0 or outcome.infeasible == 3


@pytest.mark.parametrize("transport_bits", [(32, 4), (4, 32), {"adapter": (8, 2)}])
@pytest.mark.parametrize("duplex", ["full", "half"])
def test_nominal_plans_are_optimal_where_models_travel_with_other_bits_than_updates(
    make_instance: MakeInstance,
    bounding: Callable[[str], ModuleType],
    transport_bits: object,
    duplex: str,
) -> None:
    instance = make_instance(6, devices_per_server=(3,))
    options = {"allocate": False, "transport_bits": transport_bits, "duplex": duplex}
    result = plan(instance, "optimised:3", **options)
    scope = bounding("bounding.plans").Scope(instance, 3, PlannerOptions(**options))  # type: ignore[arg-type]
    least = bounding("bounding.brute_force").optimum(scope)
    assert result.objective == pytest.approx(least, rel=1e-9)
    assert result.bound == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("overhead", [False, True])
def test_where_time_costs_nothing_the_bound_holds_for_any_deadline(
    make_instance: MakeInstance, overhead: bool
) -> None:
    network = resolve_network(make_instance(2, overhead=overhead))
    ready = readiness(network, ())
    options = []
    for index, server in enumerate(network.members):
        options += server_options(network, index, server, Rhythm(2), ready, allocate=True)
        options += relayed_options(network, index, server, Rhythm(2), ready, allocate=True)
    found = search_deadline(options, [0.0, 0.0], energy_weight=1.0, time_weight=0.0)
    assert found.bound <= found.value
    for factor in (2.0, 1e2, 1e5):
        latest = search_deadline(
            options,
            [0.0, 0.0],
            energy_weight=1.0,
            time_weight=0.0,
            max_deadline_s=factor * found.deadline_s,
        )
        assert found.bound <= latest.value * (1 + 1e-9)


def test_no_time_is_long_enough_to_go_below_the_floor_of_a_cluster() -> None:
    generator = np.random.default_rng(0)
    problem = ClusterProblem(
        gain=10 ** generator.uniform(-10, -8, (4, 4)),
        noise_w_per_hz=np.array(4e-21),
        band_hz=np.array(2e7),
        item_bits=np.array([3e6, 1e5]),
        node_items=np.array([[True, True], [True, False], [True, True], [False, True]]),
        max_power_w=np.array(0.2),
        efficiency=np.array([0.5, 1.0, 0.7, 0.9]),
        energy_weight=np.array(1.0),
        time_weight=np.array(1e-9),
        num_round_trips=np.array(2.0),
        num_root_legs=np.array(1.0),
        leg_gain=np.array([1e-11, 1e-10, 0.0, 1e-11]),
        leg_band_hz=np.array(1e6),
        leg_max_power_w=np.array(0.2),
        leg_noise_w_per_hz=np.array(4e-21),
        roots=np.array([True, True, False, True]),
    )
    solution = solve(problem).solution
    assert solution is not None
    assert 0.5 * float(solution.energy_j) < floor_of(problem) < float(solution.energy_j)


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize("allocate", [False, True])
def test_a_limit_that_some_plan_keeps_is_not_called_infeasible(
    make_instance: MakeInstance, seed: int, allocate: bool
) -> None:
    """Placements whose clusters miss the limit are no proof that all do."""
    instance = make_instance(seed, split=True, devices_per_server=(2, 1))
    prices = instance.objective.model_copy(update={"energy_weight_per_j": 1.0, "time_weight_per_s": 1e-3})
    instance = instance.model_copy(update={"objective": prices})
    hurried = plan(instance, "optimised:2", time_weight_per_s=1e4, allocate=False, time_limit_s=2.0)
    assert hurried.plan is not None
    limits = instance.limits.model_copy(update={"max_latency_s": hurried.latency_s})
    limited = plan(
        instance.model_copy(update={"limits": limits}), "optimised:2", allocate=allocate, time_limit_s=2.0
    )
    assert limited.status is not Status.INFEASIBLE
    assert limited.bound <= hurried.energy_j + 1e-3 * hurried.latency_s
    if limited.plan is not None:
        assert limited.latency_s <= hurried.latency_s * (1 + 1e-9)
    else:
        assert limited.explanation.startswith("of the placements tried: no plan ends a round within")
        assert math.isinf(limited.objective)
