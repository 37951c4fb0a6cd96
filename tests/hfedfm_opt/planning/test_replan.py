"""Planning again from an old plan: what is kept, what is moved, and how good the new plan is."""

import math
from collections.abc import Callable

import pytest

from hfedfm_opt.planning.changes import changes_between
from hfedfm_opt.planning.moves import moves_between
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.replan import replan
from hfedfm_opt.study.measure import measure_still
from hfedfm_opt.system.decisions import Hosting
from hfedfm_opt.system.instance import Instance, Objective, WirelessLink
from hfedfm_opt.system.network import resolve_network

MakeInstance = Callable[..., Instance]
SHAPE = (3, 2, 2)
"""Devices of the three clusters of most tests."""


def without(instance: Instance, name: str) -> Instance:
    def others(links: tuple[WirelessLink, ...]) -> tuple[WirelessLink, ...]:
        return tuple(link for link in links if name not in (link.source, link.target))

    return instance.model_copy(
        update={
            "nodes": tuple(node for node in instance.nodes if node.id != name),
            "wireless_links": others(instance.wireless_links),
        }
    )


def with_copy(instance: Instance, name: str) -> Instance:
    """Return the instance with one more device, like another."""
    (node,) = (node for node in instance.nodes if node.id == name)
    links = [
        link.model_copy(update={end: "copy"})
        for link in instance.wireless_links
        for end in ("source", "target")
        if getattr(link, end) == name
    ]
    return instance.model_copy(
        update={
            "nodes": (*instance.nodes, node.model_copy(update={"id": "copy"})),
            "wireless_links": (*instance.wireless_links, *links),
        }
    )


def with_weaker_links(instance: Instance, name: str, factor: float = 0.1) -> Instance:
    links = tuple(
        link.model_copy(update={"gain": factor * link.gain}) if name in (link.source, link.target) else link
        for link in instance.wireless_links
    )
    return instance.model_copy(update={"wireless_links": links})


def with_more_samples(instance: Instance, name: str) -> Instance:
    nodes = tuple(
        node.model_copy(
            update={"data": tuple(d.model_copy(update={"samples": 2 * d.samples}) for d in node.data)}
        )
        if node.id == name
        else node
        for node in instance.nodes
    )
    return instance.model_copy(update={"nodes": nodes})


KINDS = {
    "gone": without,
    "new": with_copy,
    "worse": with_weaker_links,
    "more": with_more_samples,
}


PLANS: dict[str, Plan] = {}
"""Plans by instance: several tests start from the same one."""


def planned(instance: Instance) -> Plan:
    key = instance.model_dump_json()
    if key not in PLANS:
        found = plan(instance).plan
        assert found is not None
        PLANS[key] = found
    return PLANS[key]


def test_a_network_that_did_not_change_keeps_its_plan(make_instance: MakeInstance) -> None:
    old = planned(make_instance(1, devices_per_server=SHAPE, split=True))
    again = replan(old.instance, old)
    assert again.way == "warm"
    assert not again.changes
    assert again.changes.kept == {"s0", "s1", "s2"}
    assert again.moves.moves == ()
    assert again.result.objective <= old.objective * (1 + 1e-9)
    assert again.result.plan is not None
    assert again.result.plan.decisions.servings == old.decisions.servings


@pytest.mark.parametrize(
    ("kind", "split"), [*((kind, False) for kind in KINDS), ("worse", True), ("new", True)]
)
def test_a_plan_made_again_is_about_as_good_as_one_made_anew(
    make_instance: MakeInstance, kind: str, split: bool
) -> None:
    old = planned(make_instance(1, devices_per_server=SHAPE, split=split))
    changed = KINDS[kind](old.instance, "d1")
    again, anew = replan(changed, old), plan(changed)
    assert again.way == "warm"
    assert again.result.plan is not None
    assert again.result.plan.violations == ()
    assert again.result.objective >= anew.bound * (1 - 1e-9)
    assert again.result.objective <= 1.01 * anew.objective
    assert again.result.bound == -math.inf
    measure_still(again.result.plan, 4)  # the clock agrees with the prediction


@pytest.mark.parametrize("duplex", ["full", "half"])
def test_clusters_in_which_nothing_changed_keep_trees_and_hosts(
    make_instance: MakeInstance, duplex: str
) -> None:
    old = planned(make_instance(1, devices_per_server=SHAPE, split=duplex == "full", duplex=duplex))
    again = replan(with_weaker_links(old.instance, "d0"), old)
    assert again.changes.kept == {"s1", "s2"}
    assert again.changes.changed == ("d0",)
    assert again.result.plan is not None
    decided = again.result.plan.decisions
    trees = [
        {
            cluster.id: (cluster.aggregator, {(hop.source, hop.target) for hop in cluster.gather})
            for cluster in clusters
            if cluster.id in again.changes.kept
        }
        for clusters in (old.decisions.clusters, decided.clusters)
    ]
    assert trees[0] == trees[1]
    stay = {"d3", "d4", "d5", "d6"}
    hosts = [
        {(s.device, s.module, s.host) for s in servings if s.device in stay}
        for servings in (old.decisions.servings, decided.servings)
    ]
    assert hosts[0] == hosts[1]


def test_other_prices_move_the_deadline(make_instance: MakeInstance) -> None:
    old = planned(make_instance(6, devices_per_server=(3, 3)))
    cheap = Objective(
        energy_weight_per_j=1.0, time_weight_per_s=old.instance.objective.time_weight_per_s / 100
    )
    patient = old.instance.model_copy(update={"objective": cheap})
    again, anew = replan(patient, old), plan(patient)
    assert again.result.latency_s > 1.2 * old.prediction.latency_s
    assert again.result.objective <= 1.01 * anew.objective


def test_a_price_keeps_replicas_where_they_are(make_instance: MakeInstance) -> None:
    """Where a host becomes slow, others would rather help, were the module not dear to send."""
    old = planned(make_instance(1, devices_per_server=SHAPE, split=True))
    host = old.decisions.servings[0].host
    slow = tuple(
        node.model_copy(update={"processor": node.processor.model_copy(update={"flops_per_s": 1e9})})
        if node.id == host
        else node
        for node in old.instance.nodes
    )
    changed = old.instance.model_copy(update={"nodes": slow})
    free, dear = (replan(changed, old, moving_weight_per_byte=price) for price in (0.0, 1.0))
    assert free.moves.bytes > 0
    assert dear.moves.bytes == 0
    assert dear.moving_cost == 0
    assert free.result.objective < dear.result.objective


def test_moves_are_billed_over_the_ways_from_the_nearest_holder(make_instance: MakeInstance) -> None:
    """4 MB of backbone: from the cloud to s0 over the wire, and from s0, which holds it, on to d0."""
    network = resolve_network(make_instance(0, devices_per_server=(2, 2)))
    held = (Hosting(module="backbone", node="cloud"),)
    wanted = (*held, Hosting(module="backbone", node="s1"))
    wire = network.edges["cloud", "s1"]
    found = moves_between(network, held, wanted)
    assert [(move.source, move.target, move.bytes) for move in found.moves] == [("cloud", "s1", 4e6)]
    seconds = 32e6 / wire.rate_bps + wire.delay_s
    assert found.seconds == pytest.approx(seconds, rel=1e-12)
    assert found.joules == pytest.approx(seconds * wire.power_w, rel=1e-12)
    device = moves_between(network, wanted, (*wanted, Hosting(module="backbone", node="d3")))
    assert [move.source for move in device.moves] == ["s1"]
    edge = network.edges["s1", "d3"]
    rate = edge.rate_bps(1e6, 2.0 * 1e6 / 5e6)
    assert device.seconds == pytest.approx(32e6 / rate, rel=1e-12)


def test_changes_are_told_by_device_and_cluster(make_instance: MakeInstance) -> None:
    before = make_instance(0, devices_per_server=(2, 2))
    after = with_copy(without(before, "d0"), "d3")
    differs = changes_between(resolve_network(before), resolve_network(after))
    assert (differs.gone, differs.new, differs.changed) == (("d0",), ("copy",), ())
    assert differs.kept == frozenset()
    told = changes_between(
        resolve_network(before), resolve_network(before.model_copy(update={"name": "other"}))
    )
    assert not told
    assert told.kept == {"s0", "s1"}
    longer = before.training.model_copy(update={"local_epochs": 2.0})
    world = changes_between(
        resolve_network(before), resolve_network(before.model_copy(update={"training": longer}))
    )
    assert world.kept == frozenset()


def test_another_planner_plans_anew_and_tells_what_moves(make_instance: MakeInstance) -> None:
    old = planned(make_instance(1, devices_per_server=SHAPE, split=True))
    again = replan(old.instance, old, "hierarchical:2")
    assert again.way == "anew"
    assert again.result.plan is not None
    assert again.result.plan.decisions.planner == "hierarchical:2"


def test_another_period_decides_all_clusters_anew(make_instance: MakeInstance) -> None:
    old = planned(make_instance(1, devices_per_server=(3, 2)))
    again, anew = replan(old.instance, old, "optimised:4"), plan(old.instance, "optimised:4")
    assert again.result.objective == pytest.approx(anew.objective, rel=1e-2)


def test_precision_and_duplex_are_those_of_the_old_plan(make_instance: MakeInstance) -> None:
    instance = make_instance(2, devices_per_server=(3, 2))
    old = plan(instance, duplex="half", transport_bits=4).plan
    assert old is not None
    decided = replan(without(instance, "d4"), old).result.plan
    assert decided is not None
    assert decided.decisions.duplex == "half"
    assert decided.decisions.transport_bits == old.decisions.transport_bits


@pytest.mark.parametrize("price", [-1.0, math.inf, math.nan])
def test_a_price_that_is_none_is_refused(make_instance: MakeInstance, price: float) -> None:
    old = planned(make_instance(0, devices_per_server=(2, 1)))
    with pytest.raises(ValueError, match="moving_weight_per_byte is"):
        replan(old.instance, old, moving_weight_per_byte=price)
