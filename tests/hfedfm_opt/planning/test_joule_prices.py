"""Networks in which joules have prices of their own cost what the prices say, whatever is decided."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfedfm_opt.planning.costs import predict
from hfedfm_opt.planning.digest import instance_digest
from hfedfm_opt.planning.joule_multipliers import Demands, Multipliers
from hfedfm_opt.planning.joule_prices import with_joule_prices, without_device_limits
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.system.instance import Instance, Limits
from hfedfm_opt.system.network import WiredEdge

MakeInstance = Callable[..., Instance]
DrawPlan = Callable[[Plan, np.random.Generator], Plan]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), split=st.booleans(), free_servers=st.booleans(), trees=st.booleans())
def test_energy_of_a_priced_network_is_the_weighted_energy(
    make_instance: MakeInstance,
    draw_plan: DrawPlan,
    seed: int,
    *,
    split: bool,
    free_servers: bool,
    trees: bool,
) -> None:
    generator = np.random.default_rng(seed)
    instance = make_instance(seed, split=split, fog=not split)
    made = plan(instance, "star").plan
    assert made is not None
    if trees and not split:
        made = draw_plan(made, generator)
    network = made.network
    price = {
        name: 0.0 if free_servers and node.tier != "device" else float(generator.uniform(0.1, 10.0))
        for name, node in network.nodes.items()
    }
    priced = with_joule_prices(network, price, 0.0)
    true, weighted = predict(network, made.decisions), predict(priced, made.decisions)
    expected = sum(price[name] * joules for name, joules in true.node_energy_j.items())
    unit = priced.instance.objective.energy_weight_per_j
    assert unit == min(price[device] for device in network.devices)
    assert unit * weighted.energy_j == pytest.approx(expected, rel=1e-12)
    assert weighted.latency_s == true.latency_s


def test_a_wired_link_costs_its_sender(make_instance: MakeInstance) -> None:
    network = plan(make_instance(1), "star").plan.network  # type: ignore[union-attr]
    priced = with_joule_prices(network, {"s0": 6.0}, 2.0)
    for ends, edge in network.edges.items():
        if isinstance(edge, WiredEdge):
            found = priced.edges[ends]
            assert isinstance(found, WiredEdge)
            assert found.power_w == (3.0 if edge.source == "s0" else 1.0) * edge.power_w


def test_prices_replace_limits_on_energy_and_keep_the_others(make_instance: MakeInstance) -> None:
    instance = make_instance(1)
    limits = Limits(max_latency_s=3.0, max_energy_j=2.0, max_device_energy_j=1.0, max_relay_hops=2)
    nodes = tuple(node.model_copy(update={"max_energy_j": 0.5}) for node in instance.nodes)
    limited = instance.model_copy(update={"limits": limits, "nodes": nodes})
    network = Plan(limited, plan(instance, "star").plan.decisions).network  # type: ignore[union-attr]
    priced = with_joule_prices(network, {}, 2.0)
    assert priced.instance.limits == Limits(max_latency_s=3.0, max_relay_hops=2)
    assert priced.instance.objective.energy_weight_per_j == 2.0
    assert all(node.max_energy_j is None for node in priced.instance.nodes)
    relaxed = without_device_limits(network).instance
    assert relaxed.limits == Limits(max_latency_s=3.0, max_energy_j=2.0, max_relay_hops=2)
    assert all(node.max_energy_j is None for node in relaxed.nodes)


def test_no_device_works_for_nothing() -> None:
    demands = Demands({"a": 2.0}, fairness=3.0)
    found = Multipliers({"a": 4.0}, {"b": 3.0}).floored(0.0, ["a", "b", "c"], demands)
    assert found.are_proper(demands)
    assert found.of_device("c") == pytest.approx(4e-5, rel=1e-4)
    assert Multipliers({"a": 4.0}).floored(1.0, ["a", "b"], demands).fairness == {}


def test_prices_of_limits_that_do_not_exist_prove_nothing() -> None:
    demands = Demands({"a": 2.0}, fairness=3.0)
    assert Multipliers({"a": 4.0}, {"a": 1.0, "b": 2.0}).are_proper(demands)
    assert not Multipliers({"b": 1.0}).are_proper(demands)
    assert not Multipliers({}, {"a": 1.0, "b": 2.1}).are_proper(demands)
    assert Multipliers({"a": 4.0}, total=2.0).constant(Demands({"a": 2.0}, 10.0)) == 28.0


def test_the_claim_names_the_largest_energy_where_it_has_a_price(make_instance: MakeInstance) -> None:
    given = make_instance(0, devices_per_server=(2,))
    plain, fair = plan(given, "star").plan, plan(given, "star", fairness_weight_per_j=2.0).plan
    assert plain is not None
    assert fair is not None
    device, joules = plain.largest_device_energy
    assert joules == max(plain.prediction.node_energy_j[name] for name in plain.network.devices)
    assert plain.prediction.node_energy_j[device] == joules
    assert plain.decisions.claim is not None
    assert plain.decisions.claim.largest_device_energy_j is None
    claim = fair.decisions.claim
    assert claim is not None
    assert (claim.largest_device_energy_j, claim.fairness_weight_per_j) == (joules, 2.0)
    assert claim.objective == pytest.approx(plain.decisions.claim.objective + 2.0 * joules, rel=1e-12)
    wrong = claim.model_copy(update={"largest_device_energy_j": 0.5 * joules})
    told = Plan(fair.instance, fair.decisions.model_copy(update={"claim": wrong})).violations
    assert [str(violation).split(" is said")[0] for violation in told] == ["claim: largest_device_energy_j"]


def test_every_planner_keeps_limits_of_devices_or_has_no_plan(make_instance: MakeInstance) -> None:
    given = make_instance(0, devices_per_server=(2,))
    free = plan(given, "star").plan
    assert free is not None
    device, joules = free.largest_device_energy
    result = plan(given, "star", max_device_energy_j=0.5 * joules)
    assert result.plan is None
    assert f"device {device!r}: energy of a round is {joules:.6g} J, must be at most" in result.explanation
    nodes = tuple(
        node.model_copy(update={"max_energy_j": 0.5 * joules}) if node.id == device else node
        for node in given.nodes
    )
    result = plan(given.model_copy(update={"nodes": nodes}), "star")
    assert f"device {device!r}: energy of a round is {joules:.6g} J, must be at most" in result.explanation


def test_an_instance_without_batteries_keeps_its_digest(make_instance: MakeInstance) -> None:
    given = make_instance(0)
    nodes = (*given.nodes[:-1], given.nodes[-1].model_copy(update={"max_energy_j": 3.0}))
    content = given.model_dump_json(exclude={"name", "description", "objective", "living"})
    as_before = content.replace('"max_energy_j":null,"processor"', '"processor"')
    assert instance_digest(given) == hashlib.sha256(as_before.encode()).hexdigest()
    assert instance_digest(given.model_copy(update={"nodes": nodes})) != instance_digest(given)
