"""Which server each device belongs to, as a decision: plans that carry it, moves, and a bound over all."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fl_runtime.clock import play
from hfedfm_opt.planning.association import as_decided, reachable_servers, with_association
from hfedfm_opt.planning.association_bound import association_bound
from hfedfm_opt.planning.association_costs import CellCosts, cell_model
from hfedfm_opt.planning.association_rules import by_rule
from hfedfm_opt.planning.association_search import CellTables, improved, value_of
from hfedfm_opt.planning.cluster_options import Rhythm
from hfedfm_opt.planning.device_costs import link_costs
from hfedfm_opt.planning.graphs import trees_graph
from hfedfm_opt.planning.optimise import SearchSettings
from hfedfm_opt.planning.plan import Plan, PlanResult
from hfedfm_opt.planning.plan_file import read_plan, write_plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.replan import replan
from hfedfm_opt.planning.time_prices import even_prices
from hfedfm_opt.study.living import living_schedule
from hfedfm_opt.system.generate.city import city_instance
from hfedfm_opt.system.instance import Instance, Living, Mobility, WirelessLink
from hfedfm_opt.system.network import resolve_network

MakeInstance = Callable[..., Instance]


def reaching_all(instance: Instance, seed: int) -> Instance:
    """Return the instance whose devices have links with all servers, up and down."""
    generator = np.random.default_rng(seed)
    devices = [node for node in instance.nodes if node.tier == "device"]
    servers = [node for node in instance.nodes if node.tier == "edge"]
    links = []
    for device in devices:
        for server in servers:
            if server.id != device.parent:
                gain = float(10 ** generator.uniform(-12, -9))
                ends = (device.id, server.id), (server.id, device.id)
                links += [
                    WirelessLink(source=a, target=b, band=f"up-{server.id}", gain=gain) for a, b in ends
                ]
    return instance.model_copy(update={"wireless_links": (*instance.wireless_links, *links)})


def associated(instance: Instance, server_of: dict[str, str]) -> Instance:
    """Return the instance with other parents in the file."""
    nodes = tuple(
        node.model_copy(update={"parent": server_of.get(node.id, node.parent)}) for node in instance.nodes
    )
    return instance.model_copy(update={"nodes": nodes})


def all_associations(instance: Instance) -> list[dict[str, str]]:
    reach = reachable_servers(resolve_network(instance))
    return [dict(zip(reach, servers, strict=True)) for servers in itertools.product(*reach.values())]


def best_by_enumeration(instance: Instance, **changes: object) -> float:
    results = [plan(associated(instance, one), **changes) for one in all_associations(instance)]
    return min(result.objective for result in results)


@pytest.fixture(scope="module")
def moved(make_instance: MakeInstance) -> PlanResult:
    """Return a plan whose association is not the file's."""
    instance = reaching_all(make_instance(3, devices_per_server=(3, 1), split=True), 3)
    result = plan(instance, "hierarchical:2", association="strongest")
    assert result.plan is not None
    parents = {node.id: node.parent for node in instance.nodes}
    clusters = result.plan.decisions.clusters
    assert any(parents[member] != cluster.id for cluster in clusters for member in cluster.members)
    return result


def test_a_plan_carries_its_association(moved: PlanResult, tmp_path: Path) -> None:
    assert moved.plan is not None
    write_plan(moved.plan, tmp_path / "plan.json")
    again = read_plan(tmp_path / "plan.json", moved.plan.instance)
    assert again.violations == ()
    assert again.objective == moved.objective
    for cluster in again.decisions.clusters:
        assert again.network.members[cluster.id] == cluster.members


def test_the_runtime_measures_what_an_association_is_predicted_to_cost(moved: PlanResult) -> None:
    assert moved.plan is not None
    timeline = play(moved.plan.compile(rounds=2))
    assert timeline.cycle_latency_s == pytest.approx(moved.latency_s, rel=1e-9)
    assert timeline.cycle_energy_j == pytest.approx(moved.energy_j, rel=1e-9)


def test_all_that_reads_a_plan_takes_its_association() -> None:
    instance = city_instance(14, 3, seed=2)
    result = plan(instance, "hierarchical:2", association="strongest")
    assert result.plan is not None
    parents = {node.id: node.parent for node in instance.nodes}
    member, server = next(
        (member, cluster.id)
        for cluster in result.plan.decisions.clusters
        for member in cluster.members
        if parents[member] != cluster.id
    )
    assert trees_graph(result.plan).nodes[member]["parent"] == server
    moving = Living(mobility=Mobility(min_speed_m_per_s=1.0, max_speed_m_per_s=2.0))
    schedule = living_schedule(result.plan, 4, moving)
    assert schedule.living is not None
    assert (member, server) in {(gains.source, gains.target) for gains in schedule.living.gains}


def test_a_plan_costs_the_same_where_its_association_is_the_files(moved: PlanResult) -> None:
    assert moved.plan is not None
    clusters = moved.plan.decisions.clusters
    server_of = {member: cluster.id for cluster in clusters for member in cluster.members}
    other = Plan(associated(moved.plan.instance, server_of), moved.plan.decisions)
    assert replace(other.prediction, uses={}) == replace(moved.plan.prediction, uses={})


def test_planning_again_keeps_the_servers_of_a_plan() -> None:
    instance = city_instance(14, 3, seed=2)
    before = plan(instance, "optimised:2", association="strongest", allocate=False)
    assert before.plan is not None
    again = replan(instance, before.plan, allocate=False)
    assert again.way == "warm"
    assert len(again.changes.kept) == len(before.plan.decisions.clusters)
    assert again.result.objective <= before.objective * (1 + 1e-9)


@pytest.mark.parametrize(("gone", "says"), [(0, "no link to"), (1, "no link from")])
def test_a_device_needs_links_both_ways(moved: PlanResult, gone: int, says: str) -> None:
    assert moved.plan is not None
    instance, clusters = moved.plan.instance, moved.plan.decisions.clusters
    parents = {node.id: node.parent for node in instance.nodes}
    member, server = next(
        (member, cluster.id)
        for cluster in clusters
        for member in cluster.members
        if parents[member] != cluster.id
    )
    ends = ((member, server), (server, member))[gone]
    kept = tuple(link for link in instance.wireless_links if (link.source, link.target) != ends)
    broken = Plan(instance.model_copy(update={"wireless_links": kept}), moved.plan.decisions)
    assert any(member in str(one) and says in str(one) for one in broken.violations)


def test_strongest_takes_the_server_of_the_highest_rate(make_instance: MakeInstance) -> None:
    network = resolve_network(reaching_all(make_instance(5, overhead=False), 5))
    chosen = by_rule(network, "strongest")
    for device, servers in reachable_servers(network).items():
        gains = {server: network.edges[device, server].gain for server in servers}  # type: ignore[union-attr]
        assert chosen.parent(device) == max(gains, key=gains.__getitem__)


def test_an_unknown_rule_is_refused(make_instance: MakeInstance) -> None:
    with pytest.raises(ValueError, match=r"association is 'nearest', must be one of given, strongest"):
        plan(make_instance(2), "star", association="nearest")


def test_nothing_changes_where_there_is_no_choice(make_instance: MakeInstance) -> None:
    instance = make_instance(2)
    given, decided = (plan(instance, allocate_d2d=False, association=rule) for rule in ("given", "decided"))
    assert given.plan is not None
    assert decided.plan is not None
    assert decided.plan.decisions == given.plan.decisions


def test_clusters_with_links_of_one_band_share_it(make_instance: MakeInstance) -> None:
    network = resolve_network(reaching_all(make_instance(0, devices_per_server=(4, 1)), 0))
    halves = with_association(network, {"d2": "s1", "d3": "s1", "d4": "s0"})
    assert halves.clusters_of_band == {"d2d-s0": 2}
    assert with_association(halves, {"d2": "s0", "d3": "s0"}).clusters_of_band == {}


def test_transfers_cost_what_a_share_of_the_band_takes(make_instance: MakeInstance) -> None:
    network = resolve_network(make_instance(1, overhead=False))
    edge, radio = network.edges["d0", "s0"], network.nodes["d0"].radio
    assert radio is not None
    costs = link_costs(network, "d0", "s0", 1e6, 10)
    for sharers, share_hz in ((1, 1e6), (5, 1e6), (10, 5e5)):  # channels of 1 MHz in a band of 5 MHz
        snr = radio.max_power_w * edge.gain / (edge.noise_w_per_hz * share_hz)  # type: ignore[union-attr]
        seconds = 1e6 / (share_hz * math.log2(1 + snr))
        assert costs.seconds[sharers - 1] == pytest.approx(seconds)
        assert costs.joules[sharers - 1] == pytest.approx(seconds * radio.max_power_w)


def test_the_bound_allows_clusters_over_d2d_links_without_links_up(make_instance: MakeInstance) -> None:
    made = make_instance(0, devices_per_server=(3, 1), computing=False)
    kept = tuple(link for link in made.wireless_links if (link.source, link.target) != ("d0", "s0"))
    given = plan(made.model_copy(update={"wireless_links": kept}), allocate_d2d=False)
    costs = _costs(given.plan.instance if given.plan else made)
    tables = CellTables(costs)
    value = value_of(tables, costs.server.tolist())
    assert costs.mixed[0, 0] == math.inf
    assert association_bound(costs, value) <= given.objective


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_of_tables_is_below_every_association(make_instance: MakeInstance, seed: int) -> None:
    instance = reaching_all(make_instance(seed, devices_per_server=(3, 2), split=True), seed)
    costs = _costs(instance)
    tables = CellTables(costs)
    every = [
        value_of(tables, list(servers)) for servers in itertools.product(range(2), repeat=len(costs.devices))
    ]
    value, _ = improved(tables, [0] * len(costs.devices), math.inf)
    bound = association_bound(costs, value) - costs.rest
    assert bound <= min(every) * (1 + 1e-9)
    assert value >= min(every) * (1 - 1e-9)
    assert bound >= 0.9 * min(every)


@pytest.mark.parametrize("split", [False, True])
def test_the_search_comes_near_the_best_of_all_associations(make_instance: MakeInstance, split: bool) -> None:
    for seed in range(1) if split else range(3):
        made = make_instance(seed, devices_per_server=(2, 1) if split else (2, 2), split=split)
        instance = reaching_all(made, seed)
        options = {"allocate_d2d": False, "gap": 1e-4}
        best = best_by_enumeration(instance, **options)
        decided = plan(instance, association="decided", **options)
        assert decided.bound <= best * (1 + 1e-9)
        assert decided.objective >= decided.bound * (1 - 1e-9)
        assert decided.objective <= plan(instance, **options).objective * (1 + 1e-9)
        assert decided.objective <= best * 1.02


def test_everything_is_decided_at_once_with_the_association(make_instance: MakeInstance) -> None:
    instance = reaching_all(make_instance(2, devices_per_server=(2, 1)), 2)
    best = best_by_enumeration(instance)
    decided = plan(instance, association="decided")
    assert decided.bound <= best * (1 + 1e-9)
    assert decided.objective <= plan(instance).objective * (1 + 1e-6)
    assert sum(part.amount for part in decided.gap_parts) == pytest.approx(decided.objective - decided.bound)
    assert "any association" in decided.proof


def test_limits_hold_with_the_association_decided(make_instance: MakeInstance) -> None:
    instance = reaching_all(make_instance(1, devices_per_server=(2, 1)), 1)
    free = plan(instance, association="decided", allocate_d2d=False, time_weight_per_s=0.01)
    fast = plan(instance, association="decided", allocate_d2d=False, time_weight_per_s=100.0)
    limit_s = 0.5 * (free.latency_s + fast.latency_s)
    assert limit_s < 0.95 * free.latency_s
    limited = plan(
        instance, association="decided", allocate_d2d=False, time_weight_per_s=0.01, max_latency_s=limit_s
    )
    assert limited.latency_s <= limit_s * (1 + 1e-9)
    assert limited.objective >= free.bound * (1 - 1e-9)


def test_a_plan_with_the_files_association_changes_no_network(make_instance: MakeInstance) -> None:
    instance = reaching_all(make_instance(4), 4)
    result = plan(instance, "hierarchical:2")
    assert result.plan is not None
    network = resolve_network(instance)
    assert as_decided(network, result.plan.decisions) is network


def _costs(instance: Instance) -> CellCosts:
    network = resolve_network(instance)
    settings = SearchSettings(allocate=True, gap=1e-6, time_limit_s=math.inf, max_latency_s=math.inf)
    return cell_model(network, "server", Rhythm(2), settings).costs(even_prices(network), for_bound=True)
