"""Whether a plan keeps every limit: each violation with its place, amount and unit."""

from collections.abc import Iterator

import numpy as np

from hfedfm_opt.planning.association import as_decided
from hfedfm_opt.planning.check_structure import distinct_hops, structure_violations
from hfedfm_opt.planning.costs import Prediction, predict
from hfedfm_opt.planning.device_energy import (
    device_limits,
    largest_device_energy,
    objective_of,
    prices_of,
)
from hfedfm_opt.planning.phase import Uses
from hfedfm_opt.planning.trees import gather_order
from hfedfm_opt.planning.violations import TOLERANCE, PlanViolation, over
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.decisions import Cluster, Decisions
from hfedfm_opt.system.instance import Cpu
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.common.arrays import FloatArray


def check_plan(network: Network, decisions: Decisions) -> tuple[PlanViolation, ...]:
    """Return all violations of a plan; empty for a plan that keeps every limit.

    Limits are judged only if the plan is sound: names exist, hops have links, trees are trees.

    Parameters
    ----------
    network : Network
        The network, with the plan's duplex.
    decisions : Decisions
        The plan.
    """
    return judge(network, decisions)[0]


def judge(network: Network, decisions: Decisions) -> tuple[tuple[PlanViolation, ...], Prediction | None]:
    """Return all violations of a plan, and what it costs; ``None`` if it is so unsound that it has no cost.

    The parameters are those of :func:`check_plan`.
    """
    network = as_decided(network, decisions)
    unsound = structure_violations(network, decisions)
    if unsound:
        return unsound, None
    prediction = predict(network, decisions)
    violations = (
        *_memory(network, decisions),
        *_processors(network, decisions),
        *_radio(network, decisions),
        *_bands(network, prediction.uses),
        *_limits(network, decisions, prediction),
        *_claim(network, decisions, prediction),
    )
    return violations, prediction


def _memory(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    used: dict[str, float] = {}
    for entry in decisions.hosted:
        used[entry.node] = used.get(entry.node, 0.0) + network.modules[entry.module].memory_bytes
    for node, amount in used.items():
        limit = network.nodes[node].memory_bytes
        if limit is not None:
            yield from over(f"node {node!r}", "memory", amount, limit, "byte")


def _processors(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    shares: dict[str, float] = {}
    for serving in decisions.servings:
        load = loads_of(network, serving.device).get(serving.module)
        if load is not None and load.flops > 0:  # what takes no time holds nothing
            shares[serving.host] = shares.get(serving.host, 0.0) + serving.share
    for host, share in shares.items():
        if network.nodes[host].processor is not None:
            yield from over(f"node {host!r}", "reserved part of the processor", share, 1.0, "")
    for entry in decisions.frequencies:
        processor = network.nodes[entry.device].processor if entry.device in network.nodes else None
        if not isinstance(processor, Cpu):
            yield PlanViolation(f"device {entry.device!r}", "has a frequency but no CPU")
        else:
            place = f"device {entry.device!r}"
            yield from over(place, "frequency_hz", entry.frequency_hz, processor.max_frequency_hz, "Hz")


def _radio(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    found: dict[PlanViolation, None] = {}
    for hop in distinct_hops(decisions):
        edge = network.edges[hop.source, hop.target]
        radio = network.nodes[hop.source].radio
        power_w = hop.power_w or 0.0
        if isinstance(edge, WirelessEdge) and radio is not None and power_w > radio.max_power_w:
            place = f"hop {hop.source!r} -> {hop.target!r}"
            found |= dict.fromkeys(over(place, "power_w", power_w, radio.max_power_w, "W"))
    yield from found


def _bands(network: Network, uses: Uses) -> Iterator[PlanViolation]:
    """Compare each band with the sum of the peaks of its clusters, which run freely side by side."""
    peak_of: dict[str, dict[str, float]] = {}
    for (cluster, _, band), figures in uses.items():
        peaks = peak_of.setdefault(band, {})
        peaks[cluster] = max(peaks.get(cluster, 0.0), _peak_hz(np.array(figures).reshape(-1, 3)))
    for band, peaks in peak_of.items():
        total = sum(peaks.values())
        yield from over(f"band {band!r}", "use at one moment", total, network.bands[band].band_hz, "Hz")


def _peak_hz(uses: FloatArray) -> float:
    """Return the largest sum of shares in use at one moment, of band_hz, start_s and end_s, (uses, 3).

    Ends that touch do not overlap.
    """
    band_hz, start_s, end_s = uses[uses[:, 2] * (1 - 1e-12) > uses[:, 1]].T
    moment_s = np.concatenate([start_s, end_s * (1 - 1e-12)])
    change_hz = np.concatenate([band_hz, -band_hz])
    level_hz = np.cumsum(change_hz[np.lexsort((change_hz, moment_s))])  # at one moment ends go first
    return float(level_hz.max(initial=0.0))


def _limits(network: Network, decisions: Decisions, prediction: Prediction) -> Iterator[PlanViolation]:
    limits = network.instance.limits
    if limits.max_latency_s is not None:
        yield from over("plan", "latency of a round", prediction.latency_s, limits.max_latency_s, "s")
    if limits.max_energy_j is not None:
        yield from over("plan", "energy of a round", prediction.energy_j, limits.max_energy_j, "J")
    for device, limit in device_limits(network.instance).items():
        spent = prediction.node_energy_j.get(device, 0.0)
        yield from over(f"device {device!r}", "energy of a round", spent, limit, "J")
    if limits.max_relay_hops is not None:
        for cluster in decisions.clusters:
            hops = _depth(cluster)
            yield from over(
                f"cluster {cluster.id!r}", "way to the aggregator", hops, limits.max_relay_hops, "hop"
            )


def _depth(cluster: Cluster) -> int:
    deepest = 0
    for hops in (cluster.gather, cluster.gather_to_cloud or ()):
        depth = {cluster.aggregator: 0}
        for hop in reversed(gather_order(hops, cluster.aggregator)):
            depth[hop.source] = depth[hop.target] + 1
        deepest = max(deepest, *depth.values())
    return deepest


def _claim(network: Network, decisions: Decisions, prediction: Prediction) -> Iterator[PlanViolation]:
    claim = decisions.claim
    if claim is None:
        return
    objective = objective_of(network.instance, prices_of(claim), prediction)
    largest_j = largest_device_energy(network.instance, prediction.node_energy_j)[1]
    for name, claimed, found, unit in (
        ("latency_s", claim.latency_s, prediction.latency_s, "s"),
        ("energy_j", claim.energy_j, prediction.energy_j, "J"),
        ("largest_device_energy_j", claim.largest_device_energy_j, largest_j, "J"),
        ("objective", claim.objective, objective, ""),
    ):
        if claimed is not None and abs(claimed - found) > TOLERANCE * max(abs(found), 1e-300):
            text = f"{name} is said to be {claimed!r}, recomputed {found!r}"
            yield PlanViolation("claim", text, abs(claimed - found), unit)
    if claim.bound is not None and claim.bound > objective * (1 + TOLERANCE):
        yield PlanViolation("claim", f"bound {claim.bound!r} is above the objective {objective!r}")
