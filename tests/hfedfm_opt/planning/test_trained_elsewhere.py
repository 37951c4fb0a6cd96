"""Modules trained on servers and above: predicted as measured, averaged with the rest, refused if unsound."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from fl_runtime import check_schedule, play, run
from fl_runtime.schedule import Deliver, Transfer
from hfedfm_opt.planning.hops import nominal_hop
from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Hosting, ModulePeriod, Serving
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import resolve_network

MakeInstance = Callable[..., Instance]
BITS = {"adapter": 3e4, "head-read": 1e3, "head-spoken": 2e3}


def movable(instance: Instance, modules: Sequence[str], tiers: Sequence[str]) -> Instance:
    """Let modules be trained on tiers, where their activations take some bits."""
    changed = tuple(
        module.model_copy(update={"may_run_on": tuple(tiers), "activation_bits_per_sample": BITS[module.id]})
        if module.id in modules
        else module
        for module in instance.modules
    )
    return instance.model_copy(update={"modules": changed})


def planned(instance: Instance, name: str, **options: object) -> Plan:
    result = plan(instance, name, **options)
    assert result.plan is not None, result.explanation
    return result.plan


def with_served(found: Plan, served: Sequence[tuple[str, str, str]]) -> Plan:
    """The plan with modules of devices trained on hosts instead, over nominal hops."""
    network, decisions = found.network, found.decisions
    hosted = {(entry.module, entry.node): None for entry in decisions.hosted}
    servings = list(decisions.servings)
    for device, module, host in served:
        path = network.path_up(device)
        path = path[: path.index(host) + 1] if host in path else (device, host)
        hosted.pop((module, device), None)
        hosted[module, host] = None
        servings.append(
            Serving(
                device=device,
                module=module,
                host=host,
                out=tuple(nominal_hop(network, low, high, 8) for low, high in pairwise(path)),
                back=tuple(nominal_hop(network, high, low, 8) for low, high in pairwise(path))[::-1],
                share=1.0 / len(served),
            )
        )
    changes = {
        "hosted": tuple(Hosting(module=module, node=node) for module, node in hosted),
        "servings": tuple(servings),
        "claim": None,
    }
    return Plan(found.instance, decisions.model_copy(update=changes))


def assert_clock_agrees(found: Plan, rounds: int) -> None:
    schedule = found.compile(rounds)
    assert found.violations == ()
    assert check_schedule(schedule) == ()
    timeline, prediction = play(schedule), found.prediction
    assert math.isclose(timeline.cycle_latency_s, prediction.latency_s, rel_tol=1e-9)
    assert math.isclose(timeline.cycle_energy_j, prediction.energy_j, rel_tol=1e-9)


@pytest.mark.parametrize("duplex", ["full", "half"])
@pytest.mark.parametrize(
    "name",
    [
        "edge-only",
        "edge-only+d2d",
        "hierarchical:1",
        "hierarchical:3",
        "hierarchical+d2d:3",
        "consensus:1",
        "consensus:3",
        "arborescence:2",
        "optimised:1",
        "optimised:3",
        "optimised:never",
    ],
)
@pytest.mark.parametrize("modules", [("adapter",), ("adapter", "head-read", "head-spoken")])
def test_the_clock_measures_what_was_predicted_of_modules_trained_on_servers(
    make_instance: MakeInstance, name: str, duplex: str, modules: tuple[str, ...]
) -> None:
    seed = len(modules)
    instance = movable(make_instance(seed, fog=seed == 1, devices_per_server=(3, 2)), modules, ("edge",))
    found = planned(instance, name, seed=seed, duplex=duplex)
    assert {entry.node for entry in found.decisions.hosted if entry.module == "adapter"} == {"s0", "s1"}
    assert_clock_agrees(found, rounds=6)


@pytest.mark.parametrize("name", ["hierarchical:2", "hierarchical+d2d:2", "optimised:2", "edge-only"])
def test_some_devices_may_train_what_a_server_trains_for_others(
    make_instance: MakeInstance, name: str
) -> None:
    instance = movable(make_instance(4), ("adapter", "head-read"), ("device", "edge"))
    at_home = planned(movable(make_instance(4), (), ()), name)
    home = Plan(instance, planned(instance, name).decisions)
    cleared = home.decisions.model_copy(
        update={"hosted": at_home.decisions.hosted, "servings": (), "clusters": at_home.decisions.clusters}
    )
    found = with_served(
        Plan(instance, cleared), [("d0", "adapter", "s0"), ("d1", "adapter", "s0"), ("d3", "head-read", "s1")]
    )
    assert_clock_agrees(found, rounds=4)


@pytest.mark.parametrize("fog", [False, True])
@pytest.mark.parametrize("name", ["hierarchical:1", "hierarchical+d2d:1", "optimised:1"])
def test_a_node_above_all_servers_may_train_for_several_clusters(
    make_instance: MakeInstance, name: str, fog: bool
) -> None:
    host = "fog" if fog else "cloud"
    instance = movable(make_instance(2, fog=fog), ("adapter",), ("device", "fog", "cloud"))
    start = planned(movable(make_instance(2, fog=fog), (), ()), name)
    digest = planned(instance, name).decisions.instance_sha256
    start = Plan(instance, start.decisions.model_copy(update={"instance_sha256": digest}))
    found = with_served(start, [("d0", "adapter", host), ("d4", "adapter", host)])
    assert_clock_agrees(found, rounds=3)
    sent = {
        step.target: step.modules
        for step in found.compile(1).kinds[0].steps
        if isinstance(step, Transfer) and step.content == "update" and step.source == "fog"
    }
    assert ("adapter" in sent.get("cloud", ())) == fog


def test_periods_may_differ_where_a_server_trains_several_modules(make_instance: MakeInstance) -> None:
    instance = movable(make_instance(5), ("adapter", "head-read"), ("edge",))
    for name in ("hierarchical:2", "hierarchical+d2d:2"):
        found = planned(instance, name)
        periods = tuple(
            ModulePeriod(module=entry.module, period={"adapter": 3, "head-read": 1}.get(entry.module, 2))
            for entry in found.decisions.periods
        )
        changed = found.decisions.model_copy(update={"periods": periods, "claim": None})
        assert_clock_agrees(Plan(instance, changed), rounds=6)


def test_a_served_device_sends_no_update_and_the_host_weighs_all_samples(make_instance: MakeInstance) -> None:
    instance = movable(make_instance(0), ("adapter",), ("edge",))
    found = planned(instance, "hierarchical:1")
    schedule = found.compile(1)
    ups = [s for s in schedule.kinds[0].steps if isinstance(s, Transfer) and s.content == "update"]
    assert {step.source for step in ups if "adapter" in step.modules} == {"s0", "s1"}
    delivered = [
        s.nodes for s in schedule.kinds[0].steps if isinstance(s, Deliver) and "adapter" in s.modules
    ]
    assert delivered == [("s0",), ("s1",)]
    samples = {
        server: sum(data.samples for d in members for data in found.network.nodes[d].data)
        for server, members in found.network.members.items()
    }
    weights = {r.host: r.weight for r in schedule.replicas if r.module == "adapter"}
    assert weights == samples


@pytest.mark.parametrize("name", ["optimised:1", "optimised:2"])
@pytest.mark.parametrize("seed", [0, 3])
def test_training_elsewhere_is_taken_where_it_pays_and_the_bound_holds(
    make_instance: MakeInstance, name: str, seed: int
) -> None:
    """A large adapter on slow uplinks, with few activations: training it at the server saves its updates."""
    large = make_instance(seed, overhead=False)
    grown = tuple(
        m.model_copy(update={"parameters": 1_000_000}) if m.id == "adapter" else m for m in large.modules
    )
    large = large.model_copy(update={"modules": grown})
    home = plan(large, name)
    moved = plan(movable(large, ("adapter",), ("device", "edge")), name)
    assert moved.plan is not None
    assert {serving.module for serving in moved.plan.decisions.servings} == {"adapter"}
    assert moved.objective < 0.95 * home.objective
    assert moved.bound <= moved.objective * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_over_placements_is_below_every_plan_by_hand(
    make_instance: MakeInstance, seed: int
) -> None:
    instance = movable(make_instance(seed), ("adapter", "head-read"), ("device", "edge"))
    result = plan(instance, "optimised:1", allocate=False)
    forced = plan(movable(make_instance(seed), ("adapter", "head-read"), ("edge",)), "optimised:1")
    kept = plan(make_instance(seed), "optimised:1")
    assert result.bound <= min(result.objective, forced.objective, kept.objective) * (1 + 1e-9)


@pytest.mark.parametrize("name", ["optimised:1", "optimised:3", "optimised:never"])
def test_the_bound_of_the_only_placement_counts_no_update_of_what_is_trained_elsewhere(
    make_instance: MakeInstance, name: str
) -> None:
    """A large adapter that must leave: with its updates from the devices nothing would cost so little."""
    instance = make_instance(3, overhead=False)
    grown = tuple(
        m.model_copy(update={"parameters": 5_000_000}) if m.id == "adapter" else m for m in instance.modules
    )
    instance = instance.model_copy(update={"modules": grown})
    forced = plan(movable(instance, ("adapter",), ("edge",)), name)
    assert forced.plan is not None
    assert 0.98 * forced.objective < forced.bound <= forced.objective * (1 + 1e-9)
    assert forced.objective < plan(instance, name).objective


def test_gradients_travel_back_only_where_something_before_learns(make_instance: MakeInstance) -> None:
    instance = movable(make_instance(0), ("adapter", "head-read"), ("device", "edge"))
    network = resolve_network(instance)
    (samples,) = [data.samples for data in network.nodes["d0"].data if data.task == "read"]
    total = sum(data.samples for data in network.nodes["d0"].data)
    loads = loads_of(network, "d0")
    assert (loads["backbone"].out_bits, loads["backbone"].back_bits) == (total * 2e5, total * 2e5)
    assert (loads["adapter"].out_bits, loads["adapter"].back_bits) == (2 * total * 3e4, total * 3e4)
    assert loads["head-read"].out_bits == loads["head-read"].back_bits == 2 * samples * 1e3


def violations_of(found: Plan) -> list[str]:
    return [str(violation) for violation in found.violations]


def test_a_host_above_needs_every_round_to_reach_the_cloud(make_instance: MakeInstance) -> None:
    instance = movable(make_instance(1), ("adapter",), ("device", "cloud"))
    found = with_served(planned(instance, "hierarchical:2"), [("d0", "adapter", "cloud")])
    assert violations_of(found) == [
        "module 'adapter' of device 'd0': is trained on 'cloud', above its cluster, but not every round "
        "reaches the cloud: must be on the device or on 's0', or some module due in each round"
    ]


def test_a_neighbour_as_host_is_one_violation(make_instance: MakeInstance) -> None:
    instance = movable(make_instance(1), ("adapter",), ("device", "edge"))
    start = planned(movable(make_instance(1), ("adapter",), ("device",)), "hierarchical:2")
    digest = planned(instance, "hierarchical:2").decisions.instance_sha256
    start = Plan(instance, start.decisions.model_copy(update={"instance_sha256": digest}))
    assert violations_of(with_served(start, [("d0", "adapter", "d1")])) == [
        "module 'adapter' of device 'd0': is trained on 'd1', must be on the device, on 's0', which names "
        "its cluster, or on a node above that"
    ]


def test_a_copy_on_a_served_device_and_a_tier_that_may_not_run_it_are_violations(
    make_instance: MakeInstance,
) -> None:
    instance = make_instance(1)
    found = with_served(planned(instance, "hierarchical:2"), [("d0", "adapter", "s0")])
    copies = (*found.decisions.hosted, Hosting(module="adapter", node="d0"))
    both = Plan(instance, found.decisions.model_copy(update={"hosted": copies}))
    assert violations_of(both) == [
        "module 'adapter' of device 'd0': is trained on 's0', but the device hosts a replica too: "
        "it must not",
        "module 'adapter' of device 'd0': runs on 's0', must run on a node of device",
    ]


def test_a_plan_that_trains_at_servers_is_run(make_instance: MakeInstance) -> None:
    """Of 4 bits a parameter too: after the cloud's round all replicas are equal, wherever they are."""
    pytest.importorskip("torch", reason="training needs torch")
    instance = movable(make_instance(0, computing=False), ("adapter", "head-read"), ("edge",))
    for bits in (32, 4):
        found = planned(instance, "hierarchical:2", transport_bits=bits)
        curve = run(found.compile(2), seed=1).learning
        assert curve is not None
        assert curve.state["adapter"].shape[0] == 2
        for rows in curve.state.values():
            assert len({row.tobytes() for row in rows}) == 1
            assert np.isfinite(rows).all()
