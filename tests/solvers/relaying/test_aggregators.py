"""Several aggregators: by hand, against all choices of roots and of whom they serve, and against one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from solvers.common import Options, Status
from solvers.common.errors import InvalidProblem
from solvers.relaying import RelayingProblem, pareto_front, solve, solve_aggregators


def line(num_nodes, **fields):
    """Nodes in a row, each linked with the next; a hop takes 1 s and 1 J."""
    left = np.arange(num_nodes - 1)
    given = {"num_round_trips": 0.0, "num_root_legs": 1.0}
    return RelayingProblem(
        num_nodes=num_nodes,
        link_source=np.concatenate([left, left + 1]),
        link_target=np.concatenate([left + 1, left]),
        link_rate_bps=1e6,
        link_power_w=1.0,
        item_bits=[1e6],
        node_item_start=range(num_nodes + 1),
        node_item=[0] * num_nodes,
        **(given | fields),
    )


def test_two_aggregators_of_six_in_a_row_sit_in_the_middle_of_each_half():
    result = solve_aggregators(line(6), 2)
    assert result.status is Status.OPTIMAL
    assert result.solution.roots.tolist() == [1, 4]
    assert result.solution.aggregator_of.tolist() == [1, 1, 1, 4, 4, 4]
    assert (result.solution.latency_s, result.solution.energy_j) == (1.0, 4.0)


def test_every_member_alone_costs_only_its_leg():
    problem = line(4, root_seconds=[1.0, 2.0, 3.0, 4.0], root_joules=5.0)
    result = solve_aggregators(problem, 4)
    assert (result.solution.latency_s, result.solution.energy_j) == (4.0, 20.0)


def cluster_of(problem, inside, root):
    members = problem.members & inside
    holds = problem.items_of_node & members[:, None]
    start = np.concatenate([[0], np.cumsum(holds.sum(axis=1))])
    fields = {"node_item_start": start, "node_item": np.nonzero(holds)[1], "relays": problem.relays & inside}
    return replace(problem, members=members, roots=np.array([root]), **fields)


def plain_optimum(problem, num_aggregators):
    """Every choice of roots, every assignment, every pick from the fronts."""
    best = np.inf
    for roots in itertools.combinations(problem.roots.tolist(), num_aggregators):
        for served_by in itertools.product(roots, repeat=problem.num_nodes):
            if any(served_by[root] != root for root in roots):
                continue
            if set(np.array(served_by)[problem.members]) != set(roots):
                continue
            fronts = [pareto_front(cluster_of(problem, np.array(served_by) == r, r)) for r in roots]
            for picks in itertools.product(*[range(len(front)) for front in fronts]):
                pairs = list(zip(fronts, picks, strict=True))
                latency_s = max(front.latency_s[k] for front, k in pairs)
                energy_j = sum(front.energy_j[k] for front, k in pairs)
                best = min(best, problem.energy_weight * energy_j + problem.time_weight * latency_s)
    return best


def test_partitions_agree_with_all_choices(make_cluster):
    for seed in range(6):
        rng = np.random.default_rng([31, seed])
        problem = make_cluster(rng, 4, 1.0, members=None, roots=None)
        result = solve_aggregators(problem, 2)
        assert result.objective == pytest.approx(plain_optimum(problem, 2), rel=1e-12)


@pytest.mark.parametrize("relays", [[], [4], [4, 5]])
def test_candidates_outside_and_relays_agree_with_all_choices(make_cluster, relays):
    others = np.arange(6) >= 4
    for seed in range(3):
        rng = np.random.default_rng([33, seed])
        holds = rng.random((4, 2)) < 0.7
        problem = make_cluster(
            rng,
            6,
            1.0,
            members=~others,
            roots=[0, 1, 4, 5],
            item_bits=[4e5, 7e5],
            node_item_start=[*np.concatenate([[0], np.cumsum(holds.sum(axis=1))]), *[holds.sum()] * 2],
            node_item=np.nonzero(holds)[1],
        )
        problem = replace(problem, relays=np.isin(np.arange(6), relays))
        result = solve_aggregators(problem, 2)
        optimum = plain_optimum(problem, 2)
        assert result.objective == pytest.approx(optimum, rel=1e-12)
        assert result.status is (Status.OPTIMAL if np.isfinite(optimum) else Status.INFEASIBLE)


def two_hubs(num_members):
    """A row of members that hear only their neighbours, and two edge servers that hear half of them each."""
    problem, half = line(num_members), num_members // 2
    member = np.arange(num_members)
    server = num_members + (member >= half)
    return replace(
        problem,
        num_nodes=num_members + 2,
        link_source=np.concatenate([problem.link_source, member]),
        link_target=np.concatenate([problem.link_target, server]),
        link_rate_bps=np.full(problem.link_source.size + num_members, 1e6),
        link_power_w=np.append(problem.link_power_w, np.full(num_members, 1.0)),
        link_delay_s=np.zeros(problem.link_source.size + num_members),
        node_item_start=np.append(problem.node_item_start, [num_members] * 2),
        ready_s=0.0,
        root_seconds=0.0,
        root_joules=0.0,
        receive_power_w=0.0,
        half_duplex=False,
        members=np.arange(num_members + 2) < num_members,
        relays=None,
        roots=[0, num_members, num_members + 1],
        energy_weight=1.0,
        time_weight=10.0,
        **{f"return_link_{name}": None for name in ("source", "target", "rate_bps", "power_w", "delay_s")},
    )


def test_edge_servers_aggregate_for_the_members_that_they_hear():
    for num_members in (6, 12):
        result = solve_aggregators(two_hubs(num_members), 2, Options(seed=1))
        solution, half = result.solution, num_members // 2
        assert result.bound <= result.objective
        assert solution.roots.tolist() == [num_members, num_members + 1]
        assert (solution.aggregator_of[:half] == num_members).all()
        assert (solution.aggregator_of[half:num_members] == num_members + 1).all()
        assert (solution.latency_s, solution.energy_j) == (1.0, num_members)


def test_one_aggregator_is_the_problem_itself(make_cluster):
    for seed in range(6):
        rng = np.random.default_rng([32, seed])
        problem = make_cluster(rng, 5, 1.0, members=None)
        assert solve_aggregators(problem, 1).objective == pytest.approx(solve(problem).objective, rel=1e-12)


def test_forest_search_finds_the_middles_of_a_long_row():
    result = solve_aggregators(line(12), 3, Options(seed=1))
    assert result.method == "forest_search"
    assert result.bound <= result.objective
    solution = result.solution
    assert (np.bincount(solution.aggregator_of, minlength=12) > 0).sum() == 3
    assert solution.energy_j == 9.0
    assert solution.latency_s <= 3.0
    assert solution.objective == solution.energy_j + solution.latency_s


def test_limits_hold_in_every_cluster():
    result = solve_aggregators(line(10, max_hops=1, max_root_children=2), 4, Options(seed=1))
    for plan in result.solution.plans:
        assert (plan.parent == plan.root).sum() == (plan.parent >= 0).sum() <= 2


def test_more_aggregators_than_candidates_are_refused():
    with pytest.raises(InvalidProblem, match="num_aggregators is 3, must be a whole number from 1 to 2"):
        solve_aggregators(line(4, roots=[0, 1]), 3)
