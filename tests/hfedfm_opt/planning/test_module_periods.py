import pytest

from hfedfm_opt.planning.module_periods import UnknownModule, plan_with_periods, with_periods
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.measure import measure_still
from hfedfm_opt.system.generate.paper import paper_instance
from hfedfm_opt.system.instance import Limits

PAPER = paper_instance()
HEADS = ("head-read", "head-spoken", "head-cmp")
OPTIONS = PlannerOptions(transport_bits=4)


def periods(adapter, heads):
    return {"adapter": adapter, **dict.fromkeys(HEADS, heads)}


def test_equal_periods_are_planned_as_one():
    found = plan_with_periods(PAPER, "optimised", periods(2, 2), OPTIONS)

    assert found.plan.decisions == plan(PAPER, "optimised:2", OPTIONS).plan.decisions


def test_rounds_of_the_heads_alone_cost_the_delay_of_the_cloud_leg():
    # The heads have no bits here: a round in which they alone go to the cloud costs what an edge round costs,
    # and 0.1 s at 0.8 W on each of the 10 ways to the cloud.  One round in four is such a round.
    alone = plan(PAPER, "hierarchical:4", OPTIONS).plan
    both = with_periods(alone, periods(4, 2))

    assert both.prediction.energy_j - alone.prediction.energy_j == pytest.approx(10 * 0.1 * 0.8 / 4)
    assert both.prediction.latency_s - alone.prediction.latency_s == pytest.approx(0.1 / 4)


@pytest.mark.parametrize(("adapter", "heads"), [(4, 2), (2, 1), (None, 3), (3, 2)])
def test_the_clock_confirms_the_prediction_and_the_plan_keeps_all_limits(adapter, heads):
    found = plan_with_periods(PAPER, "optimised", periods(adapter, heads), OPTIONS)

    timeline = measure_still(found.plan, 12)
    assert found.plan.violations == ()
    assert found.latency_s == pytest.approx(timeline.cycle_latency_s, rel=1e-9)
    assert found.bound == float("-inf")
    assert found.proof.startswith("no bound")


def test_the_cheaper_of_both_plans_is_taken_over():
    found = plan_with_periods(PAPER, "optimised", periods(4, 2), OPTIONS)

    for period in (2, 4):
        other = with_periods(plan(PAPER, f"optimised:{period}", OPTIONS).plan, periods(4, 2))
        cost = other.prediction
        assert found.objective <= cost.energy_j + 100 * cost.latency_s + 1e-9


def test_a_limit_that_the_changed_plan_breaks_leaves_none():
    limited = PAPER.model_copy(update={"limits": Limits(max_energy_j=3.8)})

    found = plan_with_periods(limited, "optimised", periods(4, 2), OPTIONS)
    changed = with_periods(plan(limited, "optimised:4", OPTIONS).plan, periods(4, 2))

    assert found.plan is None
    assert ["energy of a round" in str(violation) for violation in changed.violations] == [True]


def test_periods_must_be_those_of_the_trainable_modules():
    with pytest.raises(
        UnknownModule, match="given for adapter, must be for the trainable modules: adapter, "
    ):
        plan_with_periods(PAPER, "optimised", {"adapter": 2}, OPTIONS)
