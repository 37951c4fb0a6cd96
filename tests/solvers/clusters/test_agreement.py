"""Agreement with Clarabel over all trees, with the relaying solver, and with the allocation's certificate."""

from typing import Any

import numpy as np
import pytest

from solvers.allocation import AllocationProblem, dual_bound
from solvers.clusters import ClusterPlan, ClusterProblem, evaluate, solve
from solvers.clusters.evaluate import payload_bits
from solvers.clusters.trees import all_trees
from solvers.relaying import RelayingProblem
from solvers.relaying import solve as solve_relaying


@pytest.mark.parametrize("half_duplex", [False, True])
@pytest.mark.parametrize(("num_nodes", "num_clusters"), [(2, 3), (3, 2)])
def test_the_cone_program_of_every_tree_finds_the_same_optimum(
    make_clusters: Any, everything: Any, num_nodes: int, num_clusters: int, half_duplex: bool
) -> None:
    values = make_clusters(num_nodes, num_clusters, num_nodes) | everything(1, num_clusters, num_nodes)
    problem = ClusterProblem(**values, half_duplex=half_duplex)
    mine, oracle = solve(problem), solve(problem, method="via_cvxpy")

    assert mine.objective == pytest.approx(oracle.objective, rel=1e-7)
    assert np.all(mine.bound <= np.asarray(oracle.objective))
    assert mine.solution is not None
    assert oracle.solution is not None
    assert (mine.solution.plan.root == oracle.solution.plan.root).all()


@pytest.mark.parametrize("half_duplex", [False, True])
def test_four_nodes_agree_with_the_cone_program_too(make_clusters: Any, half_duplex: bool) -> None:
    roots = np.array([[True, half_duplex is False, False, False]])
    problem = ClusterProblem(**make_clusters(4, 1, 4, roots=roots), half_duplex=half_duplex)
    mine, oracle = solve(problem), solve(problem, method="via_cvxpy")

    assert mine.objective == pytest.approx(oracle.objective, rel=1e-7)
    assert np.all(mine.bound <= np.asarray(oracle.objective))


@pytest.mark.parametrize("half_duplex", [False, True])
def test_with_equal_shares_at_full_power_the_best_tree_is_the_relaying_optimum(
    make_clusters: Any, half_duplex: bool
) -> None:
    num = 4
    values = make_clusters(9, 1, num, num_round_trips=0.5, num_root_legs=0.5, time_weight=1.0)
    values["capacitance"] = 0.0
    problem = ClusterProblem(**values, half_duplex=half_duplex)
    trees = all_trees(num, half_duplex)
    share, power = values["band_hz"] / (num - 1), values["max_power_w"]
    best = np.full(num, np.inf), np.full(num, np.inf)
    for which in range(len(trees.root)):
        for way in (0, 1):
            cost = one_way(problem, trees.parent[which], trees.order[which], share, power, way)
            best[way][trees.root[which]] = min(best[way][trees.root[which]], cost)

    source, target = np.nonzero(~np.eye(num, dtype=bool))
    snr = power * values["gain"][0][source, target] / (values["noise_w_per_hz"] * share)
    relaying = solve_relaying(
        RelayingProblem(
            num_nodes=num,
            link_source=source,
            link_target=target,
            link_rate_bps=share * np.log2(1 + snr),
            link_power_w=power,
            item_bits=[values["item_bits"]],
            node_item_start=range(num + 1),
            node_item=[0] * num,
            ready_s=(values["cycles"] / values["max_frequency_hz"])[0],
            half_duplex=half_duplex,
            num_round_trips=0.5,
            num_root_legs=0.5,
        ),
        method="enumeration",
    )
    assert (best[0] + 0.5 * best[1]).min() == pytest.approx(relaying.objective, rel=1e-12)
    assert solve(problem).objective < relaying.objective


def one_way(problem: ClusterProblem, parent: Any, order: Any, share: float, power: float, way: int) -> float:
    """Return what a gather (0) or a way back (1) over a tree costs, every share and power being the same."""
    root = int(np.argmin(parent))
    sends = (parent >= 0)[None]
    children = (parent[:, None] == parent) & (order > order[:, None])
    plan = ClusterPlan(
        root=np.array([root]),
        parent=parent[None],
        order=order[None],
        bandwidth_hz=share * sends,
        power_w=power * sends,
        frequency_hz=problem.max_frequency_hz,
        return_parent=parent[None],
        return_order=np.where(parent >= 0, children.sum(axis=1), -1)[None],
        return_bandwidth_hz=share * sends,
        return_power_w=power * sends,
        leg_power_w=np.zeros(1),
    )
    solution = evaluate(problem, plan)
    if way == 0:
        return float((solution.gather_s + solution.gather_j)[0])
    return float((solution.return_s + solution.return_j)[0])


def test_prices_of_a_tree_bound_it_by_the_certificate_of_the_allocation_too(make_clusters: Any) -> None:
    """The star's Lagrangian falls apart into an allocation problem: its own dual value is the same number."""
    from solvers.clusters.loops.shape import capped_table, free_table
    from solvers.clusters.loops.tree import solve_tree
    from solvers.clusters.phases import phases_of

    num = 5
    values = make_clusters(11, 20, num)
    problem = ClusterProblem(**values)
    trees, phases = all_trees(num, False), phases_of(problem)
    star = int(np.flatnonzero((trees.parent == 0).sum(axis=1) == num - 1)[0])
    kinds = trees.transfer[star]
    for m in range(problem.num_clusters):
        alpha, work, out = np.full(num, values["time_weight"][m] / num), np.empty(200), np.empty(3 * num)
        _, bound, mu = solve_tree(
            num, phases.up[m], free_table(), capped_table(), trees.pair, trees.payload, trees.flow, kinds,
            alpha, 1e-7, np.inf, 1e-9, work, out,
        )  # fmt: skip
        senders = AllocationProblem(
            bits=np.append(np.full(num - 1, values["item_bits"]), 0.0),
            gain=np.append(values["gain"][m, 1:, 0], 1.0),
            noise_w_per_hz=values["noise_w_per_hz"],
            max_power_w=values["max_power_w"],
            cycles=np.append(values["cycles"][m, 1:], values["cycles"][m, 0]),
            max_frequency_hz=np.append(values["max_frequency_hz"][m, 1:], values["max_frequency_hz"][m, 0]),
            capacitance=values["capacitance"],
            band_hz=values["band_hz"],
            energy_weight=1.0,
            time_weight=values["time_weight"][m],
        )
        other = dual_bound(senders, mu, np.append(alpha[1:], alpha[0]))[0]
        assert bound == pytest.approx(other, rel=1e-9)


def test_payloads_are_unions(make_clusters: Any) -> None:
    held = np.array([[[True, False], [False, True], [True, True], [False, False]]])
    problem = ClusterProblem(
        **make_clusters(1, 1, 4) | {"item_bits": np.array([[1.0, 10.0]]), "node_items": held}
    )
    assert payload_bits(problem, np.array([[1, 3, 3, -1]])).tolist() == [[1.0, 11.0, 11.0, 0.0]]
