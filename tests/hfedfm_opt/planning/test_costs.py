"""Predictions: worked by hand, and equal to what the clock measures."""

import math
from collections.abc import Callable

import pytest

from fl_runtime import play
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import ModulePeriod
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network

PLANNERS = (
    "star",
    "edge-only",
    "edge-only+d2d",
    "hierarchical:1",
    "hierarchical:3",
    "hierarchical+d2d:1",
    "hierarchical+d2d:3",
    "consensus:1",
    "consensus:3",
    "consensus:never",
    "local-only",
    "shortest-paths:2",
    "spanning-tree:2",
    "arborescence:2",
    "random-placement:2",
    "optimised:1",
    "optimised:3",
    "optimised:never",
)


def planned(instance: Instance, name: str, **options: object) -> Plan:
    result = plan(instance, name, **options)
    assert result.plan is not None, result.explanation
    return result.plan


def assert_clock_agrees(found: Plan, rounds: int) -> None:
    timeline = play(found.compile(rounds))
    prediction = found.prediction
    assert math.isclose(timeline.cycle_latency_s, prediction.latency_s, rel_tol=1e-9)
    assert math.isclose(timeline.cycle_energy_j, prediction.energy_j, rel_tol=1e-9)
    spent = {node: joules / rounds for node, joules in timeline.energy_of_node_j.items() if joules}
    assert spent == pytest.approx(
        {node: joules for node, joules in prediction.node_energy_j.items() if joules}, rel=1e-9
    )


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("seed", range(3))
def test_the_clock_measures_what_was_predicted(
    make_instance: Callable[..., Instance], name: str, duplex: str, seed: int
) -> None:
    instance = make_instance(seed, split=seed == 1, fog=seed == 2, devices_per_server=(4, 2, 1))
    assert_clock_agrees(planned(instance, name, seed=seed, duplex=duplex), rounds=6)


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("name", ["hierarchical+d2d:2", "hierarchical+d2d:8", "consensus:4", "optimised:2"])
def test_the_clock_agrees_on_the_published_network(paper: Instance, name: str, duplex: str) -> None:
    assert_clock_agrees(planned(paper, name, duplex=duplex, gap=1e-4), rounds=8)


def test_the_clock_agrees_where_modules_run_elsewhere() -> None:
    found = planned(campus_instance(), "hierarchical:2")
    assert found.decisions.servings
    assert_clock_agrees(found, rounds=4)


@pytest.mark.parametrize("planner", ["hierarchical+d2d:2", "consensus:2"])
@pytest.mark.parametrize("duplex", ["full", "half"])
def test_modules_may_have_periods_of_their_own(
    make_instance: Callable[..., Instance], duplex: str, planner: str
) -> None:
    found = planned(make_instance(5), planner, duplex=duplex)
    periods = tuple(
        ModulePeriod(module=entry.module, period=3 if entry.module == "adapter" else 2)
        for entry in found.decisions.periods
    )
    changed = Plan(found.instance, found.decisions.model_copy(update={"periods": periods, "claim": None}))
    assert changed.violations == ()
    assert_clock_agrees(changed, rounds=6)


def test_the_cloud_waits_for_no_cluster_that_has_nothing_due(make_instance: Callable[..., Instance]) -> None:
    """Nobody under s1 trains head-spoken, which alone is due in some rounds; s1 is the slower cluster."""
    instance = make_instance(12, fog=True, devices_per_server=(5, 3))
    training = instance.training.model_copy(update={"bits_per_parameter": 4.0})
    found = planned(instance.model_copy(update={"training": training}), "hierarchical:2")
    period_of = {"adapter": 2, "head-read": 3, "head-spoken": 1}
    periods = tuple(ModulePeriod(module=name, period=period) for name, period in period_of.items())
    changed = Plan(found.instance, found.decisions.model_copy(update={"periods": periods, "claim": None}))
    assert not any("head-spoken" in found.network.trained_on[device] for device in ("d5", "d6", "d7"))
    assert_clock_agrees(changed, rounds=12)


def test_a_run_of_any_length_is_predicted(make_instance: Callable[..., Instance]) -> None:
    from hfedfm_opt.planning.costs import predict

    found = planned(make_instance(6), "hierarchical:3")
    prediction = predict(found.network, found.decisions, rounds=5)
    timeline = play(found.compile(5))
    assert math.isclose(timeline.latency_s, prediction.latency_s, rel_tol=1e-12)
    assert math.isclose(timeline.energy_per_round_j, prediction.energy_j, rel_tol=1e-12)


def test_the_published_star_costs_forty_cloud_legs(paper: Instance) -> None:
    found = planned(paper, "star")
    assert math.isclose(found.prediction.latency_s, 0.1 + 48e6 / 4e6, rel_tol=1e-12)
    assert math.isclose(found.prediction.energy_j, 40 * 12.1 * 0.8, rel_tol=1e-12)


def test_hierarchical_rows_are_the_published_ones(paper: Instance) -> None:
    """The physical accounting of these rows is the published one: uplinks each round, one cloud leg."""
    for period, latency_s, energy_j in ((2, 9.5872, 107.6536), (8, 5.0497, 71.3536)):
        prediction = planned(paper, f"hierarchical:{period}").prediction
        assert round(prediction.latency_s, 4) == latency_s
        assert round(prediction.energy_j, 4) == energy_j


def test_work_counts_backward_passes_behind_a_trainable_module(
    make_instance: Callable[..., Instance],
) -> None:
    instance = make_instance(0)
    network = resolve_network(instance)
    node = network.nodes["d0"]
    samples = {data.task: data.samples for data in node.data}
    loads = loads_of(network, "d0")
    total = sum(samples.values())
    assert loads["backbone"].flops == pytest.approx(total * 2e9)  # nothing before it is trainable
    assert loads["adapter"].flops == pytest.approx(total * (1e7 + 2e7))
    assert loads["backbone"].out_bits == loads["backbone"].back_bits == pytest.approx(total * 2e5)
