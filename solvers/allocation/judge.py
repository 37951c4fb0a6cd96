"""What is known of a proposal: its cost and its bound, both from the problem's own arrays."""

from dataclasses import dataclass

import numpy as np

from solvers.allocation.dual_bound import ROUNDING, dual_value
from solvers.allocation.evaluate import TOLERANCE, cost
from solvers.allocation.prepared import Prepared
from solvers.allocation.solution import Proposal
from solvers.common.arrays import FloatArray
from solvers.common.compiled import has_compiler


@dataclass(frozen=True)
class Verdict:
    """Cost and proven lower bound of each cell (M,), and by how much rounding may set the former below."""

    objective: FloatArray
    bound: FloatArray
    rounding: FloatArray


def judge(prepared: Prepared, proposal: Proposal, threads: int = 1) -> Verdict:
    """Return cost and bound of a proposal; the bound is -inf without prices."""
    objective = cost(prepared.problem, proposal)
    if proposal.prices is None:
        return Verdict(objective, np.full_like(objective, -np.inf), np.zeros_like(objective))
    if has_compiler():
        from solvers.allocation.loops.run import dual_values

        value, size = dual_values(prepared.problem, proposal.prices, threads)
    else:
        prices = proposal.prices
        value, size = dual_value(prepared.problem, prices.bandwidth, prices.time, prepared.fleet)
    return Verdict(objective, value - ROUNDING * size, 2.0 * TOLERANCE * size)
