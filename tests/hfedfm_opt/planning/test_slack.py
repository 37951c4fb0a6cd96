"""CPUs that slow down until their updates are just in time, over nominal uplinks."""

import numpy as np
import pytest

from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.slack import Slack, SlackCurves
from hfedfm_opt.system.generate import city_instance
from hfedfm_opt.system.instance import Cpu

SLACK = Slack(
    devices=("d0", "d1"),
    seconds=np.array([2.0, 1.0]),
    joules=np.array([8.0, 3.0]),
    after_s=np.array([1.0, 0.5]),
    max_frequency_hz=np.array([1e9, 2e9]),
    least_s=4.0,
)


def test_energy_of_a_slowed_cluster_by_hand():
    joules, slope_w = SlackCurves([SLACK, SLACK]).price(np.array([5.0, 3.9]))
    # d0 has 4 s in place of 2, d1 4.5 in place of 1: 8 / 4 + 3 / 4.5^2
    assert joules[0] == pytest.approx(2.0 + 3.0 / 20.25, rel=1e-12)
    assert slope_w[0] == pytest.approx(-2.0 * (2.0 / 4.0 + 3.0 / 20.25 / 4.5), rel=1e-12)
    assert np.isinf(joules[1])
    assert SLACK.part(5.0) == pytest.approx([0.5, 1.0 / 4.5])


def test_slopes_are_tangents_below_the_energy():
    curves = SlackCurves([SLACK])
    for at in np.linspace(4.0, 9.0, 11):
        joules, slope_w = curves.price(np.array([at]))
        for other in np.linspace(4.0, 20.0, 33):
            assert curves.price(np.array([other]))[0][0] >= joules[0] + slope_w[0] * (other - at) - 1e-12


def test_a_plan_slows_down_who_trains_alone_and_costs_less_than_at_full_speed():
    instance = city_instance(1000, 20, seed=1)
    slow = plan(instance, "optimised:2")
    fast = plan(instance, "optimised:2", allocate=False)
    assert slow.plan is not None
    assert fast.plan is not None
    assert slow.objective < fast.objective
    assert slow.bound <= slow.objective
    assert fast.bound <= fast.objective
    assert fast.plan.decisions.frequencies == ()
    helped = {serving.device for serving in slow.plan.decisions.servings}
    network = slow.plan.network
    assert slow.plan.decisions.frequencies
    for entry in slow.plan.decisions.frequencies:
        processor = network.nodes[entry.device].processor
        assert isinstance(processor, Cpu)
        assert entry.device not in helped
        assert entry.frequency_hz < processor.max_frequency_hz
