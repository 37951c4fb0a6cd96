"""Proven gaps, bounds below every other plan, and the same answer whatever the way to it."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from solvers.clusters import ClusterPlan, ClusterProblem, evaluate, solve, violations
from solvers.clusters.trees import all_trees
from solvers.common import Options, Status, StopReason


@pytest.mark.parametrize("half_duplex", [False, True])
@pytest.mark.parametrize(("num_nodes", "num_clusters"), [(2, 300), (3, 300), (4, 300), (5, 100), (6, 30)])
def test_clusters_are_proven_optimal(
    make_clusters: Any, num_nodes: int, num_clusters: int, half_duplex: bool
) -> None:
    problem = ClusterProblem(**make_clusters(1, num_clusters, num_nodes), half_duplex=half_duplex)
    result = solve(problem)

    assert result.status is Status.OPTIMAL
    assert result.stop_reason is StopReason.GAP_REACHED
    assert np.max(result.gap) <= 1e-6
    assert result.solution is not None
    assert violations(problem, result.solution.plan) == ()


@pytest.mark.parametrize("half_duplex", [False, True])
def test_extreme_clusters_are_proven_optimal(half_duplex: bool) -> None:
    rng = np.random.default_rng(3)
    many, num = 400, 4

    def spread(low: float, high: float, *shape: int) -> Any:
        return 10.0 ** rng.uniform(low, high, shape)

    problem = ClusterProblem(
        gain=spread(-13, -6, many, 1, 1) * spread(-1.5, 1.5, many, num, num),
        noise_w_per_hz=4e-21,
        band_hz=spread(5, 8, many),
        item_bits=spread(3, 9, many, 1),
        max_power_w=spread(-2, 0.5, many, num),
        energy_weight=1.0,
        time_weight=spread(-4, 4, many),
        cycles=spread(6, 10.5, many, num) * (rng.random((many, num)) < 0.8),
        max_frequency_hz=spread(8, 10, many, num),
        capacitance=spread(-29, -26, many, num) * (rng.random((many, num)) < 0.8),
        circuit_power_w=spread(-3, 0, many, num) * (rng.random((many, 1)) < 0.5),
        half_duplex=half_duplex,
    )
    assert solve(problem).status is Status.OPTIMAL


@pytest.mark.parametrize("half_duplex", [False, True])
def test_nodes_with_nothing_to_send_and_missing_links_are_no_hindrance(
    make_clusters: Any, everything: Any, half_duplex: bool
) -> None:
    many, num = 150, 4
    values = make_clusters(61, many, num) | everything(62, many, num)
    rng = np.random.default_rng(63)
    values["node_items"] = rng.random((many, num, 3)) < 0.3
    values["gain"] = values["gain"] * (rng.random((many, num, num)) < 0.7)
    values["leg_gain"] = values["leg_gain"] * (rng.random((many, num)) < 0.7)
    values["cycles"] = values["cycles"] * (rng.random((many, num)) < 0.5)
    values["energy_weight"] = rng.choice([0.0, 1.0], many)
    result = solve(ClusterProblem(**values, half_duplex=half_duplex))

    assert set(result.cluster_status) == {Status.OPTIMAL, Status.INFEASIBLE}
    assert result.cluster_status.count(Status.OPTIMAL) > many / 4


@pytest.mark.parametrize("half_duplex", [False, True])
def test_no_random_plan_costs_less_than_the_bound(
    make_clusters: Any, everything: Any, half_duplex: bool
) -> None:
    num, many = 4, 50
    values = make_clusters(5, many, num) | everything(5, many, num)
    problem = ClusterProblem(**values, half_duplex=half_duplex)
    bound = np.asarray(solve(problem).bound)
    trees = all_trees(num, half_duplex)
    rng = np.random.default_rng(6)
    for _ in range(200):
        up = rng.integers(len(trees.root), size=many)
        back = trees.first[trees.root[up]] + rng.integers(trees.first[1], size=many)
        share = rng.dirichlet(np.ones(num - 1), size=(2, many)) * values["band_hz"]
        bandwidth = np.zeros((2, many, num))
        for way, which in enumerate((up, back)):
            bandwidth[way][trees.parent[which] >= 0] = share[way].ravel()
        plan = ClusterPlan(
            root=trees.root[up],
            parent=trees.parent[up],
            order=trees.order[up],
            bandwidth_hz=bandwidth[0],
            power_w=problem.max_power_w * rng.random((many, num)),
            frequency_hz=problem.max_frequency_hz * rng.uniform(0.5, 1.0, (many, num)),
            return_parent=trees.parent[back],
            return_order=trees.order[back],
            return_bandwidth_hz=bandwidth[1],
            return_power_w=problem.max_power_w * rng.random((many, num)),
            leg_power_w=0.5 * rng.random(many),
        )
        assert violations(problem, plan) == ()
        assert np.all(evaluate(problem, plan).objective >= bound)


def test_a_smaller_gap_asked_is_a_smaller_gap(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(7, 30, 5))
    assert np.max(solve(problem, options=Options(gap=1e-9)).gap) <= 1e-9
    coarse = solve(problem, options=Options(gap=0.05))
    assert np.max(coarse.gap) <= 0.05
    assert np.all(np.asarray(coarse.bound) <= np.asarray(solve(problem).objective))


def test_a_batch_answers_each_cluster_as_if_alone_and_threads_change_no_byte(make_clusters: Any) -> None:
    values = make_clusters(8, 150, 4)
    one, two = (solve(ClusterProblem(**values), options=Options(threads=threads)) for threads in (1, 2))
    assert np.asarray(one.objective).tobytes() == np.asarray(two.objective).tobytes()
    single = {name: value[70] if np.ndim(value) else value for name, value in values.items()}
    alone = solve(ClusterProblem(**single))
    assert isinstance(alone.objective, float)
    assert alone.objective == np.asarray(one.objective)[70]
    assert alone.solution is not None
    assert alone.solution.plan.parent.shape == (4,)


def test_without_a_compiler_the_answer_is_the_same(make_clusters: Any) -> None:
    values = make_clusters(9, 3, 3, num_round_trips=0.5)
    mine = solve(ClusterProblem(**values))
    code = (
        "import json, sys; from solvers.clusters import ClusterProblem, solve\n"
        "result = solve(ClusterProblem(**json.load(sys.stdin)))\n"
        "print(json.dumps([result.objective.tolist(), result.gap.tolist(), 'numba' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps({name: np.asarray(value).tolist() for name, value in values.items()}),
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    objective, gap, _ = json.loads(done.stdout)
    assert objective == pytest.approx(np.asarray(mine.objective), rel=1e-10)
    assert max(gap) <= 1e-6


def test_after_the_time_limit_the_first_trees_are_handed_out_with_their_gap(make_clusters: Any) -> None:
    problem = ClusterProblem(**make_clusters(10, 100, 5))
    result = solve(problem, options=Options(time_limit_s=1e-9, threads=1))
    assert result.stop_reason is StopReason.TIME_LIMIT
    assert np.isfinite(result.objective).all()
    assert np.all(np.asarray(result.bound) <= np.asarray(solve(problem).objective))
