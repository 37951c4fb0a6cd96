"""What must hold for every cluster."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvers.relaying import RelayingProblem, evaluate, pareto_front, solve

laws = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
seeds = st.integers(0, 2**32 - 1)


def fields_of(problem):
    return {name: getattr(problem, name) for name in problem.__dataclass_fields__}


def changed(problem, **fields):
    return RelayingProblem(**(fields_of(problem) | fields))


def value(problem):
    return solve(problem, method="enumeration").objective


def draw(make_cluster, seed, **fields):
    rng = np.random.default_rng(seed)
    return make_cluster(rng, int(rng.integers(2, 6)), **fields), rng


@laws
@given(seed=seeds)
def test_relabelling_nodes_changes_nothing(make_cluster, seed):
    problem, rng = draw(make_cluster, seed)
    new = rng.permutation(problem.num_nodes)  # new[old]
    old = np.argsort(new)
    items = [np.flatnonzero(problem.items_of_node[node]) for node in old]
    renamed = changed(
        problem,
        **{
            name: new[getattr(problem, name)]
            for name in ("link_source", "link_target", "return_link_source", "return_link_target", "roots")
        },
        **{
            name: getattr(problem, name)[old]
            for name in (
                "ready_s",
                "members",
                "relays",
                "half_duplex",
                "root_seconds",
                "root_joules",
                "broadcast_power_w",
                "receive_power_w",
            )
            if getattr(problem, name) is not None
        },
        node_item_start=np.concatenate([[0], np.cumsum([len(held) for held in items])]),
        node_item=np.concatenate(items),
    )
    before, after = pareto_front(problem), pareto_front(renamed)
    assert value(renamed) == pytest.approx(value(problem), rel=1e-12)
    if len(before):
        assert after.latency_s[[0, -1]] == pytest.approx(before.latency_s[[0, -1]], rel=1e-12)
        assert after.energy_j[[0, -1]] == pytest.approx(before.energy_j[[0, -1]], rel=1e-12)


@laws
@given(seed=seeds, factor=st.floats(1e-3, 1e3))
def test_slower_clocks_scale_seconds_and_joules(make_cluster, seed, factor):
    problem, _ = draw(make_cluster, seed)
    slower = changed(
        problem,
        link_rate_bps=problem.link_rate_bps / factor,
        return_link_rate_bps=problem.return_link_rate_bps / factor,
        **{
            name: getattr(problem, name) * factor
            for name in ("link_delay_s", "return_link_delay_s", "ready_s", "root_seconds", "root_joules")
        },
    )
    assert value(slower) == pytest.approx(factor * value(problem), rel=1e-11)


@laws
@given(seed=seeds)
def test_an_extra_link_never_hurts(make_cluster, seed):
    problem, rng = draw(make_cluster, seed)
    if problem.link_source.size == 0:
        return
    kept = rng.random(problem.link_source.size) < 0.8
    fewer = changed(
        problem,
        **{
            f"link_{name}": getattr(problem, f"link_{name}")[kept]
            for name in ("source", "target", "rate_bps", "power_w", "delay_s")
        },
    )
    assert value(problem) <= value(fewer) * (1 + 1e-12)


@laws
@given(seed=seeds)
def test_a_looser_limit_never_hurts(make_cluster, seed):
    problem, _ = draw(make_cluster, seed, max_hops=2, max_root_children=2, relays=None)
    best = value(problem)
    assert value(changed(problem, max_hops=3)) <= best * (1 + 1e-12)
    assert value(changed(problem, max_root_children=None)) <= best * (1 + 1e-12)
    assert value(changed(problem, half_duplex=False)) <= best * (1 + 1e-12)
    assert value(changed(problem, own_leg_tree=True)) <= value(changed(problem, own_leg_tree=False)) * (
        1 + 1e-12
    )


@laws
@given(seed=seeds)
def test_fronts_rise_in_seconds_fall_in_joules_and_hold_every_weighted_optimum(make_cluster, seed):
    problem, rng = draw(make_cluster, seed)
    front = pareto_front(problem)
    assert np.all(np.diff(front.latency_s) > 0)
    assert np.all(np.diff(front.energy_j) < 0)
    for weights in rng.random((3, 2)) + 0.01:
        weighted = changed(problem, energy_weight=weights[0], time_weight=weights[1])
        least = (weights[0] * front.energy_j + weights[1] * front.latency_s).min(initial=np.inf)
        assert value(weighted) == pytest.approx(least, rel=1e-12)


@laws
@given(seed=seeds)
def test_every_plan_of_a_front_keeps_its_timeline(make_cluster, seed):
    problem, _ = draw(make_cluster, seed)
    front = pareto_front(problem)
    for k in range(len(front)):
        plan = evaluate(problem, front.root[k], front.parent[k], front.return_parent[k], front.leg_parent[k])
        assert (plan.latency_s, plan.energy_j) == (front.latency_s[k], front.energy_j[k])
        for node in np.flatnonzero(plan.parent >= 0):
            below = np.flatnonzero(plan.parent == node)
            assert plan.up_start_s[node] >= max([problem.ready_s[node], *plan.up_end_s[below]])
        for node in np.flatnonzero(problem.half_duplex):
            _assert_in_series(plan.up_start_s, plan.up_end_s, plan.parent == node)
            if not problem.has_broadcast:
                _assert_in_series(plan.return_start_s, plan.return_end_s, plan.return_parent == node)


def _assert_in_series(start_s, end_s, transfers):
    order = np.argsort(start_s[transfers], kind="stable")
    assert np.all(start_s[transfers][order][1:] >= end_s[transfers][order][:-1] - 1e-12)


@laws
@given(seed=seeds)
def test_a_relay_that_may_be_used_never_hurts(make_cluster, seed):
    problem, _ = draw(make_cluster, seed)
    idle = ~problem.members
    assert value(changed(problem, relays=idle)) <= value(changed(problem, relays=None)) * (1 + 1e-12)


@laws
@given(seed=seeds)
def test_a_broadcast_ends_for_all_children_of_a_node_together(make_cluster, seed):
    problem, _ = draw(make_cluster, seed, broadcast_power_w=0.5, num_round_trips=1.0)
    plan = solve(problem, method="enumeration").solution
    if plan is None:
        return
    for node in range(problem.num_nodes):
        ends = plan.return_end_s[plan.return_parent == node]
        assert np.all(ends == ends[:1])


@laws
@given(seed=seeds)
def test_bounds_are_not_above_values(make_cluster, seed):
    problem, _ = draw(make_cluster, seed)
    for method in ("shortest_paths", "star", "minimum_arborescence", "minimum_spanning_tree"):
        result = solve(problem, method=method)
        assert result.bound <= result.objective
        assert result.bound <= value(problem)
