"""Decisions left to baselines: what is left is the baseline's, the rest is decided, shares add up."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.settings import PlannerOptions
from hfedfm_opt.study.ablation import Ablation, ablate
from hfedfm_opt.study.ablation_table import ablation_markdown, ablation_table
from hfedfm_opt.system.generate import campus_instance, city_instance, paper_instance
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import WirelessEdge

PLAIN: Mapping[str, Any] = {"placement": "greedy_regret", "allocate": False}


@pytest.fixture(scope="module")
def paper() -> Instance:
    return paper_instance()


@pytest.fixture(scope="module")
def ablation(paper: Instance) -> Ablation:
    return ablate(paper, period=2, options=PlannerOptions(gap=1e-2))


def planned(instance: Instance, **options: object) -> Plan:
    result = plan(instance, "optimised:2", gap=1e-3, **options)
    assert result.plan is not None, result.explanation
    assert result.plan.violations == ()
    return result.plan


@pytest.mark.parametrize(
    ("trees", "planner"),
    [("hierarchical", "hierarchical:2"), ("spanning-tree", "spanning-tree:2"), ("shortest-paths", None)],
)
def test_with_all_but_the_names_left_out_the_planner_is_the_baseline(
    paper: Instance, trees: str, planner: str | None
) -> None:
    own = planned(paper, trees=trees, **PLAIN)
    baseline = plan(paper, planner or f"{trees}:2")
    assert own.objective == pytest.approx(baseline.objective, rel=1e-9)


@pytest.mark.parametrize("seed", [0, 5])
def test_given_trees_are_kept_and_their_resources_decided(paper: Instance, seed: int) -> None:
    found = planned(paper, trees="hierarchical+d2d", seed=seed)
    scheme = plan(paper, "hierarchical+d2d:2", seed=seed).plan
    assert scheme is not None
    for own, given in zip(found.decisions.clusters, scheme.decisions.clusters, strict=True):
        assert own.aggregator == given.aggregator
        used = {(hop.source, hop.target) for hop in (*given.gather, *given.deliver)}
        assert {(hop.source, hop.target) for hop in (*own.gather, *own.deliver)} <= used
    assert found.objective < scheme.objective


def test_uplinks_left_out_keep_their_channel_and_full_power(paper: Instance) -> None:
    found = planned(paper, allocate_uplinks=False)
    for cluster in found.decisions.clusters:
        for hop in cluster.uplink:
            edge, radio = found.network.edges[hop.source, hop.target], found.network.nodes[hop.source].radio
            assert isinstance(edge, WirelessEdge)
            assert radio is not None
            assert hop.band_hz == found.network.bands[edge.band].channel_hz
            assert hop.power_w == radio.max_power_w
        assert any(hop.power_w != 0.6 for hop in cluster.gather)


def test_cpus_left_out_run_at_full_frequency() -> None:
    instance = city_instance(12, 2, 3)
    prices = instance.objective.model_copy(update={"time_weight_per_s": 0.05})
    instance = instance.model_copy(update={"objective": prices})
    decided = planned(instance, time_limit_s=3.0)
    left_out = planned(instance, time_limit_s=3.0, allocate_cpu=False)
    assert decided.decisions.frequencies
    assert left_out.decisions.frequencies == ()


def test_a_placement_left_out_is_the_method_s_own() -> None:
    instance = campus_instance()
    found = planned(instance, **PLAIN | {"placement": "random"}, seed=4)
    baseline = plan(instance, "random-placement:2", seed=4).plan
    assert baseline is not None
    assert found.decisions.hosted == baseline.decisions.hosted


def test_nothing_is_proven_where_decisions_are_left_out(paper: Instance) -> None:
    result = plan(paper, "optimised:2", trees="spanning-tree")
    assert result.bound == float("-inf")
    assert result.proof == "no bound: some decisions are left to a baseline"


def test_everything_decided_is_best_and_shares_are_of_the_saving(ablation: Ablation) -> None:
    rows = {(row.group, row.decision): row for row in ablation.rows}
    full, plain = rows["full", ""].objective, rows["plain", ""].objective
    assert full is not None
    assert plain is not None
    assert plain > full
    for (group, decision), row in rows.items():
        assert row.objective is not None, decision
        if group in ("without", "only"):
            assert row.objective >= full * (1 - 1e-2)
            lost = row.objective - full if group == "without" else plain - row.objective
            assert row.share == pytest.approx(lost / (plain - full))
    assert rows["without", "trees: servers average"].objective == pytest.approx(
        rows["only", "uplinks and CPUs"].objective, rel=1e-2
    )
    assert rows["only", "placement"].share == pytest.approx(0.0, abs=1e-9)  # nothing of it may move


def test_an_ablation_is_written_as_json_csv_and_markdown(ablation: Ablation) -> None:
    raw = json.loads(ablation.to_json())
    table = list(csv.DictReader(io.StringIO(ablation.to_csv())))
    lines = ablation_markdown(ablation).splitlines()
    assert raw["format"] == "hfedfm-ablation"
    assert [row["decision"] for row in raw["rows"]] == [row["decision"] for row in table]
    assert [float(row["objective"]) for row in table] == [row.objective for row in ablation.rows]
    assert lines[0] == "paper-40: what each decision is worth, period 2, 32 bits a parameter"
    assert len(lines) == 2 + 2 + len(ablation.rows) + 2
    assert ablation_table(ablation).marked == frozenset({0})
