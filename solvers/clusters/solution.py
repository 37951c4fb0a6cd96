"""What is decided about clusters, what follows from it, and what a solver answers."""

from dataclasses import dataclass

import numpy as np

from solvers.common.arrays import FloatArray, IntArray
from solvers.common.result import Status, StopReason, Violation


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterPlan:
    """The decisions: (M,) and (M, N) arrays, without M for a single cluster.

    A cluster without a plan has root -1, parents -1 and NaN.

    Parameters
    ----------
    root : (M,) int
        Where the items come together.
    parent, return_parent : (M, N) int
        To whom a node sends on the way up, and from whom it receives on the way back; -1 for the root, and
        everywhere without a way back.
    order, return_order : (M, N) int
        Rank of the node's transfer among those of its parent, from 0; -1 for the root. A half-duplex parent
        has its transfers in this order; without half duplex it says nothing.
    bandwidth_hz, power_w : (M, N) float
        Share and radiated power of the node's transfer to its parent; 0 where there is none.
    return_bandwidth_hz, return_power_w : (M, N) float
        Share and radiated power of the transfer from the return parent to the node; 0 where there is none.
    frequency_hz : (M, N) float
        CPU frequency; 0 for a node without cycles.
    leg_power_w : (M,) float
        Radiated power of the root's leg; 0 where there is none.
    """

    root: IntArray
    parent: IntArray
    order: IntArray
    bandwidth_hz: FloatArray
    power_w: FloatArray
    frequency_hz: FloatArray
    return_parent: IntArray
    return_order: IntArray
    return_bandwidth_hz: FloatArray
    return_power_w: FloatArray
    leg_power_w: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterSolution:
    """A plan with its clock and its costs, evaluated from the problem's arrays.

    Parameters
    ----------
    plan : ClusterPlan
    compute_s : (M, N) float
        When each node's own computing ends, s from the start of a gather.
    start_s, end_s : (M, N) float
        The node's sending, on the same clock; NaN for the root.
    return_start_s, return_end_s : (M, N) float
        The node's reception on the way back, s from its start; NaN where there is none.
    gather_s, gather_j, return_s, return_j, leg_s, leg_j : (M,) float
        Seconds and joules of one gather, one way back and one root leg (``root_seconds`` and ``root_joules``
        included).
    latency_s, energy_j, objective : (M,) float
        See :class:`~solvers.clusters.problem.ClusterProblem`.
    """

    plan: ClusterPlan
    compute_s: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    return_start_s: FloatArray
    return_end_s: FloatArray
    gather_s: FloatArray
    gather_j: FloatArray
    return_s: FloatArray
    return_j: FloatArray
    leg_s: FloatArray
    leg_j: FloatArray
    latency_s: FloatArray
    energy_j: FloatArray
    objective: FloatArray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a method hands to the front door, of M clusters.

    Parameters
    ----------
    plan : ClusterPlan
        With the axis M.
    bound : (M,) float
        A proven lower bound on the objective; ``-inf`` where there is none, ``inf`` where no tree exists.
    timed_out : bool
        Whether the time limit ended the search.
    explanation : str
        What a person should know besides.
    """

    plan: ClusterPlan
    bound: FloatArray
    timed_out: bool = False
    explanation: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterResult:
    """A checked answer; one value for each cluster (M,), numbers for a single one.

    Parameters
    ----------
    status : Status
        ``OPTIMAL`` if every cluster is, ``INFEASIBLE`` if every one is, else ``FEASIBLE``.
    stop_reason : StopReason
        Why the method ended.
    solution : ClusterSolution or None
        The answer; ``None`` exactly when no cluster has one.
    objective : float or (M,) float
        Recomputed from the problem's arrays; ``inf`` for a cluster without a tree.
    bound : float or (M,) float
        Proven lower bound; ``-inf`` where there is none.
    cluster_status : tuple of Status, length M
        What is known of each cluster.
    time_price : float or (M,) float or None
        Joules that a second is worth on the line that proves the bound, of :func:`solve_within` alone.
    violations : tuple of Violation
        Empty for every solution handed out.
    method : str
        The method that found the answer.
    seconds : float
        Wall seconds spent.
    explanation : str
        What a person should know besides.
    """

    status: Status
    stop_reason: StopReason
    solution: ClusterSolution | None
    objective: FloatArray | float
    bound: FloatArray | float
    cluster_status: tuple[Status, ...]
    time_price: FloatArray | float | None = None
    violations: tuple[Violation, ...] = ()
    method: str = ""
    seconds: float = 0.0
    explanation: str = ""

    @property
    def gap(self) -> FloatArray | float:
        """Relative distance of ``objective`` from ``bound``; ``inf`` where either is missing."""
        gap = relative_gaps(np.asarray(self.objective), np.asarray(self.bound))
        return float(gap) if np.ndim(self.objective) == 0 else gap


def relative_gaps(objective: FloatArray, bound: FloatArray) -> FloatArray:
    """Return ``(objective - bound) / objective`` of each cluster, at least 0; ``inf`` without one."""
    finite = np.isfinite(objective) & np.isfinite(bound)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.maximum(objective - bound, 0.0) / objective
    return np.where(finite, np.where(objective > 0, gap, 0.0), np.inf)
