"""The optimised planner: known optima, bounds that are bounds, dominance, brute force."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hfedfm_opt.planning.baselines import relayed_cluster
from hfedfm_opt.planning.cluster_options import Rhythm, relayed_options, server_options
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.deadline_search import search_deadline
from hfedfm_opt.planning.plan import PlanResult
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.readiness import readiness
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network
from solvers.common import Status

BASELINES_OF_PERIOD = {
    "2": ("hierarchical:2", "hierarchical+d2d:2", "shortest-paths:2", "spanning-tree:2", "arborescence:2"),
    "8": ("hierarchical:8", "hierarchical+d2d:8"),
    "never": ("edge-only", "edge-only+d2d"),
}


def optimum_rows(folder: Path) -> dict[tuple[str, str], tuple[float, float]]:
    table = json.loads((folder / "paper" / "table.json").read_text())
    parallel, serial, _ = table["optimised_same_links"]
    rows = {}
    for duplex, row in (("full", parallel), ("half", serial)):
        for key, period in (("E2", "2"), ("E8", "8"), ("edge_only", "200")):
            rows[duplex, period] = tuple(row[key])
    return rows


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("period", ["2", "8", "200"])
def test_the_exhaustive_optima_of_the_published_links_are_met(
    paper: Instance, shared_data: Path, duplex: str, period: str
) -> None:
    """The table counts edge-only as period 200, its energy without the cloud legs."""
    latency_s, energy_j = optimum_rows(shared_data)[duplex, period]
    result = plan(paper, f"optimised:{period}", duplex=duplex, allocate=False)
    cloud_j = 10 * 12.1 * 0.8 / 200 if period == "200" else 0.0
    assert result.status is Status.OPTIMAL
    assert result.gap <= 1e-9
    assert round(result.latency_s, 3) <= latency_s
    assert round(result.energy_j - cloud_j, 2) <= energy_j


@pytest.mark.parametrize(
    ("period", "bar"), [("2", (7.951, 63.44)), ("8", (2.626, 24.73)), ("never", (0.881, 11.83))]
)
def test_the_optimised_plan_dominates_every_baseline_of_its_period(
    paper: Instance, period: str, bar: tuple[float, float]
) -> None:
    result = plan(paper, f"optimised:{period}")
    assert result.status is Status.OPTIMAL
    assert result.latency_s <= bar[0]
    assert result.energy_j <= bar[1]
    for name in BASELINES_OF_PERIOD[period]:
        baseline = plan(paper, name)
        assert result.latency_s < baseline.latency_s
        assert result.energy_j < baseline.energy_j


@pytest.mark.parametrize("period", ["1", "2", "never"])
@pytest.mark.parametrize("seed", range(12))
def test_no_planner_and_no_random_plan_is_below_the_bound(
    make_instance: Callable[..., Instance], seed: int, period: str
) -> None:
    instance = make_instance(
        seed,
        split=seed % 3 == 1,
        overhead=seed % 2 == 0,
        duplex="half" if seed % 4 < 2 else "full",
        fog=seed % 5 == 0,
    )
    result = plan(instance, f"optimised:{period}")
    assert result.plan is not None
    assert result.plan.violations == ()
    assert result.bound <= result.objective * (1 + 1e-9)
    cloud = {"1": "1", "2": "2"}.get(period)
    names = (
        [
            f"{base}:{cloud}"
            for base in ("hierarchical", "hierarchical+d2d", "shortest-paths", "random-placement")
        ]
        if cloud
        else ["edge-only", "edge-only+d2d"]
    )
    for name, draw in itertools.product(names, range(4)):
        other = plan(instance, name, seed=draw)
        assert other.objective >= result.bound * (1 - 1e-9), name


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("seed", range(4))
def test_nominal_plans_are_optimal_by_brute_force(
    make_instance: Callable[..., Instance], seed: int, duplex: str
) -> None:
    """All aggregators and trees of two clusters of three and two, priced by the prediction alone."""
    instance = make_instance(seed, overhead=seed % 2 == 0)
    result = plan(instance, "optimised:2", allocate=False, duplex=duplex)
    assert result.plan is not None
    best = brute_force(result)
    assert math.isclose(result.objective, best, rel_tol=1e-9)
    assert result.gap <= 1e-9


def brute_force(result: PlanResult) -> float:
    assert result.plan is not None
    network, decisions = result.plan.network, result.plan.decisions
    prices = result.plan.instance.objective
    choices = []
    for server, members in network.members.items():
        found = [cluster_around(network, server)]
        for aggregator in members:
            trees = all_trees(members, aggregator)
            for up, leg, down in itertools.product(trees, trees, trees):
                for order in itertools.permutations(down):
                    pairs = [(high, low) for low, high in order]
                    cluster = relayed_cluster(network, server, aggregator, (up, pairs), to_cloud=True)
                    other = relayed_cluster(network, server, aggregator, (leg, pairs), to_cloud=True)
                    found.append(cluster.model_copy(update={"gather_to_cloud": other.gather}))
        choices.append(found)
    best = math.inf
    fronts = [nondominated_alone(network, decisions, index, found) for index, found in enumerate(choices)]
    for clusters in itertools.product(*fronts):
        cost = predict(network, decisions.model_copy(update={"clusters": clusters}))
        value = prices.energy_weight_per_j * cost.energy_j + prices.time_weight_per_s * cost.latency_s
        best = min(best, value)
    return best


def cluster_around(network, server):  # type: ignore[no-untyped-def]
    from hfedfm_opt.planning.baselines import around_servers

    return next(cluster for cluster in around_servers(network) if cluster.id == server)


def nondominated_alone(network, decisions, index, found):  # type: ignore[no-untyped-def]
    """Return the choices of a cluster that no other beats in both latency and energy, the others left out."""
    server = decisions.clusters[index].id
    up = tuple(hop for hop in decisions.backhaul_up if hop.source == server)
    down = tuple(hop for hop in decisions.backhaul_down if hop.target == server)
    rows = []
    for position, cluster in enumerate(found):
        alone = decisions.model_copy(
            update={"clusters": (cluster,), "backhaul_up": up, "backhaul_down": down, "servings": ()}
        )
        cost = predict(network, alone)
        rows.append((cost.latency_s, cost.energy_j, position))
    front, least = [], math.inf
    for _, energy_j, position in sorted(rows):
        if energy_j < least:
            front.append(found[position])
            least = energy_j
    return front


def all_trees(members: tuple[str, ...], root: str) -> list[list[tuple[str, str]]]:
    others = [member for member in members if member != root]
    trees = []
    for parents in itertools.product(members, repeat=len(others)):
        above = dict(zip(others, parents, strict=True))
        if all(reaches(above, node, root) for node in others):
            trees.append(list(above.items()))
    return trees


def reaches(above: dict[str, str], node: str, root: str) -> bool:
    for _ in range(len(above) + 1):
        if node == root:
            return True
        node = above[node]
    return False


@pytest.mark.parametrize("seed", range(6))
def test_the_search_over_deadlines_finds_the_least_cost_of_a_fine_grid(
    make_instance: Callable[..., Instance], seed: int
) -> None:
    network = resolve_network(make_instance(seed, overhead=False))
    ready = readiness(network, ())
    options = []
    for index, server in enumerate(network.members):
        options += server_options(network, index, server, Rhythm(2), ready, allocate=True)
        options += relayed_options(network, index, server, Rhythm(2), ready, allocate=True)
    found = search_deadline(options, [0.0, 0.0], energy_weight=1.0, time_weight=2.0, gap=1e-7)
    assert found.bound <= found.value
    assert (found.value - found.bound) / found.value <= 1e-7
    for deadline_s in np.linspace(0.2, 3.0, 40) * found.deadline_s:
        limited = search_deadline(
            options, [0.0, 0.0], energy_weight=1.0, time_weight=2.0, max_deadline_s=float(deadline_s), gap=0.5
        )
        assert limited.value >= found.bound * (1 - 1e-12)


def test_a_limit_on_latency_is_kept_or_told(paper: Instance) -> None:
    free = plan(paper, "optimised:2", time_weight_per_s=0.01)
    limits = paper.limits.model_copy(update={"max_latency_s": 7.5})
    limited = plan(paper.model_copy(update={"limits": limits}), "optimised:2", time_weight_per_s=0.01)
    assert free.latency_s > 7.5
    assert limited.latency_s <= 7.5 * (1 + 1e-9)
    assert limited.energy_j >= free.energy_j
    limits = paper.limits.model_copy(update={"max_latency_s": 6.0})
    hopeless = plan(paper.model_copy(update={"limits": limits}), "optimised:2")
    assert hopeless.status is Status.INFEASIBLE
    assert hopeless.plan is None
    assert "no plan ends a round within limits.max_latency_s = 6.0 s: relax it" in hopeless.explanation


def test_candidate_periods_give_the_best_objective(paper: Instance) -> None:
    best = plan(paper, "optimised", periods=(2, 8), gap=1e-3)
    assert best.planner == "optimised:8"
    assert best.objective == min(
        plan(paper, name, gap=1e-3).objective for name in ("optimised:2", "optimised:8")
    )


def test_the_same_call_gives_the_same_plan(paper: Instance) -> None:
    first, second = (plan(paper, "optimised:2", gap=1e-4) for _ in range(2))
    assert first.plan is not None
    assert second.plan is not None
    assert first.plan.decisions == second.plan.decisions


def test_more_memory_never_hurts_the_bound(make_instance: Callable[..., Instance]) -> None:
    instance = make_instance(1, split=True)
    roomy = instance.model_copy(
        update={"nodes": tuple(node.model_copy(update={"memory_bytes": None}) for node in instance.nodes)}
    )
    tight, loose = plan(instance, "optimised:2"), plan(roomy, "optimised:2")
    assert loose.bound <= tight.objective * (1 + 1e-9)
