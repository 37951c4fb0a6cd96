"""Plans with fewer bits a parameter: the clock still measures what was predicted, and bounds stay below."""

import math
from collections.abc import Callable

import pytest

from fl_runtime import Aggregate, Momentum, Plain, check_schedule, play
from fl_runtime.packing import packed_bits
from fl_runtime.rebasing import extra_bits
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.plan_file import parse_plan, plan_text
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.precision import UnknownPrecision
from hfedfm_opt.system.decisions import ModulePeriod, ModuleTransport
from hfedfm_opt.system.generate import campus_instance
from hfedfm_opt.system.instance import Instance

MakeInstance = Callable[..., Instance]
PLANNERS = (
    *("star", "edge-only", "edge-only+d2d", "hierarchical:3", "hierarchical+d2d:2", "local-only"),
    *("shortest-paths:2", "spanning-tree:2", "arborescence:2", "optimised:3", "optimised:never"),
)


def planned(instance: Instance, name: str, **options: object) -> Plan:
    result = plan(instance, name, **options)
    assert result.plan is not None, result.explanation
    return result.plan


def assert_clock_agrees(found: Plan, rounds: int) -> None:
    schedule = found.compile(rounds)
    assert check_schedule(schedule) == ()
    timeline, prediction = play(schedule), found.prediction
    assert math.isclose(timeline.cycle_latency_s, prediction.latency_s, rel_tol=1e-9)
    assert math.isclose(timeline.cycle_energy_j, prediction.energy_j, rel_tol=1e-9)
    assert not any(extra_bits(schedule, rounds))  # nobody is left behind by a plan


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("seed", range(3))
def test_the_clock_measures_what_was_predicted(
    make_instance: MakeInstance, name: str, duplex: str, seed: int
) -> None:
    instance = make_instance(seed, split=seed == 1, fog=seed == 2, devices_per_server=(4, 2, 1))
    bits = (4, {"adapter": 2, "head-read": 8}, 1)[seed]
    assert_clock_agrees(planned(instance, name, seed=seed, duplex=duplex, transport_bits=bits), rounds=6)


@pytest.mark.parametrize("name", ["hierarchical+d2d:2", "optimised:2"])
def test_each_module_may_have_its_bits_by_direction_and_its_period(
    make_instance: MakeInstance, name: str
) -> None:
    found = planned(make_instance(5), name)
    changes = {
        "transport_bits": (
            ModuleTransport(module="adapter", up=2, down=8),
            ModuleTransport(module="head-read", up=32, down=4),
        ),
        "periods": tuple(
            ModulePeriod(module=entry.module, period=3 if entry.module == "adapter" else 2)
            for entry in found.decisions.periods
        ),
        "claim": None,
    }
    changed = Plan(found.instance, found.decisions.model_copy(update=changes))
    assert changed.violations == ()
    assert_clock_agrees(changed, rounds=6)
    assert parse_plan(plan_text(changed.decisions)) == changed.decisions


def test_the_clock_agrees_where_modules_run_elsewhere() -> None:
    assert_clock_agrees(planned(campus_instance(), "hierarchical:2", transport_bits=4), rounds=4)


def test_four_bits_of_the_published_star_take_an_eighth_and_a_head(paper: Instance) -> None:
    found = planned(paper, "star", transport_bits=4)
    bits = packed_bits(48e6, 4)
    assert bits == 6e6 + 96
    assert found.prediction.latency_s == pytest.approx(0.1 + bits / 4e6, rel=1e-12)


def test_32_bits_are_the_plan_as_it_was(paper: Instance) -> None:
    plain = planned(paper, "optimised:2")
    assert planned(paper, "optimised:2", transport_bits=32).decisions == plain.decisions
    assert "transport_bits" not in plan_text(plain.decisions)


def test_the_optimiser_plans_for_the_bits_and_says_so(make_instance: MakeInstance) -> None:
    """Its plan for 4 bits is at least as good as its plan for 32 bits sent with 4, and above its bound."""
    for seed in range(3):
        instance = make_instance(seed)
        result = plan(instance, "optimised:2", transport_bits=4)
        plain = planned(instance, "optimised:2")
        transport = tuple(
            ModuleTransport(module=name, up=4, down=4) for name in ("adapter", "head-read", "head-spoken")
        )
        sent = Plan(instance, plain.decisions.model_copy(update={"transport_bits": transport, "claim": None}))
        prices = instance.objective
        other = (
            prices.energy_weight_per_j * sent.prediction.energy_j
            + prices.time_weight_per_s * sent.prediction.latency_s
        )
        assert result.bound <= result.objective <= other * (1 + 1e-6)
        assert result.proof.endswith("transport with 4 bits a parameter")


def test_momentum_is_the_cloud_s_alone_and_costs_nothing(make_instance: MakeInstance) -> None:
    instance = make_instance(0)
    plain, quick = (
        planned(instance, "hierarchical:2"),
        planned(instance, "hierarchical:2", cloud_momentum=0.6),
    )
    assert quick.prediction == plain.prediction
    assert parse_plan(plan_text(quick.decisions)) == quick.decisions
    found = {
        (kind.name, step.node): step.optimiser
        for kind in quick.compile(2).kinds
        for step in kind.steps
        if isinstance(step, Aggregate)
    }
    assert found == {
        ("edge", "s0"): Plain(),
        ("edge", "s1"): Plain(),
        ("cloud", "cloud"): Momentum(momentum=0.6),
    }


def test_a_precision_for_a_module_that_does_not_travel_is_a_violation(make_instance: MakeInstance) -> None:
    found = planned(make_instance(0), "star")
    entries = [ModuleTransport(module="backbone", up=4), *[ModuleTransport(module="adapter", up=4)] * 2]
    changed = Plan(found.instance, found.decisions.model_copy(update={"transport_bits": tuple(entries)}))
    assert [str(violation) for violation in changed.violations] == [
        "transport_bits of 'backbone': names no trainable module",
        "transport_bits of 'adapter': occurs more than once",
    ]


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (5, r"transport_bits of 'adapter' is 5, must be one of 32, 16, 8, 4, 3, 2, 1"),
        ({"backbone": 4}, r"transport_bits names 'backbone', must be a trainable module: adapter, head-read"),
    ],
)
def test_a_precision_that_there_is_not_is_refused(
    make_instance: MakeInstance, bits: object, message: str
) -> None:
    with pytest.raises(UnknownPrecision, match=message):
        plan(make_instance(0), "star", transport_bits=bits)
