"""The heuristic that takes the least deadline first and then the least energy at that deadline."""

from dataclasses import replace

import numpy as np

from solvers.allocation.by_dual import by_dual
from solvers.allocation.prepared import Prepared, prepare
from solvers.allocation.solution import Proposal
from solvers.common.options import Options


def latency_first(prepared: Prepared, options: Options) -> Proposal:
    """Return the least energy of ending as early as possible, whatever time costs.

    At its least deadline a cell whose slowest device sends has no choice left: its senders all work at full
    power and full frequency.  Energy is saved by devices that only compute, and in cells whose slowest
    device does.  Where a deadline is given everybody ends early all the same, and the deadline stays.
    """
    problem, given = prepared.problem, prepared.fleet.deadline
    least = prepared.fleet.base + prepared.least
    idle = least == 0
    early = np.where(idle, 1.0, least if given is None else np.minimum(least, given))
    hurried = replace(problem, deadline_s=early if problem.cell is not None else float(early[0]))
    proposal = by_dual(prepare(hurried), options)
    deadline = np.where(idle, 0.0, early) if given is None else given
    return replace(proposal, deadline_s=deadline, prices=None)
