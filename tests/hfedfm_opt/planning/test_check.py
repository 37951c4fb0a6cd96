"""The check of plans: each tampered decision is named with its place, amount and unit."""

from collections.abc import Callable
from typing import Any

import pytest

from hfedfm_opt.planning.plan import Plan
from hfedfm_opt.planning.planner import plan
from hfedfm_opt.system.decisions import Cluster, Hop
from hfedfm_opt.system.instance import Instance


@pytest.fixture(scope="module")
def good(make_instance: Callable[..., Instance]) -> Plan:
    result = plan(make_instance(1, split=True, devices_per_server=(3, 2)), "hierarchical+d2d:2")
    assert result.plan is not None
    assert result.plan.decisions.servings
    return result.plan


def tampered(good: Plan, **changes: Any) -> list[str]:
    changes.setdefault("claim", None)
    decisions = good.decisions.model_copy(update=changes)
    return [str(violation) for violation in Plan(good.instance, decisions).violations]


def with_cluster(good: Plan, **changes: Any) -> tuple[Cluster, ...]:
    first, *others = good.decisions.clusters
    return (first.model_copy(update=changes), *others)


def test_a_planners_plan_has_no_violation(good: Plan) -> None:
    assert good.violations == ()


def test_a_plan_for_another_instance_is_refused(good: Plan) -> None:
    (line,) = tampered(good, instance_sha256="0" * 64)
    assert "made for another instance (digest 000000000000" in line
    assert "plan again for 'random-1'" in line


def test_too_much_power_is_told_in_watts(good: Plan) -> None:
    hop = good.decisions.clusters[0].uplink[0]
    limit = next(node for node in good.instance.nodes if node.id == hop.source).radio
    assert limit is not None
    louder = hop.model_copy(update={"power_w": limit.max_power_w + 0.25})
    (line,) = tampered(good, clusters=with_cluster(good, uplink=(louder,)))
    assert line.startswith(f"hop '{hop.source}' -> '{hop.target}': power_w is ")
    assert line.endswith("(exceeded by 0.25 W)")


def test_a_band_shared_too_widely_is_told_in_hertz(good: Plan) -> None:
    hop = good.decisions.clusters[0].uplink[0]
    wider = hop.model_copy(update={"band_hz": 6e6})
    (line,) = tampered(good, clusters=with_cluster(good, uplink=(wider,)))
    assert line == (
        "band 'up-s0': use at one moment is 6e+06 Hz, must be at most 5e+06 Hz (exceeded by 1e+06 Hz)"
    )


def test_too_little_memory_is_told_in_bytes(good: Plan) -> None:
    nodes = tuple(
        node.model_copy(update={"memory_bytes": 1.0}) if node.id == "d0" else node
        for node in good.instance.nodes
    )
    instance = good.instance.model_copy(update={"nodes": nodes})
    from hfedfm_opt.planning.digest import instance_digest

    decisions = good.decisions.model_copy(
        update={"claim": None, "instance_sha256": instance_digest(instance)}
    )
    (violation,) = Plan(instance, decisions).violations
    assert violation.place == "node 'd0'"
    assert violation.unit == "byte"
    assert "memory is" in violation.what


def test_a_missing_hop_is_told(good: Plan) -> None:
    cluster = good.decisions.clusters[0]
    lost = cluster.gather[0].source
    lines = tampered(good, clusters=with_cluster(good, gather=cluster.gather[1:]))
    assert any(
        f"cluster 's0' gather: leaves out '{lost}', must start at it" in line for line in lines
    ) or any("have no way to" in line for line in lines)


def test_a_hop_without_a_link_is_told(good: Plan) -> None:
    hop = Hop(source="d0", target="d4", band_hz=1.0, power_w=0.1)
    lines = tampered(good, clusters=with_cluster(good, uplink=(hop,)))
    assert lines == ["hop 'd0' -> 'd4': there is no such link"]


def test_a_wired_hop_carries_no_band(good: Plan) -> None:
    up = tuple(hop.model_copy(update={"band_hz": 1.0, "power_w": 1.0}) for hop in good.decisions.backhaul_up)
    lines = tampered(good, backhaul_up=up)
    assert lines[0].endswith("is wired, must have neither band_hz nor power_w")


def test_a_device_in_no_cluster_is_told(good: Plan) -> None:
    lines = tampered(good, clusters=good.decisions.clusters[:1])
    assert "device 'd3': is in no cluster, must be in exactly one" in lines
    assert "device 'd4': is in no cluster, must be in exactly one" in lines


def test_a_device_in_two_clusters_is_told(good: Plan) -> None:
    lines = tampered(good, clusters=(*good.decisions.clusters, good.decisions.clusters[0]))
    assert "cluster 's0': has the member 'd0', which cluster 's0' has too" in lines


def test_a_module_without_a_period_is_told(good: Plan) -> None:
    assert tampered(good, periods=good.decisions.periods[1:]) == ["module 'adapter': has no period"]


def test_a_module_without_a_replica_is_told(good: Plan) -> None:
    kept = tuple(entry for entry in good.decisions.hosted if (entry.module, entry.node) != ("adapter", "d1"))
    assert tampered(good, hosted=kept) == [
        "module 'adapter' of device 'd1': runs on 'd1', which hosts no replica of it"
    ]


def test_an_overbooked_processor_is_told(good: Plan) -> None:
    servings = tuple(serving.model_copy(update={"share": 1.0}) for serving in good.decisions.servings)
    count = len(servings)
    (host,) = {serving.host for serving in servings}
    (line,) = tampered(good, servings=servings)
    assert line.startswith(f"node '{host}': reserved part of the processor is {count}, must be at most 1 ")
    assert line.endswith(f"(exceeded by {count - 1})")


def test_a_frequency_above_the_cap_is_told_in_hertz(make_instance: Callable[..., Instance]) -> None:
    result = plan(make_instance(2, overhead=False), "optimised:2")
    assert result.plan is not None
    from hfedfm_opt.system.decisions import Frequency

    cap = next(node for node in result.plan.instance.nodes if node.id == "d0").processor.max_frequency_hz  # type: ignore[union-attr]
    fast = (Frequency(device="d0", frequency_hz=cap + 1e6),)
    lines = tampered(result.plan, frequencies=fast)
    assert any(line.startswith("device 'd0': frequency_hz is") and "1e+06 Hz" in line for line in lines)


def test_limits_on_a_round_are_checked(good: Plan) -> None:
    from hfedfm_opt.planning.digest import instance_digest
    from hfedfm_opt.system.instance import Limits

    limits = Limits(max_latency_s=1e-3, max_energy_j=1e-3, max_device_energy_j=1e-9, max_relay_hops=1)
    instance = good.instance.model_copy(update={"limits": limits})
    decisions = good.decisions.model_copy(
        update={"claim": None, "instance_sha256": instance_digest(instance)}
    )
    lines = [str(violation) for violation in Plan(instance, decisions).violations]
    assert any(line.startswith("plan: latency of a round is") and line.endswith("s)") for line in lines)
    assert any(line.startswith("plan: energy of a round is") and line.endswith("J)") for line in lines)
    assert any(line.startswith("device 'd0': energy of a round is") for line in lines)


def test_a_wrong_claim_is_told(good: Plan) -> None:
    claim = good.decisions.claim
    assert claim is not None
    lines = tampered(good, claim=claim.model_copy(update={"energy_j": claim.energy_j * 0.9}))
    assert len(lines) == 1
    assert lines[0].startswith("claim: energy_j is said to be ")


def test_a_bound_above_the_objective_is_told(good: Plan) -> None:
    claim = good.decisions.claim
    assert claim is not None
    lines = tampered(good, claim=claim.model_copy(update={"bound": claim.objective * 1.1}))
    assert len(lines) == 1
    assert "is above the objective" in lines[0]
