"""Clock and costs of a plan, from the problem's arrays alone: what every answer is checked against."""

from dataclasses import fields

import numpy as np

from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan, ClusterSolution
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen
from solvers.common.errors import InvalidProblem
from solvers.common.result import Violation

TOLERANCE = 1e-12
"""Part of a limit by which rounding may exceed it."""


def evaluate(problem: ClusterProblem, plan: ClusterPlan) -> ClusterSolution:
    """Return the clock and the costs of a plan; NaN where a cluster has none (root -1).

    A transfer takes bits / (b log2(1 + p g / (N0 b))) seconds. A node sends when its computing is done and
    everything below it has arrived, at a half-duplex parent not before the transfer before it.

    Raises
    ------
    InvalidProblem
        If the parents are no trees to the roots.
    """
    many, all_plans = problem.as_many(), with_axis(plan, add=problem.is_single)
    with np.errstate(invalid="ignore"):  # where a cluster has no plan
        clock = _evaluated(many, all_plans)
    if not problem.is_single:
        return ClusterSolution(plan=plan, **clock)
    return ClusterSolution(plan=plan, **{name: value[0] for name, value in clock.items()})


def violations(problem: ClusterProblem, plan: ClusterPlan) -> tuple[Violation, ...]:
    """Return the limits of band, power, frequency and candidate roots that a plan breaks beyond rounding."""
    many, plan = problem.as_many(), with_axis(plan, add=problem.is_single)
    has, rows = plan.root >= 0, np.arange(many.num_clusters)
    found = [
        *_over("band of the way up of cluster", plan.bandwidth_hz.sum(axis=1), many.band_hz, "Hz", has),
        *_over(
            "band of the way back of cluster", plan.return_bandwidth_hz.sum(axis=1), many.band_hz, "Hz", has
        ),
    ]
    limit = many.max_power_w
    senders = np.where(plan.return_parent >= 0, plan.return_parent, 0)
    back = np.take_along_axis(limit, senders, axis=1)
    leg = many.leg_max_power_w[rows, np.maximum(plan.root, 0)]
    every = np.broadcast_to(has[:, None], limit.shape)
    found += _over("power of the sending of (cluster, node)", plan.power_w, limit, "W", every)
    found += _over("power of the reception of (cluster, node)", plan.return_power_w, back, "W", every)
    found += _over("power of the leg of cluster", plan.leg_power_w, leg, "W", has)
    computes = every & (many.cycles > 0)
    found += _over("frequency of (cluster, node)", plan.frequency_hz, many.max_frequency_hz, "Hz", computes)
    found += _over(
        "least frequency of (cluster, node)", many.min_frequency_hz, plan.frequency_hz, "Hz", computes
    )
    refused = has & ~candidate_roots(many)[rows, np.maximum(plan.root, 0)]
    found += [Violation(f"candidate roots of cluster {row}", 1.0, "node") for row in np.flatnonzero(refused)]
    return tuple(found)


def candidate_roots(problem: ClusterProblem) -> BoolArray:
    """Return which nodes may be roots, (M, N): without a leg none of a cluster where others have one."""
    return problem.roots & ((problem.leg_gain > 0) | ~leg_clusters(problem)[:, None])


def leg_clusters(problem: ClusterProblem) -> BoolArray:
    """Return which clusters have wireless root legs, (M,)."""
    return (problem.leg_gain > 0).any(axis=1) & (problem.num_root_legs > 0) & (problem.union_bits > 0)


def with_axis(plan: ClusterPlan, *, add: bool) -> ClusterPlan:
    """Return the plan, or that of a single cluster with the axis M."""
    if not add:
        return plan
    return ClusterPlan(**{f.name: np.asarray(getattr(plan, f.name))[None] for f in fields(plan)})


def without_axis(plan: ClusterPlan) -> ClusterPlan:
    """Return the plan of a single cluster without the axis M."""
    return ClusterPlan(**{f.name: getattr(plan, f.name)[0] for f in fields(plan)})


def _evaluated(problem: ClusterProblem, plan: ClusterPlan) -> dict[str, FloatArray]:
    num, rows = problem.num_nodes, np.arange(problem.num_clusters)
    has = plan.root >= 0
    up = _checked_tree("parent", plan.root, plan.parent)
    trips = (problem.num_round_trips > 0) & has
    back_root = np.where(trips, plan.root, -1)
    back = _checked_tree("return_parent", back_root, plan.return_parent)
    node = np.broadcast_to(np.arange(num), up.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        compute_s = np.where(problem.cycles > 0, problem.cycles / plan.frequency_hz, 0.0)
    compute_j = (problem.capacitance * problem.cycles * plan.frequency_hz**2).sum(axis=1)
    send_s, send_j = _transfers(problem, node, up, payload_bits(problem, up), plan.bandwidth_hz, plan.power_w)
    bits = np.where(back >= 0, problem.union_bits[:, None], 0.0)
    back_s, back_j = _transfers(problem, back, node, bits, plan.return_bandwidth_hz, plan.return_power_w)
    start_s, done_s = _gather(up, plan.order, compute_s, send_s, problem.half_duplex)
    return_start_s = _deliver(back, plan.return_order, back_s, problem.half_duplex)
    return_end_s = return_start_s + back_s
    leg_s, leg_j = _legs(problem, plan)
    gather_s, gather_j = done_s[rows, np.maximum(plan.root, 0)], compute_j + send_j.sum(axis=1)
    return_s = np.where(back >= 0, return_end_s, 0.0).max(axis=1)
    return_j = back_j.sum(axis=1)
    gathers, round_trips, legs = problem.num_gathers, problem.num_round_trips, problem.num_root_legs
    latency_s = gathers * gather_s + round_trips * return_s + legs * leg_s
    energy_j = gathers * gather_j + round_trips * return_j + legs * leg_j
    values = {
        "compute_s": compute_s,
        "start_s": np.where(up >= 0, start_s, np.nan),
        "end_s": np.where(up >= 0, start_s + send_s, np.nan),
        "return_start_s": np.where(back >= 0, return_start_s, np.nan),
        "return_end_s": np.where(back >= 0, return_end_s, np.nan),
        "gather_s": gather_s,
        "gather_j": gather_j,
        "return_s": return_s,
        "return_j": return_j,
        "leg_s": leg_s,
        "leg_j": leg_j,
        "latency_s": latency_s,
        "energy_j": energy_j,
        "objective": problem.energy_weight * energy_j + problem.time_weight * latency_s,
    }
    return {
        name: frozen(np.where(has if value.ndim == 1 else has[:, None], value, np.nan))
        for name, value in values.items()
    }


def payload_bits(problem: ClusterProblem, parent: IntArray) -> FloatArray:
    """Return the bits of each node's sending, (M, N): the union of the items below it; 0 for the root."""
    held = problem.node_items.copy()
    rows = np.arange(problem.num_clusters)
    for _ in range(problem.num_nodes - 1):
        for node in range(problem.num_nodes):
            mine = rows[parent[:, node] >= 0]
            held[mine, parent[mine, node]] |= held[mine, node]
    return np.where(parent >= 0, (held * problem.item_bits[:, None, :]).sum(axis=2), 0.0)


def _transfers(
    problem: ClusterProblem,
    source: IntArray,
    target: IntArray,
    bits: FloatArray,
    band: FloatArray,
    power: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of transfers (M, N), 0 where there is nothing to send."""
    rows = np.arange(problem.num_clusters)[:, None]
    sends = (source >= 0) & (target >= 0) & (bits > 0)
    seconds = _airtime(
        bits, problem.gain[rows, source, target], problem.noise_w_per_hz[rows, target], band, power, sends
    )
    drawn = power / problem.efficiency[rows, source] + problem.circuit_power_w[rows, source]
    drawn = drawn + problem.receive_power_w[rows, target]
    return seconds, np.where(sends, drawn * np.where(sends, seconds, 0.0), 0.0)


def _airtime(
    bits: FloatArray,
    gain: FloatArray,
    noise: FloatArray,
    band: FloatArray,
    power: FloatArray,
    sends: BoolArray,
) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        nats_per_s = band * np.log1p(power * gain / (noise * band))
        return np.where(sends, bits * np.log(2.0) / nats_per_s, 0.0)


def _legs(problem: ClusterProblem, plan: ClusterPlan) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of the roots' legs, (M,)."""
    rows, root = np.arange(problem.num_clusters), np.maximum(plan.root, 0)
    sends = leg_clusters(problem)
    gain, noise = problem.leg_gain[rows, root], problem.leg_noise_w_per_hz[rows, root]
    band = problem.leg_band_hz[rows, root]
    seconds = _airtime(problem.union_bits, gain, noise, band, plan.leg_power_w, sends)
    drawn = plan.leg_power_w / problem.efficiency[rows, root] + problem.circuit_power_w[rows, root]
    drawn = drawn + problem.leg_receive_power_w[rows, root]
    joules = np.where(sends, drawn * np.where(sends, seconds, 0.0), 0.0)
    return seconds + problem.root_seconds[rows, root], joules + problem.root_joules[rows, root]


def _gather(
    parent: IntArray, order: IntArray, compute_s: FloatArray, send_s: FloatArray, half_duplex: bool
) -> tuple[FloatArray, FloatArray]:
    """Return when each node starts to send, and when it has everything, (M, N) each."""
    rows, num = np.arange(len(parent)), parent.shape[1]
    ready_s = compute_s.copy()
    start_s = ready_s.copy()
    for _ in range(num):
        start_s = ready_s.copy()
        if half_duplex:
            start_s = np.maximum(start_s, _end_before(parent, order, start_s, send_s))
        end_s = start_s + send_s
        for node in range(num):
            mine = rows[parent[:, node] >= 0]
            above = parent[mine, node]
            ready_s[mine, above] = np.maximum(ready_s[mine, above], end_s[mine, node])
    return start_s, ready_s


def _end_before(parent: IntArray, order: IntArray, ready_s: FloatArray, busy_s: FloatArray) -> FloatArray:
    """Return when the transfers that come first at the same parent have ended, (M, N); 0 for the first."""
    num = parent.shape[1]
    free_s = np.zeros_like(ready_s)
    sibling = (parent[:, :, None] == parent[:, None, :]) & (parent >= 0)[:, :, None]
    for rank in range(num - 1):
        end_s = np.where(order == rank, np.maximum(ready_s, free_s) + busy_s, 0.0)
        last_s = np.where(sibling, end_s[:, None, :], 0.0).max(axis=2)
        free_s = np.where(order > rank, np.maximum(free_s, last_s), free_s)
    return free_s


def _deliver(parent: IntArray, order: IntArray, busy_s: FloatArray, half_duplex: bool) -> FloatArray:
    """Return when each node starts to receive, s from the start of the way back, (M, N)."""
    rows, num = np.arange(len(parent)), parent.shape[1]
    has_s = np.zeros_like(busy_s)
    start_s = has_s.copy()
    for _ in range(num):
        start_s = np.where(parent >= 0, has_s[rows[:, None], parent], 0.0)
        if half_duplex:
            start_s = np.maximum(start_s, _end_before(parent, order, start_s, busy_s))
        has_s = np.where(parent >= 0, start_s + busy_s, 0.0)
    return start_s


def _checked_tree(field: str, root: IntArray, parent: IntArray) -> IntArray:
    """Return the parents, all -1 where there is no root; refuse what is no tree to the root."""
    num = parent.shape[1]
    node = np.arange(num)
    inner = (root >= 0)[:, None] & (node != root[:, None])
    wrong = inner & ((parent < 0) | (parent >= num) | (parent == node))
    at = np.where(inner & ~wrong, parent, node)
    for _ in range(num):
        at = np.take_along_axis(at, at, axis=1)
    wrong |= inner & (at != root[:, None])
    if wrong.any():
        place = tuple(int(part) for part in np.argwhere(wrong)[0])
        raise InvalidProblem(field, place, int(parent[place]), f"on a way to the root {int(root[place[0]])}")
    return np.where(inner, parent, -1)


def _over(limit: str, used: FloatArray, most: FloatArray, unit: str, where: BoolArray) -> list[Violation]:
    excess = used - most * (1.0 + TOLERANCE)
    places = np.argwhere(where & (excess > 0))
    return [
        Violation(f"{limit} {', '.join(map(str, place))}", float(excess[tuple(place)]), unit)
        for place in places.tolist()
    ]
