"""The table of methods: a name, where its function is, and what it can do."""

from collections.abc import Mapping
from types import MappingProxyType

from solvers.common.dispatch import Method

AUTO = "by_dual"
"""What ``method="auto"`` means: the method is exact and the fastest at every size."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "by_dual": Method(
            target="solvers.allocation.by_dual:by_dual",
            summary="Newton on the prices of band and time, certified; many cells in one call",
            exact=True,
            behind="solvers.allocation.by_dual:by_brackets",
        ),
        "block_alternation": Method(
            target="solvers.allocation.block_alternation:block_alternation",
            summary="heuristic: frequency and deadline, then bandwidth and power, in turn until they stall",
            exact=False,
        ),
        "equal_bandwidth_full_power": Method(
            target="solvers.allocation.equal_bandwidth:equal_bandwidth_full_power",
            summary="heuristic: an equal share of the band each, full power and full frequency",
            exact=False,
        ),
        "equal_bandwidth_optimal": Method(
            target="solvers.allocation.equal_bandwidth:equal_bandwidth_optimal",
            summary="heuristic: an equal share of the band each, and the best power, frequency and deadline",
            exact=False,
        ),
        "latency_first": Method(
            target="solvers.allocation.latency_first:latency_first",
            summary="heuristic: the least deadline, then the least energy at it",
            exact=False,
        ),
        "via_cvxpy": Method(
            target="solvers.allocation.via_cvxpy:via_cvxpy",
            summary="oracle: convex program with exponential cones, cell after cell, about 1e-8 accurate",
            exact=True,
            needs=("cvxpy", "clarabel"),
        ),
        "via_pyomo": Method(
            target="solvers.allocation.via_pyomo:via_pyomo",
            summary="oracle: the solver that you own, linear or nonlinear, cell after cell, to about 1e-6",
            exact=True,
            needs=("pyomo",),
            extra="pyomo",
        ),
    }
)
