"""Mixtures of two plans with the same trees: for given trees cost and clock are convex in what is decided."""

from dataclasses import fields

import numpy as np

from solvers.clusters.assemble import Ways, plan_of_ways, reversed_ranks
from solvers.clusters.evaluate import evaluate
from solvers.clusters.problem import ClusterProblem
from solvers.clusters.solution import ClusterPlan
from solvers.common.arrays import BoolArray, FloatArray, IntArray, frozen


def mixture(problem: ClusterProblem, one: ClusterPlan, other: ClusterPlan, part: FloatArray) -> ClusterPlan:
    """Return the plans that are ``part`` (M,) of the way from one to another in bandwidth and seconds.

    Both have the same trees and orders; energy and latency are at most the mixtures of theirs.
    """
    first, second = evaluate(problem, one), evaluate(problem, other)
    weight = part[:, None]

    def mixed(a: FloatArray, b: FloatArray) -> FloatArray:
        return (1.0 - weight) * np.nan_to_num(a) + weight * np.nan_to_num(b)

    up = mixed(first.end_s - first.start_s, second.end_s - second.start_s)
    back = mixed(first.return_end_s - first.return_start_s, second.return_end_s - second.return_start_s)
    back_band = mixed(one.return_bandwidth_hz, other.return_bandwidth_hz)
    ways = Ways(
        root=one.root,
        parent=np.stack([one.parent, one.return_parent], axis=1),
        order=np.stack([one.order, reversed_ranks(one.return_parent, one.return_order)], axis=1),
        bandwidth_hz=np.stack([mixed(one.bandwidth_hz, other.bandwidth_hz), back_band], axis=1),
        seconds=np.stack([up, back], axis=1),
        compute_s=mixed(first.compute_s, second.compute_s),
    )
    rows = np.arange(problem.num_clusters)
    leg_s = (1.0 - part) * first.leg_s + part * second.leg_s - problem.root_seconds[rows, one.root]
    leg_power_w = np.zeros((problem.num_clusters, problem.num_nodes))
    leg_power_w[rows, one.root] = _leg_power(problem, one.root, leg_s, one.leg_power_w > 0)
    return plan_of_ways(problem, leg_power_w, ways)


def picked(plan: ClusterPlan, chosen: IntArray) -> ClusterPlan:
    """Return the plans of some clusters, read-only."""
    return ClusterPlan(**{field.name: frozen(getattr(plan, field.name)[chosen]) for field in fields(plan)})


def _leg_power(problem: ClusterProblem, root: IntArray, seconds: FloatArray, has: BoolArray) -> FloatArray:
    """Return the radiated power at which the roots' legs take so many seconds, (M,)."""
    rows = np.arange(problem.num_clusters)
    gain = np.where(has, problem.leg_gain[rows, root], 1.0)
    band = problem.leg_band_hz[rows, root]
    efficiency = np.log(2.0) * problem.union_bits / (band * np.where(has, seconds, 1.0))
    power = problem.leg_noise_w_per_hz[rows, root] / gain * band * np.expm1(np.where(has, efficiency, 0.0))
    return np.minimum(power, problem.leg_max_power_w[rows, root])
