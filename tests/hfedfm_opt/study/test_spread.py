from itertools import product

import numpy as np
import pytest

from hfedfm_opt.planning import baselines
from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.study.spread import NoSpread, aggregator_spread, spread_of_maximum, spread_of_sum
from hfedfm_opt.system.generate.paper import paper_instance
from hfedfm_opt.system.instance import Instance

PAPER = paper_instance()


def first_clusters(count: int) -> Instance:
    """Return the first clusters of the published network as an instance of their own."""
    kept = {"cloud", *(f"s{i}" for i in range(count)), *(f"d{i}" for i in range(4 * count))}
    return PAPER.model_copy(
        update={
            "nodes": tuple(node for node in PAPER.nodes if node.id in kept),
            "wireless_links": tuple(link for link in PAPER.wireless_links if link.source in kept),
            "wired_links": tuple(link for link in PAPER.wired_links if {link.source, link.target} <= kept),
        }
    )


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize("planner", ["hierarchical+d2d:2", "edge-only+d2d"])
def test_spread_is_that_of_all_choices_of_two_clusters(planner: str, duplex: str) -> None:
    instance = first_clusters(2)
    found = aggregator_spread(instance, planner, duplex)
    result = plan(instance, planner, duplex=duplex)
    assert result.plan is not None
    network, decisions = result.plan.network, result.plan.decisions
    costs = []
    for chosen in product(*network.members.values()):
        clusters = baselines.published_d2d(network, chosen, to_cloud=planner != "edge-only+d2d")
        cost = predict(network, decisions.model_copy(update={"clusters": clusters}))
        costs.append((cost.latency_s, cost.energy_j))
    least, mean, largest = np.min(costs, axis=0), np.mean(costs, axis=0), np.max(costs, axis=0)
    assert found.num_choices == len(costs) == 16
    for column, spread in enumerate((found.latency_s, found.energy_j)):
        expected = [least[column], mean[column], largest[column]]
        assert [spread.least, spread.mean, spread.largest] == pytest.approx(expected, rel=1e-12)


def test_drawn_plans_of_forty_devices_lie_within_the_spread() -> None:
    spread = aggregator_spread(PAPER, "hierarchical+d2d:8", "half")
    for seed in range(5):
        drawn = plan(PAPER, "hierarchical+d2d:8", duplex="half", seed=seed)
        assert spread.latency_s.least * (1 - 1e-12) <= drawn.latency_s
        assert drawn.latency_s <= spread.latency_s.largest * (1 + 1e-12)
        assert spread.energy_j.least * (1 - 1e-12) <= drawn.energy_j
        assert drawn.energy_j <= spread.energy_j.largest * (1 + 1e-12)


def test_mean_of_a_maximum_is_that_of_all_combinations() -> None:
    values = [[1.0, 4.0, 4.0], [2.0], [0.5, 3.0, 9.0, 1.0]]
    spread = spread_of_maximum(values)
    maxima = [max(drawn) for drawn in product(*values)]
    assert spread.mean == pytest.approx(np.mean(maxima), rel=1e-14)
    assert (spread.least, spread.largest) == (min(maxima), max(maxima))


def test_spread_of_a_sum_adds_the_ends_and_means() -> None:
    spread = spread_of_sum([[1.0, 3.0], [10.0]], constant=100.0)
    assert (spread.least, spread.mean, spread.largest) == (111.0, 112.0, 113.0)


def test_planner_without_random_aggregators_is_refused() -> None:
    with pytest.raises(NoSpread, match="'star' draws no aggregators"):
        aggregator_spread(PAPER, "star")


def test_unconnected_cluster_has_no_spread() -> None:
    links = tuple(link for link in PAPER.wireless_links if not link.band.startswith("d2d-3"))
    with pytest.raises(NoSpread, match="no plan of 'hierarchical\\+d2d:2': D2D links do not connect"):
        aggregator_spread(PAPER.model_copy(update={"wireless_links": links}), "hierarchical+d2d:2")
