import math

import numpy as np
import pytest

from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.sweeping.candidates import Candidate, grid, plan_candidates, uniform, within
from hfedfm_opt.study.sweeping.discrepancy import (
    Discrepancy,
    measure_discrepancy,
    with_free_modules_full,
    with_module_periods,
)

MEASURED = (Discrepancy("a", 1.0, 100.0), Discrepancy("b", 9.0, 100.0), Discrepancy("c", 0.1, 0.0))
ALIKE = Candidate((("a", 2), ("b", 2), ("c", 2)), (("a", (4, 4)), ("b", (4, 4)), ("c", (4, 4))), 0.6)


def test_names_tell_what_differs():
    mixed = Candidate((("a", 4), ("b", 2), ("c", 2)), (("a", (2, 8)), ("b", (4, 4)), ("c", (4, 4))), 0.0)

    assert ALIKE.name == "E = 2, 4 bits, momentum 0.6"
    assert mixed.name == "E = 2 (a 4), 4 bits (a 2/8)"


def test_momentum_needs_a_cloud(small):
    names = [one.name for one in grid(small, (2, None), ((4, 4),), (0.0, 0.6))]

    assert names == ["E = 2, 4 bits", "E = 2, 4 bits, momentum 0.6", "E = never, 4 bits"]


def test_each_candidate_has_the_plan_of_its_precision(small):
    planned, skipped = plan_candidates(
        small, "optimised", [uniform(small, 2, (2, 8), 0.6), uniform(small, 2, (32, 32))], PlannerOptions(), 2
    )

    assert skipped == []
    cheap, full = planned
    assert {(entry.up, entry.down) for entry in cheap.plan.decisions.transport_bits} == {(2, 8)}
    assert cheap.plan.decisions.cloud_momentum == 0.6
    assert full.plan.decisions.transport_bits == ()
    assert cheap.costs_no_more_than(full)
    assert not full.costs_no_more_than(cheap)


def test_what_learns_the_same_as_a_cheaper_one_is_skipped(small):
    # In a run of one round the cloud comes with period 1 alone, so that longer periods learn the same.
    wanted = [uniform(small, period, (32, 32)) for period in (2, 3)]

    planned, skipped = plan_candidates(small, "hierarchical", wanted, PlannerOptions(), 1)

    assert [one.name for one in planned] == ["E = 3, 32 bits"]
    assert [one.reason for one in skipped] == ["learns the same as E = 3, 32 bits, which costs no more"]


def test_limits_are_named_with_what_was_found(small):
    [one], _ = plan_candidates(small, "optimised", [uniform(small, 2, (4, 4))], PlannerOptions(), 2)

    assert within(one, None, None) == within(one, 10.0, 100.0) == ""
    assert within(one, 0.5, 100.0) == f"takes {one.latency_s:.4g} s per round, more than 0.5 s"


def test_the_least_discrepant_modules_get_the_longer_period():
    found = [dict(one.periods) for one in with_module_periods(ALIKE, MEASURED)]

    assert found == [{"a": 4, "b": 2, "c": 2}, {"a": 4, "b": 4, "c": 2}]
    without_free = Candidate(ALIKE.periods[:2], ALIKE.bits[:2])
    assert [dict(one.periods) for one in with_module_periods(without_free, MEASURED[:2])] == [
        {"a": 4, "b": 2}
    ]


def test_modules_without_bits_travel_as_they_are():
    found = with_free_modules_full(ALIKE, MEASURED)

    assert dict(found.bits) == {"a": (4, 4), "b": (4, 4), "c": (32, 32)}


def test_discrepancy_per_bit_is_infinite_where_the_cloud_leg_is_free():
    assert [one.per_bit for one in MEASURED] == [0.01, 0.09, math.inf]


def test_discrepancy_is_the_weighted_spread_of_the_clusters(small):
    pytest.importorskip("torch", reason="training needs torch")
    from fl_runtime.learn import learn
    from hfedfm_opt.planning.module_periods import with_periods

    [one], _ = plan_candidates(small, "optimised", [uniform(small, 2, (32, 32))], PlannerOptions(), 2)
    found = {part.module: part for part in measure_discrepancy(one.plan, seed=3, rounds=3)}

    schedule = with_periods(one.plan, dict.fromkeys(found, 2)).compile(3)
    rows = learn(schedule, None, 3).state["adapter"].astype(float)
    weights = np.array([r.weight for r in schedule.replicas if r.module == "adapter"])
    mean = np.average(rows, axis=0, weights=weights)
    spread = np.average(((rows - mean) ** 2).sum(axis=1), weights=weights)  # over devices, not clusters
    assert found["adapter"].squared == pytest.approx(spread, rel=1e-6)
    assert found["adapter"].squared > 0
    assert found["adapter"].bits == 48e6
