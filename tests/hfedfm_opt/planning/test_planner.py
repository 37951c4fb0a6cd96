"""The front door of planning: names, results without a plan, options."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hfedfm_opt.planning.baselines import published_tree, random_aggregators
from hfedfm_opt.planning.planner import plan, planners
from hfedfm_opt.planning.recipes import UnknownPlanner, recipe_of
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network
from solvers.common import Status


def test_every_planner_makes_a_plan_without_violations(make_instance: Callable[..., Instance]) -> None:
    instance = make_instance(3)
    for name in planners():
        result = plan(instance, name.replace(":E", ":2"))
        assert result.plan is not None, name
        assert result.plan.violations == ()
        assert result.plan.decisions.claim is not None
        assert result.status in {Status.OPTIMAL, Status.FEASIBLE}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hierarchial:2", "there is no planner 'hierarchial:2'; did you mean 'hierarchical'"),
        ("star:2", "planner 'star' takes no period, got 'star:2': use 'star'"),
        ("hierarchical:0", "the period of 'hierarchical:0' is '0', must be a whole number >= 1 or 'never'"),
        ("optimised:soon", "the period of 'optimised:soon' is 'soon'"),
    ],
)
def test_a_name_without_a_planner_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownPlanner, match=message.replace("+", r"\+")):
        recipe_of(name, 2)


def test_a_name_without_a_period_takes_the_instances() -> None:
    assert recipe_of("hierarchical", 5).period == 5
    assert recipe_of("hierarchical:never", 5).period is None
    assert recipe_of("edge-only", 5).period is None
    assert recipe_of("star", 5).period == 1


def test_memory_that_is_too_small_is_named_with_what_to_relax(make_instance: Callable[..., Instance]) -> None:
    instance = make_instance(0)
    nodes = tuple(
        node.model_copy(update={"memory_bytes": 1e6}) if node.id == "d1" else node for node in instance.nodes
    )
    result = plan(instance.model_copy(update={"nodes": nodes}), "optimised:2")
    assert result.status is Status.INFEASIBLE
    assert result.plan is None
    assert "relax memory of node 'd1' by at least 4.6e+06 byte" in result.explanation


def test_a_missing_link_is_named(make_instance: Callable[..., Instance]) -> None:
    instance = make_instance(0)
    links = tuple(link for link in instance.wireless_links if (link.source, link.target) != ("d1", "s0"))
    cut = instance.model_copy(update={"wireless_links": links})
    result = plan(cut, "hierarchical:2")
    assert result.status is Status.INFEASIBLE
    assert "there is no link from 'd1' to 's0'" in result.explanation
    relayed = plan(cut, "optimised:2")
    assert relayed.plan is not None
    assert all(cluster.aggregator != "d1" for cluster in relayed.plan.decisions.clusters)


def test_random_aggregators_follow_the_seed(paper: Instance) -> None:
    network = resolve_network(paper)
    assert random_aggregators(network, 3) == random_aggregators(network, 3)
    assert len({random_aggregators(network, seed) for seed in range(8)}) > 1
    for aggregator, members in zip(random_aggregators(network, 0), network.members.values(), strict=True):
        assert aggregator in members


def test_the_published_tree_leads_every_member_to_the_aggregator(paper: Instance) -> None:
    network = resolve_network(paper)
    for members in network.members.values():
        for aggregator in members:
            up, down = published_tree(network, members, aggregator)
            assert sorted(source for source, _ in up) == sorted(set(members) - {aggregator})
            assert sorted(target for _, target in down) == sorted(set(members) - {aggregator})


def test_a_cluster_that_cannot_average_is_named() -> None:
    """In the tiny instance one device reaches its server only over D2D, another only by itself."""
    from hfedfm_opt.system.read import read_instance

    tiny = read_instance(Path(__file__).parents[2] / "data" / "tiny.json")
    result = plan(tiny, "optimised:2")
    assert result.status is Status.INFEASIBLE
    assert result.explanation.startswith("the cluster of 'e1' can average neither at its server")
